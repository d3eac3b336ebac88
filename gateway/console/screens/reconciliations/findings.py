"""Findings: what the regencies have to look into, how far they are, and the list that one of them is handed.

People are ids here. Only the work list holds who they are; it is the API's answer, handed on as a download.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from gateway.console.asking import Answer, ApiProblem
from gateway.console.language import N_
from gateway.console.screen import Page
from gateway.console.screens.reconciliations.runs import PLACE, region_names
from gateway.console.visit import Visit

_API = "/admin/v1/findings"
_HERE = f"{PLACE}/findings"
_PER_PAGE = 50
_MOST_COUNTED = 10_000  # the API counts no further
STATES = ("open", "sent", "answered", "closed")
ANSWERS = ("confirmed", "corrected", "not_so", "not_found", "in_progress")


async def finding_list(visit: Visit) -> Response:
    """The findings, by region, kind, state and run; and how many each regency has."""
    chosen = {name: visit.asked(name) for name in ("region", "kind", "state", "run", "after")}
    chosen["region"] = chosen["region"].split(" ")[0]
    asked = {name: value or None for name, value in chosen.items()}
    found = await visit.get(_API, **asked, limit=_PER_PAGE)
    view = "counts" if visit.asked("view") == "counts" else "list"
    counts = await visit.get(f"{_API}/counts", region=asked["region"]) if view == "counts" else None
    names = await region_names(visit, "regency")
    return visit.show(
        "reconciliations/findings.html",
        found=found,
        counts=counts,
        names=names,
        provinces=await region_names(visit),
        chosen=chosen,
        states=STATES,
        view=view,
        most=_MOST_COUNTED,
    )


async def finding(visit: Visit) -> Response:
    """One finding with its history."""
    return await _page(visit)


async def follow_up(visit: Visit) -> Response:
    """Write down what a regency said, or end the finding."""
    act = visit.path("act")
    if act not in {"answer", "close"}:
        return visit.show("missing.html", status=404)
    typed = await visit.typed("answer", "reference", "reason")
    body: dict[str, str | None] = {"reason": typed["reason"]}
    if act == "answer":
        body |= {"answer": typed["answer"], "reference": typed["reference"] or None}
    try:
        await visit.post(f"{_API}/{visit.path('finding_id')}/{act}", body)
    except ApiProblem as problem:
        if not problem.about_input:
            raise
        return await _page(visit, problem, {**typed, "act": act})
    return visit.see(f"{_HERE}/{visit.path('finding_id')}", said=f"finding-{act}")


async def export_form(visit: Visit) -> Response:
    """Whose work list, and why; what handing it out does is said before."""
    return await _export_page(visit, visit.asked("region"))


async def export(visit: Visit) -> Response:
    """The work list as a file, as the API gives it."""
    typed = await visit.typed("region", "reason")
    region = typed["region"].split(" ")[0]
    try:
        answer = await visit.ask("POST", f"{_API}/export", {"region": region, "reason": typed["reason"]})
    except ApiProblem as problem:
        if not problem.about_input:
            raise
        return await _export_page(visit, region, problem, typed["reason"])
    return _handed_on(answer)


async def _page(
    visit: Visit, problem: ApiProblem | None = None, typed: Mapping[str, str] | None = None
) -> Response:
    found = await visit.get(f"{_API}/{visit.path('finding_id')}")
    others = await visit.get(_API, person_id=found["person_id"])
    return visit.show(
        "reconciliations/finding.html",
        found=found,
        kinds=others["kinds"],
        others=[one for one in others["findings"] if one["id"] != found["id"]],
        names=await region_names(visit, "regency"),
        answers=ANSWERS,
        problem=problem,
        typed=typed or {},
    )


async def _export_page(
    visit: Visit, region: str, problem: ApiProblem | None = None, reason: str = ""
) -> Response:
    return visit.show(
        "reconciliations/export.html",
        names=await region_names(visit, "regency"),
        region=region,
        reason=reason,
        problem=problem,
    )


def _handed_on(answer: Answer) -> Response:
    """The API's file with the headers that make a download of it."""
    kept = ("content-type", "content-disposition", "cache-control")
    return Response(
        answer.content, headers={name: answer.headers[name] for name in kept if name in answer.headers}
    )


PAGES: Sequence[Page] = (
    Page("/reconciliations/findings", finding_list),
    Page("/reconciliations/findings/export", export_form),
    Page("/reconciliations/findings/export", export, "POST"),
    Page("/reconciliations/findings/{finding_id}", finding),
    Page("/reconciliations/findings/{finding_id}/{act}", follow_up, "POST"),
)
SAID: Mapping[str, str] = {
    "finding-answer": N_("What the regency said is written down."),
    "finding-close": N_("The finding has ended. A run that finds the same again opens a new one."),
}
