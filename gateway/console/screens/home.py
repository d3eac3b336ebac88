"""Beranda: what needs somebody, and how the gateway is doing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from starlette.responses import Response

from gateway.console.screen import Page
from gateway.console.visit import Visit

_RANGES = ("24h", "30d")
_WIB = timezone(timedelta(hours=7))
# Decisions about people first, then why there was none; whatever else the log counts follows.
_DECISIONS = ("eligible", "ineligible", "unknown", "released", "not_found")
_OTHER = "other"
# Where each kind of need is dealt with, as a list; and one of them, by its id.
_LISTS: Mapping[str, str] = {
    "incidents": "/console/audit/incidents",
    "sources_down": "/console/sources",
    "alarms": "/console/agreements",
    "policies_submitted": "/console/agreements?open_state=submitted",
    "policies_approved": "/console/agreements?open_state=approved",
    "policies_returned": "/console/agreements?open_state=draft",
    "consumers_waiting": "/console/consumers?waits=yes",
    "keys_waiting": "/console/consumers",
    "roles_waiting": "/console/settings",
    "reversals_requested": "/console/audit/reversals",
    "reversals_approved": "/console/audit/reversals",
    "likely_persons": "/console/reconciliations/likely-persons",
    "acceptance_rules": "/console/reconciliations/rules",
    "runs_stopped": "/console/reconciliations",
    "usage_report": "/console/sources/usage-report",
    "agreements_ending": "/console/agreements?order=valid_until",
    "keys_ending": "/console/consumers",
}
_PAGES: Mapping[str, str] = {
    "incidents": "/console/audit/incidents",
    "sources_down": "/console/sources",
    "alarms": "/console/agreements",
    "agreements_ending": "/console/agreements",
    "consumers_waiting": "/console/consumers",
    "keys_waiting": "/console/consumers",
    "keys_ending": "/console/consumers",
    "roles_waiting": "/console/settings/staff",
    "reversals_requested": "/console/audit/reversals",
    "reversals_approved": "/console/audit/reversals",
    "runs_stopped": "/console/reconciliations/runs",
}
_TONES: Mapping[str, str] = {
    "incidents": "bad",
    "sources_down": "bad",
    "alarms": "bad",
    "runs_stopped": "wary",
}
# Who deals with what takes no second person. Of the rest the API says how many somebody may settle.
_DEALS_WITH: Mapping[str, tuple[str, ...]] = {
    "incidents": ("auditor",),
    "sources_down": ("operator",),
    "alarms": ("operator", "approver"),
    "policies_approved": ("author", "approver", "operator"),
    "likely_persons": ("operator",),
    "runs_stopped": ("operator",),
    "usage_report": ("auditor",),
    "agreements_ending": ("author",),
    "keys_ending": ("operator",),
}
_ENDING = frozenset({"agreements_ending", "keys_ending", "usage_report"})


async def home(visit: Visit) -> Response:
    """The first page: what waits, then a day or a month of traffic, as the address says."""
    span = visit.asked("range", _RANGES[0])
    span = span if span in _RANGES else _RANGES[0]
    overview = await visit.get("/admin/v1/overview")
    traffic = await visit.get("/admin/v1/overview/traffic", range=span)
    needs = [_shown(need) for need in overview["needs"]]
    return visit.show(
        "home/home.html",
        at=overview["at"],
        needs=[need for need in needs if _is_theirs(visit, need)],
        of_others=[need for need in needs if not _is_theirs(visit, need)],
        span=span,
        traffic=traffic,
        parts=[(_name(visit, part["starts_at"], span), part) for part in traffic["parts"]],
        outcomes=_present(traffic["total"]["outcomes"]),
        decisions=_decided(traffic),
    )


def _shown(need: Mapping[str, Any]) -> dict[str, Any]:
    kind = need["kind"]
    return {
        **need,
        "tone": _TONES.get(kind, "wary" if kind in _ENDING else "accent"),
        "href": _LISTS[kind],
        "named": [{**one, "href": _place(kind, one)} for one in need["named"]],
    }


def _is_theirs(visit: Visit, need: Mapping[str, Any]) -> bool:
    """Whether whoever visits can do something about it; else it waits for somebody else."""
    if need["yours"] is not None:
        return bool(need["yours"])
    return visit.holds(*_DEALS_WITH[need["kind"]])


def _place(kind: str, one: Mapping[str, Any]) -> str:
    """The page of one of what is counted; of a kind that has none, that of the list."""
    if kind.startswith("policies_"):
        of, name, version = one["id"].split("/")
        return {
            "agreement": f"/console/agreements/{name}/versions/{version}",
            "programme": f"/console/programmes/{name}/versions/{version}",
        }.get(of, "/console/agreements")
    if kind == "usage_report":
        return f"{_LISTS[kind]}?semester={one['id']}"
    page = _PAGES.get(kind)
    return f"{page}/{one['id']}" if page else _LISTS[kind]


def _name(visit: Visit, starts_at: str, span: str) -> str:
    """How a part of the range is called: an hour of the day, or a day, in Jakarta's time."""
    begins = datetime.fromisoformat(starts_at).astimezone(_WIB)
    return f"{begins:%H.%M}" if span == "24h" else visit.speech.day(begins.date()).rsplit(None, 1)[0]


def _present(outcomes: Mapping[str, int]) -> list[str]:
    """The outcomes to show: the usual ones always, the rare ones where there are any."""
    rare = {"erased", "unavailable"}
    return [outcome for outcome, count in outcomes.items() if count or outcome not in rare]


def _decided(traffic: Mapping[str, Any]) -> list[tuple[str, int, list[int]]]:
    """What was decided of people: each word with its total and its number in each part of the range."""
    total: Mapping[str, int] = traffic["decisions"]
    words = [word for word in _DECISIONS if total.get(word)]
    rest = [word for word in total if word not in _DECISIONS]
    shown = [
        (word, total[word], [part["decisions"].get(word, 0) for part in traffic["parts"]]) for word in words
    ]
    if rest:
        others = [sum(part["decisions"].get(word, 0) for word in rest) for part in traffic["parts"]]
        shown.append((_OTHER, sum(others), others))
    return shown


PAGES: Sequence[Page] = (Page("", home),)
SAID: Mapping[str, str] = {}
