"""Sessions of staff: opened at sign-in, found by their cookie, ended by time, by sign-out or by a change.

A session says who signed in and when, never what they may do: roles and state come from the account, anew at
every request, so that a role taken away counts at once on every worker.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from gateway.database import Database
from gateway.staff.acts import Act, RecordAct, account_object
from gateway.staff.roles import Staff, known_roles
from gateway.staff.secrets import mark, new_secret
from gateway.staff.tables import staff_accounts, staff_sessions

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=10)
# A session's last use is written at most once a minute: it may end that much earlier than IDLE, never later.
_SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is good now. `ends_at` is the earlier of its two ends if it is not used again."""

    staff: Staff
    csrf_token: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A new session with its secret, which goes into the cookie and nowhere else."""

    secret: str = field(repr=False)
    session: Session


def csrf_token(secret: str) -> str:
    """The token that a page sends back in a header: derived from the cookie, which scripts cannot read."""
    return hmac.digest(secret.encode(), b"gapura csrf", hashlib.sha256).hex()


class Sessions:
    """Every session, over all workers. Its methods block."""

    def __init__(self, database: Database, clock: Callable[[], datetime], record: RecordAct) -> None:
        self._database = database
        self._clock = clock
        self._record = record

    def open(self, connection: Connection, staff: Staff) -> OpenedSession:
        """Begin a session within the caller's transaction, and record the sign-in."""
        now, secret = self._clock(), new_secret()
        row = {
            "secret_sha256": mark(secret),
            "staff_id": staff.id,
            "via": staff.via,
            "started_at": now,
            "seen_at": now,
        }
        connection.execute(insert(staff_sessions).values(row))
        self._record(
            connection,
            Act(staff.actor, "staff.signed_in", account_object(staff.id), now, details={"via": staff.via}),
        )
        return OpenedSession(secret, Session(staff, csrf_token(secret), _ends_at(now, now)))

    def find(self, secret: str) -> Session | None:
        """The session of this cookie; None when it has ended, never was, or its account is disabled."""
        now = self._clock()
        with self._database.reading() as connection:
            row = connection.execute(_SESSION.where(staff_sessions.c.secret_sha256 == mark(secret))).first()
        if row is None or now >= _ends_at(row.started_at, row.seen_at):
            return None
        if now - row.seen_at >= _SEEN_EVERY:
            self._see(secret, now)
        return Session(_staff_of(row), csrf_token(secret), _ends_at(row.started_at, now))

    def close(self, secret: str, staff: Staff) -> None:
        """Sign out: the cookie is worth nothing from now on."""
        with self._database.unit_of_work() as connection:
            ended = delete(staff_sessions).where(staff_sessions.c.secret_sha256 == mark(secret))
            if connection.execute(ended).rowcount:
                act = Act(staff.actor, "staff.signed_out", account_object(staff.id), self._clock())
                self._record(connection, act)

    def forget_ended(self) -> int:
        """Delete sessions that have ended by time; gives their number. Call it now and then."""
        now = self._clock()
        ended = or_(staff_sessions.c.seen_at <= now - IDLE, staff_sessions.c.started_at <= now - LONGEST)
        with self._database.unit_of_work() as connection:
            return connection.execute(delete(staff_sessions).where(ended)).rowcount

    def _see(self, secret: str, now: datetime) -> None:
        seen = update(staff_sessions).where(
            staff_sessions.c.secret_sha256 == mark(secret), staff_sessions.c.seen_at < now
        )
        with self._database.unit_of_work(durable=False) as connection:
            connection.execute(seen.values(seen_at=now))


def end_sessions(connection: Connection, staff_id: str, *, but: str | None = None) -> None:
    """End every session of an account, except perhaps the one of this secret."""
    ended = delete(staff_sessions).where(staff_sessions.c.staff_id == staff_id)
    if but is not None:
        ended = ended.where(staff_sessions.c.secret_sha256 != mark(but))
    connection.execute(ended)


_SESSION = (
    select(
        staff_accounts.c.id,
        staff_accounts.c.name,
        staff_accounts.c.roles,
        staff_sessions.c.via,
        staff_sessions.c.started_at,
        staff_sessions.c.seen_at,
    )
    .join(staff_accounts, staff_accounts.c.id == staff_sessions.c.staff_id)
    .where(staff_accounts.c.state == "active")
)


def _staff_of(row: Row[*tuple[Any, ...]]) -> Staff:
    return Staff(row.id, row.name, known_roles(row.roles), row.via)


def _ends_at(started_at: datetime, seen_at: datetime) -> datetime:
    return min(seen_at + IDLE, started_at + LONGEST)
