"""Admission: the one transaction between a verified request and the consumer that it is answered as.

It spends the proof, sees whether the token was revoked and whether the consumer is still active. Because it
asks the database every time, a revocation or a disabled consumer counts at once on every worker. Requests
that wait share a transaction, so certainty costs little more under load than a cache would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import CompoundSelect, Connection, null, select, union_all

from gateway.batching import NaturalBatch
from gateway.database import Database
from gateway.oauth import marks
from gateway.oauth.consumers import Consumer, consumer_of
from gateway.oauth.tables import consumers, revoked_tokens


class Barred(Enum):
    """Why a request with a good token and a good proof is not admitted."""

    PROOF_USED_BEFORE = "The DPoP proof was used before: make one per request."
    TOKEN_REVOKED = "The access token was revoked."  # noqa: S105 - a sentence
    CONSUMER_DISABLED = "The consumer is disabled, or no longer registered."


@dataclass(frozen=True, slots=True)
class Entry:
    """What one request presents. `forget_at` (Unix seconds) is when its proof's mark has done its duty."""

    proof_mark: str
    forget_at: int
    revocation_mark: str
    consumer_id: str


class Admission:
    """Admits the requests of one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._standing = _standing(database)
        self._batch: NaturalBatch[Entry, Consumer | Barred] = NaturalBatch("admission", self._admit)

    async def __call__(self, entry: Entry) -> Consumer | Barred:
        """The consumer, once the proof is spent. Raises StoreUnavailable: nobody is admitted unseen."""
        return await self._batch(entry)

    def close(self) -> None:
        """Finish the batch under way."""
        self._batch.close()

    def _admit(self, entries: Sequence[Entry]) -> Sequence[Consumer | Barred]:
        with self._database.unit_of_work(durable=False) as connection:
            fresh = marks.spend_proofs(
                connection,
                {entry.proof_mark for entry in entries},
                expires_at=max(entry.forget_at for entry in entries),
            )
            active, revoked = self._look_up(connection, entries)
        outcomes: list[Consumer | Barred] = []
        for entry in entries:
            if entry.proof_mark not in fresh:
                outcomes.append(Barred.PROOF_USED_BEFORE)
                continue
            fresh.remove(entry.proof_mark)  # its twin in the same batch is a replay
            if entry.revocation_mark in revoked:
                outcomes.append(Barred.TOKEN_REVOKED)
            else:
                outcomes.append(active.get(entry.consumer_id, Barred.CONSUMER_DISABLED))
        return outcomes

    def _look_up(
        self, connection: Connection, entries: Sequence[Entry]
    ) -> tuple[dict[str, Consumer], set[str]]:
        """The active consumers by id, and the marks of revoked tokens, among those that are asked for."""
        asked = {
            "ids": list({entry.consumer_id for entry in entries}),
            "marks": list({entry.revocation_mark for entry in entries}),
        }
        active: dict[str, Consumer] = {}
        revoked: set[str] = set()
        for row in connection.execute(self._standing, asked):
            if row.id is None:
                revoked.add(row.revocation_mark)
            else:
                active[row.id] = consumer_of(row)
        return active, revoked


def _standing(database: Database) -> CompoundSelect[*tuple[Any, ...]]:
    """Both questions as one statement: to PostgreSQL a round trip costs more than either answer."""
    active = select(
        null().label("revocation_mark"),
        consumers.c.id,
        consumers.c.name,
        consumers.c.sector,
        consumers.c.regions,
    ).where(database.one_of(consumers.c.id, "ids"), consumers.c.state == "active")
    revoked = select(revoked_tokens.c.jti_sha256, null(), null(), null(), null()).where(
        database.one_of(revoked_tokens.c.jti_sha256, "marks")
    )
    return union_all(active, revoked)
