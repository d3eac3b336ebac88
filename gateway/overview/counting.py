"""Counts the log into totals by hour and by day, so that no page reads a month of entries.

Entries are counted after the tree has placed them, in the order of their leaves: appending pays nothing for
it, and a death at any instant leaves the totals where they were. They follow the log within seconds, can be
made anew from it, and MUST NOT be evidence: the sealed entries are.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, get_args

from sqlalchemy import Column, Connection, Table, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.audit.months import span_of, within
from gateway.audit.placed import Placed
from gateway.audit.tables import audit_entries, audit_leaves
from gateway.civil_day import civil_day, day_begins
from gateway.database import Database
from gateway.overview.tables import consumer_totals, decision_totals, traffic_progress, traffic_totals
from policies.refusals import SOURCE_UNAVAILABLE

# In full; answered, but the agreement withheld a field; answered, but a source was silent or somebody could
# not be judged; refused, by the agreement or a limit; refused because a source was down; and those of which
# an order of erasure left nothing to tell.
Outcome = Literal["answered", "withheld", "unknown", "refused", "unavailable", "erased"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
Grain = Literal["hour", "day"]

_ONLY = 1
_PAUSE_S = 1.0
# One step holds SQLite's single write lock.
_LEAVES_PER_STEP = 4_096
_HOURS_KEPT: Final = timedelta(days=3)
_DAYS_KEPT: Final = timedelta(days=400)
_LONGEST_OPERATION = 32
_TABLES = (traffic_totals, consumer_totals, decision_totals)
# Grain, beginning, and the words of the row.
_Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What is counted of one outcome of the log: `decisions` are of people, none for a sandbox."""

    at: datetime
    consumer_id: str
    operation: str
    outcome: Outcome
    people: int
    decisions: Mapping[str, int]


@dataclass(slots=True)
class _Totals:
    """What is to be added to each table: by its key, exchanges and people."""

    traffic: dict[_Key, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    consumers: dict[_Key, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    decisions: dict[_Key, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0]))

    def add(self, told: Told) -> None:
        """Count one exchange into its hour and its day."""
        for grain, begins in (("hour", hour_of(told.at)), ("day", day_of(told.at))):
            for counted in (
                self.traffic[grain, begins, told.operation, told.outcome],
                self.consumers[grain, begins, told.consumer_id, told.outcome],
            ):
                counted[0] += 1
                counted[1] += told.people
            for decision, people in told.decisions.items():
                self.decisions[grain, begins, decision][0] += people


def hour_of(moment: datetime) -> datetime:
    """The beginning of a moment's hour (UTC; WIB's are the same)."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def day_of(moment: datetime) -> datetime:
    """The beginning, in UTC, of a moment's civil day (WIB)."""
    return day_begins(civil_day(moment)).astimezone(UTC)


def told_by(at: datetime, consumer_id: str, entry: Mapping[str, Any] | None) -> Told:
    """What one outcome's entry comes to; None once it was erased."""
    if entry is None:
        return Told(at, consumer_id, "", "erased", 0, {})
    counts = {str(word): int(number) for word, number in entry.get("counts", {}).items()}
    return Told(
        at,
        consumer_id,
        str(entry.get("operation", ""))[:_LONGEST_OPERATION],
        outcome_of(entry),
        int(entry.get("subject_count", 0)),
        {} if entry.get("sandbox") else counts,
    )


def outcome_of(entry: Mapping[str, Any]) -> Outcome:
    """How an exchange ended, in one word: the one that weighs most of those that hold."""
    if entry.get("outcome") != "answered":
        return "unavailable" if entry.get("reason") == SOURCE_UNAVAILABLE else "refused"
    if entry.get("unavailable") or entry.get("counts", {}).get("unknown"):
        return "unknown"
    return "withheld" if entry.get("withheld") else "answered"


class TrafficTotals:
    """Counts what the log has placed. Thread-safe; any number of processes may run one."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def run(self, failed: Callable[[BaseException], None]) -> None:
        """Count for ever what is placed, a short pause between; `failed` is told what went wrong."""
        while True:
            try:
                while not await asyncio.to_thread(self.step):
                    pass
            except Exception as error:  # noqa: BLE001 - a database outage must not end the counting
                failed(error)
            await asyncio.sleep(_PAUSE_S)

    def step(self) -> bool:
        """Count the next placed entries; says whether nothing was left. Blocks. Raises StoreUnavailable."""
        with self._database.reading() as connection:
            if _counted(connection) >= _placed(connection):
                return True
        # Not durable: a step that a power cut takes is done again.
        with self._database.unit_of_work(durable=False) as connection:
            first = _lock_progress(connection)
            placed, behind = _next_placed(connection, first)
            _add(connection, _totals_of(placed))
            connection.execute(update(traffic_progress).values(leaf_index=behind))
            return behind >= _placed(connection)

    def follow(self, connection: Connection, first: int, end: int, placed: Sequence[Placed]) -> None:
        """Count what has just been placed, unless earlier leaves wait to be counted. See `Follower`."""
        if _lock_progress_at(connection, first):
            _add(connection, _totals_of(placed))
            connection.execute(update(traffic_progress).values(leaf_index=end))

    def rebuild(self) -> None:
        """Forget the totals, so that they are made anew from the entries."""
        with self._database.unit_of_work() as connection:
            _lock_progress(connection)
            for table in _TABLES:
                connection.execute(delete(table))
            connection.execute(update(traffic_progress).values(leaf_index=0))

    def forget_old(self) -> int:
        """Delete hours older than three days and days older than a year; gives the number of rows. Blocks."""
        now, forgotten = self._clock(), 0
        with self._database.unit_of_work(durable=False) as connection:
            for table in _TABLES:
                for grain, kept in (("hour", _HOURS_KEPT), ("day", _DAYS_KEPT)):
                    old = delete(table).where(table.c.grain == grain, table.c.starts_at < now - kept)
                    forgotten += connection.execute(old).rowcount
        return forgotten


_WANTED = ("sequence", "kind", "exchange_id", "at", "consumer_id", "entry")


def _next_placed(connection: Connection, first: int) -> tuple[Iterator[Placed], int]:
    """The entries of the next leaves, and the first leaf that they leave for later."""
    # Not by the entries that there are: a rebuilding passes over months that were detached.
    end = min(first + _LEAVES_PER_STEP, _placed(connection))
    leaves = audit_leaves.c.leaf_index.between(first, end - 1)
    span = span_of(connection, select(audit_leaves.c.sequence).where(leaves))
    query = (
        select(*(audit_entries.c[name] for name in _WANTED))
        .join(audit_entries, audit_entries.c.sequence == audit_leaves.c.sequence)
        .where(leaves, within(audit_entries.c.sequence))
        .order_by(audit_leaves.c.leaf_index)
    )
    rows = connection.execute(query, span)
    return (Placed.read(*row) for row in rows), max(first, end)


def _totals_of(placed: Iterable[Placed]) -> _Totals:
    totals = _Totals()
    for one in placed:
        if one.kind == "outcome" and one.consumer_id is not None:
            totals.add(told_by(one.at, one.consumer_id, one.said))
    return totals


def _add(connection: Connection, totals: _Totals) -> None:
    _count_up(connection, traffic_totals, totals.traffic)
    _count_up(connection, consumer_totals, totals.consumers)
    _count_up(connection, decision_totals, totals.decisions)


def _count_up(connection: Connection, table: Table, counted: Mapping[_Key, list[int]]) -> None:
    """Add to the rows of these keys: a table's columns are its key, then what is counted."""
    if not counted:
        return
    names = [column.name for column in table.c]
    rows = [dict(zip(names, (*key, *numbers), strict=True)) for key, numbers in sorted(counted.items())]
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    added = dialect.insert(table)
    more = added.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={column.name: column + added.excluded[column.name] for column in _numbers(table)},
    )
    connection.execute(more, rows)


def _numbers(table: Table) -> list[Column[Any]]:
    return [column for column in table.c if not column.primary_key]


def _counted(connection: Connection) -> int:
    return connection.execute(select(traffic_progress.c.leaf_index)).scalar() or 0


def _placed(connection: Connection) -> int:
    """How many leaves there are; they are numbered without a gap."""
    last: int | None = connection.execute(select(func.max(audit_leaves.c.leaf_index))).scalar()
    return 0 if last is None else last + 1


def _lock_progress_at(connection: Connection, leaf_index: int) -> bool:
    """Whether the counting is at this leaf, and nobody else is at it: then it is the caller's."""
    if not leaf_index:
        _begin_progress(connection)
    at = select(traffic_progress.c.leaf_index).with_for_update(skip_locked=True)
    return connection.execute(at).scalar() == leaf_index


def _lock_progress(connection: Connection) -> int:
    """How far the counting is; no other transaction moves it before this one ends."""
    _begin_progress(connection)
    locked = select(traffic_progress.c.leaf_index).with_for_update()
    return int(connection.execute(locked).scalar_one())


def _begin_progress(connection: Connection) -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    begin = dialect.insert(traffic_progress).values(id=_ONLY, leaf_index=0)
    connection.execute(begin.on_conflict_do_nothing())
