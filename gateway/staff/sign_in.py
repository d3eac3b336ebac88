"""Signing in: by password with lock-out, or by an identity for which a provider vouches; and enrolment.

Every refusal looks the same from outside (unknown id, wrong password, locked, disabled), takes as long, and
is recorded with its true reason. What was typed as an id is recorded only if it is one: people type passwords
there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, or_, select, update

from gateway.database import Database
from gateway.errors import NotPermitted, Unauthenticated
from gateway.staff.acts import UNKNOWN, Act, Details, RecordAct, account_object
from gateway.staff.lockout import locked_until
from gateway.staff.passwords import Passwords
from gateway.staff.roles import Staff, known_roles
from gateway.staff.secrets import mark
from gateway.staff.sessions import OpenedSession, Sessions, end_sessions
from gateway.staff.tables import staff_accounts
from policies.dictionary import Text

CHALLENGE = 'Bearer realm="gapura-admin"'
IdentityMatch = Literal["subject", "email"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom an OpenID provider vouches for; `email` only if the provider has verified it."""

    issuer: str
    subject: str
    email: str | None


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A try that was counted, and locked the account if it is one too many, before its password is checked.

    `number` is how many wrong ones in a row there are if it is wrong too.
    """

    number: int
    locked_until: datetime | None
    password_hash: str


class SignIn:
    """Turns what somebody presents into a session. Its methods block; a password check takes time."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        record: RecordAct,
        *,
        passwords: Passwords,
        sessions: Sessions,
    ) -> None:
        self._database = database
        self._clock = clock
        self._record = record
        self._passwords = passwords
        self._sessions = sessions

    def with_password(self, staff_id: str, password: str) -> OpenedSession:
        """Open a session. Raises Unauthenticated, or Retryable when too many sign in at this moment."""
        attempt = self._begin_attempt(staff_id)
        right = self._passwords.matches(password, attempt.password_hash if attempt else None)
        if attempt is None:
            raise _refused()
        if not right:
            self._record_failure(staff_id, attempt)
            raise _refused()
        better = None
        if self._passwords.outdated(attempt.password_hash):
            better = self._passwords.hash_again(password)
        return self._succeed(staff_id, attempt, better)

    def with_identity(self, identity: Identity, match: IdentityMatch) -> OpenedSession:
        """Open a session for the account that was registered for this identity.

        By `email` the account is bound to the identity at its first sign-in: an address that is given to
        somebody else later opens nothing. Raises Unauthenticated.
        """
        now = self._clock()
        bound = (staff_accounts.c.oidc_issuer == identity.issuer) & (
            staff_accounts.c.oidc_subject == identity.subject
        )
        by_email = staff_accounts.c.oidc_subject.is_(None) & (staff_accounts.c.email == identity.email)
        known = or_(bound, by_email) if match == "email" and identity.email is not None else bound
        opened = None
        with self._database.unit_of_work() as connection:
            rows = connection.execute(select(staff_accounts).where(known).with_for_update()).all()
            # Bound to one account while its address is another's: whose session it should be is unclear.
            row = rows[0] if len(rows) == 1 else None
            if row is None or row.state != "active":
                why = "the account is disabled" if row is not None else "no account of this identity"
                self._record(connection, _failure(row.id if row is not None else None, now, why))
            else:
                _set(connection, row.id, oidc_issuer=identity.issuer, oidc_subject=identity.subject)
                opened = self._sessions.open(connection, _staff(row, "oidc"))
        if opened is None:
            raise Unauthenticated(  # the caller has proved who it is, so it may know why
                Text(
                    "Tidak ada akun petugas aktif bagi identitas ini: mintalah operator mendaftarkannya.",
                    "No active staff account belongs to this identity: ask an operator to register it.",
                ),
                challenge=CHALLENGE,
                code="sign_in_refused",
            )
        return opened

    def refuse_identity(self, why: str) -> Unauthenticated:
        """Record that a provider's answer did not hold; gives the error to raise."""
        with self._database.unit_of_work() as connection:
            self._record(connection, _failure(None, self._clock(), why))
        return _refused(
            Text(
                "Masuk lewat akun kementerian tidak berhasil. Mulailah lagi.",
                f"The sign-in by OpenID Connect failed: {why}. Begin it again.",
            )
        )

    def enrol(self, staff_id: str, secret: str, password: str) -> None:
        """Set the password with an enrolment secret, which is used up; ends every session of the account.

        Raises BadInput for an unacceptable password (the secret stays good), Unauthenticated.
        """
        password_hash = self._passwords.hash(password, staff_id)
        now = self._clock()
        invited = (
            (staff_accounts.c.id == staff_id)
            & (staff_accounts.c.enrolment_sha256 == mark(secret))
            & (staff_accounts.c.enrolment_until > now)
            & (staff_accounts.c.state == "active")
        )
        used_up = {"enrolment_sha256": None, "enrolment_until": None, "failures": 0, "locked_until": None}
        with self._database.unit_of_work() as connection:
            row = _account(connection, staff_id)
            changed = update(staff_accounts).where(invited).values(password_hash=password_hash, **used_up)
            enrolled = connection.execute(changed).rowcount == 1
            if enrolled:
                end_sessions(connection, staff_id)
                self._record(connection, Act(staff_id, "staff.enrolled", account_object(staff_id), now))
            else:
                why = "no such enrolment secret, or it has expired"
                self._record(connection, _failure(row.id if row is not None else None, now, why))
        if not enrolled:
            raise _refused(
                Text(
                    "Id atau kode pendaftarannya salah, atau kodenya sudah terpakai atau lebih dari sehari.",
                    "The id or the enrolment secret is wrong, or the secret is used up or older than a day.",
                )
            )

    def change_password(self, staff: Staff, secret: str, present: str, new: str) -> None:
        """Set another password, knowing the present one; ends every other session of the account.

        `secret` is that of the session that asks. A wrong present password counts towards the lock-out.
        Raises BadInput, Unauthenticated, NotPermitted for a token.
        """
        if not staff.in_person:
            raise NotPermitted(
                Text(
                    "Kata sandi diganti oleh orangnya sendiri, tidak dengan token.",
                    "A password is changed in person, not by a token.",
                ),
                code="owner_only",
            )
        password_hash = self._passwords.hash(new, staff.id)
        attempt = self._begin_attempt(staff.id)
        if attempt is None or not self._passwords.matches(present, attempt.password_hash):
            if attempt is not None:
                self._record_failure(staff.id, attempt)
            raise _refused(
                Text(
                    "Kata sandi yang sekarang salah, atau akunnya terkunci.",
                    "The present password is wrong, or the account is locked.",
                )
            )
        now = self._clock()
        with self._database.unit_of_work() as connection:
            _set(connection, staff.id, password_hash=password_hash, failures=0, locked_until=None)
            end_sessions(connection, staff.id, but=secret)
            self._record(
                connection, Act(staff.actor, "staff.password_changed", account_object(staff.id), now)
            )

    def _begin_attempt(self, staff_id: str) -> _Attempt | None:
        """Count a try, or None (recorded) if the account cannot be tried now."""
        now = self._clock()
        with self._database.unit_of_work() as connection:
            row = _account(connection, staff_id)
            why = "no such account" if row is None else _barred(row, now)
            if row is None or why:
                self._record(connection, _failure(None if row is None else row.id, now, why))
                return None
            number = row.failures + 1
            until = locked_until(number, now)
            _set(connection, staff_id, failures=number, locked_until=until)
            return _Attempt(number, until, row.password_hash)

    def _record_failure(self, staff_id: str, attempt: _Attempt) -> None:
        now, until = self._clock(), attempt.locked_until
        with self._database.unit_of_work() as connection:
            self._record(connection, _failure(staff_id, now, "wrong password"))
            if until is not None:
                details: Details = {"failures": attempt.number, "until": until.isoformat(timespec="seconds")}
                act = Act(UNKNOWN, "staff.locked_out", account_object(staff_id), now, details=details)
                self._record(connection, act)

    def _succeed(self, staff_id: str, attempt: _Attempt, better_hash: str | None) -> OpenedSession:
        opened = None
        with self._database.unit_of_work() as connection:
            row = _account(connection, staff_id)
            # Disabled, or given another password, while the old one was being checked.
            if row is not None and row.state == "active" and row.password_hash == attempt.password_hash:
                values: Mapping[str, Any] = {"password_hash": better_hash} if better_hash else {}
                _set(connection, staff_id, failures=0, locked_until=None, **values)
                opened = self._sessions.open(connection, _staff(row, "password"))
        if opened is None:
            raise _refused()
        return opened


def _account(connection: Connection, staff_id: str) -> Row[*tuple[Any, ...]] | None:
    """The account, which nobody else changes until this transaction ends."""
    query = select(staff_accounts).where(staff_accounts.c.id == staff_id).with_for_update()
    return connection.execute(query).first()


def _set(connection: Connection, staff_id: str, **values: Any) -> None:
    connection.execute(update(staff_accounts).where(staff_accounts.c.id == staff_id).values(**values))


def _barred(row: Row[*tuple[Any, ...]], now: datetime) -> str:
    if row.state != "active":
        return "the account is disabled"
    if row.password_hash is None:
        return "the account has no password"
    if row.locked_until is not None and now < row.locked_until:
        return "the account is locked"
    return ""


def _staff(row: Row[*tuple[Any, ...]], via: str) -> Staff:
    return Staff(row.id, row.name, known_roles(row.roles), via)


def _failure(known_id: str | None, now: datetime, why: str) -> Act:
    return Act(UNKNOWN, "staff.sign_in_failed", account_object(known_id or UNKNOWN), now, why)


_NOT_NOW = Text(
    "Id atau kata sandi salah, atau akun sedang tidak dapat dipakai. Setelah beberapa kali salah, akun "
    "menunggu; operator dapat membuka kuncinya.",
    "The id or the password is wrong, or the account cannot be used now. After several wrong passwords it "
    "waits; an operator can unlock it.",
)


def _refused(detail: Text = _NOT_NOW) -> Unauthenticated:
    return Unauthenticated(detail, challenge=CHALLENGE, code="sign_in_refused")
