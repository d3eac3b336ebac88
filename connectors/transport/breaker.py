"""A circuit breaker and a retry budget: what keeps a failing source from being asked to death.

Pure: the clock is an argument, there is no lock and no await, so both are exact under asyncio and can be
checked against an oracle. They MUST NOT decide what counts as a failure; `failures.py` does.

Why not a library. Read in the versions current at the time of writing: purgatory 3.0.1, pybreaker 1.4.1,
aiobreaker 1.2.0 and circuitbreaker 2.1.3 all admit every caller while half open, so that a recovering source
meets the whole crowd; all take the time from the system; purgatory counts a cancelled call as a failure,
circuitbreaker counts it as a success and closes; pybreaker awaits under Tornado only; aiobreaker rests since
2021. None ignores the outcome of a call that began before the breaker opened.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal, NewType

BreakerPhase = Literal["closed", "open", "half_open"]

# The right to ask once, given by the breaker in one of its epochs.
Permit = NewType("Permit", int)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings:
    """When to stop asking, and for how long.

    The breaker opens when, among the last `window_calls` outcomes of the last `window_s` seconds, at least
    `failures` failed and these are at least `failure_percent` of them.
    """

    failures: int = 5
    failure_percent: int = 50
    window_calls: int = 20
    window_s: float = 60.0
    open_s: float = 5.0


class Breaker:
    """Closed: everybody may ask. Open: nobody, for `open_s`. Half open: one probe at a time decides.

    Every permit MUST be given back exactly once through `record`. Outcomes of permits from before the last
    change of phase are ignored: they speak of the past.
    """

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=settings.window_calls)
        self._open_until: float | None = None
        self._probing = False
        self._epoch = 0

    def phase(self, now: float) -> BreakerPhase:
        """The phase at `now` (seconds of the caller's monotonic clock)."""
        if self._open_until is None:
            return "closed"
        return "open" if now < self._open_until else "half_open"

    def retry_in_s(self, now: float) -> float:
        """How long until somebody may ask; 0 if that is now, or as soon as the probe under way has ended."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - now)

    def refuses(self, now: float) -> bool:
        """Whether `admit` would say no."""
        return self._open_until is not None and (self._probing or now < self._open_until)

    def admit(self, now: float) -> Permit | None:
        """The right to ask once, or None."""
        if self.refuses(now):
            return None
        if self._open_until is not None:
            self._probing = True
        return Permit(self._epoch)

    def record(self, permit: Permit, *, alive: bool | None, now: float) -> None:
        """Give a permit back with what was learned; None = nothing, as when the call was cancelled."""
        if permit != self._epoch:
            return
        if self._open_until is not None:
            self._probing = False
            if alive is not None:
                self._enter(None if alive else now + self._settings.open_s)
        elif alive is not None:
            self._outcomes.append((now, alive))
            if not alive and self._too_many_failures(now):
                self._enter(now + self._settings.open_s)

    def _too_many_failures(self, now: float) -> bool:
        oldest = now - self._settings.window_s
        recent = [alive for at, alive in self._outcomes if at > oldest]
        failed = recent.count(False)
        return failed >= self._settings.failures and failed * 100 >= self._settings.failure_percent * len(
            recent
        )

    def _enter(self, open_until: float | None) -> None:
        self._open_until = open_until
        self._outcomes.clear()
        self._probing = False
        self._epoch += 1


class RetryBudget:
    """Retries as a share of the questions, so that a failing source meets little more than its usual load.

    Every question earns `percent` hundredths of a retry, `burst` retries are there from the start and are
    the most that can be saved: of n questions in a row never come more than `burst + n * percent / 100`
    retries. Counted in hundredths, so that the promise is exact.
    """

    def __init__(self, *, percent: int, burst: int) -> None:
        self._percent = percent
        self._most = self._hundredths = burst * 100

    @property
    def left(self) -> int:
        """Whole retries that could be made now."""
        return self._hundredths // 100

    def earn(self) -> None:
        """Count one question."""
        self._hundredths = min(self._most, self._hundredths + self._percent)

    def spend(self) -> bool:
        """Take one retry, if there is one."""
        if self._hundredths < 100:  # noqa: PLR2004 - one whole retry, in the unit above
            return False
        self._hundredths -= 100
        return True
