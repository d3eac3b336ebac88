"""The staff check: from a request with an unverified cookie or token to a `Staff` who has a role.

A route of the admin API without it is visibly public. An Authorization header is taken at its word: if it
does not hold, a cookie beside it does not help.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping

from starlette.requests import Request

from gateway.errors import NotPermitted, RoleMissing, Unauthenticated
from gateway.idempotency.attempt import look_up
from gateway.staff.accounts import StaffAccounts
from gateway.staff.cookies import Cookies
from gateway.staff.roles import Role, Staff
from gateway.staff.sessions import Session, Sessions
from gateway.staff.sign_in import CHALLENGE
from gateway.staff.tokens import ApiTokens

CSRF_HEADER = "x-csrf-token"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class StaffCheck:
    """Establishes the staff member of a request. Its dependencies block: FastAPI runs them in a thread."""

    def __init__(
        self, *, accounts: StaffAccounts, sessions: Sessions, tokens: ApiTokens, cookies: Cookies
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._tokens = tokens
        self._cookies = cookies

    def holders(self, *roles: Role) -> Mapping[str, tuple[str, ...]]:
        """Who has each of the roles now, by id; disabled accounts have none."""
        return self._accounts.holders(roles)

    def requiring(self, *roles: Role) -> Callable[[Request], Staff]:
        """A FastAPI dependency that gives the staff member, who has at least one of the roles.

        Naming none is a mistake in the program: a route for every role names every role.
        """
        if not roles:
            raise ValueError("name the roles that may do this")

        def staff_of_request(request: Request) -> Staff:
            staff = self._staff(request)
            if not staff.roles.intersection(roles):
                raise RoleMissing(self._accounts.holders(roles))
            look_up(request, _caller(staff))
            return staff

        return staff_of_request

    def anybody(self) -> Callable[[Request], Staff]:
        """A FastAPI dependency for what concerns only the staff member itself: any active account will do."""

        def staff_of_request(request: Request) -> Staff:
            staff = self._staff(request)
            look_up(request, _caller(staff))
            return staff

        return staff_of_request

    def in_person(self) -> Callable[[Request], Session]:
        """A FastAPI dependency that gives the session, for what a token must not do.

        It goes with `requiring` or `anybody`: an `Idempotency-Key` is looked up after the roles were seen.
        """
        return self._session

    def in_person_as(self, *roles: Role) -> Callable[[Request], Staff]:
        """A FastAPI dependency: as `requiring`, of somebody who signed in, for what a token must not do."""
        with_role = self.requiring(*roles)

        def signed_in_staff(request: Request) -> Staff:
            self._session(request)
            return with_role(request)

        return signed_in_staff

    def _staff(self, request: Request) -> Staff:
        credentials = request.headers.getlist("authorization")
        if not credentials:
            return self._session(request).staff
        scheme, _, unverified_token = credentials[0].partition(" ")
        staff = None
        if len(credentials) == 1 and scheme.lower() == "bearer":
            staff = self._tokens.find(unverified_token.strip(" "))
        if staff is None:
            raise Unauthenticated(
                "Expected `Authorization: Bearer gpr_...` with an API token of staff that is neither expired "
                "nor revoked.",
                challenge=f'{CHALLENGE}, error="invalid_token"',
                code="invalid_token",
            )
        return staff

    def _session(self, request: Request) -> Session:
        unverified_secret = self._cookies.read(request, self._cookies.session)
        session = self._sessions.find(unverified_secret) if unverified_secret else None
        if session is None:
            raise Unauthenticated(
                "Nobody is signed in, or the session has ended: sign in at POST /admin/v1/session.",
                challenge=CHALLENGE,
                code="not_signed_in",
            )
        if request.method not in _SAFE_METHODS:
            given = request.headers.get(CSRF_HEADER, "")
            if not hmac.compare_digest(given.encode(), session.csrf_token.encode()):
                raise NotPermitted(
                    "Expected the header X-CSRF-Token with the csrf_token of GET /admin/v1/session: without "
                    "it another site may have sent this.",
                    code="csrf_token_missing",
                )
        return session


def _caller(staff: Staff) -> str:
    """Whose an `Idempotency-Key` is: this person's, through this door."""
    return f"staff/{staff.actor}"
