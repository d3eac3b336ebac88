"""`/admin/v1/session`: signing in and out, enrolment, one's own password, sign-in by OpenID Connect."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse, RedirectResponse

from gateway.api.admin.documentation import IN_PERSON_ONLY, STAFF_ONLY, problems
from gateway.errors import NotFound
from gateway.staff import oidc
from gateway.staff.check import StaffCheck
from gateway.staff.cookies import Cookies
from gateway.staff.opening import StaffDesk
from gateway.staff.passwords import MAX_CHARS, MIN_CHARS
from gateway.staff.roles import Role, Staff
from gateway.staff.sessions import OpenedSession, Session, Sessions
from gateway.staff.sign_in import IdentityMatch, SignIn
from policies.dictionary import Text

# More than any password may have, so that one too long is told so; less than would be work to hash.
_Secret = Annotated[str, Field(min_length=1, max_length=4 * MAX_CHARS)]
_StaffId = Annotated[str, Field(min_length=1, max_length=64, examples=["ani.wulandari"])]
_NewPassword = Annotated[
    str,
    Field(
        min_length=1,
        max_length=4 * MAX_CHARS,
        description=f"{MIN_CHARS} to {MAX_CHARS} characters, without the account's id.",
        examples=["empat kuda di tepi sawah"],
    ),
]
# The page that the provider's redirect ends at is of this site, so the step from it brings the strict cookie.
_ONWARD = """<!doctype html><html lang="id"><meta charset="utf-8"><title>Gapura</title>
<meta http-equiv="refresh" content="0;url={to}"><p><a href="{to}">Lanjut / Continue</a></p></html>"""
_ONWARD_HEADERS = {"Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"}


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class PasswordSignIn(_Form):
    """Who signs in, and what proves it."""

    id: _StaffId
    password: Annotated[_Secret, Field(examples=["empat kuda di tepi sawah"])]


class Enrolment(_Form):
    """The enrolment secret that `gapura staff add` printed, and the password to set."""

    id: _StaffId
    secret: Annotated[_Secret, Field(examples=["hQ8mV0c7gQ2yZ5r1n4t7w0z3C6F9I2L5O8R1U4X7a0k"])]
    password: _NewPassword


class PasswordChange(_Form):
    """The present password, and the one that replaces it."""

    present: _Secret
    new: _NewPassword


class SignedIn(BaseModel):
    """Who is signed in. `csrf_token` belongs into the header `X-CSRF-Token` of everything but GET."""

    id: str
    name: str
    roles: list[Role]
    csrf_token: str
    ends_at: datetime = Field(description="UTC; using the session moves it, up to ten hours after sign-in.")


class WhoAmI(BaseModel):
    """As whom a request counts, and in which roles."""

    id: str
    name: str
    roles: list[Role]
    via: str = Field(description="`password`, `oidc`, or `token:ID`.")


class SignInWays(BaseModel):
    """How staff can sign in here."""

    password: bool
    oidc: bool = Field(description="At the ministry's own identity provider.")


def session_router(desk: StaffDesk) -> APIRouter:
    """The routes by which staff come and go. All of them block, so FastAPI runs them in threads."""
    router = APIRouter(tags=["staff session"])
    _password_routes(router, desk.sign_in, desk.cookies)
    _session_routes(router, desk.sign_in, desk.sessions, desk.check, desk.cookies)
    _provider_routes(router, desk.sign_in, desk.cookies, desk.provider, desk.identity_match)
    return router


def _password_routes(router: APIRouter, sign_in: SignIn, cookies: Cookies) -> None:
    @router.post("/admin/v1/session", responses=problems(401, 415, 422))
    def sign_in_with_password(form: PasswordSignIn, response: Response) -> SignedIn:
        """Sign in by id and password. After five wrong ones in a row the account waits, longer each time."""
        return _welcome(response, cookies, sign_in.with_password(form.id, form.password))

    @router.post("/admin/v1/session/enrolment", status_code=204, responses=problems(400, 401, 415, 422))
    def enrol(form: Enrolment) -> None:
        """Set a password with the one-time enrolment secret, within a day of its issue. Then sign in."""
        sign_in.enrol(form.id, form.secret, form.password)


def _session_routes(
    router: APIRouter, sign_in: SignIn, sessions: Sessions, check: StaffCheck, cookies: Cookies
) -> None:
    @router.get("/admin/v1/session", responses=problems(401), openapi_extra=IN_PERSON_ONLY)
    def signed_in(session: Annotated[Session, Depends(check.in_person())]) -> SignedIn:
        """Who is signed in, until when, and the CSRF token."""
        return _signed_in(session)

    @router.get("/admin/v1/whoami", responses=problems(401), openapi_extra=STAFF_ONLY)
    def who_am_i(staff: Annotated[Staff, Depends(check.anybody())]) -> WhoAmI:
        """As whom, and in which roles, this request counts: for whoever sets up a token."""
        return WhoAmI(id=staff.id, name=staff.name, roles=sorted(staff.roles), via=staff.via)

    @router.delete(
        "/admin/v1/session", status_code=204, responses=problems(401, 403), openapi_extra=IN_PERSON_ONLY
    )
    def sign_out(
        request: Request, response: Response, session: Annotated[Session, Depends(check.in_person())]
    ) -> None:
        """Sign out: the cookie is worth nothing from now on."""
        sessions.close(request.cookies[cookies.session], session.staff)
        cookies.drop(response, cookies.session)

    @router.put(
        "/admin/v1/session/password",
        status_code=204,
        responses=problems(400, 401, 403, 415, 422),
        openapi_extra=IN_PERSON_ONLY,
    )
    def change_password(
        form: PasswordChange, request: Request, session: Annotated[Session, Depends(check.in_person())]
    ) -> None:
        """Replace one's own password. Every other session of the account ends."""
        sign_in.change_password(session.staff, request.cookies[cookies.session], form.present, form.new)


def _provider_routes(
    router: APIRouter,
    sign_in: SignIn,
    cookies: Cookies,
    provider: oidc.OpenIdProvider | None,
    match: IdentityMatch,
) -> None:
    def configured() -> oidc.OpenIdProvider:
        if provider is None:
            raise NotFound(
                Text(
                    "Penyedia identitas belum diatur: masuklah dengan kata sandi.",
                    "No identity provider is configured (GAPURA_OIDC_ISSUER): sign in by password.",
                )
            )
        return provider

    @router.get("/admin/v1/session/ways")
    def ways() -> SignInWays:
        """How staff can sign in here, for whoever draws a sign-in page."""
        return SignInWays(password=True, oidc=provider is not None)

    @router.get(
        "/admin/v1/session/oidc/start",
        status_code=303,
        response_class=RedirectResponse,
        responses=problems(404, 422),
    )
    def start(next_path: Annotated[str, Query(alias="next", max_length=400)] = "/") -> Response:
        """Send the browser to the identity provider; it comes back, signed in, at the path `next`."""
        started = configured().start(next_path)
        response = RedirectResponse(started.address, status_code=303)
        cookies.keep_sign_in(response, started.cookie)
        return response

    @router.get(oidc.CALLBACK_PATH, response_class=HTMLResponse, responses=problems(401, 404))
    def callback(request: Request) -> Response:
        """Where the identity provider sends the browser back to; not to be called otherwise."""
        cookie = cookies.read(request, cookies.sign_in)
        opened = _established(configured(), sign_in, match, cookie, dict(request.query_params))
        # The path was matched against a short alphabet when it was accepted; quoting is for `&`.
        to = quote(oidc.next_path(cookie), safe="/?=%~").replace("%26", "&amp;")
        response = HTMLResponse(_ONWARD.format(to=to), headers=_ONWARD_HEADERS)
        cookies.drop(response, cookies.sign_in)
        cookies.keep_session(response, opened.secret)
        return response


def _established(
    provider: oidc.OpenIdProvider,
    sign_in: SignIn,
    match: IdentityMatch,
    cookie: str | None,
    answer: Mapping[str, Any],
) -> OpenedSession:
    try:
        identity = provider.finish(cookie, answer)
    except oidc.IdentityRefused as refusal:
        raise sign_in.refuse_identity(refusal.why) from None
    return sign_in.with_identity(identity, match)


def _welcome(response: Response, cookies: Cookies, opened: OpenedSession) -> SignedIn:
    cookies.keep_session(response, opened.secret)
    return _signed_in(opened.session)


def _signed_in(session: Session) -> SignedIn:
    staff = session.staff
    return SignedIn(
        id=staff.id,
        name=staff.name,
        roles=sorted(staff.roles),
        csrf_token=session.csrf_token,
        ends_at=session.ends_at,
    )
