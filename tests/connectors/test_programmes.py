"""A programme's list pulled over a real socket: whole, by cursor, throttled, refused and spoilt."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal, get_args

import pytest

from connectors.programmes.publisher import ClientCredentials, CursorExpired, ProgrammeListSource
from connectors.programmes.rows import Page, Reject
from connectors.simulators.programmes import Fault, ProgrammesSimulator, Row
from connectors.transport.client import Transport
from connectors.transport.failures import (
    BrokenContract,
    GarbledAnswer,
    Misconfigured,
    Overloaded,
    Rejected,
    SourceFailure,
)
from connectors.transport.settings import SourceSettings
from tests.connectors.simulated import Stage, served

pytestmark = pytest.mark.anyio
GIVEN = ClientCredentials("made-up:id with a space", "made-up/secret+%")
START = date(2026, 1, 1)
ROWS = [Row("PKH", f"35780147089{serial}", START, segment="anak_sekolah") for serial in range(90001, 90026)]
STAGE = Stage()


class Clock:
    """The time of both sides; who sleeps by it moves it on."""

    def __init__(self) -> None:
        self.began = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)
        self.ahead_s = 0.0

    def utc(self) -> datetime:
        return self.began + timedelta(seconds=self.ahead_s)

    def seconds(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead_s

    async def sleep(self, seconds: float) -> None:
        self.ahead_s += seconds
        await asyncio.sleep(0)


@pytest.fixture
def time() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(STAGE) as url:
        yield url


@pytest.fixture(autouse=True)
def simulator(time: Clock) -> ProgrammesSimulator:
    simulator = ProgrammesSimulator(
        [*ROWS, Row("BPNT", ROWS[0].nik, START)], GIVEN.client_id, GIVEN.client_secret, clock=time.utc
    )
    STAGE.app = simulator.app
    return simulator


@pytest.fixture
async def transport(address: str, time: Clock) -> AsyncIterator[Transport]:
    settings = SourceSettings(name="splp", base_url=address, retry_after_cap_s=3600)
    async with Transport(settings, clock=time.seconds, utc=time.utc, sleep=time.sleep) as opened:
        yield opened


Sources = Callable[..., ProgrammeListSource]


@pytest.fixture
def source_of(transport: Transport, time: Clock) -> Sources:
    def make(
        programme: str = "PKH", given: ClientCredentials = GIVEN, path: str = "/bansos/1.0/memberships"
    ) -> ProgrammeListSource:
        return ProgrammeListSource(
            name="kemensos-pkh",
            programme=programme,
            api=transport,
            path=path,
            tokens=transport,
            token_path="/oauth2/token",
            credentials=given,
            clock=time.utc,
            page_size=10,
        )

    return make


async def pull(source: ProgrammeListSource, cursor: str | None = None, within_s: float = 600) -> list[Page]:
    deadline = asyncio.get_running_loop().time() + within_s
    return [page async for page in source.pages(cursor, deadline)]


def niks(pages: list[Page]) -> list[str]:
    return [membership.nik for page in pages for membership in page.memberships]


async def test_the_whole_list_comes_page_by_page_and_no_other_programme_with_it(source_of: Sources) -> None:
    pages = await pull(source_of())
    assert [len(page.memberships) for page in pages] == [10, 10, 5]
    assert niks(pages) == [row.nik for row in ROWS]
    assert [page.more for page in pages] == [True, True, False]
    first = pages[0].memberships[0]
    assert (first.programme, first.starts_on, first.ends_on) == ("PKH", START, None)
    assert (first.segment, first.source, first.as_of) == ("anak_sekolah", "kemensos-pkh", date(2026, 11, 21))


async def test_the_next_pull_gets_only_what_has_changed(
    source_of: Sources, simulator: ProgrammesSimulator
) -> None:
    source = source_of()
    done = (await pull(source))[-1].cursor
    [nothing] = await pull(source, done)
    assert nothing.memberships == ()
    ended = replace(ROWS[3], ends_on=date(2026, 11, 1))
    simulator.publish(ended)
    simulator.publish(Row("PKH", "3578010708990099", date(2026, 12, 1)))
    [page] = await pull(source, nothing.cursor)
    assert [(one.nik, one.ends_on) for one in page.memberships] == [
        (ended.nik, date(2026, 11, 1)),
        ("3578010708990099", None),
    ]


async def test_a_pull_that_was_cut_short_goes_on_where_it_stopped(
    source_of: Sources, simulator: ProgrammesSimulator
) -> None:
    under_way = source_of().pages(None, asyncio.get_running_loop().time() + 600)
    first = await anext(under_way)
    simulator.next_answers.append("wrong_programme")
    with pytest.raises(BrokenContract, match="another programme"):
        await anext(under_way)
    assert niks([first, *await pull(source_of(), first.cursor)]) == [row.nik for row in ROWS]


async def test_one_token_serves_until_its_life_is_nearly_over(
    source_of: Sources, simulator: ProgrammesSimulator, time: Clock
) -> None:
    source = source_of()
    await pull(source)
    await pull(source)
    assert simulator.tokens_issued == 1
    time.ahead_s += simulator.token_life.total_seconds() - 30
    await pull(source, within_s=7200)
    assert simulator.tokens_issued == 2


async def test_a_token_that_ended_early_is_renewed_once(
    source_of: Sources, simulator: ProgrammesSimulator
) -> None:
    source = source_of()
    await source.ping()
    simulator.next_answers.append("token_revoked")
    assert niks(await pull(source)) == [row.nik for row in ROWS]
    assert simulator.tokens_issued == 2


async def test_a_fresh_token_that_is_refused_is_configuration(
    source_of: Sources, simulator: ProgrammesSimulator
) -> None:
    simulator.next_answers.extend(["token_revoked"] * 9)
    with pytest.raises(Misconfigured, match=r"refuses a fresh token \(900901\)"):
        await pull(source_of())
    assert (simulator.tokens_issued, simulator.pages_asked) == (2, 2)


async def test_wrong_credentials_are_configuration_and_are_not_tried_again(
    source_of: Sources, simulator: ProgrammesSimulator
) -> None:
    with pytest.raises(Misconfigured, match="check both"):
        await source_of(given=replace(GIVEN, client_secret="another")).ping()
    assert (simulator.tokens_issued, simulator.pages_asked) == (0, 0)


@pytest.mark.parametrize("shape", ["wrapped", "flat", "xml"])
async def test_a_missing_subscription_is_configuration_in_every_shape_of_fault(
    source_of: Sources, simulator: ProgrammesSimulator, shape: Literal["wrapped", "flat", "xml"]
) -> None:
    simulator.subscribed, simulator.fault_shape = False, shape
    with pytest.raises(Misconfigured, match=r"no subscription .* \(900908\)"):
        await source_of().ping()
    assert simulator.pages_asked == 1


async def test_a_path_that_the_gateway_does_not_know_is_told(source_of: Sources) -> None:
    with pytest.raises(Rejected, match="status 404"):
        await source_of(path="/bansos/2.0/memberships").ping()


@pytest.mark.parametrize("shape", ["wrapped", "flat", "xml"])
@pytest.mark.parametrize("retry_after", [True, False])
async def test_throttling_is_waited_out_for_as_long_as_the_gateway_says(
    source_of: Sources,
    simulator: ProgrammesSimulator,
    time: Clock,
    shape: Literal["wrapped", "flat", "xml"],
    retry_after: bool,
) -> None:
    simulator.fault_shape, simulator.retry_after, simulator.calls_per_minute = shape, retry_after, 2
    assert niks(await pull(source_of())) == [row.nik for row in ROWS]
    assert simulator.pages_asked == 4
    assert 60 <= time.ahead_s < 65


async def test_throttling_beyond_the_deadline_ends_the_pull(
    source_of: Sources, simulator: ProgrammesSimulator, time: Clock
) -> None:
    simulator.calls_per_minute = 2
    with pytest.raises(Overloaded, match="429 900803"):
        await pull(source_of(), within_s=30)
    assert time.ahead_s < 30


async def test_an_expired_cursor_asks_for_a_new_pull(
    source_of: Sources, simulator: ProgrammesSimulator
) -> None:
    simulator.next_answers.append("cursor_expired")
    with pytest.raises(CursorExpired):
        await pull(source_of(), "cGxhY2UgMw")


async def test_a_list_that_never_ends_is_noticed(source_of: Sources, simulator: ProgrammesSimulator) -> None:
    simulator.next_answers.extend(["stuck_cursor"] * 20)
    with pytest.raises(BrokenContract, match="no new cursor"):
        await pull(source_of())
    assert simulator.pages_asked <= 2


@pytest.mark.parametrize("fault", ["truncated", "garbage", "backend_down"])
async def test_a_passing_trouble_is_asked_again(
    source_of: Sources, simulator: ProgrammesSimulator, fault: Fault
) -> None:
    simulator.next_answers.append(fault)
    assert niks(await pull(source_of())) == [row.nik for row in ROWS]
    simulator.next_answers.extend([fault] * 9)
    with pytest.raises((GarbledAnswer, Overloaded)):
        await pull(source_of())


async def test_numbers_in_place_of_niks_are_rejected_row_by_row(
    source_of: Sources, simulator: ProgrammesSimulator
) -> None:
    simulator.next_answers.append("spoilt_rows")
    pages = await pull(source_of())
    assert pages[0].memberships == ()
    assert pages[0].rejects == tuple(Reject(position, "nik", "digits") for position in range(1, 11))
    assert niks(pages) == [row.nik for row in ROWS[10:]]


@pytest.mark.parametrize("fault", [fault for fault in get_args(Fault) if fault != "spoilt_rows"])
async def test_neither_rows_nor_credentials_get_into_causes_logs_or_exceptions(
    source_of: Sources, simulator: ProgrammesSimulator, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    simulator.next_answers.extend([fault] * 20)
    with pytest.raises(SourceFailure) as caught:
        await pull(source_of(), within_s=20)
    shown = [
        str(caught.value),
        repr(vars(caught.value)),
        repr(GIVEN),
        *map(repr, await pull_after(source_of)),
    ]
    shown += [record.getMessage() for record in caplog.records]
    for text in shown:
        assert ROWS[0].nik not in text
        assert GIVEN.client_secret not in text
        assert "Bearer " not in text


async def pull_after(source_of: Sources) -> list[Page]:
    """A page as it prints, once the trouble is over."""
    try:
        return await pull(source_of("BPNT"))
    except SourceFailure:
        return []
