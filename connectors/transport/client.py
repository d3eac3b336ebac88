"""How a connector asks its source: in time, not too often, not too much at once, and never the same twice.

    send ── shared with whoever asks the same ── retries within deadline and budget ── one attempt:
            keep the quiet that the source asked for ── free slot ── breaker ── wire ── judge

A `Transport` keeps ONE promise whatever the source does: `send` has ended by its deadline. It MUST NOT know
who is asking or why, and keeps nothing of an answer after giving it. It belongs to one event loop; limits
hold per process.
"""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Self

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_exponential

from connectors.transport.breaker import Breaker, RetryBudget
from connectors.transport.coalescing import Abandoned, Coalescing, Patience
from connectors.transport.failures import (
    BreakerOpen,
    ConnectionLost,
    NoFreeSlot,
    Overloaded,
    RetryableFailure,
    SourceFailure,
    Timeout,
)
from connectors.transport.observed import Observed, SourceState
from connectors.transport.settings import SourceSettings
from connectors.transport.wire import JSON, Reply, Wire

Judge = Callable[[Reply], None]
# Entered around each attempt, by the source's name: hears how it ends, gives the header field of its trace.
Watch = Callable[[str], AbstractContextManager[Mapping[str, str]]]
_UNTRACED: Mapping[str, str] = MappingProxyType({})


def unwatched(_source: str) -> AbstractContextManager[Mapping[str, str]]:
    """For whoever has nobody to tell of attempts."""
    return nullcontext(_UNTRACED)


@dataclass(frozen=True, slots=True)
class _Question:
    """One question as it will be sent, perhaps several times."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    content: bytes | None
    idempotent: bool
    expect: str | None
    also_answers: frozenset[int]
    judge: Judge | None

    def worth_repeating(self, failure: BaseException) -> bool:
        return isinstance(failure, RetryableFailure) and (self.idempotent or not failure.may_have_acted)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Transport:
    """The way to one source.

    `clock` counts seconds like the event loop's own (its default); `utc` dates what happened; `sleep` waits
    between attempts; `chance` draws from [0, 1). They are arguments so that a test can hold them still.
    `watch` hears of each attempt; what it gives is sent along where the settings say `pass_trace`.
    """

    def __init__(
        self,
        settings: SourceSettings,
        *,
        clock: Callable[[], float] | None = None,
        utc: Callable[[], datetime] = _utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
        watch: Watch = unwatched,
    ) -> None:
        self.settings = settings
        self._watch = watch
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._sleep = sleep
        self._chance = chance
        self._wire = Wire(settings, utc)
        self._breaker = Breaker(settings.breaker)
        self._budget = RetryBudget(percent=settings.retry_percent, burst=settings.retry_burst)
        self._window = wait_exponential(multiplier=settings.backoff_base_s, max=settings.backoff_cap_s)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._sharing: Coalescing[Reply | SourceFailure] = Coalescing(self._clock)
        self._quiet_until = float("-inf")
        self._observed = Observed(utc)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Abandon what is under way and close every connection."""
        await self._sharing.aclose()
        await self._wire.aclose()

    async def send(
        self,
        method: str,
        path: str,
        *,
        deadline: float,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        params: Mapping[str, str] | None = None,
        idempotent: bool = True,
        expect: str | None = JSON,
        also_answers: frozenset[int] = frozenset(),
        judge: Judge | None = None,
        key: Hashable | None = None,
    ) -> Reply:
        """The source's answer, before `deadline` (seconds of the transport's clock).

        `path` follows `base_url` and MUST be percent-encoded by the caller where it holds a value.
        `expect` is the media type of an answer, None for any; JSON is decoded into `Reply.data`.
        `also_answers` are statuses outside 2xx that mean something to the caller.
        `judge` looks at each reply and raises the SourceFailure that the source hid in it; it is retried and
        counted like any other. It MUST NOT raise anything else.
        `idempotent=False` is repeated only where the source cannot have acted on it.
        Callers who ask at once with an equal `key` share one answer; the key MUST say everything that the
        answer depends on. Nobody's cancellation or deadline fails the others.

        Raises SourceFailure, with `cause` and `since` set, and nothing else.
        """
        question = _Question(
            method,
            self._url(path, params),
            {"accept": expect or "*/*", "accept-encoding": "gzip", "user-agent": "gapura", **(headers or {})},
            content,
            idempotent,
            expect,
            also_answers,
            judge,
        )
        if key is None:
            outcome = await self._ask(question, Patience(deadline))
        else:
            outcome = await self._share(key, question, deadline)
        if isinstance(outcome, SourceFailure):
            raise outcome
        return outcome

    def state(self) -> SourceState:
        """What is known of the source now."""
        now = self._clock()
        return self._observed.snapshot(
            self.settings.name,
            breaker=self._breaker.phase(now),
            next_probe_in_s=self._breaker.retry_in_s(now),
            retries_left=self._budget.left,
        )

    def _url(self, path: str, params: Mapping[str, str] | None) -> httpx.URL:
        if not path.startswith("/") or set(path) & set("?#\\ \t\r\n") or "/.." in path:
            # The path itself may hold a value and is not repeated here.
            raise ValueError("path must start with / and hold no query, fragment, blank, backslash or /..")
        return httpx.URL(self.settings.base_url.rstrip("/") + path, params=params)

    async def _share(self, key: Hashable, question: _Question, deadline: float) -> Reply | SourceFailure:
        if deadline <= self._clock():
            return self._observed.dated(self._too_late())
        try:
            outcome, joined = await self._sharing(
                key, deadline, lambda patience: self._ask(question, patience)
            )
        except TimeoutError:
            late = Timeout(f"no answer from {self.settings.authority} before the deadline", fair=False)
            return self._observed.dated(late)
        except Abandoned:
            return self._observed.dated(ConnectionLost("the gateway is shutting down"))
        self._observed.coalesced += joined
        # A copy for each caller: raising writes into an exception.
        return copy.copy(outcome) if isinstance(outcome, SourceFailure) else outcome

    async def _ask(self, question: _Question, patience: Patience) -> Reply | SourceFailure:
        """The answer or the last failure: failures are values here, for they may be shared."""
        self._budget.earn()
        self._observed.questions += 1
        attempts = AsyncRetrying(
            retry=retry_if_exception(question.worth_repeating),
            wait=self._pause_s,
            stop=lambda state: self._is_enough(state, patience),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            async for attempt in attempts:
                with attempt:
                    return await self._attempt(question, patience)
        except SourceFailure as failure:
            # A copy has neither trace nor context: both lead to exceptions that quote the answer.
            return self._observed.dated(copy.copy(failure))
        raise AssertionError("tenacity ends by returning or raising")

    def _pause_s(self, state: RetryCallState) -> float:
        """Full jitter over a widening window, on top of the rest that the source asked for."""
        pause_s = self._chance() * self._window(state)
        failure = state.outcome.exception() if state.outcome else None
        if isinstance(failure, Overloaded) and failure.retry_after_s is not None:
            pause_s += failure.retry_after_s
        return pause_s

    def _is_enough(self, state: RetryCallState, patience: Patience) -> bool:
        """Whether to give up: tried often enough, no time for a usual answer, or no retry left to spend."""
        if state.attempt_number >= self.settings.max_attempts:
            return True
        back_at = self._clock() + state.upcoming_sleep + (self._observed.latency_s or 0.0)
        if back_at >= patience.deadline or not self._budget.spend():
            return True
        self._observed.retries += 1
        return False

    async def _attempt(self, question: _Question, patience: Patience) -> Reply:
        await self._keep_quiet(patience)
        self._stop_if_open()  # before queueing: an open breaker must not fill the queue
        async with self._slot(patience):
            permit = self._breaker.admit(self._clock())
            if permit is None:
                raise self._breaker_open()
            alive: bool | None = None
            try:
                with self._watch(self.settings.name) as trace:
                    reply = await self._timed(question, patience, trace)
                alive = True
            except SourceFailure as failure:
                alive = failure.alive
                self._note(failure)
                raise
            finally:
                self._breaker.record(permit, alive=alive, now=self._clock())
            return reply

    async def _timed(self, question: _Question, patience: Patience, trace: Mapping[str, str]) -> Reply:
        began = self._clock()
        given_s = min(self.settings.attempt_timeout_s, patience.deadline - began)
        if given_s <= 0:
            raise self._too_late()
        headers = {**question.headers, **trace} if self.settings.pass_trace else question.headers
        request = httpx.Request(question.method, question.url, headers=headers, content=question.content)
        self._observed.attempts += 1
        self._observed.in_flight += 1
        try:
            async with asyncio.timeout(given_s):
                reply = await self._wire.exchange(
                    request, expect=question.expect, also_answers=question.also_answers
                )
            if question.judge is not None:
                question.judge(reply)
        except TimeoutError:
            late = Timeout(
                f"no complete answer from {self.settings.authority} within {given_s:.1f} s",
                fair=given_s >= min(self.settings.fair_wait_s, self.settings.attempt_timeout_s),
            )
        else:
            self._observed.succeeded(self._clock() - began)
            return reply
        finally:
            self._observed.in_flight -= 1
        raise late

    def _note(self, failure: SourceFailure) -> None:
        self._observed.failed(failure)
        if isinstance(failure, Overloaded) and failure.retry_after_s is not None:
            rest_s = min(failure.retry_after_s, self.settings.retry_after_cap_s)
            self._quiet_until = max(self._quiet_until, self._clock() + rest_s)

    async def _keep_quiet(self, patience: Patience) -> None:
        """Wait out the rest that the source asked of any of us; a Retry-After is for the whole gateway."""
        while (rest_s := self._quiet_until - self._clock()) > 0:
            rest_s += self._chance() * self.settings.backoff_base_s  # not all at the same instant
            if self._clock() + rest_s >= patience.deadline:
                raise Overloaded(
                    f"{self.settings.authority} asked for rest, {rest_s:.0f} s are left of it",
                    retry_after_s=rest_s,
                )
            await self._sleep(rest_s)

    @asynccontextmanager
    async def _slot(self, patience: Patience) -> AsyncIterator[None]:
        """One of the source's slots: however slow it is, it can take no more than its own."""
        if self._clock() >= patience.deadline:
            raise self._too_late()
        self._observed.waiting += 1
        try:
            async with asyncio.timeout(patience.deadline - self._clock()):
                await self._slots.acquire()
            full = False
        except TimeoutError:
            full = True
        finally:
            self._observed.waiting -= 1
        if full:
            raise NoFreeSlot(
                f"all {self.settings.concurrency} slots of {self.settings.name} were busy until the deadline"
            )
        try:
            yield
        finally:
            self._slots.release()

    def _stop_if_open(self) -> None:
        if self._breaker.refuses(self._clock()):
            raise self._breaker_open()

    def _breaker_open(self) -> BreakerOpen:
        self._observed.refused += 1
        wait_s = self._breaker.retry_in_s(self._clock())
        return BreakerOpen(
            f"{self.settings.authority} has been failing and is not asked for {wait_s:.1f} s; "
            f"last: {self._observed.last_cause}",
            retry_in_s=wait_s,
        )

    def _too_late(self) -> Timeout:
        return Timeout(f"the deadline had passed before {self.settings.authority} was asked", fair=False)
