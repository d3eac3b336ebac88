"""An office of made-up staff over a real database, with a clock that the test moves."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import anyio
import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI
from sqlalchemy import select

from gateway.api import problems
from gateway.api.admin.documentation import MEMBER_NAMES
from gateway.api.admin.session import session_router
from gateway.api.admin.staff import staff_router
from gateway.api.admin.tokens import token_router
from gateway.audit.tables import audit_entries
from gateway.database import Database
from gateway.keys import Keys
from gateway.settings import Settings, load_settings
from gateway.staff.accounts import StaffAccounts
from gateway.staff.acts import record_in_audit_log
from gateway.staff.opening import StaffDesk, open_staff_desk
from gateway.staff.passwords import Passwords
from gateway.staff.roles import INSTALLATION, Role, Staff
from gateway.staff.sessions import OpenedSession
from gateway.staff.tokens import ApiTokens

PASSWORD = "empat kuda di tepi sawah"
WRONG = "lima kuda di tepi sawah"
ORIGIN = "https://gapura.example"
# argon2 as weak as it goes: these tests are about who may do what, not about how long a hash takes.
QUICK = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


class InProcess(httpx.BaseTransport):
    """Asks an application of this process, whatever address it is asked at: https without a certificate."""

    def __init__(self, app: FastAPI) -> None:
        self._app = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            answer = await self._app.handle_async_request(request)
            return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

        return anyio.run(ask)


@dataclass
class Office:
    """Staff of one database."""

    database: Database
    folder: Path
    origin: str = ORIGIN
    overrides: dict[str, Any] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.keys = Keys.open(self.folder / "keys")
        self.settings: Settings = load_settings(
            {"GAPURA_PUBLIC_URL": self.origin, "GAPURA_HOME": str(self.folder)}, **self.overrides
        )
        self.desk: StaffDesk = open_staff_desk(
            self.settings, self.database, self.keys, self.clock, passwords=QUICK
        )

    def hire(self, staff_id: str, *roles: Role, password: str | None = PASSWORD, **more: Any) -> Staff:
        """A staff member with these roles, who has a password unless it is None."""
        accounts = self.desk.accounts
        accounts.add(
            INSTALLATION, id=staff_id, name=staff_id.title(), roles=frozenset(roles), reason="hired", **more
        )
        if password is not None:
            secret = accounts.issue_enrolment(INSTALLATION, staff_id, "hired")
            self.desk.sign_in.enrol(staff_id, secret, password)
        return Staff(staff_id, staff_id.title(), frozenset(roles), "password")

    def sign_in(self, staff_id: str, password: str = PASSWORD) -> OpenedSession:
        return self.desk.sign_in.with_password(staff_id, password)

    def acts(self, name: str | None = None) -> list[dict[str, Any]]:
        """The acts that the audit log holds, in their order; only those of this name if one is given."""
        with self.database.reading() as connection:
            rows = connection.execute(select(audit_entries.c.entry).order_by(audit_entries.c.sequence))
            acts = [json.loads(text) for text in rows.scalars()]
        return [act for act in acts if name in {None, act["act"]}]

    def app(self) -> FastAPI:
        app = FastAPI()
        problems.install(app, MEMBER_NAMES)
        for router in (session_router, staff_router, token_router):
            app.include_router(router(self.desk))
        return app

    @cached_property
    def _served(self) -> FastAPI:
        return self.app()  # making one takes a good part of a second

    def close(self) -> None:
        """Let go of the identity provider, where there is one."""
        self.desk.close()

    def browser(self) -> httpx.Client:
        """Somebody's browser: it keeps cookies as browsers do, and follows no redirect by itself."""
        return httpx.Client(
            transport=InProcess(self._served), base_url=self.origin, headers={"Accept-Language": "en"}
        )

    def signed_in(self, staff_id: str, password: str = PASSWORD) -> httpx.Client:
        """A browser in which this person has signed in, and whose page knows the CSRF token."""
        browser = self.browser()
        answer = browser.post("/admin/v1/session", json={"id": staff_id, "password": password})
        assert answer.status_code == 200, answer.text
        browser.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        return browser


def bearers(database: Database, *roles: Role) -> dict[str, dict[str, str]]:
    """Role -> headers with an API token of somebody, `the.ROLE`, who has that role and no other."""
    clock = Clock(datetime.now(UTC))
    accounts = StaffAccounts(database, clock, record_in_audit_log)
    tokens = ApiTokens(database, clock, record_in_audit_log)
    headers = {}
    for role in roles:
        given = frozenset({role})
        accounts.add(INSTALLATION, id=f"the.{role}", name=role, roles=given, reason="hired")
        _, secret = tokens.add(INSTALLATION, f"the.{role}", name="test", roles=given, days=1)
        headers[role] = {"Authorization": f"Bearer {secret}"}
    return headers
