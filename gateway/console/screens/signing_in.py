"""Signing in and out, and the language of the pages: all that works before anybody is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.language import N_, chosen
from gateway.console.screen import Page
from gateway.console.visit import LANGUAGE_COOKIE, PREFIX, Visit, own_path

_A_YEAR_S = 365 * 24 * 60 * 60


async def sign_in(visit: Visit) -> Response:
    """The form: an id and a password, or the way to the identity provider where there is one."""
    return await _form(visit, visit.asked("id"))


async def open_session(visit: Visit) -> Response:
    """Sign in and go where the visitor was going."""
    typed = await visit.typed("id", "next")
    password = str((await visit.form()).get("password", ""))
    try:
        await visit.post("/admin/v1/session", {"id": typed["id"], "password": password})
    except ApiProblem as problem:
        if problem.status == 401 or problem.about_input:  # noqa: PLR2004
            return await _form(visit, typed["id"], problem)
        raise
    return visit.see(own_path(typed["next"]))


async def sign_out(visit: Visit) -> Response:
    """End the session, on the server and in the browser."""
    await visit.ask("DELETE", "/admin/v1/session")
    return visit.see(f"{PREFIX}/sign-in", said="signed-out")


async def choose_language(visit: Visit) -> Response:
    """Keep the language in this browser, and show the same page in it."""
    typed = await visit.typed("to", "back")
    response = visit.see(own_path(typed["back"]))
    response.set_cookie(
        LANGUAGE_COOKIE, chosen(typed["to"]), max_age=_A_YEAR_S, path="/", httponly=True, samesite="strict"
    )
    return response


async def _form(visit: Visit, staff_id: str, problem: ApiProblem | None = None) -> Response:
    next_path = (await visit.form()).get("next") if visit.request.method == "POST" else visit.asked("next")
    return visit.show(
        "sign-in.html",
        problem=problem,
        staff_id=staff_id,
        next_path=own_path(str(next_path or "")),
        provider=await _has_provider(visit),
    )


async def _has_provider(visit: Visit) -> bool:
    """Whether staff can also sign in at an identity provider."""
    return bool((await visit.get("/admin/v1/session/ways"))["oidc"])


PAGES: Sequence[Page] = (
    Page("/sign-in", sign_in, signed_in=False),
    Page("/sign-in", open_session, "POST", signed_in=False),
    Page("/sign-out", sign_out, "POST"),
    Page("/language", choose_language, "POST", signed_in=False),
)
SAID: Mapping[str, str] = {"signed-out": N_("You have signed out.")}
