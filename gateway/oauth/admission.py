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

from sqlalchemy import CompoundSelect, null, select, union_all

from gateway.agreements.tables import policy_epoch
from gateway.batching import NaturalBatch
from gateway.database import Database
from gateway.lanes import Last, Procedure, Rows, Step, open_lane
from gateway.oauth import marks
from gateway.oauth.registration import Consumer
from gateway.oauth.tables import consumers, revoked_tokens


class Barred(Enum):
    """Why a request with a good token and a good proof is not admitted: a stable code, and a sentence."""

    PROOF_USED_BEFORE = ("invalid_dpop_proof", "The DPoP proof was used before: make one per request.")
    TOKEN_REVOKED = ("invalid_token", "The access token was revoked.")
    CONSUMER_UNKNOWN = ("consumer_unknown", "The consumer is not registered any more.")
    CONSUMER_DISABLED = (
        "consumer_disabled",
        "The consumer is disabled. Ask the administrators of the gateway.",
    )
    CONSUMER_AWAITS_APPROVAL = (
        "consumer_awaits_approval",
        "The consumer awaits approval: a second administrator of the gateway has to let it in.",
    )

    @property
    def code(self) -> str:
        """Stable, to program against."""
        return self.value[0]

    @property
    def detail(self) -> str:
        """For people."""
        return self.value[1]


_COLUMNS = ("id", "name", "sector", "regions", "sandbox", "certificate_bound", "state")
_NOT_ACTIVE = {"disabled": Barred.CONSUMER_DISABLED, "proposed": Barred.CONSUMER_AWAITS_APPROVAL}


@dataclass(frozen=True, slots=True)
class Entry:
    """What one request presents. `forget_at` (Unix seconds) is when its proof's mark has done its duty.

    `proof_mark` is None for a token that is bound to a certificate: there is no proof to spend.
    """

    proof_mark: str | None
    forget_at: int
    revocation_mark: str
    consumer_id: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may be answered: as whom, and under policies no older than `policy_epoch`."""

    consumer: Consumer
    policy_epoch: int


class Admission:
    """Admits the requests of one event loop."""

    def __init__(self, database: Database) -> None:
        self._sqlite = database.is_sqlite
        self._standing = _standing(database)
        self._lane = open_lane(database, "admission", durable=False)
        self._batch: NaturalBatch[Entry, Admitted | Barred] = NaturalBatch(
            lambda entries: self._lane(self._admit(entries))
        )

    async def __call__(self, entry: Entry) -> Admitted | Barred:
        """Who asks, once the proof is spent. Raises StoreUnavailable: nobody is admitted unseen."""
        return await self._batch(entry)

    def close(self) -> None:
        """Give the connection back; no request may be waiting."""
        self._lane.close()

    def _admit(self, entries: Sequence[Entry]) -> Procedure[Sequence[Admitted | Barred]]:
        asked = {
            "ids": list({entry.consumer_id for entry in entries}),
            "marks": list({entry.revocation_mark for entry in entries}),
        }
        steps: list[Step] = [(self._standing, asked)]
        if proofs := {entry.proof_mark for entry in entries if entry.proof_mark is not None}:
            forget_at = max(entry.forget_at for entry in entries)
            steps.append(marks.spending(proofs, expires_at=forget_at, sqlite=self._sqlite))
        found, *spent = yield Last(steps)
        fresh = {mark for rows in spent for (mark,) in rows}
        standing, revoked = _standings(found)
        outcomes: list[Admitted | Barred] = []
        for entry in entries:
            if entry.proof_mark is not None:
                if entry.proof_mark not in fresh:
                    outcomes.append(Barred.PROOF_USED_BEFORE)
                    continue
                fresh.remove(entry.proof_mark)  # its twin in the same batch is a replay
            if entry.revocation_mark in revoked:
                outcomes.append(Barred.TOKEN_REVOKED)
            else:
                outcomes.append(standing.get(entry.consumer_id, Barred.CONSUMER_UNKNOWN))
        return outcomes


def _standings(rows: Rows) -> tuple[dict[str, Admitted | Barred], set[str]]:
    """The consumers by id, as they stand, and the marks of revoked tokens, among those asked for."""
    standing: dict[str, Admitted | Barred] = {}
    revoked: set[str] = set()
    for revocation_mark, consumer_id, name, sector, regions, sandbox, by_certificate, state, epoch in rows:
        if consumer_id is None:
            revoked.add(revocation_mark)
        elif state == "active":
            consumer = Consumer(
                consumer_id, name, sector, tuple(regions), bool(sandbox), bool(by_certificate)
            )
            standing[consumer_id] = Admitted(consumer, epoch or 0)
        else:
            standing[consumer_id] = _NOT_ACTIVE.get(state, Barred.CONSUMER_DISABLED)
    return standing, revoked


def _standing(database: Database) -> CompoundSelect[*tuple[Any, ...]]:
    """Both questions as one statement: to PostgreSQL a round trip costs more than either answer."""
    asking = select(
        null().label("revocation_mark"),
        *(consumers.c[name] for name in _COLUMNS),
        # The policies that count are those of this moment, on every worker: see gateway.agreements.live.
        select(policy_epoch.c.epoch).scalar_subquery().label("policy_epoch"),
    ).where(database.one_of(consumers.c.id, "ids"))
    nobody = [null()] * (len(_COLUMNS) + 1)
    revoked = select(revoked_tokens.c.jti_sha256, *nobody).where(
        database.one_of(revoked_tokens.c.jti_sha256, "marks")
    )
    return union_all(asking, revoked)
