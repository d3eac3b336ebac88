"""The audit log: appends entries so that many waiting exchanges share one durable commit.

Fails closed: `append` returns only after the commit, and raises when there was none. A caller MUST NOT
send an answer before `append` has returned.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from sqlalchemy import Connection, insert
from sqlalchemy.exc import SQLAlchemyError

from gateway.audit.entry import Entry, Sealed
from gateway.audit.tables import audit_entries, audit_pending
from gateway.batching import NaturalBatch
from gateway.database import Database
from gateway.errors import AuditUnavailable, StoreUnavailable

BLIND_BYTES = 32
_INSERT = insert(audit_entries).returning(
    audit_entries.c.sequence, audit_entries.c.exchange_id, audit_entries.c.kind
)


class AuditLog:
    """Appends of one process. Several processes may append to the same database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._append: NaturalBatch[Sealed, None] = NaturalBatch("audit", self._commit)

    async def append(self, entry: Entry) -> Sealed:
        """Return the entry's exact bytes when they are on disk, with the leaf that the tree will hold.

        Raises AuditUnavailable when they are not.
        """
        sealed = entry.seal(os.urandom(BLIND_BYTES))
        await self._append(sealed)
        return sealed

    def close(self) -> None:
        """Finish the commit under way and stop."""
        self._append.close()

    def _commit(self, entries: Sequence[Sealed]) -> list[Exception | None]:
        try:
            with self._database.unit_of_work() as connection:
                add_entries(connection, entries)
        except (SQLAlchemyError, StoreUnavailable) as error:
            raise AuditUnavailable(
                "The audit log could not be written, so nothing was answered; try again."
            ) from error
        return [None] * len(entries)


def add_entries(connection: Connection, entries: Sequence[Sealed]) -> None:
    """Write entries and their leaves within the caller's transaction.

    For acts, whose effect and evidence are then committed together or not at all.
    """
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
    numbered = connection.execute(_INSERT, rows)
    pending = [{"sequence": number, "sha256": digests[exchange, kind]} for number, exchange, kind in numbered]
    connection.execute(insert(audit_pending), pending)
