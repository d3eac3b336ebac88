"""The audit log: appends entries so that many waiting exchanges share one durable commit.

Fails closed: `append` returns only after the commit, and raises when there was none. A caller MUST NOT
send an answer before `append` has returned.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import insert
from sqlalchemy.exc import SQLAlchemyError

from gateway.audit.entry import Entry
from gateway.audit.tables import audit_entries
from gateway.batching import NaturalBatch
from gateway.database import Database
from gateway.errors import AuditUnavailable, StoreUnavailable


class AuditLog:
    """Appends of one process. Several processes may append to the same database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._append: NaturalBatch[Entry, None] = NaturalBatch("audit", self._commit)

    async def append(self, entry: Entry) -> None:
        """Return when the entry is on disk. Raises AuditUnavailable when it is not."""
        await self._append(entry)

    def close(self) -> None:
        """Finish the commit under way and stop."""
        self._append.close()

    def _commit(self, entries: Sequence[Entry]) -> list[Exception | None]:
        rows = [
            {
                "exchange_id": entry.exchange_id,
                "kind": entry.kind,
                "at": entry.at,
                "consumer_id": entry.consumer_id,
                "entry": entry.canonical().decode(),
            }
            for entry in entries
        ]
        try:
            with self._database.unit_of_work() as connection:
                connection.execute(insert(audit_entries), rows)
        except (SQLAlchemyError, StoreUnavailable) as error:
            raise AuditUnavailable(
                "The audit log could not be written, so nothing was answered; try again."
            ) from error
        return [None] * len(rows)
