"""The staff of the demo: three accounts with which its console can be tried.

Their passwords are made at the first start and lie in the demo's home folder, readable by its owner alone; no
gateway has an account or a password that it was not given. MUST NOT be used on a registry of real people.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.database import Database
from gateway.installation import open_keys
from gateway.settings import Settings
from gateway.staff.accounts import StaffAccounts
from gateway.staff.acts import record_in_audit_log
from gateway.staff.opening import StaffDesk, open_staff_desk
from gateway.staff.roles import INSTALLATION, Role

_PASSWORD_BYTES = 12
_REASON = "the demo"


@dataclass(frozen=True, slots=True)
class DemoStaff:
    """Somebody of the demo's office."""

    id: str
    name: str
    roles: frozenset[Role]


STAFF = (
    DemoStaff("perancang", "Perancang (demo)", frozenset({"author"})),
    DemoStaff("penyetuju", "Penyetuju (demo)", frozenset({"approver", "auditor"})),
    DemoStaff("operator", "Operator (demo)", frozenset({"operator", "auditor"})),
)


def hire(database: Database, clock: Callable[[], datetime]) -> None:
    """Give everybody an account, as yet without a password."""
    accounts = StaffAccounts(database, clock, record_in_audit_log)
    known = {account.id for account in accounts.list()}
    for one in STAFF:
        if one.id not in known:
            accounts.add(INSTALLATION, id=one.id, name=one.name, roles=one.roles, reason=_REASON)


def sign_ins(settings: Settings) -> list[tuple[DemoStaff, str]]:
    """Everybody with their password; who is new is registered first."""
    database = Database(settings.effective_database_url)
    try:
        keys = open_keys(database, settings.home / "keys", settings.key_source)
        desk = open_staff_desk(settings, database, keys, lambda: datetime.now(UTC))
        hire(database, lambda: datetime.now(UTC))
        for one in STAFF:
            if not _password_file(settings, one).exists():
                _register(settings, desk, one)
        desk.close()
    finally:
        database.close()
    return [(one, _password_file(settings, one).read_text(encoding="utf-8")) for one in STAFF]


def _register(settings: Settings, desk: StaffDesk, one: DemoStaff) -> None:
    """A password for an account, and the file that holds it: whatever is there of an interrupted start."""
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    secret = desk.accounts.issue_enrolment(INSTALLATION, one.id, _REASON)
    desk.sign_in.enrol(one.id, secret, password)
    path = _password_file(settings, one)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(password)


def _password_file(settings: Settings, one: DemoStaff) -> Path:
    return settings.home / "demo-staff" / f"{one.id}.password"
