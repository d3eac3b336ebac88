"""Staff: who there is, in which roles. What gives a right waits for a second person, as the API has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.language import N_
from gateway.console.screen import Page
from gateway.console.visit import PREFIX, Visit

_LIST, _NEW, _ONE = "/settings", "/settings/staff/_new", "/settings/staff/{staff_id}"
_API = "/admin/v1/staff"
_EMPTY = {"id": "", "name": "", "email": "", "oidc_issuer": "", "oidc_subject": "", "reason": ""}
_OPTIONAL = ("email", "oidc_issuer", "oidc_subject")
_STATES = ("disable", "enable", "unlock")


async def staff(visit: Visit) -> Response:
    """Every account, those first that wait for somebody."""
    found = (await visit.get(_API))["staff"]
    waiting = [one for one in found if one["proposed_roles"]]
    return visit.show("settings/staff.html", staff=found, waiting=waiting)


async def begin(visit: Visit) -> Response:
    """The form for another account."""
    return visit.show("settings/new.html", typed={**_EMPTY, "roles": []})


async def add(visit: Visit) -> Response:
    """Register an account; its roles wait for a second person."""
    typed = await visit.typed(*_EMPTY)
    roles = await _roles(visit)
    form = {name: value for name, value in typed.items() if value or name not in _OPTIONAL}
    try:
        await visit.post(_API, {**form, "roles": roles})
    except ApiProblem as problem:
        if problem.about_input:
            shown = {**typed, "roles": roles}
            return visit.show("settings/new.html", typed=shown, problem=problem)
        raise
    return visit.see(f"{PREFIX}/settings/staff/{typed['id']}", said="account-added")


async def one(visit: Visit) -> Response:
    """One account, and what can be done with it."""
    return await _page(visit)


async def set_roles(visit: Visit) -> Response:
    """Take roles away at once; propose those that are more."""
    typed = await visit.typed("reason", "etag")
    body = {"roles": await _roles(visit), "reason": typed["reason"]}
    return await _done(visit, "PUT", "roles", body, etag=typed["etag"], said="roles-changed")


async def confirm(visit: Visit) -> Response:
    """Give the roles that somebody else proposed."""
    typed = await visit.typed("reason", "etag")
    body = {"reason": typed["reason"]}
    return await _done(visit, "POST", "roles/confirmation", body, etag=typed["etag"], said="roles-confirmed")


async def change_state(visit: Visit) -> Response:
    """Disable, enable or unlock the account."""
    act = visit.path("act")
    if act not in _STATES:
        return visit.show("missing.html", status=404)
    typed = await visit.typed("reason")
    return await _done(visit, "POST", act, typed, said=f"account-{act}")


async def revoke(visit: Visit) -> Response:
    """Refuse a token of the account from now on."""
    staff_id = visit.path("staff_id")
    await visit.ask("DELETE", f"{_API}/{staff_id}/tokens/{visit.path('token_id')}")
    return visit.see(f"{PREFIX}/settings/staff/{staff_id}", said="token-revoked")


async def _done(
    visit: Visit, method: str, what: str, body: Mapping[str, object], *, said: str, etag: str = ""
) -> Response:
    staff_id = visit.path("staff_id")
    try:
        await visit.ask(method, f"{_API}/{staff_id}/{what}", body, etag=etag)
    except ApiProblem as problem:
        # Whoever may not do this alone is told so where the form stands, with who can.
        if problem.about_input or problem.code == "second_person_needed":
            return await _page(visit, problem)
        raise
    return visit.see(f"{PREFIX}/settings/staff/{staff_id}", said=said)


async def _page(visit: Visit, problem: ApiProblem | None = None) -> Response:
    staff_id = visit.path("staff_id")
    answer = await visit.ask("GET", f"{_API}/{staff_id}")
    tokens = []
    if visit.holds("operator", "auditor"):
        tokens = (await visit.get(f"{_API}/{staff_id}/tokens"))["tokens"]
    typed = await visit.typed("reason") if problem else {"reason": ""}
    return visit.show(
        "settings/one.html",
        account=answer.json,
        etag=answer.etag,
        tokens=tokens,
        problem=problem,
        reason=typed["reason"],
    )


async def _roles(visit: Visit) -> list[str]:
    return [str(role) for role in (await visit.form()).getlist("roles")]


PAGES: Sequence[Page] = (
    Page(_LIST, staff),
    Page(_NEW, begin),
    Page(_NEW, add, "POST"),
    Page(_ONE, one),
    Page(_ONE + "/roles", set_roles, "POST"),
    Page(_ONE + "/confirmation", confirm, "POST"),
    Page(_ONE + "/tokens/{token_id}/revoke", revoke, "POST"),
    Page(_ONE + "/{act}", change_state, "POST"),
)
SAID: Mapping[str, str] = {
    "account-added": N_("The account is registered. Its roles wait for a second person."),
    "roles-changed": N_("What was taken away counts at once; what was added waits for a second person."),
    "roles-confirmed": N_("The roles are given and count from now on."),
    "account-disable": N_("The account, its sessions and its tokens are refused from now on."),
    "account-enable": N_("The account can sign in again."),
    "account-unlock": N_("The account can be tried again at once."),
}
