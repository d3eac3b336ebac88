"""Indexes built while others write: outside any transaction, as PostgreSQL can do it and only so.

A plain CREATE INDEX keeps every writer of its table waiting until it is done. CREATE INDEX CONCURRENTLY keeps
nobody waiting, waits itself for transactions that began before it, and when it fails or is killed leaves an
index behind that nobody uses (*invalid*). MUST NOT run inside a transaction, nor beside another that builds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from gateway.errors import Conflict

# None where there is no such index.
_VALID = text("SELECT (SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name))")
# Whoever builds makes nobody wait, so it may wait for as long as others' transactions last.
_NO_TIMEOUTS = (text("SET lock_timeout = 0"), text("SET statement_timeout = 0"))


@dataclass(frozen=True, slots=True)
class OnlineIndex:
    """An index that a revision adds to a table which may be large.

    `on` are columns or expressions and `where` a condition, as SQL that both databases read. Not for a table
    that PostgreSQL divides into months: there each month has an index of its own.
    """

    name: str
    table: str
    on: tuple[str, ...]
    unique: bool = False
    where: str = ""

    def creating(self, *, online: bool) -> str:
        """The statement that makes it, if there is none of its name."""
        kind = f"{'UNIQUE ' if self.unique else ''}INDEX {'CONCURRENTLY ' if online else ''}"
        condition = f" WHERE {self.where}" if self.where else ""
        return f'CREATE {kind}IF NOT EXISTS "{self.name}" ON "{self.table}" ({", ".join(self.on)}){condition}'


def create_in_place(connection: Connection, indexes: Iterable[OnlineIndex]) -> None:
    """Make them as part of a transaction: on SQLite, and where nobody serves yet."""
    for index in indexes:
        connection.execute(text(index.creating(online=False)))


def build_online(session: Connection, indexes: Iterable[OnlineIndex], tell: Callable[[str], None]) -> None:
    """Make each that is not there whole, on a session of PostgreSQL without a transaction. Safe to repeat.

    What an earlier try left invalid is removed first. Raises Conflict where rows contradict a unique one, of
    which then nothing is left.
    """
    for statement in _NO_TIMEOUTS:
        session.execute(statement)
    for index in indexes:
        valid = session.execute(_VALID, {"name": f'"{index.name}"'}).scalar_one()
        if valid:
            continue
        if valid is False:
            tell(f"{index.name}: an earlier try left it unfinished; beginning anew.")
            _remove(session, index)
        tell(f"{index.name}: building, while others write.")
        try:
            session.execute(text(index.creating(online=True)))
        except IntegrityError:
            _remove(session, index)
            raise Conflict(
                f"{index.name} cannot be unique: rows of {index.table} have the same {', '.join(index.on)}. "
                "Nothing of it was kept; mend the rows, then run it again."
            ) from None


def _remove(session: Connection, index: OnlineIndex) -> None:
    session.execute(text(f'DROP INDEX CONCURRENTLY IF EXISTS "{index.name}"'))
