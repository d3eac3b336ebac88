"""The quota ledger on the database: one row per source and day, so that all processes count together.

Calls that wait share a transaction, and a transaction counts before anything is sent: a process that dies
leaves calls counted that were never made, never the other way round.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from sqlalchemy import Connection, Date, Integer, bindparam, select, text

from connectors.quota import Grant
from gateway.batching import NaturalBatch, OneThread
from gateway.database import Database
from gateway.sources.tables import source_calls

# One statement locks the row, makes it where there is none, and says what stood there.
_LOCK = (
    text(
        "INSERT INTO source_calls (source, day, made) VALUES (:source, :day, 0) "
        "ON CONFLICT (source, day) DO UPDATE SET made = source_calls.made RETURNING made"
    )
    .bindparams(bindparam("day", type_=Date()))
    .columns(made=Integer)
)
_WRITE = (
    source_calls.update()
    .where(source_calls.c.source == bindparam("of"), source_calls.c.day == bindparam("on"))
    .values(made=bindparam("count"))
)
_MADE = select(source_calls.c.made).where(
    source_calls.c.source == bindparam("of"), source_calls.c.day == bindparam("on")
)

_Key = tuple[str, date]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One change of the ledger; `number` is what `act` counts."""

    key: _Key
    act: Literal["take", "give_back", "at_most"]
    number: int
    limit: int


class DatabaseQuotaLedger:
    """`connectors.quota.QuotaLedger` over all processes that share the database.

    Every method raises StoreUnavailable when the database is out of reach. A caller who is cancelled while
    waiting may find the calls counted: too many are counted, never too few.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = OneThread("quota")
        database.before_closing(self._thread.close)
        self._batch: NaturalBatch[_Entry, Grant] = NaturalBatch(
            lambda entries: self._thread(self._write, entries)
        )

    async def take(self, source: str, day: date, count: int, limit: int) -> Grant:
        """Count up to `count` further calls of `day` as made: as many as `limit` leaves."""
        return await self._batch(_Entry((source, day), "take", count, limit))

    async def give_back(self, source: str, day: date, count: int) -> None:
        """Undo the counting of calls that were never sent; never below none."""
        await self._batch(_Entry((source, day), "give_back", count, 0))

    async def at_most(self, source: str, day: date, remaining: int, limit: int) -> None:
        """Heed the source's own count: `remaining` further calls at most on `day`. Never makes them more."""
        await self._batch(_Entry((source, day), "at_most", remaining, limit))

    async def remaining(self, source: str, day: date, limit: int) -> int:
        """How many calls of `day` are left."""
        return await asyncio.to_thread(self._remaining, source, day, limit)

    def close(self) -> None:
        """Finish the batch under way."""
        self._thread.close()

    def _remaining(self, source: str, day: date, limit: int) -> int:
        with self._database.reading() as connection:
            made: int | None = connection.execute(_MADE, {"of": source, "on": day}).scalar()
        return max(0, limit - (made or 0))

    def _write(self, entries: Sequence[_Entry]) -> Sequence[Grant]:
        places: defaultdict[_Key, list[int]] = defaultdict(list)
        for at, entry in enumerate(entries):
            places[entry.key].append(at)
        grants: dict[int, Grant] = {}
        with self._database.unit_of_work() as connection:
            for key in sorted(places):  # in one order everywhere, so that two processes never wait crosswise
                given = _apply(connection, key, [entries[at] for at in places[key]])
                grants.update(zip(places[key], given, strict=True))
        return [grants[at] for at in range(len(entries))]


def _apply(connection: Connection, key: _Key, entries: Sequence[_Entry]) -> list[Grant]:
    source, day = key
    before: int = connection.execute(_LOCK, {"source": source, "day": day}).scalar_one()
    made = before
    grants = []
    for entry in entries:
        granted = 0
        match entry.act:
            case "take":
                granted = max(0, min(entry.number, entry.limit - made))
                made += granted
            case "give_back":
                made = max(0, made - max(0, entry.number))
            case "at_most":
                made = max(made, entry.limit - max(0, entry.number))
        grants.append(Grant(granted, max(0, entry.limit - made)))
    if made != before:
        connection.execute(_WRITE, {"of": source, "on": day, "count": made})
    return grants
