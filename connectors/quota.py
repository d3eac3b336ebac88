"""A source's daily quota: every call is counted before it is made, over all processes, and stops in time.

The count is kept by a `QuotaLedger`, which the gateway implements on its database. Where the ledger cannot be
reached, nothing is granted: a call that is not counted is not made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Protocol, runtime_checkable

from connectors.base import Unavailable

# The quota's day begins at midnight in Jakarta; there is no summer time.
JAKARTA = timezone(timedelta(hours=7), "WIB")


@dataclass(frozen=True, slots=True)
class Grant:
    """How many calls may be made, and how many are left of the day after them."""

    calls: int
    remaining: int


class QuotaLedger(Protocol):
    """Counts the calls of a day over all processes. Each method is atomic and durable when it returns."""

    async def take(self, source: str, day: date, count: int, limit: int) -> Grant:
        """Count up to `count` further calls of `day` as made: as many as `limit` leaves."""
        ...

    async def give_back(self, source: str, day: date, count: int) -> None:
        """Undo the counting of calls that were never sent; never below none."""
        ...

    async def at_most(self, source: str, day: date, remaining: int, limit: int) -> None:
        """Heed the source's own count: `remaining` further calls at most on `day`. Never makes them more."""
        ...

    async def remaining(self, source: str, day: date, limit: int) -> int:
        """How many calls of `day` are left."""
        ...


@runtime_checkable
class Metered(Protocol):
    """A connector whose source counts our calls."""

    async def quota_left(self) -> int:
        """How many calls are left today (Asia/Jakarta)."""
        ...


@dataclass(frozen=True, slots=True)
class QuotaWarning:
    """The quota of `day` has fallen to `level` or below; `remaining` calls are left."""

    source: str
    day: date
    level: int
    remaining: int


class DailyQuota:
    """The quota of one source in days of Jakarta. `warn_at` are numbers of calls left to warn at."""

    def __init__(
        self,
        ledger: QuotaLedger,
        source: str,
        limit: int,
        *,
        clock: Callable[[], datetime],
        warn_at: tuple[int, ...] = (),
        on_low: Callable[[QuotaWarning], None] = lambda warning: None,  # noqa: ARG005 - heard by nobody
    ) -> None:
        self._ledger = ledger
        self._source = source
        self._limit = limit
        self._clock = clock
        self._warn_at = warn_at
        self._on_low = on_low
        self._warned: set[tuple[date, int]] = set()
        self._used_up_since: tuple[date, datetime] | None = None

    def today(self) -> date:
        """The day in Jakarta."""
        return self._clock().astimezone(JAKARTA).date()

    async def take(self, day: date, count: int, deadline: float) -> Grant | Unavailable:
        """Up to `count` calls, or why there can be none. The deadline is in event-loop time."""
        try:
            async with asyncio.timeout_at(deadline):
                grant = await self._ledger.take(self._source, day, count, self._limit)
        except Exception:  # noqa: BLE001 - whatever ails the ledger, the answer is the same
            cause = "The quota ledger did not answer, so the source was not asked; look at the database."
            return Unavailable(self._clock(), cause=cause)
        self._warn(day, grant.remaining)
        return grant if grant.calls else self.used_up(day)

    async def settle(self, day: date, *, unsent: int, source_says: int | None) -> None:
        """Give back what was not sent, and heed the source's own count, if it gave one.

        Failures are swallowed: then too many calls are counted, never too few.
        """
        with suppress(Exception):
            if unsent > 0:
                await self._ledger.give_back(self._source, day, unsent)
            if source_says is not None:
                await self._ledger.at_most(self._source, day, source_says, self._limit)
                self._warn(day, source_says)

    async def remaining(self) -> int:
        """How many calls are left today."""
        return await self._ledger.remaining(self._source, self.today(), self._limit)

    def used_up(self, day: date) -> Unavailable:
        """What is said when no call is left: since when, and until when."""
        if self._used_up_since is None or self._used_up_since[0] != day:
            self._used_up_since = (day, self._clock())
        cause = f"The quota for {day} is used up; calls resume at 00:00 WIB on {day + timedelta(days=1)}."
        return Unavailable(self._used_up_since[1], cause=cause)

    def _warn(self, day: date, remaining: int) -> None:
        """Warn once a day at each level, and of several reached at once only of the lowest."""
        reached = {(day, level) for level in self._warn_at if remaining <= level}
        if new := reached - self._warned:
            self._warned = {mark for mark in self._warned if mark[0] == day} | reached
            self._on_low(QuotaWarning(self._source, day, min(level for _, level in new), remaining))
