"""Staff accounts: who there is, in which roles, and the rule that nobody gives a right alone.

Taking away (a role, the account) counts at once and needs one operator. Giving (a role to anybody) waits
until a second person has confirmed it, who is neither the one who asked nor the one who gets it. The console
is the exception, for the first accounts and for emergencies: whoever runs commands there can read the keys.
What opens an account, an enrolment secret, is therefore issued on the console alone.
Whether the role of an actor suffices is asked before: by `gateway.staff.check`, of a command by `on_console`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.database import Database
from gateway.errors import BadInput, Conflict, NotFound, NotPermitted, RoleMissing, Unfit
from gateway.staff.account import Account, account_of, holders_of, problems_of
from gateway.staff.acts import Act, Details, RecordAct, account_object
from gateway.staff.roles import Role, Staff, refuse_token
from gateway.staff.secrets import mark, new_secret
from gateway.staff.sessions import end_sessions
from gateway.staff.tables import staff_accounts
from policies.dictionary import Text

ENROLMENT_LASTS = timedelta(hours=24)
_MAX_REASON_CHARS = 500


class StaffAccounts:
    """Registers and changes staff accounts. Every change counts at once, on every worker; methods block.

    Each act is recorded with its actor and reason in its own transaction. `if_match` is the version that the
    caller saw; another one raises Conflict, so that nobody changes what somebody else has just changed.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime], record: RecordAct) -> None:
        self._database = database
        self._clock = clock
        self._record = record

    def add(
        self,
        actor: Staff,
        *,
        id: str,  # noqa: A002 - the word of the command line and the API
        name: str,
        roles: frozenset[Role],
        reason: str,
        email: str | None = None,
        oidc: tuple[str, str] | None = None,
    ) -> Account:
        """Register an account; `oidc` is issuer and subject at the identity provider.

        Its roles are proposed, or given if the console asks. Raises BadInput with every problem, Conflict
        when the id, the e-mail address or the identity belongs to another account.
        """
        email = email.strip().lower() if email else None
        problems = problems_of(id, name, email, oidc)
        if not roles:
            problems.append(
                Text(
                    "peran: pilih sedikitnya satu",
                    "roles: expected at least one of author, approver, auditor, operator",
                )
            )
        if problems:
            raise Unfit(Text("Akun tidak dapat ditambahkan", "The account cannot be added"), problems)
        issuer, subject = oidc or (None, None)
        row = {
            "id": id,
            "name": name.strip(),
            **_given(frozenset(), roles, actor),
            "state": "active",
            "version": 1,
            "registered_at": self._clock(),
            "failures": 0,
            "email": email,
            "oidc_issuer": issuer,
            "oidc_subject": subject,
        }
        try:
            with self._database.unit_of_work() as connection:
                connection.execute(insert(staff_accounts).values(row))
                self._write_down(connection, actor, "staff.added", id, reason, {"roles": sorted(roles)})
        except IntegrityError:
            raise Conflict(
                Text(
                    "Sudah ada akun dengan id, alamat email atau identitas ini.",
                    "An account of this id, e-mail address or identity is there already: see "
                    "`gapura staff list`.",
                )
            ) from None
        return self.get(id)

    def set_roles(
        self,
        actor: Staff,
        staff_id: str,
        roles: frozenset[Role],
        reason: str,
        *,
        if_match: int | None = None,
    ) -> Account:
        """Make these the account's roles: what is less counts at once, what is more is proposed.

        The console gives at once. A proposal that waited is replaced. Raises NotFound, Conflict, NotPermitted
        for one's own account.
        """
        _refuse_oneself(actor, staff_id)
        with self._database.unit_of_work() as connection:
            account = _locked(connection, staff_id, if_match)
            kept = account.roles & roles
            values = _given(kept, roles, actor)
            _change(connection, account, values)
            details = {"taken": sorted(account.roles - kept), "asked": sorted(roles - account.roles)}
            self._write_down(connection, actor, "staff.roles_changed", staff_id, reason, details)
        return self.get(staff_id)

    def confirm_roles(
        self, actor: Staff, staff_id: str, reason: str, *, if_match: int | None = None
    ) -> Account:
        """Give the roles that somebody else proposed.

        Raises NotFound, Conflict when nothing waits, NotPermitted for who proposed or gets them.
        """
        _refuse_oneself(actor, staff_id)
        refuse_token(actor)
        with self._database.unit_of_work() as connection:
            account = _locked(connection, staff_id, if_match)
            if not account.proposed_roles:
                raise Conflict(
                    Text(
                        f"Tidak ada peran {staff_id} yang menunggu pengesahan.",
                        f"No role of {staff_id} waits for confirmation.",
                    )
                )
            if account.proposed_by == actor.id:
                raise NotPermitted(
                    Text(
                        f"{actor.id} sendiri yang mengusulkan peran ini: operator atau penyetuju lain yang "
                        "mengesahkannya.",
                        f"{actor.id} proposed these roles: another operator or approver confirms them.",
                    ),
                    code="second_person_needed",
                )
            roles = account.roles | account.proposed_roles
            _change(connection, account, _roles(roles, frozenset(), None))
            details = {"given": sorted(account.proposed_roles), "proposed_by": str(account.proposed_by)}
            self._write_down(connection, actor, "staff.roles_confirmed", staff_id, reason, details)
        return self.get(staff_id)

    def disable(self, actor: Staff, staff_id: str, reason: str, *, if_match: int | None = None) -> Account:
        """Refuse the account, its sessions and its tokens from now on."""
        with self._database.unit_of_work() as connection:
            account = _locked(connection, staff_id, if_match)
            values = {"state": "disabled", "enrolment_sha256": None, "enrolment_until": None}
            _change(connection, account, values)
            end_sessions(connection, staff_id)
            self._write_down(connection, actor, "staff.disabled", staff_id, reason)
        return self.get(staff_id)

    def enable(self, actor: Staff, staff_id: str, reason: str, *, if_match: int | None = None) -> Account:
        """Let a disabled account sign in again, in the roles it has; its live tokens are good again too."""
        _refuse_oneself(actor, staff_id)
        with self._database.unit_of_work() as connection:
            account = _locked(connection, staff_id, if_match)
            _change(connection, account, {"state": "active"})
            self._write_down(connection, actor, "staff.enabled", staff_id, reason)
        return self.get(staff_id)

    def unlock(self, actor: Staff, staff_id: str, reason: str, *, if_match: int | None = None) -> Account:
        """Let an account that wrong passwords locked be tried again at once."""
        _refuse_oneself(actor, staff_id)
        with self._database.unit_of_work() as connection:
            account = _locked(connection, staff_id, if_match)
            _change(connection, account, {"failures": 0, "locked_until": None})
            self._write_down(connection, actor, "staff.unlocked", staff_id, reason)
        return self.get(staff_id)

    def issue_enrolment(self, actor: Staff, staff_id: str, reason: str) -> str:
        """A secret with which the person sets a password, once, within ENROLMENT_LASTS.

        Earlier ones count no longer; the present password does, until another is set. Raises NotFound,
        Conflict when the account is disabled, NotPermitted anywhere but on the console.
        """
        if not actor.on_console:
            raise NotPermitted(
                Text(
                    "Kode pendaftaran diterbitkan di mesin gateway sendiri: `gapura staff enrolment ID`.",
                    "Enrolment secrets are issued on the gateway's own machine: `gapura staff enrolment ID`.",
                ),
                code="console_only",
            )
        secret = new_secret()
        with self._database.unit_of_work() as connection:
            account = _locked(connection, staff_id, None)
            if not account.active:
                raise Conflict(
                    Text(
                        f"{staff_id} dinonaktifkan: aktifkan dahulu akunnya.",
                        f"{staff_id} is disabled: enable the account first.",
                    )
                )
            until = self._clock() + ENROLMENT_LASTS
            _change(connection, account, {"enrolment_sha256": mark(secret), "enrolment_until": until})
            self._write_down(connection, actor, "staff.enrolment_issued", staff_id, reason)
        return secret

    def list(self) -> Sequence[Account]:
        """Every account, disabled ones too, by id."""
        with self._database.reading() as connection:
            rows = connection.execute(select(staff_accounts).order_by(staff_accounts.c.id))
            return [account_of(row) for row in rows]

    def get(self, staff_id: str) -> Account:
        """The account of this id. Raises NotFound."""
        with self._database.reading() as connection:
            return account_of(_found(connection, staff_id))

    def holders(self, roles: Iterable[Role]) -> Mapping[str, tuple[str, ...]]:
        """Who has each of the roles now, by id; disabled accounts have none."""
        return holders_of(self.list(), roles)

    def on_console(self, staff_id: str, *one_of: Role) -> Staff:
        """The staff member as whom a command acts on the machine itself; if roles are named, in one of these.

        Raises NotFound, Conflict, RoleMissing.
        """
        account = self.get(staff_id)
        if not account.active:
            raise Conflict(f"{staff_id} is disabled: nobody acts as this account.")
        if one_of and not account.roles.intersection(one_of):
            raise RoleMissing(self.holders(one_of))
        return Staff(account.id, account.name, account.roles, "console")

    def _write_down(
        self,
        connection: Connection,
        actor: Staff,
        act: str,
        staff_id: str,
        reason: str,
        details: Details | None = None,
    ) -> None:
        if not reason.strip() or len(reason) > _MAX_REASON_CHARS or not reason.isprintable():
            raise BadInput(
                Text(
                    f"alasan: diharapkan 1 sampai {_MAX_REASON_CHARS} karakter biasa yang menyebut alasannya",
                    f"reason: expected 1 to {_MAX_REASON_CHARS} printable characters that say why",
                )
            )
        entry = Act(actor.actor, act, account_object(staff_id), self._clock(), reason.strip(), details or {})
        self._record(connection, entry)


def _found(connection: Connection, staff_id: str, *, for_update: bool = False) -> Row[*tuple[Any, ...]]:
    query = select(staff_accounts).where(staff_accounts.c.id == staff_id)
    row = connection.execute(query.with_for_update() if for_update else query).first()
    if row is None:
        raise NotFound(
            Text(
                "Tidak ada akun petugas dengan id ini.",
                "There is no staff account of this id: see `gapura staff list`.",
            )
        )
    return row


def _locked(connection: Connection, staff_id: str, if_match: int | None) -> Account:
    """The account, which nobody else changes until this transaction ends."""
    account = account_of(_found(connection, staff_id, for_update=True))
    if if_match is not None and account.version != if_match:
        raise Conflict(
            Text(
                f"{staff_id} diubah orang lain sementara itu: diharapkan versi {if_match}, kini versi "
                f"{account.version}. Baca kembali akunnya, lalu putuskan.",
                f"{staff_id} was changed meanwhile: expected version {if_match}, it is {account.version} "
                "now. Read the account again, then decide.",
            ),
            code="changed_meanwhile",
        )
    return account


def _change(connection: Connection, account: Account, values: Mapping[str, Any]) -> None:
    changed = update(staff_accounts).where(staff_accounts.c.id == account.id)
    connection.execute(changed.values({**values, "version": account.version + 1}))


def _given(present: frozenset[Role], wanted: frozenset[Role], actor: Staff) -> dict[str, Any]:
    """What the columns hold when `actor` wants an account that has `present` to have `wanted`."""
    if actor.on_console:
        return _roles(wanted, frozenset(), None)
    more = wanted - present
    return _roles(present, more, actor.id if more else None)


def _roles(roles: frozenset[Role], proposed: frozenset[Role], by: str | None) -> dict[str, Any]:
    return {"roles": sorted(roles), "proposed_roles": sorted(proposed), "proposed_by": by}


def _refuse_oneself(actor: Staff, staff_id: str) -> None:
    if actor.id == staff_id and not actor.on_console:
        raise NotPermitted(
            Text(
                "Tidak seorang pun memberi hak kepada akunnya sendiri: mintalah operator lain.",
                "Nobody gives rights to their own account: ask another operator.",
            ),
            code="second_person_needed",
        )
