"""BPJS over a real socket: what is said of a member, what is not, and what to do about a refusal."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import get_args
from uuid import UUID, uuid4

import bpjs
import pytest

from connectors.base import NotFound, Outcome, Record, Subject, Unavailable
from connectors.bpjs.connector import BpjsConnector, BpjsCredentials
from connectors.simulators.bpjs import BpjsSimulator, Fault, Member
from connectors.transport.client import Transport
from connectors.transport.failures import Misconfigured, SourceFailure
from connectors.transport.settings import SourceSettings
from tests.connectors.simulated import Stage, served

APBN = Member("3578014708909001", "SITI CONTOH", "0001234500001", date(1990, 8, 7), "P", "pbi_apbn")
APBD = replace(APBN, nik="3578010708909002", card_number="0001234500002", segment="pbi_apbd", sex="L")
PRIVATE = replace(APBN, nik="3578010708909003", card_number="0001234500003", segment="private", class_="1")
LAPSED = replace(
    APBN,
    nik="3578010708909004",
    card_number="0001234500004",
    segment="self_employed",
    class_="2",
    active=False,
)
NOBODY = "3578010708909099"
GIVEN = BpjsCredentials("10000", "made-up-secret", "made-up-user-key")
DAY = date(2026, 11, 21)
EVERYTHING = BpjsConnector.provides
PERSON = uuid4()


def now() -> datetime:
    """Real time, for the Date that the simulator's server sends is real, too."""
    return datetime.now(UTC)


STAGE = Stage()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(STAGE) as url:
        yield url


@pytest.fixture(autouse=True)
def simulator() -> BpjsSimulator:
    simulator = BpjsSimulator(
        [APBN, APBD, PRIVATE, LAPSED],
        consumer_id=GIVEN.consumer_id,
        secret=GIVEN.secret,
        user_key=GIVEN.user_key,
        clock=now,
        retry_after_s=0,
    )
    STAGE.app = simulator.app
    return simulator


@pytest.fixture
async def transport(address: str) -> AsyncIterator[Transport]:
    settings = SourceSettings(
        name="bpjs", base_url=f"{address}/vclaim-rest", backoff_base_s=0.001, retry_after_cap_s=0
    )
    async with Transport(settings) as opened:
        yield opened


@pytest.fixture
def connector(transport: Transport) -> BpjsConnector:
    return BpjsConnector(transport, GIVEN, clock=now)


async def ask(
    connector: BpjsConnector,
    *niks: str | None,
    fields: frozenset[str] = EVERYTHING,
    person_id: UUID | None = PERSON,
) -> Sequence[Outcome]:
    subjects = [Subject(nik=nik, person_id=person_id) for nik in niks]
    return await connector.fetch(subjects, fields, DAY, asyncio.get_running_loop().time() + 5)


@pytest.mark.anyio
async def test_says_segment_class_and_status_of_each_member_in_order(connector: BpjsConnector) -> None:
    outcomes = await ask(connector, APBN.nik, PRIVATE.nik, NOBODY, APBD.nik, LAPSED.nik)
    said = [outcome.values if isinstance(outcome, Record) else outcome for outcome in outcomes]
    assert said == [
        {"bpjs_membership_status": "active", "bpjs_segment": "pbi_apbn", "bpjs_class": "3"},
        {"bpjs_membership_status": "active", "bpjs_segment": "other", "bpjs_class": "1"},
        NotFound(),
        {"bpjs_membership_status": "active", "bpjs_segment": "pbi_apbd", "bpjs_class": "3"},
        {"bpjs_membership_status": "inactive", "bpjs_segment": "other", "bpjs_class": "2"},
    ]


@pytest.mark.anyio
@pytest.mark.parametrize("field", sorted(EVERYTHING))
async def test_gives_only_what_was_asked_dated_by_the_day_on_which_it_was_said(
    connector: BpjsConnector, field: str
) -> None:
    [outcome] = await ask(connector, APBN.nik, fields=frozenset({field}))
    assert isinstance(outcome, Record)
    assert outcome.person_id == PERSON
    assert set(outcome.values) == {field}
    assert outcome.default_as_of in {(now() + timedelta(hours=7, seconds=-s)).date() for s in (0, 10)}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "nik",
    [
        None,
        "",
        "357801470890900",
        "3578014708909001 ",
        "3578014708909001".replace("3", "\uff13"),
        "../nokartu/000",
    ],
)
async def test_whoever_has_no_nik_of_16_digits_is_nobody_and_is_not_asked_about(
    connector: BpjsConnector, simulator: BpjsSimulator, nik: str | None
) -> None:
    assert await ask(connector, nik) == [NotFound()]
    assert simulator.asked == 0


@pytest.mark.anyio
async def test_the_same_question_asked_twice_at_once_is_sent_once(
    connector: BpjsConnector, simulator: BpjsSimulator
) -> None:
    first, second = await ask(connector, APBN.nik, APBN.nik)
    assert first == second
    assert isinstance(first, Record)
    assert simulator.asked == 1


@pytest.mark.anyio
@pytest.mark.parametrize("fault", ["http_503", "garbage"])
async def test_a_passing_trouble_is_asked_again(
    connector: BpjsConnector, simulator: BpjsSimulator, fault: Fault
) -> None:
    simulator.next_answers.append(fault)
    [outcome] = await ask(connector, APBN.nik)
    assert isinstance(outcome, Record)
    assert simulator.asked == 2


@pytest.mark.anyio
async def test_metadata_in_small_letters_is_understood(
    connector: BpjsConnector, simulator: BpjsSimulator
) -> None:
    simulator.next_answers.append("lowercase")
    [outcome] = await ask(connector, APBN.nik)
    assert isinstance(outcome, Record)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("wrong_person", "somebody else"),
        ("plaintext", "does not open"),
        ("another_key", "does not open"),
        ("truncated", "does not open"),
        ("refused", "refuses this question"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_no_verdict_and_is_not_asked_again(
    connector: BpjsConnector, simulator: BpjsSimulator, fault: Fault, cause: str
) -> None:
    simulator.next_answers.append(fault)
    [outcome] = await ask(connector, APBN.nik)
    assert isinstance(outcome, Unavailable)
    assert cause in outcome.cause
    assert simulator.asked == 1


@pytest.mark.anyio
@pytest.mark.parametrize("style", ["json", "text"])
@pytest.mark.parametrize("status", [200, 401, 500])
@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("unregistered", "check consumer_id and user_key"),
        ("expired", "have BPJS renew it"),
        ("signature", "the clocks agree: secret is not that of consumer_id"),
    ],
)
async def test_a_refusal_is_configuration_says_what_to_do_and_is_not_asked_again(
    connector: BpjsConnector,
    simulator: BpjsSimulator,
    style: str,
    status: int,
    fault: Fault,
    cause: str,
) -> None:
    simulator.refusals, simulator.refusal_status = "json" if style == "json" else "text", status
    simulator.next_answers.append(fault)
    with pytest.raises(Misconfigured, match=cause):
        await connector.ping()
    simulator.next_answers.append(fault)
    [outcome] = await ask(connector, APBN.nik)
    assert isinstance(outcome, Unavailable)
    assert cause in outcome.cause
    assert simulator.asked == 2


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("ours", "cause"),
    [
        (timedelta(minutes=-10), r"clock is \d+ s behind that of BPJS"),
        (timedelta(minutes=10), r"clock is \d+ s ahead of that of BPJS"),
    ],
)
async def test_a_wrong_clock_is_told_from_a_wrong_secret(
    transport: Transport, ours: timedelta, cause: str
) -> None:
    connector = BpjsConnector(transport, GIVEN, clock=lambda: now() + ours)
    with pytest.raises(Misconfigured, match=cause):
        await connector.ping()


@pytest.mark.anyio
@pytest.mark.parametrize("ours", [timedelta(minutes=-4), timedelta(minutes=4)])
async def test_a_clock_within_the_window_does_no_harm(transport: Transport, ours: timedelta) -> None:
    [outcome] = await ask(BpjsConnector(transport, GIVEN, clock=lambda: now() + ours), APBN.nik)
    assert isinstance(outcome, Record)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "wrong",
    [{"secret": "another"}, {"consumer_id": "10001"}, {"user_key": ""}],
    ids=lambda wrong: next(iter(wrong)),
)
async def test_every_part_of_the_credentials_is_checked_by_the_simulator(
    transport: Transport, wrong: dict[str, str]
) -> None:
    connector = BpjsConnector(transport, replace(GIVEN, **wrong), clock=now)
    with pytest.raises(Misconfigured):
        await connector.ping()


@pytest.mark.anyio
async def test_ping_is_content_when_bpjs_says_that_it_knows_no_such_card(
    connector: BpjsConnector, simulator: BpjsSimulator
) -> None:
    await connector.ping()
    simulator.not_found = "No.Kartu Tidak Sesuai"
    await connector.ping()
    assert simulator.asked == 2


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("words", "nobody"),
    [
        ("Peserta Tidak Ditemukan", True),
        ("NIK Tidak Terdaftar.", True),
        (f"Data peserta dengan NIK {NOBODY} tidak ditemukan", True),
        ("Peserta tidak terdaftar di faskes ini", False),
        ("Service peserta tidak ditemukan", False),
        ("Peserta tidak ditemukan, silakan coba lagi", False),
        ("", False),
    ],
)
async def test_nobody_is_said_only_in_words_that_say_it(
    connector: BpjsConnector, simulator: BpjsSimulator, words: str, nobody: bool
) -> None:
    simulator.not_found = words
    [outcome] = await ask(connector, NOBODY)
    assert isinstance(outcome, NotFound if nobody else Unavailable)


@pytest.mark.anyio
async def test_an_outage_says_since_when(connector: BpjsConnector, simulator: BpjsSimulator) -> None:
    before = now()
    simulator.next_answers.extend(["http_503"] * 20)
    [first] = await ask(connector, APBN.nik)
    [second] = await ask(connector, APBD.nik)
    assert isinstance(first, Unavailable)
    assert isinstance(second, Unavailable)
    assert before <= first.since == second.since <= now()


FAULTS = [fault for fault in get_args(Fault) if fault != "lowercase"]


@pytest.mark.anyio
@pytest.mark.parametrize("fault", FAULTS)
async def test_neither_nik_nor_secret_gets_into_causes_logs_or_exceptions(
    connector: BpjsConnector, simulator: BpjsSimulator, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    simulator.next_answers.extend([fault] * 20)
    [outcome] = await ask(connector, APBN.nik)
    assert isinstance(outcome, Unavailable)
    shown = [outcome.cause, repr(connector._credentials), repr(connector._transport.state())]
    try:
        await connector._ask(f"/Peserta/nik/{APBN.nik}/tglSEP/{DAY}", asyncio.get_running_loop().time() + 1)
    except SourceFailure as failure:
        error: BaseException | None = failure
        while error is not None:
            shown += [str(error), repr(error), repr(vars(error))]
            error = error.__cause__ or error.__context__
    for record in caplog.records:
        shown += [record.getMessage(), repr(record.args)]
    assert len(shown) > 3
    for text in shown:
        assert APBN.nik not in text
        assert APBN.name not in text
        assert GIVEN.secret not in text
        assert GIVEN.user_key not in text


# --- The client that nobody here wrote


def client(address: str, **wrong: str) -> bpjs.Bridging:
    given = {"consid": GIVEN.consumer_id, "secret": GIVEN.secret, "user_key": GIVEN.user_key}
    return bpjs.Bridging({"host": f"{address}/vclaim-rest", **given, **wrong}, "vclaim")


@pytest.mark.parametrize("member", [APBN, APBD, PRIVATE, LAPSED], ids=lambda member: member.segment)
def test_bpjs_bridging_reads_the_simulator_unchanged(address: str, member: Member) -> None:
    by_nik = client(address).request(f"Peserta/nik/{member.nik}/tglSEP/{DAY}")
    by_card = client(address).request(f"Peserta/nokartu/{member.card_number}/tglSEP/{DAY}")
    assert by_nik == by_card
    assert by_nik["metaData"] == {"code": "200", "message": "OK"}
    person = by_nik["response"]["peserta"]
    assert (person["nik"], person["noKartu"], person["nama"]) == (member.nik, member.card_number, member.name)
    kinds = {"pbi_apbn": "21", "pbi_apbd": "22", "private": "13", "self_employed": "14"}
    assert person["jenisPeserta"]["kode"] == kinds[member.segment]
    assert person["statusPeserta"]["kode"] == ("0" if member.active else "1")


def test_bpjs_bridging_is_refused_as_bpjs_refuses(address: str, simulator: BpjsSimulator) -> None:
    path = f"Peserta/nik/{APBN.nik}/tglSEP/{DAY}"
    assert (
        client(address, secret="another").request(path)["metaData"]["message"]
        == "Signature Service Tidak Sesuai"
    )
    assert "not registered" in client(address, consid="9").request(path)["metaData"]["message"]
    assert client(address).request(f"Peserta/nik/{NOBODY}/tglSEP/{DAY}")["metaData"]["code"] == "201"
    simulator.clock = lambda: now() + timedelta(minutes=6)
    assert client(address).request(path)["metaData"]["message"] == "Signature Service Tidak Sesuai"
