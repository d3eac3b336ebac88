"""The audit log: appends entries so that many waiting exchanges share one durable commit.

Fails closed: `append` returns only after the commit, and raises when there was none. A caller MUST NOT
send an answer before `append` has returned.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import psycopg
from sqlalchemy import Connection, insert, text
from sqlalchemy.exc import SQLAlchemyError

from gateway.audit.entry import Entry, Sealed
from gateway.audit.tables import audit_entries, audit_pending
from gateway.batching import NaturalBatch
from gateway.database import Database
from gateway.errors import AuditUnavailable, StoreUnavailable
from gateway.lanes import Last, Procedure, open_lane, run_on
from gateway.spans import span

BLIND_BYTES = 32
_INSERT = insert(audit_entries).returning(
    audit_entries.c.sequence, audit_entries.c.exchange_id, audit_entries.c.kind
)
_INSERT_PENDING = insert(audit_pending)
# Entries and leaves in one statement, each column one parameter: whatever their number, one plan, one trip.
_INSERT_WITH_LEAVES = text("""
WITH given AS (
    SELECT * FROM unnest(
        CAST(:exchange_ids AS uuid[]), CAST(:kinds AS text[]), CAST(:ats AS timestamptz[]),
        CAST(:consumer_ids AS text[]), CAST(:entries AS text[]), CAST(:subjects AS text[]),
        CAST(:blinds AS bytea[]), CAST(:digests AS bytea[])
    ) AS t (exchange_id, kind, at, consumer_id, entry, subjects, blind, sha256)
), written AS (
    INSERT INTO audit_entries (exchange_id, kind, at, consumer_id, entry, subjects, blind)
    SELECT exchange_id, kind, at, consumer_id, entry, subjects, blind FROM given
    RETURNING sequence, exchange_id, kind
)
INSERT INTO audit_pending (sequence, sha256)
SELECT sequence, sha256 FROM written JOIN given USING (exchange_id, kind)
""")


class AuditLog:
    """Appends of one process. Several processes may append to the same database."""

    def __init__(self, database: Database) -> None:
        self._lane = open_lane(database, "audit")
        self._sqlite = database.is_sqlite
        self._append: NaturalBatch[Sealed, None] = NaturalBatch(self._commit)

    async def append(self, entry: Entry) -> Sealed:
        """Return the entry's exact bytes when they are on disk, with the leaf that the tree will hold.

        Raises AuditUnavailable when they are not.
        """
        with span("evidence", kind=entry.kind):
            sealed = entry.seal(os.urandom(BLIND_BYTES))
            await self._append(sealed)
            return sealed

    def close(self) -> None:
        """Give the connection back; no exchange may be waiting."""
        self._lane.close()

    async def _commit(self, entries: Sequence[Sealed]) -> list[Exception | None]:
        try:
            await self._lane(adding(entries, sqlite=self._sqlite, last=True))
        except (SQLAlchemyError, psycopg.Error, StoreUnavailable):
            # Without its cause: the driver's text may quote the entry.
            raise AuditUnavailable(
                "The audit log could not be written, so nothing was answered; try again."
            ) from None
        return [None] * len(entries)


def add_entries(connection: Connection, entries: Sequence[Sealed]) -> None:
    """Write entries and their leaves within the caller's transaction.

    For acts, whose effect and evidence are then committed together or not at all.
    """
    run_on(connection, adding(entries, sqlite=connection.dialect.name == "sqlite"))


def adding(entries: Sequence[Sealed], *, sqlite: bool, last: bool = False) -> Procedure[None]:
    """The same as part of a procedure, of which it may be the `last` part."""
    if not sqlite:
        columns = {
            "exchange_ids": [sealed.entry.exchange_id for sealed in entries],
            "kinds": [sealed.entry.kind for sealed in entries],
            "ats": [sealed.entry.at for sealed in entries],
            "consumer_ids": [sealed.entry.consumer_id for sealed in entries],
            "entries": [sealed.text.decode() for sealed in entries],
            "subjects": [sealed.subjects.decode() if sealed.subjects else None for sealed in entries],
            "blinds": [sealed.blind for sealed in entries],
            "digests": [sealed.sha256 for sealed in entries],
        }
        step = (_INSERT_WITH_LEAVES, columns)
        yield Last([step]) if last else [step]
        return
    # SQLite has no statement that writes two tables.
    digests = {(sealed.entry.exchange_id, sealed.entry.kind): sealed.sha256 for sealed in entries}
    rows = [
        {
            "exchange_id": sealed.entry.exchange_id,
            "kind": sealed.entry.kind,
            "at": sealed.entry.at,
            "consumer_id": sealed.entry.consumer_id,
            "entry": sealed.text.decode(),
            "subjects": sealed.subjects.decode() if sealed.subjects else None,
            "blind": sealed.blind,
        }
        for sealed in entries
    ]
    (numbered,) = yield [(_INSERT, rows)]
    pending = [{"sequence": number, "sha256": digests[exchange, kind]} for number, exchange, kind in numbered]
    yield [(_INSERT_PENDING, pending)]
