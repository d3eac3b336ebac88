"""API tokens: what lets a programme act as a staff member, in some of that member's roles, until a day.

A token never does more than its owner may at that moment, and never makes another token. It is shown once and
kept as its SHA-256.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, insert, select, update

from gateway.database import Database
from gateway.errors import Conflict, NotFound, NotPermitted, Unfit
from gateway.staff.acts import Act, RecordAct, account_object
from gateway.staff.roles import Role, Staff, known_roles
from gateway.staff.secrets import mark, new_secret
from gateway.staff.tables import staff_accounts, staff_tokens
from policies.dictionary import Text

PREFIX = "gpr_"  # so that scanners of source code recognise one that was left there
LONGEST_DAYS = 366
_TOKEN = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")
_MAX_NAME_CHARS = 100
_MAX_LIVE_TOKENS = 20


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token as its owner sees it afterwards. `roles` is what it was made for."""

    id: str
    staff_id: str
    name: str
    roles: frozenset[Role]
    added_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class ApiTokens:
    """Every API token, over all workers. Its methods block."""

    def __init__(self, database: Database, clock: Callable[[], datetime], record: RecordAct) -> None:
        self._database = database
        self._clock = clock
        self._record = record

    def add(
        self, actor: Staff, owner_id: str, *, name: str, roles: frozenset[Role], days: int
    ) -> tuple[ApiToken, str]:
        """Make a token; gives it with its secret, which cannot be had again.

        Only the owner in person does this, or the console. Raises NotPermitted, NotFound, Conflict when the
        account is disabled or has too many tokens, BadInput with every problem.
        """
        if not (actor.on_console or (actor.in_person and actor.id == owner_id)):
            raise NotPermitted(
                Text(
                    "Hanya pemiliknya, yang masuk sendiri, yang membuat token API.",
                    "Only its owner, signed in in person, makes an API token.",
                ),
                code="owner_only",
            )
        now, secret = self._clock(), PREFIX + new_secret()
        with self._database.unit_of_work() as connection:
            owner = connection.execute(
                select(staff_accounts).where(staff_accounts.c.id == owner_id).with_for_update()
            ).first()
            if owner is None:
                raise NotFound(
                    Text(
                        "Tidak ada akun petugas dengan id ini.",
                        "There is no staff account of this id: see `gapura staff list`.",
                    )
                )
            if owner.state != "active":
                raise Conflict(
                    Text(
                        f"{owner_id} dinonaktifkan: aktifkan akunnya sebelum diberi token.",
                        f"{owner_id} is disabled: enable the account before it gets a token.",
                    )
                )
            if problems := _problems_of(name, roles, known_roles(owner.roles), days):
                raise Unfit(Text("Token tidak dapat dibuat", "The token cannot be made"), problems)
            if len(connection.execute(_live(owner_id, now)).all()) >= _MAX_LIVE_TOKENS:
                raise Conflict(
                    Text(
                        f"{owner_id} mempunyai {_MAX_LIVE_TOKENS} token berlaku: cabut yang tidak dipakai.",
                        f"{owner_id} has {_MAX_LIVE_TOKENS} live tokens: revoke one that is unused.",
                    )
                )
            until = now + timedelta(days=days)
            token = ApiToken(secrets.token_hex(4), owner_id, name.strip(), roles, now, until, None)
            connection.execute(insert(staff_tokens).values(_row(token, secret)))
            details = {"token": token.id, "roles": sorted(roles), "until": until.isoformat()}
            act = Act(actor.actor, "staff.token_added", account_object(owner_id), now, details=details)
            self._record(connection, act)
        return token, secret

    def list(self, owner_id: str) -> Sequence[ApiToken]:
        """Every token of an account, ended ones too, the oldest first."""
        rows = _OF_ACCOUNT.where(staff_tokens.c.staff_id == owner_id).order_by(staff_tokens.c.added_at)
        with self._database.reading() as connection:
            return [_token_of(row) for row in connection.execute(rows)]

    def revoke(self, actor: Staff, owner_id: str, token_id: str, reason: str = "") -> None:
        """Refuse the token from now on; repeating it changes nothing. Raises NotFound.

        Its owner does this, or an operator: taking away never needs a second person.
        """
        if not (actor.on_console or actor.id == owner_id or "operator" in actor.roles):
            raise NotPermitted(
                Text(
                    "Token API dicabut oleh pemiliknya atau oleh operator.",
                    "Its owner or an operator revokes an API token.",
                ),
                code="owner_only",
            )
        now = self._clock()
        one = (staff_tokens.c.id == token_id, staff_tokens.c.staff_id == owner_id)
        with self._database.unit_of_work() as connection:
            token = connection.execute(select(staff_tokens).where(*one).with_for_update()).first()
            if token is None:
                raise NotFound(
                    Text(
                        "Akun ini tidak mempunyai token itu.",
                        "This account has no such token: see `gapura staff token list`.",
                    )
                )
            if token.revoked_at is None:
                connection.execute(update(staff_tokens).where(*one).values(revoked_at=now))
                act = Act(
                    actor.actor,
                    "staff.token_revoked",
                    account_object(owner_id),
                    now,
                    reason,
                    {"token": token_id},
                )
                self._record(connection, act)

    def find(self, unverified_token: str) -> Staff | None:
        """Whom the token lets act, in the roles that it and its owner both have; None when it is not good.

        The use of a token that was good once is recorded; what never was one is not worth a line.
        """
        if not _TOKEN.fullmatch(unverified_token):
            return None
        now = self._clock()
        with self._database.reading() as connection:
            row = connection.execute(
                _WITH_OWNER.where(staff_tokens.c.token_sha256 == mark(unverified_token))
            ).first()
        if row is None:
            return None
        staff = Staff(
            row.staff_id, row.name, known_roles(row.roles) & known_roles(row.owner_roles), f"token:{row.id}"
        )
        if why := _refusal(row, now):
            with self._database.unit_of_work() as connection:
                act = Act(staff.actor, "staff.token_refused", account_object(staff.id), now, why)
                self._record(connection, act)
            return None
        return staff


def _live(owner_id: str, now: datetime) -> Select[*tuple[Any, ...]]:
    return _OF_ACCOUNT.where(
        staff_tokens.c.staff_id == owner_id,
        staff_tokens.c.revoked_at.is_(None),
        staff_tokens.c.expires_at > now,
    )


def _row(token: ApiToken, secret: str) -> dict[str, Any]:
    return {
        "id": token.id,
        "staff_id": token.staff_id,
        "name": token.name,
        "roles": sorted(token.roles),
        "token_sha256": mark(secret),
        "added_at": token.added_at,
        "expires_at": token.expires_at,
    }


_OF_ACCOUNT = select(staff_tokens)
_WITH_OWNER = select(
    staff_tokens.c.id,
    staff_tokens.c.staff_id,
    staff_tokens.c.roles,
    staff_tokens.c.expires_at,
    staff_tokens.c.revoked_at,
    staff_accounts.c.name,
    staff_accounts.c.roles.label("owner_roles"),
    staff_accounts.c.state,
).join(staff_accounts, staff_accounts.c.id == staff_tokens.c.staff_id)


def _refusal(row: Row[*tuple[Any, ...]], now: datetime) -> str:
    if row.state != "active":
        return "the account is disabled"
    if row.revoked_at is not None:
        return "the token was revoked"
    if now >= row.expires_at:
        return "the token has expired"
    return ""


def _token_of(row: Row[*tuple[Any, ...]]) -> ApiToken:
    return ApiToken(
        row.id, row.staff_id, row.name, known_roles(row.roles), row.added_at, row.expires_at, row.revoked_at
    )


def _problems_of(name: str, roles: frozenset[Role], owned: frozenset[Role], days: int) -> list[Text]:
    problems: list[Text] = []
    if not 1 <= len(name.strip()) <= _MAX_NAME_CHARS or not name.isprintable():
        problems.append(
            Text(
                f"kegunaan: diharapkan 1 sampai {_MAX_NAME_CHARS} karakter biasa",
                f"name: expected 1 to {_MAX_NAME_CHARS} printable characters that say its use",
            )
        )
    if not roles:
        problems.append(
            Text(
                "peran: pilih sedikitnya satu; token tanpa peran tidak dapat berbuat apa-apa",
                "roles: expected at least one; a token without a role can do nothing",
            )
        )
    if beyond := roles - owned:
        problems.append(
            Text(
                f"peran: akun ini tidak mempunyai {', '.join(sorted(beyond))}",
                f"roles: the account does not have {', '.join(sorted(beyond))}",
            )
        )
    if not 1 <= days <= LONGEST_DAYS:
        problems.append(
            Text(
                f"hari: diharapkan 1 sampai {LONGEST_DAYS}; setiap token berakhir",
                f"days: expected 1 to {LONGEST_DAYS}; every token ends",
            )
        )
    return problems
