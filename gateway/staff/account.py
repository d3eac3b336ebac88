"""One staff account as it stands, and what makes an account acceptable."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from gateway.staff.roles import RESERVED_IDS, Role, known_roles
from policies.dictionary import Text

_ID = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?")
# Sixteen digits are somebody's NIK, and ids are written into logs.
_NIK = re.compile(r"\d{16}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")
_MAX_NAME_CHARS = 200
_MAX_IDENTITY_CHARS = 255


@dataclass(frozen=True, slots=True)
class Account:
    """A staff account. `version` rises with every administrative change and is the ETag of the API.

    `proposed_roles` wait for a second person. `enrolled` says that a password is set; `locked_until` (UTC) is
    past or None unless wrong passwords locked the account.
    """

    id: str
    name: str
    roles: frozenset[Role]
    proposed_roles: frozenset[Role]
    proposed_by: str | None
    active: bool
    version: int
    registered_at: datetime
    enrolled: bool
    locked_until: datetime | None
    email: str | None
    oidc_issuer: str | None
    oidc_subject: str | None


def account_of(row: Row[*tuple[Any, ...]]) -> Account:
    """The account in a row of `staff_accounts`."""
    return Account(
        id=row.id,
        name=row.name,
        roles=known_roles(row.roles),
        proposed_roles=known_roles(row.proposed_roles),
        proposed_by=row.proposed_by,
        active=row.state == "active",
        version=row.version,
        registered_at=row.registered_at,
        enrolled=row.password_hash is not None,
        locked_until=row.locked_until,
        email=row.email,
        oidc_issuer=row.oidc_issuer,
        oidc_subject=row.oidc_subject,
    )


def holders_of(accounts: Sequence[Account], roles: Iterable[Role]) -> Mapping[str, tuple[str, ...]]:
    """Who of the accounts has each of the roles, by id; a disabled account has none."""
    return {
        role: tuple(account.id for account in accounts if account.active and role in account.roles)
        for role in sorted(roles)
    }


def problems_of(staff_id: str, name: str, email: str | None, oidc: tuple[str, str] | None) -> list[Text]:
    """Everything that makes an account unacceptable, in words that repeat nothing of it."""
    problems: list[Text] = []
    if not _ID.fullmatch(staff_id) or _NIK.search(staff_id):
        problems.append(
            Text(
                "id: diharapkan 1 sampai 64 dari a-z, 0-9, . dan -, seperti ani.wulandari; jangan NIK",
                "id: expected 1 to 64 of a-z, 0-9, . and -, such as ani.wulandari; never a NIK",
            )
        )
    if staff_id in RESERVED_IDS:
        problems.append(
            Text(
                f"id: {staff_id} berarti lain dalam log; pilih yang lain",
                f"id: {staff_id} means something else in the log; choose another",
            )
        )
    if not name.strip() or len(name) > _MAX_NAME_CHARS or not name.isprintable():
        problems.append(
            Text(
                f"nama: diharapkan 1 sampai {_MAX_NAME_CHARS} karakter biasa",
                f"name: expected 1 to {_MAX_NAME_CHARS} printable characters",
            )
        )
    if email is not None and not _EMAIL.fullmatch(email):
        problems.append(
            Text(
                "email: diharapkan satu alamat, seperti ani@example.go.id",
                "email: expected one address, such as ani@example.go.id",
            )
        )
    if oidc is not None and not all(0 < len(part) <= _MAX_IDENTITY_CHARS for part in oidc):
        problems.append(
            Text(
                f"penyedia identitas: diharapkan penerbit dan subjek, masing-masing 1 sampai "
                f"{_MAX_IDENTITY_CHARS} karakter",
                f"oidc: expected issuer and subject, each of 1 to {_MAX_IDENTITY_CHARS} characters",
            )
        )
    return problems
