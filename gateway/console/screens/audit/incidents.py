"""Incidents (UU 27/2022 art. 46): what a consumer was told in a span, and the clock of three times 24 hours.

Counts are on the page of an incident; the people themselves come by a form of their own, which the log notes,
and stand in no address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.language import N_
from gateway.console.named_consumers import suggested
from gateway.console.screen import Page
from gateway.console.screens.audit.searching import moment_in
from gateway.console.visit import PREFIX, Visit

_LIST, _NEW, _ONE = "/audit/incidents", "/audit/incidents/_new", "/audit/incidents/{incident_id}"
_API = "/admin/v1/rights/incidents"
_MOMENTS = ("first", "last", "known_at")
_BEGINNING = ("consumer_id", *_MOMENTS, "reason")
_ACCOUNT = ("how", "handling", "contact")
_NO_MOMENT = N_("A day and a time of day.")
_TOLD = ("people", "authority")


async def listed(visit: Visit) -> Response:
    """Every incident: those whose clock still runs first."""
    found = [_with_clock(one) for one in (await visit.get(_API))["incidents"]]
    ordered = sorted(found, key=lambda one: not one["running"])
    return visit.show("audit/incidents.html", incidents=ordered)


async def new(visit: Visit) -> Response:
    """The form of another incident."""
    return await _new_form(visit, {"consumer_id": visit.asked("consumer_id")})


async def begin(visit: Visit) -> Response:
    """Begin an incident and its clock."""
    typed = await visit.typed(*_BEGINNING)
    moments = {name: moment_in(typed[name]) for name in _MOMENTS}
    try:
        begun = await visit.post(_API, {**typed, **moments})
    except ApiProblem as problem:
        if not problem.about_input:
            raise
        for name in _MOMENTS:
            if moments[name] is None:
                problem.mark(f"/{name}", visit.speech.say(_NO_MOMENT))
        return await _new_form(visit, typed, problem)
    return visit.see(f"{PREFIX}{_LIST}/{begun['id']}", said="incident-begun")


async def one(visit: Visit) -> Response:
    """What an incident comes to, and how much time is left."""
    return await _page(visit)


async def note_told(visit: Visit) -> Response:
    """Note that the people or the authority were told, which stops their clock."""
    whom = visit.path("whom")
    if whom not in _TOLD:
        return visit.show("missing.html", status=404)
    path = f"{_API}/{visit.path('incident_id')}/told/{whom}"
    try:
        await visit.post(path, await visit.typed("reason"))
    except ApiProblem as problem:
        if problem.about_input:
            return await _page(visit, problem, of=whom)
        raise
    return visit.see(f"{PREFIX}{_LIST}/{visit.path('incident_id')}", said=f"{whom}-told")


async def write_notices(visit: Visit) -> Response:
    """The notices with the facts filled in. Nothing of them is kept."""
    typed = {name: text for name, text in (await visit.typed(*_ACCOUNT)).items() if text}
    try:
        notices = await visit.post(f"{_API}/{visit.path('incident_id')}/notices", typed)
    except ApiProblem as problem:
        if problem.about_input:
            return await _page(visit, problem, of="notices")
        raise
    return await _page(visit, of="notices", notices=notices)


async def resolve(visit: Visit) -> Response:
    """Whom it concerns, by their ids."""
    try:
        found = await visit.post(f"{_API}/{visit.path('incident_id')}/people", await visit.typed("reason"))
    except ApiProblem as problem:
        if problem.about_input:
            return await _page(visit, problem, of="resolve")
        raise
    return await _page(visit, of="resolve", found=found)


async def _new_form(visit: Visit, typed: Mapping[str, str], problem: ApiProblem | None = None) -> Response:
    return visit.show(
        "audit/incident-new.html",
        problem=problem,
        typed={name: typed.get(name, "") for name in _BEGINNING},
        suggested=await suggested(visit, typed.get("consumer_id", "")),
    )


async def _page(
    visit: Visit,
    problem: ApiProblem | None = None,
    *,
    of: str = "",
    notices: Any = None,
    found: Any = None,
) -> Response:
    """The page of an incident; `of` is the form of it that was sent, whose text stays."""
    incident = await visit.get(f"{_API}/{visit.path('incident_id')}")
    groups = (await visit.get("/admin/v1/dictionary"))["groups"]
    sent = visit.request.method == "POST"
    return visit.show(
        "audit/incident.html",
        problem=problem,
        of=of,
        incident=_with_clock(incident),
        labels={field["field"]: field["label"] for group in groups for field in group["fields"]},
        typed=await visit.typed("reason", *_ACCOUNT) if sent else dict.fromkeys(("reason", *_ACCOUNT), ""),
        notices=notices,
        found=found,
    )


def _with_clock(incident: Mapping[str, Any]) -> dict[str, Any]:
    """An incident with who is still to be told, and whether the time for it is over."""
    waiting = [whom for whom in _TOLD if incident[f"{whom}_told_at"] is None]
    late = bool(waiting) and datetime.fromisoformat(incident["tell_by"]) <= datetime.now(UTC)
    return {**incident, "waiting": waiting, "running": bool(waiting), "late": late}


PAGES: Sequence[Page] = (
    Page(_LIST, listed),
    Page(_NEW, new),
    Page(_NEW, begin, "POST"),
    Page(_ONE, one),
    Page(_ONE + "/told/{whom}", note_told, "POST"),
    Page(_ONE + "/notices", write_notices, "POST"),
    Page(_ONE + "/people", resolve, "POST"),
)
SAID: Mapping[str, str] = {
    "incident-begun": N_("The incident is on record, and its clock is running."),
    "people-told": N_("It is noted that the people were told."),
    "authority-told": N_("It is noted that the authority was told."),
}
