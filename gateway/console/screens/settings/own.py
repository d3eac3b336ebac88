"""What concerns only whoever visits: the password, API tokens, and setting a password for the first time.

A token is shown once, on the page that answers the form: it has no address, and is kept nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.language import N_
from gateway.console.screen import Page
from gateway.console.visit import PREFIX, Visit

_PASSWORD, _TOKENS = "/settings/password", "/settings/tokens"
_MINE = "/admin/v1/session/tokens"
_REFUSED = "sign_in_refused"
_SHORTEST, _LONGEST = 1, 366


async def password(visit: Visit) -> Response:
    """The form for another password."""
    return visit.show("settings/password.html")


async def change_password(visit: Visit) -> Response:
    """Set another password, knowing the present one. What was typed is not shown again."""
    form = await visit.form()
    secrets = {name: str(form.get(name, "")) for name in ("present", "new")}
    if secrets["new"] != str(form.get("again", "")):
        return visit.show("settings/password.html", status=422, differ=True)
    try:
        await visit.ask("PUT", "/admin/v1/session/password", secrets)
    except ApiProblem as problem:
        if problem.about_input or problem.code == _REFUSED:
            return visit.show("settings/password.html", problem=problem)
        raise
    return visit.see(PREFIX + _PASSWORD, said="password-changed")


async def tokens(visit: Visit) -> Response:
    """One's own API tokens, and the form for another."""
    return await _tokens(visit)


async def add_token(visit: Visit) -> Response:
    """Make a token and show it, this once."""
    typed = await visit.typed("name", "days")
    roles = [str(role) for role in (await visit.form()).getlist("roles")]
    days = int(typed["days"]) if typed["days"].isascii() and typed["days"].isdecimal() else 0
    try:
        made = await visit.post(_MINE, {"name": typed["name"], "roles": roles, "days": days})
    except ApiProblem as problem:
        if problem.about_input:
            return await _tokens(visit, problem=problem, typed={**typed, "roles": roles})
        raise
    return await _tokens(visit, made=made)


async def revoke_token(visit: Visit) -> Response:
    """Refuse one of one's own tokens from now on."""
    await visit.ask("DELETE", f"{_MINE}/{visit.path('token_id')}")
    return visit.see(PREFIX + _TOKENS, said="token-revoked")


async def enrolment(visit: Visit) -> Response:
    """The form for whoever got an enrolment secret."""
    return visit.show("settings/enrol.html", staff_id="")


async def enrol(visit: Visit) -> Response:
    """Set the first password, or a new one for a lost one, by the secret that an operator handed over."""
    typed = await visit.typed("id", "secret")
    form = await visit.form()
    chosen = str(form.get("password", ""))
    if chosen != str(form.get("again", "")):
        return visit.show("settings/enrol.html", status=422, staff_id=typed["id"], differ=True)
    try:
        await visit.post("/admin/v1/session/enrolment", {**typed, "password": chosen})
    except ApiProblem as problem:
        if problem.about_input or problem.code == _REFUSED:
            return visit.show("settings/enrol.html", problem=problem, staff_id=typed["id"])
        raise
    return visit.see(f"{PREFIX}/sign-in", said="enrolled")


async def _tokens(
    visit: Visit,
    *,
    made: Mapping[str, Any] | None = None,
    problem: ApiProblem | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Response:
    held = (await visit.get(_MINE))["tokens"]
    return visit.show(
        "settings/tokens.html",
        tokens=held,
        made=made,
        problem=problem,
        typed=typed or {"name": "", "days": "90", "roles": []},
        shortest=_SHORTEST,
        longest=_LONGEST,
    )


PAGES: Sequence[Page] = (
    Page(_PASSWORD, password),
    Page(_PASSWORD, change_password, "POST"),
    Page(_TOKENS, tokens),
    Page(_TOKENS, add_token, "POST"),
    Page(_TOKENS + "/{token_id}/revoke", revoke_token, "POST"),
    Page("/enrol", enrolment, signed_in=False),
    Page("/enrol", enrol, "POST", signed_in=False),
)
SAID: Mapping[str, str] = {
    "password-changed": N_("The password was changed; every other session of yours has ended."),
    "token-revoked": N_("The token is refused from now on."),
    "enrolled": N_("The password is set: sign in with it."),
}
