"""Reversals: from pseudonyms back to people, asked for by one person and approved by another.

Pseudonyms are brought in a form each time and people are shown once, as the answer to it: neither stands in
an address, and the page that shows people MUST NOT show their pseudonyms beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.language import N_, NONE
from gateway.console.screen import Page
from gateway.console.visit import PREFIX, Visit
from gateway.console.words import WORDS

_LIST, _NEW, _ONE = "/audit/reversals", "/audit/reversals/_new", "/audit/reversals/{reversal_id}"
_API = "/admin/v1/reversals"
_ASKED = ("sector", "pseudonyms", "legal_basis", "reference", "reason")
_SETTLES = {"approve": "reversal-approved", "refuse": "reversal-refused"}
# What a person mends on the page itself: a second person, the one who asked, a sign-in of one's own.
_TOLD_ON_PAGE = {"second_person_needed", "not_yours", "in_person_only"}


async def listed(visit: Visit) -> Response:
    """Every reversal, the newest first."""
    return visit.show("audit/reversals.html", reversals=(await visit.get(_API))["reversals"])


async def new(visit: Visit) -> Response:
    """The form by which a reversal is asked for."""
    return await _new_form(visit, {})


async def request(visit: Visit) -> Response:
    """Ask for the people behind pseudonyms; another person approves it."""
    typed = await visit.typed(*_ASKED)
    try:
        asked = await visit.post(_API, {**typed, "pseudonyms": typed["pseudonyms"].split()})
    except ApiProblem as problem:
        if problem.about_input:
            return await _new_form(visit, typed, problem)
        raise
    return visit.see(f"{PREFIX}{_LIST}/{asked['id']}", said="reversal-requested")


async def one(visit: Visit) -> Response:
    """One reversal as it stands, and what whoever visits can do with it."""
    return await _page(visit)


async def settle(visit: Visit) -> Response:
    """Approve or refuse it."""
    act = visit.path("act")
    if act not in _SETTLES:
        return visit.show("missing.html", status=404)
    reversal_id = visit.path("reversal_id")
    try:
        await visit.post(f"{_API}/{reversal_id}/{act}", await visit.typed("reason"))
    except ApiProblem as problem:
        return await _refused(visit, problem, act)
    return visit.see(f"{PREFIX}{_LIST}/{reversal_id}", said=_SETTLES[act])


async def perform(visit: Visit) -> Response:
    """Show, once, who is behind the pseudonyms."""
    names = (await visit.typed("pseudonyms"))["pseudonyms"].split()
    try:
        people = await visit.post(f"{_API}/{visit.path('reversal_id')}/perform", {"pseudonyms": names})
    except ApiProblem as problem:
        return await _refused(visit, problem, "perform")
    return await _page(visit, people=people["people"])


async def _refused(visit: Visit, problem: ApiProblem, of: str) -> Response:
    if problem.about_input or problem.code in _TOLD_ON_PAGE:
        return await _page(visit, problem, of=of)
    raise problem


async def _new_form(visit: Visit, typed: Mapping[str, str], problem: ApiProblem | None = None) -> Response:
    words = WORDS["reversal_basis"]
    keys = (await visit.get("/admin/v1/keys"))["sectors"]
    sectors = sorted({key["sector"] for key in keys})
    return visit.show(
        "audit/reversal-new.html",
        problem=problem,
        typed={name: typed.get(name, "") for name in _ASKED},
        sectors=[("", NONE), *((sector, sector) for sector in sectors)],
        bases=[("", NONE), *((basis, visit.speech.say(word)) for basis, word in words.items())],
    )


async def _page(
    visit: Visit, problem: ApiProblem | None = None, *, of: str = "", people: Any = None
) -> Response:
    """The page of a reversal; `of` is the form of it that was refused, whose text stays."""
    reversal = await visit.get(f"{_API}/{visit.path('reversal_id')}")
    typed = await visit.typed("reason", "pseudonyms") if problem else {"reason": "", "pseudonyms": ""}
    visitor = visit.session["id"] if visit.session else ""
    return visit.show(
        "audit/reversal.html",
        problem=problem,
        of=of,
        reversal=reversal,
        mine=reversal["requested_by"] == visitor,
        typed=typed,
        people=people,
    )


PAGES: Sequence[Page] = (
    Page(_LIST, listed),
    Page(_NEW, new),
    Page(_NEW, request, "POST"),
    Page(_ONE, one),
    Page(_ONE + "/perform", perform, "POST"),
    Page(_ONE + "/{act}", settle, "POST"),
)
SAID: Mapping[str, str] = {
    "reversal-requested": N_("The reversal is asked for. Somebody else with the role Approver settles it."),
    "reversal-approved": N_("The reversal is approved: whoever asked for it can perform it within 24 hours."),
    "reversal-refused": N_("The reversal is ended; it cannot be performed."),
}
