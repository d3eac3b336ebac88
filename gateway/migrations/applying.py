"""Revisions applied while others serve: one transaction each, for no lock longer than a moment.

Indexes alone are built outside of transactions, by one process at a time (`gateway.migrations.indexes`).
Whoever waits for a lock on a table makes everybody who comes later wait behind it, readers too. So a revision
that does not get its locks at once lets go, lets the others pass and tries again. MUST NOT be used for
anything but the schema and what fills it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.migration import MigrationContext
from psycopg import errors
from sqlalchemy import Connection, select, text, update

from gateway.advisory_locks import AdvisoryLock
from gateway.database import Database
from gateway.errors import Conflict, SettingsInvalid, StoreUnavailable
from gateway.migrations.indexes import build_online, create_in_place
from gateway.migrations.phases import Revision, before_contract, config_of, history_of
from gateway.migrations.presence import serving_now
from gateway.migrations.tables import schema_floor

# So long everybody else may have to wait behind a revision, and so long they have the table to themselves.
_LOCK_WAIT_MS = 1000
_PAUSE_S = 2.0
_PATIENCE_S = 300.0
# Tried, never waited for: whoever builds waits for those who wait inside a statement, and each for the other.
_TRY_TO_BUILD = text(f"SELECT pg_try_advisory_lock({AdvisoryLock.MIGRATION_INDEXES:d})")

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Migrated:
    """What was applied, and the contracts that wait until somebody says that there is no way back."""

    applied: tuple[str, ...]
    waiting: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a revision tries to get its locks, and how long it lets others pass in between."""

    whole_s: float = _PATIENCE_S
    pause_s: float = _PAUSE_S
    lock_wait_ms: int = _LOCK_WAIT_MS


def migrate(
    database: Database,
    *,
    contract: bool = False,
    folders: tuple[Path, ...] = (),
    patience: Patience | None = None,
    tell: Tell = lambda _: None,
) -> Migrated:
    """Bring the schema to the newest revision, or before the first contract unless `contract` says so.

    Does nothing when it is there, or further than this code knows. An empty database is brought to the end at
    once: nobody serves on it. Safe to repeat after a kill, and to call from several processes at once.

    Raises Conflict for a contract while older code serves or that an earlier upgrade left, SettingsInvalid
    where this code is too old for the schema, StoreUnavailable where a revision got no locks in time.
    """
    history = history_of(folders)
    work = _Work(database, folders, patience or Patience(), tell)
    applied: list[str] = []
    while True:
        with database.reading() as connection:
            present = _present(connection)
            if present is not None and not history.knows(present) and not may_serve(connection, folders):
                raise SettingsInvalid(
                    [f"The schema ({present}) is newer than this program: install the version that made it"]
                )
        pending = history.pending(present)
        allowed = pending if contract or present is None else before_contract(pending)
        if not allowed:
            _refuse_to_skip_a_contract(pending)
            return Migrated(tuple(applied), tuple(one.number for one in pending))
        applied += work.all_at_once(allowed) if present is None else work.one(present, allowed[0])


def may_serve(connection: Connection, folders: tuple[Path, ...] = ()) -> bool:
    """Whether this code may serve on this schema: see `History.may_serve`."""
    history = history_of(folders)
    present = _present(connection)
    if present is None or any(one.phase != "contract" for one in history.pending(present)):
        return False
    return history.may_serve(present, connection.execute(select(schema_floor.c.revision)).scalar())


def is_current(database: Database) -> bool:
    """Whether the schema is at the newest revision that this code knows, contracts included."""
    with database.reading() as connection:
        return _present(connection) == history_of().head


def revision_of(database: Database) -> str | None:
    """At which revision the schema is; None for an empty database. Raises StoreUnavailable."""
    with database.reading() as connection:
        return _present(connection)


def _present(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


@dataclass(frozen=True, slots=True)
class _Work:
    database: Database
    folders: tuple[Path, ...]
    patience: Patience
    tell: Tell

    def all_at_once(self, revisions: tuple[Revision, ...] | list[Revision]) -> list[str]:
        """Fill an empty database, in one transaction: whole, or empty as before."""
        with self.database.unit_of_work() as connection:
            self._take_turn(connection)
            if _present(connection) is not None:
                return []
            for one in revisions:
                while one.batch is not None and one.batch(connection):
                    pass
                create_in_place(connection, one.indexes)
                self._upgrade(connection, one)
        return [one.number for one in revisions]

    def one(self, present: str, revision: Revision) -> list[str]:
        """Apply the revision that comes next, if nobody else did meanwhile."""
        if revision.batch is not None:
            self._fill(present, revision)
        until = time.monotonic() + self.patience.whole_s
        while True:
            try:
                self._build(present, revision)
                return self._try(present, revision)
            except StoreUnavailable as error:
                if not _was_locked_out(error):
                    raise
                if time.monotonic() >= until:
                    raise StoreUnavailable(
                        f"Revision {revision.number} got no lock within {self.patience.whole_s:g} s, and let "
                        "go each time: somebody's transaction lasts too long (pg_stat_activity tells whose). "
                        "Nothing of it was done; run it again."
                    ) from None
            self.tell(f"{revision.number}: its table is in use; letting others pass.")
            time.sleep(self.patience.pause_s)

    def _try(self, present: str, revision: Revision) -> list[str]:
        with self.database.unit_of_work() as connection:
            self._take_turn(connection)
            if _present(connection) != present:
                return []
            if revision.phase == "contract":
                self._refuse_while_older_code_serves(connection, revision)
            if self.database.is_sqlite:
                create_in_place(connection, revision.indexes)
            self._upgrade(connection, revision)
        self.tell(f"{revision.number}: {revision.phase} done.")
        return [revision.number]

    def _fill(self, present: str, revision: Revision) -> None:
        """Batch for batch, each committed by itself; the others have the database half of the time."""
        assert revision.batch is not None  # noqa: S101 - a backfill has one, and nothing else comes here
        filled = 0
        while True:
            began = time.monotonic()
            with self.database.unit_of_work() as connection:
                self._take_turn(connection)
                rows = revision.batch(connection) if _present(connection) == present else 0
            if not rows:
                return
            filled += rows
            self.tell(f"{revision.number}: {filled} rows filled.")
            time.sleep(time.monotonic() - began)

    def _build(self, present: str, revision: Revision) -> None:
        """The indexes of the revision, before the transaction that writes down that it is applied."""
        if not revision.indexes or self.database.is_sqlite:
            return
        with self.database.session() as session:
            while not session.execute(_TRY_TO_BUILD).scalar_one():
                self.tell(f"{revision.number}: another process builds its indexes; waiting for it.")
                time.sleep(self.patience.pause_s)
            if _present(session) == present:
                build_online(session, revision.indexes, self.tell)

    def _take_turn(self, connection: Connection) -> None:
        """One migration at a time; SQLite's only writer has its turn already."""
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({AdvisoryLock.MIGRATION:d})"))
            connection.execute(text(f"SET LOCAL lock_timeout = {self.patience.lock_wait_ms:d}"))

    def _upgrade(self, connection: Connection, revision: Revision) -> None:
        config = config_of(self.folders)
        config.attributes["connection"] = connection
        command.upgrade(config, revision.number)
        if revision.phase == "contract":
            connection.execute(update(schema_floor).values(revision=revision.number))

    def _refuse_while_older_code_serves(self, connection: Connection, revision: Revision) -> None:
        history = history_of(self.folders)
        newer = {one.number for one in history.pending(revision.number)} | {revision.number}
        older = [
            one
            for one in serving_now(connection, datetime.now(UTC))
            # What this code does not know is newer than it.
            if history.knows(one.knows) and one.knows not in newer
        ]
        if older:
            named = ", ".join(f"{one.process} ({one.version}, {one.knows})" for one in older)
            raise Conflict(
                f"Revision {revision.number} takes away what processes need that still serve: {named}. Give "
                "each of them the new version first; one that was killed counts as serving for a minute."
            )


def _refuse_to_skip_a_contract(pending: Sequence[Revision]) -> None:
    if any(one.phase != "contract" for one in pending):
        raise Conflict(
            f"Revision {pending[0].number} ends an earlier upgrade, and stands before what this version "
            "needs. Once no older version serves, run `gapura migrate --contract`."
        )


def _was_locked_out(error: StoreUnavailable) -> bool:
    reason = getattr(error.__cause__, "orig", None)
    return isinstance(reason, errors.LockNotAvailable | errors.DeadlockDetected)
