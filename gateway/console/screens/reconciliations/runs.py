"""Runs: the list, and one run watched while it goes, with what came of it by status, region and quality.

A run under way is shown as the API counts it; the page asks again by itself and needs nothing kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal
from uuid import UUID

from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.language import N_
from gateway.console.screen import Page
from gateway.console.visit import PREFIX, Visit

API = "/admin/v1/reconciliations"
PLACE = f"{PREFIX}/reconciliations"
_UNDER_WAY = frozenset({"queued", "running", "waiting"})
_ACTS: Mapping[str, frozenset[str]] = {
    "pause": _UNDER_WAY,
    "resume": frozenset({"paused", "failed"}),
    "cancel": _UNDER_WAY | {"paused", "failed"},
}
_PER_PAGE = 25
# The classes of a run's map: the same for every run, so that two can be compared by eye.
MATCH_RATE_BOUNDS = (0.0, 0.8, 0.9, 0.95, 0.98, 1.0)
_VIEWS = ("statuses", "regions", "quality")


async def run_list(visit: Visit) -> Response:
    """The runs, newest first, and whether another one can begin."""
    found = await visit.get(API, limit=_PER_PAGE, after=_id(visit.asked("after")))
    return visit.show("reconciliations/runs.html", found=found, provinces=await region_names(visit))


async def one_run(visit: Visit) -> Response:
    """A run: how far it is and, in three views, what it came to."""
    return await _run_page(visit)


async def act_on_run(visit: Visit) -> Response:
    """Pause, resume or cancel a run, with a reason."""
    act = visit.path("act")
    if act not in _ACTS:
        return visit.show("missing.html", status=404)
    typed = await visit.typed("reason")
    try:
        await visit.post(f"{API}/{visit.path('run_id')}/{act}", {"reason": typed["reason"]})
    except ApiProblem as problem:
        if not problem.about_input:
            raise
        return await _run_page(visit, problem, act, typed["reason"])
    return visit.see(f"{PLACE}/runs/{visit.path('run_id')}", said=f"run-{act}")


async def _run_page(
    visit: Visit, problem: ApiProblem | None = None, act: str = "", reason: str = ""
) -> Response:
    run_id = visit.path("run_id")
    run = await visit.get(f"{API}/{run_id}")
    view = visit.asked("view") if visit.asked("view") in _VIEWS else _VIEWS[0]
    regions = await visit.get(f"{API}/{run_id}/regions")
    report = await visit.get(f"{API}/{run_id}/report") if run["state"] == "completed" else None
    choices = await visit.get("/admin/v1/maps/choices") if view == "regions" else None
    return visit.show(
        "reconciliations/run.html",
        run=run,
        view=view,
        labels=regions["labels"],
        regions=regions,
        report=report,
        names=await region_names(visit, "regency" if view == "regions" else "province"),
        areas="/admin/v1/maps/areas?level=regency" if choices and choices["edition"] else "",
        shade=shade,
        bounds=MATCH_RATE_BOUNDS,
        percent=visit.speech.percent,
        acts=[one for one, states in _ACTS.items() if run["state"] in states],
        under_way=run["state"] in _UNDER_WAY,
        problem=problem,
        asked_act=act,
        reason=reason,
    )


async def region_names(visit: Visit, level: Literal["province", "regency"] = "province") -> Mapping[str, str]:
    """What the regions of a level are called, by code."""
    found = await visit.get("/admin/v1/maps/regions", level=level)
    return {one["code"]: one["name"] for one in found["regions"]}


def shade(rate: float | None) -> str:
    """The class of a match rate, as the legend counts them; `none` where nobody was checked."""
    if rate is None:
        return "none"
    return str(max(at for at, begins in enumerate(MATCH_RATE_BOUNDS[:-1]) if rate >= begins))


def _id(word: str) -> str | None:
    """An id of the query, None for what is none: an old or mistyped address begins at the beginning."""
    try:
        return str(UUID(word))
    except ValueError:
        return None


PAGES: Sequence[Page] = (
    Page("/reconciliations", run_list),
    Page("/reconciliations/runs/{run_id}", one_run),
    Page("/reconciliations/runs/{run_id}/{act}", act_on_run, "POST"),
)
SAID: Mapping[str, str] = {
    "run-pause": N_("The run stops after the part it is at."),
    "run-resume": N_("The run goes on where it stopped."),
    "run-cancel": N_("The run has ended. What it stored stays."),
}
