"""Keys that were used, as rows: over all workers and nodes, for a day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Delete, Update, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.database import Database
from gateway.errors import Conflict
from gateway.idempotency.keys import UsedKey
from gateway.idempotency.tables import idempotency_keys as keys
from policies.dictionary import Text

KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a key that was used; `answer` is sealed, and None while or where it is not kept."""

    fingerprint: str
    answer: bytes | None


@dataclass(frozen=True, slots=True)
class UsedKeys:
    """The keys of every caller. Its methods block."""

    database: Database
    clock: Callable[[], datetime]

    def find(self, mark: str) -> Found | None:
        """What is known of the key; None if it was never used, or too long ago. Raises StoreUnavailable."""
        good = (keys.c.mark == mark) & (keys.c.expires_at > self._now_s())
        with self.database.reading() as connection:
            row = connection.execute(select(keys.c.fingerprint, keys.c.answer).where(good)).first()
        return None if row is None else Found(*row)

    def claim(self, connection: Connection, used: UsedKey, holder: str) -> None:
        """Write the key down in the caller's transaction: it is used if, and only if, that is committed.

        Raises Conflict where another request of the same caller used it first; one that is under way is
        waited for, because only its end says whether it did.
        """
        now = self._now_s()
        insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(keys)
        new = {
            "mark": used.mark,
            "holder": holder,
            "fingerprint": used.fingerprint,
            "expires_at": now + int(KEPT.total_seconds()),
            "answer": None,
        }
        statement = insert.values(new).on_conflict_do_update(
            index_elements=[keys.c.mark],
            set_=new,
            where=or_(keys.c.holder == holder, keys.c.expires_at <= now),
        )
        if not connection.execute(statement).rowcount:
            raise in_use()

    def keep(self, used: UsedKey, holder: str, answer: bytes) -> None:
        """Keep the sealed answer beside the key that this request wrote down. Raises StoreUnavailable."""
        self._change(update(keys).where(_held(used, holder)).values(answer=answer))

    def release(self, used: UsedKey, holder: str) -> None:
        """Forget that this request used the key: it changed nothing. Raises StoreUnavailable."""
        self._change(delete(keys).where(_held(used, holder)))

    def forget_expired(self) -> int:
        """Delete the keys whose day is over; gives their number. Safe to call from every worker."""
        with self.database.unit_of_work(durable=False) as connection:
            return connection.execute(delete(keys).where(keys.c.expires_at <= self._now_s())).rowcount

    def _change(self, statement: Update | Delete) -> None:
        # Losing it at a power cut costs an answer that can be read otherwise, and nothing is done twice.
        with self.database.unit_of_work(durable=False) as connection:
            connection.execute(statement)

    def _now_s(self) -> int:
        return int(self.clock().timestamp())


def _held(used: UsedKey, holder: str) -> ColumnElement[bool]:
    return (keys.c.mark == used.mark) & (keys.c.holder == holder)


def in_use() -> Conflict:
    """What is told of a key whose request is under way, or ended without an answer that could be kept."""
    return Conflict(
        Text(
            "Permintaan dengan kunci ini sedang dikerjakan, atau sudah dikerjakan tanpa jawaban yang "
            "tersimpan.",
            "The request of this key is being done, or was done and its answer was not kept.",
        ),
        code="idempotency_key_in_use",
    )
