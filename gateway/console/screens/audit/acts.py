"""Acts of staff: who did what to which thing, searched, and one of them told, checked and bundled."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import RedirectResponse, Response

from gateway.console.asking import ApiProblem
from gateway.console.screen import Page
from gateway.console.screens.audit.bundling import downloaded
from gateway.console.screens.audit.searching import ALL, first_moment, last_moment, options, reference_in
from gateway.console.visit import PREFIX, Visit

_FILTERS = ("actor", "act", "since", "until")
_LIST, _ONE = "/audit/acts", "/audit/acts/{act_id}"


async def search(visit: Visit) -> Response:
    """What staff did, the newest first."""
    typed = visit.asked("reference")
    if reference := reference_in(typed):
        return RedirectResponse(f"{PREFIX}{_LIST}/{reference}", status_code=303)
    chosen = {name: visit.asked(name) for name in _FILTERS}
    found = await visit.get(
        "/admin/v1/acts",
        actor=chosen["actor"] or None,
        act=chosen["act"] or None,
        since=first_moment(chosen["since"]),
        until=last_moment(chosen["until"]),
        after=visit.asked("after") or None,
    )
    choices = await visit.get("/admin/v1/acts/filters")
    families = sorted({f"{word.partition('.')[0]}." for word in choices["acts"]})
    return visit.show(
        "audit/acts.html",
        found=found,
        chosen=chosen,
        typed=typed,
        actors=[("", visit.speech.say(ALL)), *((one, one) for one in choices["actors"])],
        acts=[
            *options(visit.speech, "staff_acts", families),
            *options(visit.speech, "staff_act", choices["acts"])[1:],
        ],
    )


async def act(visit: Visit) -> Response:
    """One act; what proves it is checked while the page is made."""
    return await _page(visit)


async def bundle(visit: Visit) -> Response:
    """Download what proves the act."""
    act_id = visit.path("act_id")
    try:
        return await downloaded(visit, f"/admin/v1/acts/{act_id}/bundle", act_id)
    except ApiProblem as problem:
        if problem.about_input:
            return await _page(visit, problem)
        raise


async def _page(visit: Visit, problem: ApiProblem | None = None) -> Response:
    found = await visit.get(f"/admin/v1/acts/{visit.path('act_id')}")
    typed = await visit.typed("reason") if problem else {"reason": ""}
    return visit.show(
        "audit/act.html",
        status=problem.status if problem else 200,
        act=found,
        problem=problem,
        reason=typed["reason"],
    )


PAGES: Sequence[Page] = (Page(_LIST, search), Page(_ONE, act), Page(_ONE + "/bundle", bundle, "POST"))
