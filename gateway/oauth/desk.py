"""What the OAuth endpoints ask of the database: registrations, what is used up, what is revoked.

Requests that wait share a statement and, where something is written, its durable commit. It MUST NOT say that
an assertion or a proof is fresh before that is on disk.
"""

from __future__ import annotations

import hashlib
import json
from collections import namedtuple
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text

from gateway.batching import NaturalBatch
from gateway.database import Database
from gateway.lanes import Last, Procedure, Step, open_lane
from gateway.oauth import marks
from gateway.oauth.consumer_rows import REGISTRATIONS, registrations_in
from gateway.oauth.registration import Registration, is_consumer_id
from gateway.oauth.tables import consumers, revoked_tokens

_Row = namedtuple("_Row", [column.key for column in REGISTRATIONS.selected_columns])  # type: ignore[misc]  # noqa: PYI024 - its members are those of the statement
_SPEND_POSTGRESQL = text(
    "INSERT INTO spent_assertions (consumer_id, jti_sha256, expires_at) SELECT * FROM unnest("
    "CAST(:consumer_ids AS text[]), CAST(:jtis AS text[]), CAST(:ends AS bigint[])) "
    "ON CONFLICT DO NOTHING RETURNING consumer_id, jti_sha256"
)
_SPEND_SQLITE = text(
    "INSERT INTO spent_assertions (consumer_id, jti_sha256, expires_at) "
    "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') "
    "FROM json_each(:rows) WHERE true ON CONFLICT DO NOTHING RETURNING consumer_id, jti_sha256"
)


@dataclass(frozen=True, slots=True)
class Presented:
    """What is good once, of one request. Expiry is in Unix seconds; `proof_mark` is None without a proof."""

    consumer_id: str
    jti: str
    assertion_ends_at: int
    proof_mark: str | None
    proof_ends_at: int

    @property
    def key(self) -> tuple[str, str]:
        """By what the store knows the assertion: what callers choose is kept as its hash."""
        return self.consumer_id, hashlib.sha256(self.jti.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Fresh:
    """Whether the assertion, and whether the proof, was never used before. Both are used up now."""

    assertion: bool
    proof: bool


class OAuthDesk:
    """One per process, used from its event loop. Every method raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._sqlite = database.is_sqlite
        self._some = REGISTRATIONS.where(database.one_of(consumers.c.id, "ids"))
        self._revoked = select(revoked_tokens.c.jti_sha256).where(
            database.one_of(revoked_tokens.c.jti_sha256, "marks")
        )
        reading = open_lane(database, "oauth reading", writes=False)
        self._writing = open_lane(database, "oauth writing")
        self._find: NaturalBatch[str, Registration | None] = NaturalBatch(
            lambda ids: reading(self._found(ids))
        )
        self._ask: NaturalBatch[str, bool] = NaturalBatch(lambda asked: reading(self._among_revoked(asked)))
        self._spend: NaturalBatch[Presented, Fresh] = NaturalBatch(
            lambda presented: self._writing(self._spent(presented))
        )

    async def find(self, consumer_id: str) -> Registration | None:
        """The consumer of this id, whatever its state; None when there is none, or the id is none."""
        return await self._find(consumer_id) if is_consumer_id(consumer_id) else None

    async def spend(self, presented: Presented) -> Fresh:
        """Use up an assertion and its proof together; returns when that is on disk."""
        return await self._spend(presented)

    async def revoke(self, mark: str, expires_at: int) -> None:
        """Refuse the token of this mark from now on, durably; `expires_at` is the token's own."""
        await self._writing(_revoked_now(mark, expires_at))

    async def is_revoked(self, mark: str) -> bool:
        """Whether the token of this mark was revoked."""
        return await self._ask(mark)

    def _found(self, ids: Sequence[str]) -> Procedure[Sequence[Registration | None]]:
        (rows,) = yield Last([(self._some, {"ids": sorted(set(ids))})])
        known = {one.consumer.id: one for one in registrations_in(_Row(*row) for row in rows)}
        return [known.get(one) for one in ids]

    def _among_revoked(self, asked: Sequence[str]) -> Procedure[Sequence[bool]]:
        (rows,) = yield Last([(self._revoked, {"marks": sorted(set(asked))})])
        revoked = {mark for (mark,) in rows}
        return [mark in revoked for mark in asked]

    def _spent(self, presented: Sequence[Presented]) -> Procedure[Sequence[Fresh]]:
        ends = {one.key: one.assertion_ends_at for one in presented}
        steps = [self._spending(ends)]
        if proofs := {one.proof_mark for one in presented if one.proof_mark is not None}:
            ends_at = max(one.proof_ends_at for one in presented)
            steps.append(marks.spending(proofs, expires_at=ends_at, sqlite=self._sqlite))
        assertions, *proven = yield Last(steps)
        fresh = {(consumer_id, digest) for consumer_id, digest in assertions}
        unused = {mark for rows in proven for (mark,) in rows}
        outcomes = []
        for one in presented:
            outcomes.append(Fresh(one.key in fresh, one.proof_mark is None or one.proof_mark in unused))
            # Its twin in the same batch is a replay.
            fresh.discard(one.key)
            unused.discard(one.proof_mark or "")
        return outcomes

    def _spending(self, ends: Mapping[tuple[str, str], int]) -> Step:
        # In one order everywhere: two workers that insert the same keys crosswise would wait for each other.
        rows: list[tuple[Any, ...]] = [(*key, ends[key]) for key in sorted(ends)]
        if self._sqlite:
            return _SPEND_SQLITE, {"rows": json.dumps(rows)}
        names = ("consumer_ids", "jtis", "ends")
        return _SPEND_POSTGRESQL, dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def _revoked_now(mark: str, expires_at: int) -> Procedure[None]:
    yield Last([marks.revoking(mark, expires_at=expires_at)])
