"""Likely persons: a queue, and one case on a page with its candidates and their reasons side by side.

Ids, words and bits are shown, as the API gives them: neither a name, nor a NIK, nor any element.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.language import N_
from gateway.console.screen import Page
from gateway.console.screens.reconciliations.runs import API, PLACE, region_names
from gateway.console.visit import Visit

_LIKELY = f"{API}/likely-persons"
_PER_PAGE = 25
# The least probability, as the address says it. Without, those who are likelier than not: the others wait.
_LEVELS = ("0.9", "0.5", "0.1", "0")
_LEAST = "0.5"
_DECISIONS = ("accept", "refuse")
# Told on the page of whoever comes next, so they name the case that they are about.
_DECIDED: Mapping[str, str] = {
    "accept": N_(
        "The case before (%(case)s, %(region)s) is accepted: that person has the NIK of the candidate now; "
        "the next run says what follows."
    ),
    "refuse": N_("The case before (%(case)s, %(region)s) is refused: nobody is asked about those two again."),
}


async def queue(visit: Visit) -> Response:
    """The people about whom somebody has to decide."""
    region = visit.asked("region").split(" ")[0]
    least = visit.asked("least") if visit.asked("least") in _LEVELS else _LEAST
    found = await visit.get(
        _LIKELY, limit=_PER_PAGE, region=region or None, after=visit.asked("after") or None, least=least
    )
    everybody = visit.speech.say("any probability")
    names = await region_names(visit, "regency")
    return visit.show(
        "reconciliations/likely.html",
        found=found,
        names=names,
        decided=await _decided(visit, names),
        region=region,
        least=least,
        levels=[(one, visit.speech.percent(float(one), 0) if float(one) else everybody) for one in _LEVELS],
    )


async def case(visit: Visit) -> Response:
    """One person with the candidates."""
    return await _case_page(visit)


async def decide(visit: Visit) -> Response:
    """Accept or refuse a candidate, and go on to the next person who waits."""
    typed = await visit.typed("candidate", "decision", "reason")
    if typed["decision"] not in _DECISIONS:
        return visit.show("missing.html", status=404)
    try:
        await visit.post(
            f"{API}/candidates/{typed['candidate']}/{typed['decision']}", {"reason": typed["reason"]}
        )
    except ApiProblem as problem:
        if not problem.about_input:
            raise
        return await _case_page(visit, problem, typed)
    person_id = visit.path("person_id")
    if typed["decision"] == "refuse" and any(map(_waits, await _candidates(visit, person_id))):
        return visit.see(f"{PLACE}/likely-persons/{person_id}", said="candidate-refuse")
    next_one = await _next_waiting(visit, person_id)
    place = f"{PLACE}/likely-persons{f'/{next_one}' if next_one else ''}"
    return visit.see(place, decided=typed["decision"], case=person_id)


async def _case_page(
    visit: Visit, problem: ApiProblem | None = None, typed: Mapping[str, str] | None = None
) -> Response:
    person_id = visit.path("person_id")
    found = await visit.get(f"{_LIKELY}/{person_id}")
    findings = None
    if visit.holds("operator", "auditor"):
        findings = await visit.get("/admin/v1/findings", person_id=person_id)
    names = await region_names(visit, "regency")
    return visit.show(
        "reconciliations/case.html",
        found=found,
        findings=findings,
        names=names,
        decided=await _decided(visit, names),
        reasons=_side_by_side(found["candidates"]),
        waits=_waits,
        next_one=await _next_waiting(visit, person_id),
        problem=problem,
        typed=typed or {},
    )


async def _decided(visit: Visit, names: Mapping[str, str]) -> str:
    """What was decided about the case before, which the address names; empty where there was none."""
    decision, case_id = visit.asked("decided"), visit.asked("case")
    if decision not in _DECIDED or not _is_id(case_id):
        return ""
    try:
        region = (await visit.get(f"{_LIKELY}/{case_id}"))["region"]
    except ApiProblem:
        return ""
    return visit.speech.say(_DECIDED[decision], case=case_id[:8], region=names.get(region, region))


def _is_id(word: str) -> bool:
    try:
        UUID(word)
    except ValueError:
        return False
    return True


async def _candidates(visit: Visit, person_id: str) -> Sequence[Mapping[str, Any]]:
    candidates: Sequence[Mapping[str, Any]] = (await visit.get(f"{_LIKELY}/{person_id}"))["candidates"]
    return candidates


def _waits(candidate: Mapping[str, Any]) -> bool:
    return bool(candidate["state"] == "proposed")


async def _next_waiting(visit: Visit, person_id: str) -> str | None:
    """Who stands behind this person in the queue, or first in it behind the last; None where nobody else."""
    for after in (person_id, None):
        people = (await visit.get(_LIKELY, limit=1, after=after))["people"]
        if people and people[0]["person_id"] != person_id:
            return str(people[0]["person_id"])
    return None


def _side_by_side(candidates: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """One row for each trait, with what it says of each candidate; the API keeps one order in all."""
    return [list(row) for row in zip(*(one["reasons"] for one in candidates), strict=False)]


PAGES: Sequence[Page] = (
    Page("/reconciliations/likely-persons", queue),
    Page("/reconciliations/likely-persons/{person_id}", case),
    Page("/reconciliations/likely-persons/{person_id}", decide, "POST"),
)
SAID: Mapping[str, str] = {
    "candidate-refuse": N_("Refused: nobody is asked about these two again."),
}
