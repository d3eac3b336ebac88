"""The months by which PostgreSQL keeps the log's entries apart, and the index over whom they speak of.

A month is a range of entries' numbers and not of times: whatever finds an entry knows its number, and asks
one month. Where a month begins, the counter jumps to its first number; until somebody makes it jump, numbers
go on in the month before, and nothing waits for a month that nobody made. Partitions are made by functions of
the schema's owner, for whoever serves MUST NOT make tables. On SQLite there are no months, and nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, select, text

from gateway.audit.tables import audit_entries, audit_months
from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.housekeeping import Tell

# As wide as each month's range of numbers; see the migration that made the first.
NUMBERS_PER_MONTH = 2**40
MONTHS_AHEAD = 2
_MONTHS_PER_YEAR = 12
_MAKE = text("SELECT make_audit_months(:upto)")
_BEGIN = text("SELECT begin_audit_month(:today)")
_LAST_NUMBER = text("SELECT last_value FROM audit_entries_sequence_seq")


@dataclass(frozen=True, slots=True)
class Months:
    """How the months stand: which is written in, up to which they are made, and what stands in none of them.

    `open` and `newest` are first days of civil months (WIB).
    """

    open: date
    newest: date
    strays: bool


def month_of(day: date) -> date:
    """The first day of its month."""
    return day.replace(day=1)


def months_after(month: date, count: int) -> date:
    """The first day of the month so many months later."""
    years, index = divmod(month.month - 1 + count, _MONTHS_PER_YEAR)
    return date(month.year + years, index + 1, 1)


def months_of(database: Database) -> Months | None:
    """How the months stand; None on SQLite. Blocks. Raises StoreUnavailable."""
    if database.is_sqlite:
        return None
    with database.reading() as connection:
        return _standing(connection)


def attached_from(connection: Connection) -> int:
    """The number from which on entries are here: those before it belong to months that were detached."""
    last = select(func.max(audit_months.c.first_sequence)).where(audit_months.c.detached_at.is_not(None))
    detached: int | None = connection.execute(last).scalar()
    return 0 if detached is None else detached + NUMBERS_PER_MONTH


def span_of(connection: Connection, numbers: Select[tuple[int]]) -> dict[str, int]:
    """The least and the greatest of these entries' numbers, as the parameters of `within`.

    PostgreSQL chooses its plan before it knows the numbers of a join, and counts every month as read.
    """
    (number,) = (chosen := numbers.subquery()).c
    low, high = connection.execute(select(func.min(number), func.max(number)).select_from(chosen)).one()
    return {"low": low or 0, "high": high or 0}


def within(number: ColumnElement[int]) -> ColumnElement[bool]:
    """That an entry's number is in the span whose ends are bound as `span_of` gives them."""
    return number.between(bindparam("low"), bindparam("high"))


class LogMonths:
    """Makes coming months and begins the present one. Any number of processes may run one."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def tend(self) -> int:
        """See that this month is begun, and that two more are made; gives how many were made. Blocks.

        Repeating is harmless. Raises StoreUnavailable, also while a long reading of the log is in the way:
        the next turn tries again, and until then entries go where they went.
        """
        standing = months_of(self._database)
        if standing is None:
            return 0
        today = civil_day(self._clock())
        this, upto, made = month_of(today), months_after(month_of(today), MONTHS_AHEAD), 0
        if standing.newest < upto:
            with self._database.unit_of_work() as connection:
                made = int(connection.execute(_MAKE, {"upto": upto}).scalar_one())
        # After the partition is there for everybody: the counter does not wait for a commit.
        if standing.open < this:
            with self._database.unit_of_work() as connection:
                connection.execute(_BEGIN, {"today": today})
        return made

    def look_for_strays(self, tell: Tell) -> int:
        """Tell loudly of entries that stand in no month, for want of a partition; gives 1 if there are any.

        They are whole, found and provable. It means that somebody moved the counter by hand.
        """
        standing = months_of(self._database)
        if standing is None or not standing.strays:
            return 0
        tell("audit:entries_in_no_month", level="error", newest_month=standing.newest.isoformat())
        return 1


def _standing(connection: Connection) -> Months:
    chosen = select(
        func.max(audit_months.c.month).filter(audit_months.c.opened_at.is_not(None)),
        func.max(audit_months.c.month),
        func.max(audit_months.c.first_sequence),
    )
    opened, newest, last = connection.execute(chosen).one()
    # Of the counter first: a look at the entries would lock every month.
    if connection.execute(_LAST_NUMBER).scalar_one() < last + NUMBERS_PER_MONTH:
        return Months(opened, newest, strays=False)
    beyond = select(audit_entries.c.sequence).where(audit_entries.c.sequence >= bindparam("end")).limit(1)
    found = connection.execute(beyond, {"end": last + NUMBERS_PER_MONTH}).first()
    return Months(opened, newest, strays=found is not None)
