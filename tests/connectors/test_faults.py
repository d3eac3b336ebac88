"""Every fault against every connector: what is said, in time, at which cost to the source, and what after it.

faults.md is the specification; the same table is printed after the tests as it was observed. A source that
has no column in it is held to what goes for all.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from connectors.transport.breaker import BreakerSettings
from connectors.transport.client import Transport
from connectors.transport.failures import SourceFailure
from connectors.transport.settings import SourceSettings
from connectors.transport.wire import Reply
from tests.connectors.conftest import Certificate, make_certificate
from tests.connectors.faults import FaultProxy, status, upstream
from tests.connectors.plagued import (
    TROUBLES,
    Certificates,
    Metronome,
    Plagued,
    WindableLoop,
    plagued,
    this_loop,
)
from tests.connectors.simulated import Stage, served
from tests.connectors.wired import PEOPLE, WIRED, Ask, Told, Wired

pytestmark = pytest.mark.anyio

STAGE = Stage()
# Of a silent source: two attempts and a bit of a third.
SILENT, DEADLINE_S, ATTEMPT_S = {"latency beyond the deadline", "slow drip", "black hole"}, 0.36, 0.16
# Of all others, which answer at once: time enough for a machine that is busy with something else.
AMPLE_S = 4.0
MAX_ATTEMPTS = 3
RETRY_BURST, RETRY_PERCENT = 2, 10
OPEN_S = 5.0
STORM = 30
SETTINGS: dict[str, Any] = {
    "name": "tested",
    "attempt_timeout_s": AMPLE_S,
    "fair_wait_s": 0.1,
    "max_attempts": MAX_ATTEMPTS,
    "backoff_base_s": 0.01,
    "backoff_cap_s": 0.05,
    "retry_percent": RETRY_PERCENT,
    "retry_burst": RETRY_BURST,
    "breaker": BreakerSettings(failures=3, open_s=OPEN_S),
    "max_body_bytes": 100_000,
    "allow_plain_http": True,
}
WORDS = {
    "Timeout": "late",
    "ConnectionLost": "lost",
    "Overloaded": "busy",
    "ServerFault": "failed",
    "GarbledAnswer": "garbled",
    "Misconfigured": "misconfigured",
    "Rejected": "rejected",
    "BrokenContract": "broken",
    "TooLarge": "too large",
    "BreakerOpen": "not asked",
}
# What no cause and no log may hold: words of the answers, true ones and others.
SECRET = (
    "words of the source",
    "SSH-2.0",
    *(p.nik for p in PEOPLE),
    *("WULANDAR", "KARTIKA", "LESTARI", "MELATI"),
)


def specified() -> dict[tuple[str, str], str]:
    """Fault and connector -> what has to be observed."""
    text = (Path(__file__).parent / "faults.md").read_text(encoding="utf-8")
    lines = text[text.index("| fault ") :].splitlines()
    head, _, *body = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {(row[0], name): cell for row in body for name, cell in zip(head[1:], row[1:], strict=True)}


class Overhearing(Transport):
    """A transport whose failures a test can look at; a connector turns them into outcomes."""

    heard: SourceFailure | None = None

    async def send(self, *args: Any, **more: Any) -> Reply:
        try:
            return await super().send(*args, **more)
        except SourceFailure as failure:
            self.heard = failure
            raise


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": WindableLoop}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(STAGE) as address:
        yield int(address.rpartition(":")[2])


@pytest.fixture(scope="module")
def certificates(
    for_this_address: Certificate, for_another_name: Certificate, tmp_path_factory: pytest.TempPathFactory
) -> Certificates:
    folder = tmp_path_factory.mktemp("trust")
    here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    trusted = folder / "trusted.pem"
    trusted.write_bytes(for_this_address.file.read_bytes() + for_another_name.file.read_bytes())
    stranger = make_certificate(folder / "stranger.pem", here)
    return Certificates(for_this_address, for_another_name, stranger, trusted)


@pytest.fixture(scope="module")
def metronome() -> Iterator[Metronome]:
    with Metronome() as beating:
        yield beating


@asynccontextmanager
async def asking(
    wired: Wired, source: Plagued, port: int, **other: Any
) -> AsyncIterator[tuple[Ask, Overhearing]]:
    tested = SourceSettings(
        base_url=source.base_url + wired.path, ca_file=source.ca_file, **{**SETTINGS, **other}
    )
    sound = SourceSettings(name="sound", base_url=f"http://127.0.0.1:{port}{wired.path}")
    async with (
        Overhearing(tested, sleep=source.rest, chance=lambda: 0.5) as transport,
        Transport(sound) as beside,
    ):
        yield wired.connect(transport, beside), transport


@pytest.fixture(params=WIRED, ids=lambda wired: wired.name)
def wired(request: pytest.FixtureRequest) -> Wired:
    chosen: Wired = request.param
    STAGE.app = chosen.serve()
    return chosen


def within(seconds: float) -> float:
    return this_loop().time() + seconds


_TRUTHS: dict[str, tuple[Told, int]] = {}


@pytest.fixture
async def truth(wired: Wired, port: int) -> tuple[Told, int]:
    """What the sound source makes the connector say, and how many requests that takes."""
    if wired.name not in _TRUTHS:
        async with FaultProxy(source=upstream(port)) as proxy:
            source = Plagued(proxy, proxy.base_url, None, cure=partial(_nothing), cured_by_rest=False)
            async with asking(wired, source, port) as (ask, _):
                told = await ask(within(AMPLE_S), 1)
        assert told.answer
        assert told.cause is None
        _TRUTHS[wired.name] = told, proxy.requests
    return _TRUTHS[wired.name]


async def _nothing() -> None:
    """The cure of whoever is not ill."""


@pytest.mark.parametrize("name", TROUBLES)
async def test_each_fault_is_told_in_time_spares_the_source_and_leaves_nothing_behind(
    wired: Wired,
    name: str,
    truth: tuple[Told, int],
    port: int,
    certificates: Certificates,
    metronome: Metronome,
    caplog: pytest.LogCaptureFixture,
    record_property: Any,
) -> None:
    # At DEBUG httpcore quotes a status line that is none; the gateway's root logger is at WARNING.
    caplog.set_level(logging.INFO)
    told, requests = truth
    async with plagued(TROUBLES[name], upstream(port), certificates) as source:
        word = await _persisting(wired, source, told, port, metronome, silent=name in SILENT)
    async with plagued(TROUBLES[name], upstream(port), certificates, once_after=requests - 1) as source:
        survived = await _passing(wired, source, told, port, silent=name in SILENT)
    observed = word + ("*" if survived and word != "answered" else "")
    record_property("fault x connector", [name, wired.name, observed])
    assert not [secret for secret in SECRET if secret in caplog.text]
    assert observed == SPECIFIED.get((name, wired.name), observed)


async def _persisting(
    wired: Wired, source: Plagued, truth: Told, port: int, metronome: Metronome, *, silent: bool
) -> str:
    """What is said while the trouble lasts; and that it is over as soon as the breaker looks again."""
    deadline_s = DEADLINE_S if silent else AMPLE_S
    async with asking(wired, source, port, **_attempts(silent=silent)) as (ask, transport):
        began, late_s = time.perf_counter(), metronome.late_s
        told = await ask(within(deadline_s), 1)
        took_s = time.perf_counter() - began
        assert took_s <= deadline_s * 1.10 + metronome.late_s - late_s
        word = _word(told, truth, transport)
        if told.cause is not None:
            assert source.proxy.requests <= MAX_ATTEMPTS
        if told.counted is not None and (transport.heard is None or transport.heard.may_have_acted):
            assert told.counted >= source.proxy.requests
        for _ in range(2):
            if told.cause is not None and transport.state().breaker == "closed":
                _word(await ask(within(deadline_s), 1), truth, transport)
        if transport.state().breaker == "open":
            reached = source.proxy.requests
            assert _word(await ask(within(deadline_s), 1), truth, transport) == "not asked"
            assert source.proxy.requests == reached
        await source.cure()
        this_loop().ahead_s += OPEN_S
        assert (await ask(within(AMPLE_S), 1)).answer == truth.answer
        assert transport.state().breaker == "closed"
    return word


async def _passing(wired: Wired, source: Plagued, truth: Told, port: int, *, silent: bool) -> bool:
    """Whether trouble that strikes the last request, once, is survived."""
    async with asking(wired, source, port, **_attempts(silent=silent)) as (ask, transport):
        told = await ask(within(AMPLE_S), 1)
        _word(told, truth, transport)
        return told.cause is None


def _attempts(*, silent: bool) -> dict[str, float]:
    return {"attempt_timeout_s": ATTEMPT_S} if silent else {}


def _word(told: Told, truth: Told, transport: Overhearing) -> str:
    """What was told, in a word. An answer is the true one, or the beginning of it with a cause."""
    if told.cause is None:
        assert told.answer == truth.answer
        return "answered"
    assert told.answer == truth.answer[: len(told.answer)]
    assert len(told.answer) < len(truth.answer)
    assert told.cause.strip()
    told_in_full = told.text
    assert not [secret for secret in SECRET if secret in told_in_full]
    failure = told.failure or transport.heard
    assert failure is not None
    assert failure.cause in told.cause
    return WORDS[type(failure).__name__]


@pytest.mark.parametrize("code", [500, 502, 503])
async def test_a_storm_reaches_the_source_no_more_often_than_the_retry_budget_allows(
    wired: Wired,
    code: int,
    truth: tuple[Told, int],
    port: int,
    certificates: Certificates,
    record_property: Any,
) -> None:
    """With a breaker that never opens, for it would spare the source most of these."""
    never = BreakerSettings(failures=10**6, window_calls=10**6)
    most = STORM + RETRY_BURST + STORM * RETRY_PERCENT // 100
    async with (
        plagued(status(code), upstream(port), certificates) as source,
        asking(wired, source, port, breaker=never, concurrency=5) as (ask, transport),
    ):
        told = await ask(within(AMPLE_S), STORM)
        _word(told, truth[0], transport)
        assert told.cause is not None
        reached = source.proxy.requests
        await source.cure()
        assert (await ask(within(AMPLE_S), 1)).answer == truth[0].answer
    record_property(
        "fault x connector", [f"storm of {code}, {STORM} at once", wired.name, f"{reached} <= {most}"]
    )
    assert STORM <= reached <= most


def test_every_fault_and_every_connector_of_the_specification_is_tested() -> None:
    """A row or column that nothing runs would promise what nobody keeps."""
    faults, names = {fault for fault, _ in SPECIFIED}, {name for _, name in SPECIFIED}
    assert faults == set(TROUBLES)
    assert names <= {one.name for one in WIRED}


SPECIFIED = specified()
