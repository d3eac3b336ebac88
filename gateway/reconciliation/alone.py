"""At most one process works on reconciliations at a time, whatever dies: the lock goes with its process.

On PostgreSQL it is an advisory lock of a session, beside SQLite a lock on a file. Either lasts as long as the
work, which no unit of work may, so this module holds a connection of its own; it never writes through it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from gateway.advisory_locks import AdvisoryLock
from gateway.database import Database
from gateway.errors import StoreUnavailable

_KEY = {"key": AdvisoryLock.RECONCILIATION_AT_WORK.value}
_TRY = text("SELECT pg_try_advisory_lock(:key)")
_ALIVE = text("SELECT 1")
_IS_HELD = text(
    "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = :key"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
)

Check = Callable[[], None]


@contextmanager
def alone(database: Database) -> Iterator[Check | None]:
    """What checks that the lock is still held (it raises StoreUnavailable); None where another has it."""
    held = _beside_sqlite if database.is_sqlite else _on_postgres
    with held(database) as check:
        yield check


def somebody_works(database: Database) -> bool:
    """Whether a process works on reconciliations at this moment. Raises StoreUnavailable."""
    if not database.is_sqlite:
        with database.reading() as connection:
            return bool(connection.execute(_IS_HELD, _KEY).scalar_one())
    with _beside_sqlite(database) as check:
        return check is None


@contextmanager
def _beside_sqlite(database: Database) -> Iterator[Check | None]:
    file = Path(f"{database.engine.url.database}-reconciling")
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield lambda: None
    finally:
        os.close(descriptor)


@contextmanager
def _on_postgres(database: Database) -> Iterator[Check | None]:
    engine = database.session_engine.execution_options(isolation_level="AUTOCOMMIT")
    try:
        connection = engine.connect()
    except SQLAlchemyError:
        raise StoreUnavailable("The database did not answer; nothing was changed.") from None
    with connection:
        if not connection.execute(_TRY, _KEY).scalar_one():
            yield None
            return

        def check() -> None:
            """Ask on the session that holds the lock."""
            try:
                connection.execute(_ALIVE)
            except SQLAlchemyError:
                raise StoreUnavailable("The database let go of us; another process may go on.") from None

        try:
            yield check
        finally:
            # A session outlives its use: given back to the pool as it is, it would keep the lock.
            connection.invalidate()
