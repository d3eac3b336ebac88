"""How each source stands for those who run the gateway: what all processes share, and what this one sees.

A breaker, its causes and the latency belong to a process; reports, quotas, lists, maps and remembered
verdicts are in the database, the same for all. It asks no source anything but in `try_now`, and MUST NOT
hold content or a personal value.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from sqlalchemy import select

from connectors.base import Connector
from connectors.quota import JAKARTA
from connectors.transport.failures import SourceFailure
from gateway.database import Database
from gateway.errors import NotFound, StoreUnavailable
from gateway.sources.folder import Sources
from gateway.sources.last_known import Remembered, remembered
from gateway.sources.reports import ProcessReport, SourceOverview, overviews, reports_of
from gateway.sources.tables import programme_cursors, source_calls
from gateway.sources.unconfigured import UnconfiguredSource
from gateway.staff.acts import Act, RecordAct, record_in_audit_log
from gateway.staff.roles import Staff

TEST_WITHIN_S = 15.0
Kind = Literal["registry", "maps", "connector", "list", "unconfigured"]
Standing = Literal["up", "down", "recovering", "not_asked", "unconfigured", "own"]


@dataclass(frozen=True, slots=True)
class Quota:
    """Calls of a source's own day (Jakarta): counted as made, and left, over all processes."""

    day: date
    made: int
    left: int


@dataclass(frozen=True, slots=True)
class SourceStanding:
    """One source. `seen` is what all processes report; None where none has lately.

    `list_as_of` is the day of a programme's list as it was pulled last, None where it never was.
    """

    name: str
    kind: Kind
    provides: frozenset[str]
    simulated: bool
    seen: SourceOverview | None
    quota: Quota | None
    programme: str | None = None
    list_as_of: date | None = None

    @property
    def standing(self) -> Standing:
        """How it stands, in a word; what is of the gateway itself is its own."""
        if self.kind in {"registry", "maps"}:
            return "own"
        if self.kind == "unconfigured":
            return "unconfigured"
        if self.seen is None or self.seen.reachable is None:
            return "not_asked"
        if self.seen.unavailable_since is not None or self.seen.breaker == "open":
            return "recovering" if self.seen.breaker == "half_open" else "down"
        return "up"


@dataclass(frozen=True, slots=True)
class Tried:
    """What a test came to: whether the source answered us, after how long, and why not."""

    answered: bool
    took_s: float
    cause: str | None


class SourceBoard:
    """The sources of one gateway. Belongs to the event loop of its `outside` sources."""

    def __init__(
        self,
        *,
        database: Database,
        registry: Connector,
        sources: Sequence[Connector],
        outside: Sources,
        clock: Callable[[], datetime],
        record: RecordAct = record_in_audit_log,
    ) -> None:
        self._database = database
        self._registry = registry
        self._sources = sources
        self._outside = outside
        self._clock = clock
        self._record = record

    async def all(self) -> list[SourceStanding]:
        """Every source: the gateway's own, then the outside ones, then lists. Raises StoreUnavailable."""
        seen = await asyncio.to_thread(self._seen)
        pulled = await asyncio.to_thread(self._pulled)
        outside = [await self._connector(one, seen) for one in self._sources]
        standings = [self._own(self._registry, "registry"), *outside]
        for programme, held in self._outside.lists.items():
            name = held.source.name
            standings.append(
                SourceStanding(
                    *(name, "list", frozenset(), False, seen.get(name), None),
                    programme=programme,
                    list_as_of=pulled.get(name),
                )
            )
        return standings

    async def get(self, name: str) -> SourceStanding:
        """The source of this name. Raises NotFound, StoreUnavailable."""
        for one in await self.all():
            if one.name == name:
                return one
        raise NotFound("There is no source of this name: GET /admin/v1/sources lists them.")

    async def reports(self, name: str) -> list[ProcessReport]:
        """What each process reports of a source. Raises StoreUnavailable."""
        return await asyncio.to_thread(reports_of, self._database, name, self._clock())

    async def verdicts(self, one: SourceStanding) -> list[Remembered]:
        """How old its remembered verdicts are. Raises StoreUnavailable."""
        if one.kind != "connector":
            return []
        return await asyncio.to_thread(remembered, self._database, one.name, one.provides)

    async def try_now(self, staff: Staff, name: str) -> Tried:
        """Ask the source now, about nobody, and write down that it was asked and whether it answered.

        Costs one call of a quota. Raises NotFound, StoreUnavailable.
        """
        ask = self._ways_to_ask().get(name)
        if ask is None:
            raise NotFound("There is no source of this name that can be asked.")
        began = time.perf_counter()
        cause: str | None = None
        try:
            async with asyncio.timeout(TEST_WITHIN_S):
                await ask()
        except SourceFailure as failure:
            cause = failure.cause
        except TimeoutError:
            cause = f"No answer within {TEST_WITHIN_S:.0f} s."
        except StoreUnavailable as failure:
            cause = failure.detail
        tried = Tried(cause is None, time.perf_counter() - began, cause)
        await asyncio.to_thread(self._write_down, staff, name, tried)
        return tried

    def _ways_to_ask(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        lists = {held.source.name: held.source.ping for held in self._outside.lists.values()}
        connectors = {one.name: one.ping for one in (self._registry, *self._sources)}
        return {**connectors, **lists}

    def _write_down(self, staff: Staff, name: str, tried: Tried) -> None:
        details = {"answered": "yes" if tried.answered else "no", "took_ms": round(tried.took_s * 1000)}
        act = Act(staff.actor, "source.tested", f"source/{name}", self._clock(), "", details)
        with self._database.unit_of_work() as connection:
            self._record(connection, act)

    def _seen(self) -> Mapping[str, SourceOverview]:
        return {one.name: one for one in overviews(self._database, self._clock())}

    def _pulled(self) -> Mapping[str, date]:
        with self._database.reading() as connection:
            rows = connection.execute(select(programme_cursors.c.source, programme_cursors.c.as_of))
            return {row.source: row.as_of for row in rows}

    def _own(self, connector: Connector, kind: Kind) -> SourceStanding:
        return SourceStanding(connector.name, kind, connector.provides, False, None, None)

    async def _connector(self, one: Connector, seen: Mapping[str, SourceOverview]) -> SourceStanding:
        if isinstance(one, UnconfiguredSource):
            return self._own(one, "unconfigured")
        if not one.outside:
            return self._own(one, "maps")
        simulated = one.name in self._outside.simulated
        quota = await self._quota(one.name)
        return SourceStanding(one.name, "connector", one.provides, simulated, seen.get(one.name), quota)

    async def _quota(self, name: str) -> Quota | None:
        left = await self._outside.quota_left(name)
        if left is None:
            return None
        day = self._clock().astimezone(JAKARTA).date()
        return Quota(day, await asyncio.to_thread(self._made, name, day), left)

    def _made(self, name: str, day: date) -> int:
        chosen = select(source_calls.c.made).where(source_calls.c.source == name, source_calls.c.day == day)
        with self._database.reading() as connection:
            return connection.execute(chosen).scalar() or 0
