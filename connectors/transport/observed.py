"""What one process has seen of a source: the numbers behind `gapura sources`, the metrics and readiness.

It MUST NOT hold content, paths or personal values: a cause is a sentence of `failures.py`, the rest is counts
and times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from connectors.transport.breaker import BreakerPhase
from connectors.transport.failures import SourceFailure

# Weight of the newest answer in the moving average: about the last ten answers decide.
_NEWEST = 0.2


@dataclass(frozen=True, slots=True)
class SourceState:
    """One source as this process knows it at one moment. Times in UTC, durations in seconds.

    `reachable` is None before the first attempt has ended. `unavailable_since` is the first failure since
    the last success that concerned more than one question. `latency_s` is a moving average over good
    answers. Counters run since the process began: `attempts` is what really went to the source, `refused`
    what the breaker spared it, `coalesced` the callers who shared the answer to somebody else's question.
    """

    name: str
    reachable: bool | None
    breaker: BreakerPhase
    next_probe_in_s: float
    latency_s: float | None
    last_success: datetime | None
    last_failure: datetime | None
    last_cause: str | None
    unavailable_since: datetime | None
    in_flight: int
    waiting: int
    questions: int
    attempts: int
    retries: int
    retries_left: int
    refused: int
    coalesced: int


class Observed:
    """Counts and times, written by the transport as things happen."""

    def __init__(self, utc: Callable[[], datetime]) -> None:
        self._utc = utc
        self.in_flight = self.waiting = 0
        self.questions = self.attempts = self.retries = self.refused = self.coalesced = 0
        self.latency_s: float | None = None
        self.last_cause: str | None = None
        self._reachable: bool | None = None
        self._last_success: datetime | None = None
        self._last_failure: datetime | None = None
        self._unavailable_since: datetime | None = None

    def succeeded(self, took_s: float) -> None:
        """Note a good answer."""
        previous = took_s if self.latency_s is None else self.latency_s
        self.latency_s = previous + _NEWEST * (took_s - previous)
        self._last_success = self._utc()
        self._reachable = True
        self._unavailable_since = None

    def failed(self, failure: SourceFailure) -> None:
        """Note a failed attempt."""
        self._last_failure = self._utc()
        self.last_cause = failure.cause
        if failure.alive is not None:
            self._reachable = failure.alive
        if not failure.this_question_only:
            self._unavailable_since = self._unavailable_since or self._last_failure

    def dated(self, failure: SourceFailure) -> SourceFailure:
        """The failure, with the time since when the source gives no answers."""
        failure.since = self._unavailable_since or self._utc()
        return failure

    def snapshot(
        self, name: str, *, breaker: BreakerPhase, next_probe_in_s: float, retries_left: int
    ) -> SourceState:
        """Everything, as of now."""
        return SourceState(
            name=name,
            reachable=self._reachable,
            breaker=breaker,
            next_probe_in_s=next_probe_in_s,
            latency_s=self.latency_s,
            last_success=self._last_success,
            last_failure=self._last_failure,
            last_cause=self.last_cause,
            unavailable_since=self._unavailable_since,
            in_flight=self.in_flight,
            waiting=self.waiting,
            questions=self.questions,
            attempts=self.attempts,
            retries=self.retries,
            retries_left=retries_left,
            refused=self.refused,
            coalesced=self.coalesced,
        )
