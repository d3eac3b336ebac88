"""Every fault, over real sockets: what it is called, whom it is blamed on, and that no deadline is missed."""

from __future__ import annotations

import asyncio
import gzip
import logging
import random
import tracemalloc
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from connectors.transport.breaker import BreakerSettings
from connectors.transport.client import Transport
from connectors.transport.failures import (
    BreakerOpen,
    BrokenContract,
    ConnectionLost,
    GarbledAnswer,
    Misconfigured,
    NoFreeSlot,
    Overloaded,
    QuotaExhausted,
    Rejected,
    ServerFault,
    SourceFailure,
    Timeout,
    TooLarge,
)
from connectors.transport.settings import SourceSettings
from connectors.transport.wire import Reply
from tests.connectors import faults
from tests.connectors.conftest import WarpedTime
from tests.connectors.faults import Fault, FaultProxy

pytestmark = pytest.mark.anyio

# What a busy machine may need to notice that time is up: the deadline is a promise, not a benchmark.
GRACE_S = 0.5
NEVER_OPEN = BreakerSettings(failures=10_000, window_calls=10_000)
SECRET = "3171234567890001"


def settings_for(source: FaultProxy | str, **changes: Any) -> SourceSettings:
    base_url = source if isinstance(source, str) else source.base_url
    defaults: dict[str, Any] = {"attempt_timeout_s": 30.0, "max_attempts": 1, "max_body_bytes": 100_000}
    return SourceSettings(name="sample", base_url=base_url, **(defaults | changes))


def transport_to(source: FaultProxy | str, time: WarpedTime | None = None, **changes: Any) -> Transport:
    if time is None:
        return Transport(settings_for(source, **changes))
    return Transport(
        settings_for(source, **changes), clock=time.clock, utc=time.utc, sleep=time.sleep, chance=lambda: 0.0
    )


def in_s(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def failure_of(sending: Awaitable[Reply]) -> SourceFailure:
    with pytest.raises(SourceFailure) as caught:
        await sending
    return caught.value


def arcgis_error(reply: Reply) -> None:
    if "error" in reply.data:
        raise ServerFault("the answer holds error 500")


# fault, what it is, and what it says of the source's health
TABLE: dict[str, tuple[Fault, type[SourceFailure], bool | None]] = {
    "latency beyond the time given": (faults.latency(1.5), Timeout, False),
    "reset": (faults.reset, ConnectionLost, False),
    "hang-up": (faults.hang_up, ConnectionLost, False),
    "half-close": (faults.half_close, ConnectionLost, False),
    "slow drip": (faults.slow_drip, Timeout, False),
    "black hole": (faults.black_hole, Timeout, False),
    "truncated body": (faults.truncated, ConnectionLost, False),
    "endless body": (faults.endless, TooLarge, None),
    "announced oversize": (faults.announced_oversize(100_001), TooLarge, None),
    "compression bomb": (faults.compression_bomb(50_000_000), TooLarge, None),
    "broken compression": (
        faults.answering(faults.http(b"\x1f\x8bnot so", content_encoding="gzip")),
        GarbledAnswer,
        False,
    ),
    "truncated compression": (
        faults.answering(faults.http(gzip.compress(faults.CANNED)[:-9], content_encoding="gzip")),
        GarbledAnswer,
        False,
    ),
    "compression nobody asked for": (
        faults.answering(faults.http(content_encoding="br")),
        GarbledAnswer,
        False,
    ),
    "garbage": (faults.garbage, GarbledAnswer, False),
    "broken JSON": (faults.broken_json, GarbledAnswer, False),
    "login page": (faults.login_page, GarbledAnswer, False),
    "empty answer": (faults.answering(faults.http(b"", 204)), GarbledAnswer, False),
    "200 with an error": (faults.error_in_200, ServerFault, False),
    "429 without a time": (faults.status(429), Overloaded, False),
    "429 with Retry-After": (faults.status(429, retry_after="7"), Overloaded, None),
    "503": (faults.status(503), Overloaded, False),
    "500": (faults.status(500), ServerFault, False),
    "502": (faults.status(502), ServerFault, False),
    "501": (faults.status(501), Misconfigured, True),
    "401": (faults.status(401), Misconfigured, True),
    "403": (faults.status(403), Misconfigured, True),
    "redirect": (faults.status(302, location="http://127.0.0.1:1/"), Misconfigured, True),
    "400": (faults.status(400), Rejected, True),
    "404": (faults.status(404), Rejected, True),
    "408": (faults.status(408), Timeout, False),
}


def enough_s(kind: type[SourceFailure]) -> float:
    """No longer than needed for a fault that never ends by itself; for the others, more than they need."""
    return 0.5 if kind is Timeout else 30.0


@pytest.mark.parametrize("name", TABLE)
async def test_every_fault_has_its_name_and_moves_the_breaker_only_if_the_source_is_to_blame(
    name: str,
) -> None:
    fault, kind, alive = TABLE[name]
    async with FaultProxy(fault) as source:
        breaker = BreakerSettings(failures=1)
        async with transport_to(source, breaker=breaker, fair_wait_s=0.1) as transport:
            failure = await failure_of(
                transport.send("GET", "/people", deadline=in_s(enough_s(kind)), judge=arcgis_error)
            )
            state = transport.state()
        assert (type(failure), failure.alive) == (kind, alive)
        assert state.breaker == ("open" if alive is False else "closed")
        assert source.requests == state.attempts == 1
        assert (state.unavailable_since is None) == failure.this_question_only
        assert failure.since is not None
        assert state.last_cause == failure.cause == str(failure)
        assert (state.in_flight, state.waiting) == (0, 0)
        await source.deserted()


@pytest.mark.parametrize("name", TABLE)
async def test_no_fault_makes_a_question_outlive_its_deadline(name: str) -> None:
    fault, _, _ = TABLE[name]
    async with (
        FaultProxy(otherwise=fault) as source,
        transport_to(source, max_attempts=100, retry_burst=100, breaker=NEVER_OPEN) as transport,
    ):
        deadline = in_s(0.4)
        await failure_of(transport.send("GET", "/people", deadline=deadline, judge=arcgis_error))
        assert in_s(0) <= deadline + GRACE_S


@pytest.mark.parametrize("name", TABLE)
async def test_the_next_question_after_a_fault_is_answered(name: str) -> None:
    fault, kind, _ = TABLE[name]
    async with FaultProxy(fault) as source, transport_to(source, WarpedTime(), concurrency=1) as transport:
        await failure_of(transport.send("GET", "/people", deadline=in_s(enough_s(kind)), judge=arcgis_error))
        reply = await transport.send("GET", "/people", deadline=in_s(30), judge=arcgis_error)
        assert reply.data == {"ok": True}
        assert transport.state().unavailable_since is None


@pytest.mark.parametrize("name", TABLE)
async def test_no_failure_and_no_log_quotes_the_question_or_the_answer(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    fault, kind, _ = TABLE[name]
    caplog.set_level(logging.DEBUG)
    async with FaultProxy(fault) as source, transport_to(source) as transport:
        failure = await failure_of(
            transport.send(
                "POST",
                f"/people/{SECRET}",
                params={"nik": SECRET},
                headers={"x-password": SECRET},
                content=SECRET.encode(),
                deadline=in_s(enough_s(kind)),
                judge=arcgis_error,
            )
        )
    told = f"{failure!r} {failure} {failure.args} {vars(failure)} {transport.state()} {caplog.text}"
    assert SECRET not in told
    assert "words of the source" not in told
    assert failure.__cause__ is None
    assert failure.__context__ is None


async def test_a_name_that_does_not_resolve_is_a_lost_connection() -> None:
    address = "https://source.example.invalid"
    async with transport_to(address, attempt_timeout_s=60.0) as transport:
        failure = await failure_of(transport.send("GET", "/", deadline=in_s(60)))
    assert isinstance(failure, ConnectionLost)
    assert "cannot be resolved" in failure.cause
    assert not failure.may_have_acted


async def test_a_closed_port_is_a_lost_connection_on_which_nothing_was_sent() -> None:
    async with FaultProxy() as source:
        address = source.base_url
    async with transport_to(address) as transport:
        failure = await failure_of(transport.send("GET", "/", deadline=in_s(30)))
    assert isinstance(failure, ConnectionLost)
    assert "refuses connections" in failure.cause
    assert not failure.may_have_acted


async def test_an_answer_comes_with_status_headers_body_and_its_json() -> None:
    async with FaultProxy() as source, transport_to(source) as transport:
        reply = await transport.send("GET", "/people", deadline=in_s(30))
        state = transport.state()
    assert (reply.status, reply.body, reply.data) == (200, faults.CANNED, {"ok": True})
    assert reply.headers["content-type"] == "application/json"
    assert (state.reachable, state.questions, state.attempts, state.retries) == (True, 1, 1, 0)
    assert state.last_success is not None
    assert state.latency_s is not None


async def test_a_reply_does_not_show_what_it_holds() -> None:
    async with FaultProxy() as source, transport_to(source) as transport:
        assert repr(await transport.send("GET", "/people", deadline=in_s(30))) == "Reply(status=200)"


async def test_what_is_sent_is_what_was_asked_and_below_the_base_path() -> None:
    heard: list[bytes] = []

    async def listening(request: bytes) -> bytes:
        heard.append(request)
        return faults.http()

    async with (
        FaultProxy(source=listening) as source,
        transport_to(source.base_url + "/rest/") as transport,
    ):
        await transport.send(
            "POST",
            "/a/b%20c",
            params={"where": "KD = '1'"},
            headers={"x-sign": "s"},
            content=b"{}",
            deadline=in_s(30),
        )
    head, _, body = heard[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /rest/a/b%20c?where=KD+%3D+%271%27 HTTP/1.1\r\n")
    assert b"\r\nx-sign: s" in head.lower()
    assert body == b"{}"


@pytest.mark.parametrize("path", ["people", "/a?b", "/a#b", "/../a", "/a b", "/a\\b", "/a\r\nb"])
async def test_a_path_that_could_lead_elsewhere_is_refused_without_repeating_it(path: str) -> None:
    async with transport_to("http://127.0.0.1:1") as transport:
        with pytest.raises(ValueError, match="path must start with") as caught:
            await transport.send("GET", path, deadline=in_s(1))
    assert path not in str(caught.value)


async def test_compressed_answers_are_read_and_connections_are_kept_alive() -> None:
    async def compressing(_request: bytes) -> bytes:
        return faults.http(gzip.compress(faults.CANNED), content_encoding="gzip")

    async with FaultProxy(source=compressing) as source, transport_to(source) as transport:
        for _ in range(5):
            assert (await transport.send("GET", "/", deadline=in_s(30))).data == {"ok": True}
        assert (source.requests, source.connections) == (5, 1)


async def test_a_compression_bomb_is_not_unpacked_beyond_the_limit() -> None:
    async with (
        FaultProxy(faults.compression_bomb(50_000_000)) as source,
        transport_to(source) as transport,
    ):
        tracemalloc.start()
        try:
            assert isinstance(await failure_of(transport.send("GET", "/", deadline=in_s(30))), TooLarge)
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak_bytes < 5_000_000


async def test_a_body_of_exactly_the_limit_is_read() -> None:
    body = b'"' + b"x" * 99_998 + b'"'
    async with FaultProxy(faults.answering(faults.http(body))) as source, transport_to(source) as transport:
        assert (await transport.send("GET", "/", deadline=in_s(30))).body == body


async def test_statuses_and_types_that_mean_something_to_the_connector_are_answers() -> None:
    async with FaultProxy(
        faults.status(400),
        faults.answering(faults.http(b"<xml/>", content_type="text/xml; charset=utf-8")),
        faults.answering(faults.http(content_type="application/geo+json")),
        faults.answering(faults.http(content_type="text/plain")),
    ) as source:
        json_types = frozenset({"application/json", "text/plain"})
        async with transport_to(source, json_types=json_types) as transport:
            repeated = await transport.send("POST", "/", deadline=in_s(30), also_answers=frozenset({400}))
            assert repeated.data == {"message": "words of the source"}
            xml = await transport.send("GET", "/", deadline=in_s(30), expect="text/xml")
            assert (xml.body, xml.data) == (b"<xml/>", None)
            for _ in range(2):
                assert (await transport.send("GET", "/", deadline=in_s(30))).data == {"ok": True}


# --- retrying


async def test_a_retryable_failure_is_retried_and_then_answered(time: WarpedTime) -> None:
    async with (
        FaultProxy(faults.reset, faults.status(502)) as source,
        transport_to(source, time, max_attempts=3) as transport,
    ):
        assert (await transport.send("GET", "/", deadline=time.clock() + 100)).data == {"ok": True}
        state = transport.state()
    assert (source.requests, state.attempts, state.retries, state.questions) == (3, 3, 2, 1)


async def test_a_silent_attempt_leaves_time_for_another() -> None:
    async with (
        FaultProxy(faults.black_hole, faults.slow_drip) as source,
        transport_to(source, attempt_timeout_s=0.1, max_attempts=10) as transport,
    ):
        assert (await transport.send("GET", "/", deadline=in_s(30))).status == 200
        assert source.requests >= 3


async def test_a_terminal_failure_is_not_retried(time: WarpedTime) -> None:
    async with (
        FaultProxy(faults.status(401)) as source,
        transport_to(source, time, max_attempts=9) as transport,
    ):
        assert isinstance(
            await failure_of(transport.send("GET", "/", deadline=time.clock() + 100)), Misconfigured
        )
        assert source.requests == 1


@pytest.mark.parametrize("failure", [QuotaExhausted("spent"), BrokenContract("odd")])
async def test_what_the_judge_calls_terminal_is_not_retried(time: WarpedTime, failure: SourceFailure) -> None:
    def judge(_reply: Reply) -> None:
        raise failure

    async with FaultProxy() as source, transport_to(source, time, max_attempts=9) as transport:
        seen = await failure_of(transport.send("GET", "/", deadline=time.clock() + 10, judge=judge))
        assert (type(seen), seen.cause, source.requests) == (type(failure), failure.cause, 1)
        assert transport.state().breaker == "closed"


async def test_back_off_widens_with_full_jitter_up_to_its_cap(time: WarpedTime) -> None:
    async with FaultProxy(otherwise=faults.status(500)) as source:
        settings = settings_for(
            source, max_attempts=6, backoff_base_s=0.5, backoff_cap_s=3.0, breaker=NEVER_OPEN
        )
        async with Transport(settings, clock=time.clock, sleep=time.sleep, chance=lambda: 0.5) as transport:
            await failure_of(transport.send("GET", "/", deadline=time.clock() + 100))
    assert time.slept == [0.25, 0.5, 1.0, 1.5, 1.5]


async def test_a_question_that_must_not_act_twice_is_repeated_only_if_it_cannot_have_acted(
    time: WarpedTime,
) -> None:
    async def posting(*plan: Fault) -> tuple[int, bool]:
        async with FaultProxy(*plan) as source, transport_to(source, time, max_attempts=3) as transport:
            try:
                await transport.send("POST", "/", idempotent=False, deadline=time.clock() + 100)
            except SourceFailure:
                return source.requests, False
            return source.requests, True

    assert await posting(faults.reset) == (1, False)
    assert await posting(faults.status(503)) == (1, False)
    assert await posting(faults.status(429)) == (2, True)


async def test_retry_after_is_honoured_when_it_fits_and_for_every_question(time: WarpedTime) -> None:
    async with (
        FaultProxy(faults.status(429, retry_after="7")) as source,
        transport_to(source, time, max_attempts=2) as transport,
    ):
        deadline = time.clock() + 20
        assert (await transport.send("GET", "/", deadline=deadline)).status == 200
        assert time.slept == [7.0]
        source.plan.append(faults.status(503, retry_after="9"))
        await failure_of(transport.send("GET", "/", deadline=time.clock() + 5))
        requests = source.requests
        hurried = await failure_of(transport.send("GET", "/", deadline=time.clock() + 5))
        assert isinstance(hurried, Overloaded)
        assert source.requests == requests, "others keep the quiet that one of us was asked for"
        assert (await transport.send("GET", "/", deadline=time.clock() + 60)).status == 200
        assert sum(time.slept) == pytest.approx(16, abs=0.5)
        assert transport.state().breaker == "closed"


async def test_an_absurd_rest_ends_at_the_cap(time: WarpedTime) -> None:
    async with (
        FaultProxy(faults.status(429, retry_after="86400")) as source,
        transport_to(source, time, retry_after_cap_s=60.0) as transport,
    ):
        await failure_of(transport.send("GET", "/", deadline=time.clock() + 5))
        assert (await transport.send("GET", "/", deadline=time.clock() + 61)).status == 200
    assert sum(time.slept) == pytest.approx(60.0, abs=1.0)


async def test_no_retry_is_sent_that_could_not_be_answered_in_time(time: WarpedTime) -> None:
    async with (
        FaultProxy(faults.latency(0.5), faults.status(500)) as source,
        transport_to(source, time, max_attempts=3) as transport,
    ):
        await transport.send("GET", "/", deadline=time.clock() + 100)
        assert isinstance(
            await failure_of(transport.send("GET", "/", deadline=time.clock() + 0.45)), ServerFault
        )
    assert source.requests == 2


# --- storms


async def all_of(sending: Callable[[], Awaitable[Reply]], count: int) -> list[Reply | BaseException]:
    return await asyncio.gather(*(sending() for _ in range(count)), return_exceptions=True)


async def test_a_storm_of_failures_costs_the_source_no_more_than_the_budget(time: WarpedTime) -> None:
    async with (
        FaultProxy(otherwise=faults.status(500)) as source,
        transport_to(source, time, max_attempts=5, breaker=NEVER_OPEN) as transport,
    ):
        outcomes = await all_of(lambda: transport.send("GET", "/", deadline=time.clock() + 100), 200)
        state = transport.state()
    assert {type(outcome) for outcome in outcomes} == {ServerFault}
    assert source.requests == state.attempts == 200 + state.retries
    assert 0 < state.retries <= 10 + 200 * 10 // 100
    assert source.most_at_once <= 20


async def test_questions_earn_the_retries_that_a_failing_source_gets(time: WarpedTime) -> None:
    async with (
        FaultProxy(otherwise=faults.status(500)) as source,
        transport_to(
            source, time, max_attempts=2, retry_percent=50, retry_burst=1, breaker=NEVER_OPEN
        ) as transport,
    ):
        asked = []
        for _ in range(5):
            await failure_of(transport.send("GET", "/", deadline=time.clock() + 100))
            asked.append(source.requests)
    assert asked == [2, 3, 5, 6, 8]


async def test_a_source_is_unavailable_since_the_first_failure_after_its_last_answer(
    time: WarpedTime,
) -> None:
    async with FaultProxy(otherwise=faults.status(401)) as source, transport_to(source, time) as transport:
        first = await failure_of(transport.send("GET", "/", deadline=time.clock() + 100))
        time.ahead_s += 60
        second = await failure_of(transport.send("GET", "/", deadline=time.clock() + 100))
        state = transport.state()
        assert first.since == second.since == state.unavailable_since
        assert first.since is not None
        assert state.last_failure == first.since + timedelta(seconds=60)
        source.heal()
        await transport.send("GET", "/", deadline=time.clock() + 100)
        assert transport.state().unavailable_since is None


async def test_the_breaker_ends_a_storm_that_the_budget_would_allow(time: WarpedTime) -> None:
    async with (
        FaultProxy(otherwise=faults.status(500)) as source,
        transport_to(source, time, max_attempts=5) as transport,
    ):
        outcomes = await all_of(lambda: transport.send("GET", "/", deadline=time.clock() + 100), 200)
        state = transport.state()
    assert {type(outcome) for outcome in outcomes} <= {ServerFault, BreakerOpen}
    assert source.requests <= 5 + 20, "five failures, and what was under way with them"
    assert state.breaker == "open"
    assert state.refused >= 175


async def test_a_source_that_recovers_is_used_again_within_one_probe_interval(time: WarpedTime) -> None:
    async with (
        FaultProxy(otherwise=faults.status(500)) as source,
        transport_to(source, time, breaker=BreakerSettings(failures=2, open_s=5.0)) as transport,
    ):
        await all_of(lambda: transport.send("GET", "/", deadline=time.clock() + 100), 2)
        source.heal()
        asked = source.requests
        refused = await failure_of(transport.send("GET", "/", deadline=time.clock() + 100))
        assert isinstance(refused, BreakerOpen)
        assert "status 500" in refused.cause
        assert refused.since == transport.state().unavailable_since
        assert source.requests == asked
        time.ahead_s += 5.0
        assert (await transport.send("GET", "/", deadline=time.clock() + 100)).status == 200
        assert transport.state().breaker == "closed"
        assert transport.state().unavailable_since is None


async def test_one_probe_at_a_time_asks_a_source_that_may_have_recovered(time: WarpedTime) -> None:
    answer = asyncio.Event()
    async with (
        FaultProxy(faults.status(500), otherwise=faults.held_until(answer)) as source,
        transport_to(
            source, time, attempt_timeout_s=10.0, breaker=BreakerSettings(failures=1, open_s=5.0)
        ) as transport,
    ):
        await failure_of(transport.send("GET", "/", deadline=time.clock() + 100))
        time.ahead_s += 5.0
        probe = asyncio.create_task(transport.send("GET", "/", deadline=time.clock() + 20))
        await source.reached(2)
        crowd = await all_of(lambda: transport.send("GET", "/", deadline=time.clock() + 20), 50)
        assert {type(outcome) for outcome in crowd} == {BreakerOpen}
        assert source.requests == 2
        answer.set()
        assert (await probe).status == 200


async def test_credentials_that_are_refused_never_open_the_breaker(time: WarpedTime) -> None:
    async with FaultProxy(otherwise=faults.status(403)) as source, transport_to(source, time) as transport:
        await all_of(lambda: transport.send("GET", "/", deadline=time.clock() + 100), 50)
        assert (transport.state().breaker, source.requests) == ("closed", 50)


async def test_an_impatient_caller_does_not_blame_the_source() -> None:
    async with (
        FaultProxy(otherwise=faults.black_hole) as source,
        transport_to(
            source, attempt_timeout_s=5.0, fair_wait_s=1.0, breaker=BreakerSettings(failures=1)
        ) as transport,
    ):
        failure = await failure_of(transport.send("GET", "/", deadline=in_s(0.05)))
        assert (type(failure), failure.alive) == (Timeout, None)
        assert (transport.state().breaker, transport.state().unavailable_since) == ("closed", None)


async def test_a_deadline_that_has_passed_sends_nothing() -> None:
    async with FaultProxy() as source, transport_to(source) as transport:
        for key in (None, "k"):
            assert isinstance(
                await failure_of(transport.send("GET", "/", deadline=in_s(-1), key=key)), Timeout
            )
        assert source.connections == 0


# --- bulkhead and cancellation


async def test_a_slow_source_takes_no_more_than_its_own_slots_and_nobody_elses() -> None:
    async with FaultProxy(otherwise=faults.black_hole) as slow, FaultProxy() as quick:
        stuck = transport_to(slow, concurrency=2)
        free = transport_to(quick, concurrency=2)
        async with stuck, free:
            taken = [asyncio.create_task(stuck.send("GET", "/", deadline=in_s(30))) for _ in range(2)]
            await slow.reached(2)
            waiting = [asyncio.create_task(stuck.send("GET", "/", deadline=in_s(0.1))) for _ in range(8)]
            await asyncio.sleep(0)
            assert (stuck.state().in_flight, stuck.state().waiting) == (2, 8)
            assert (await free.send("GET", "/", deadline=in_s(30))).status == 200
            ends = await asyncio.gather(*waiting, return_exceptions=True)
            assert {type(end) for end in ends} == {NoFreeSlot}
            assert (stuck.state().breaker, stuck.state().unavailable_since) == ("closed", None)
            for task in taken:
                task.cancel()
            await asyncio.gather(*taken, return_exceptions=True)
    assert slow.requests == 2


async def test_a_cancelled_question_gives_back_its_slot_its_probe_and_its_connection(
    time: WarpedTime,
) -> None:
    async with FaultProxy(faults.status(500), faults.black_hole, faults.black_hole) as source:
        breaker = BreakerSettings(failures=1, open_s=5.0)
        async with transport_to(
            source, time, concurrency=1, attempt_timeout_s=30.0, breaker=breaker
        ) as transport:
            await failure_of(transport.send("GET", "/", deadline=time.clock() + 100))
            time.ahead_s += 5.0
            before = asyncio.all_tasks()
            for requests in (2, 3):
                probe = asyncio.create_task(transport.send("GET", "/", deadline=time.clock() + 30))
                await source.reached(requests)
                probe.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await probe
                await source.deserted()
                assert transport.state().breaker == "half_open", "nothing was learned, the next may probe"
            assert (transport.state().in_flight, transport.state().waiting) == (0, 0)
            assert (await transport.send("GET", "/", deadline=time.clock() + 5)).status == 200
            await asyncio.sleep(0)
            assert {
                task for task in asyncio.all_tasks() - before if task.get_name() != "fault proxy"
            } == set()


async def test_after_a_chaos_of_faults_and_cancellations_every_slot_is_free_again() -> None:
    chance = random.Random(20260301)  # noqa: S311 - chaos that can be repeated
    kinds = [fault for fault, _, _ in TABLE.values()]
    async with FaultProxy(*(chance.choice(kinds) for _ in range(400))) as source:
        async with transport_to(
            source,
            concurrency=7,
            retry_after_cap_s=0.0,
            max_attempts=3,
            breaker=NEVER_OPEN,
        ) as transport:
            asked = [
                asyncio.create_task(
                    transport.send(
                        "GET", "/", deadline=in_s(chance.random()), key=chance.choice([None, "a", "b"])
                    )
                )
                for _ in range(300)
            ]
            while pending := [task for task in asked if not task.done()]:
                chance.choice(pending).cancel()
                await asyncio.wait(pending, timeout=0.01)
            ends = {type(end) for end in await asyncio.gather(*asked, return_exceptions=True)}
            assert {asyncio.CancelledError, Timeout} < ends
            assert (transport.state().in_flight, transport.state().waiting) == (0, 0)
            last = [asyncio.create_task(transport.send("GET", "/", deadline=in_s(30))) for _ in range(8)]
            await asyncio.sleep(0)
            assert (transport.state().in_flight, transport.state().waiting) == (7, 1)
            for task in last:
                task.cancel()
            await asyncio.gather(*last, return_exceptions=True)
        await source.deserted()


async def test_a_fault_of_the_judge_itself_leaves_nothing_behind() -> None:
    def mistaken(reply: Reply) -> None:
        reply.data["nothing"]

    async with FaultProxy() as source, transport_to(source, concurrency=1) as transport:
        with pytest.raises(KeyError):
            await transport.send("GET", "/", deadline=in_s(30), judge=mistaken)
        assert transport.state().in_flight == 0
        assert (await transport.send("GET", "/", deadline=in_s(30))).status == 200


async def test_closing_ends_every_connection() -> None:
    async with FaultProxy() as source:
        async with transport_to(source) as transport:
            await all_of(lambda: transport.send("GET", "/", deadline=in_s(30)), 10)
            assert source.connections > 0
        await source.deserted()


async def test_the_proxy_stands_before_a_real_server_too() -> None:
    async with FaultProxy() as server:
        async with (
            FaultProxy(faults.truncated, source=faults.upstream(server.port)) as source,
            transport_to(source, max_attempts=2) as transport,
        ):
            assert (await transport.send("POST", "/", content=b"{}", deadline=in_s(30))).data == {"ok": True}
        assert (source.requests, server.requests) == (2, 2)
