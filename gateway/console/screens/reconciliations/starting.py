"""Starting a run in two steps: what is wanted, then what that will do, said before it is done.

The first step's answers stand in the address; only the second one asks the API for anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from uuid import uuid4

from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.language import N_
from gateway.console.screen import Page
from gateway.console.screens.reconciliations.runs import API, PLACE, region_names
from gateway.console.visit import Visit

_WAYS = ("extract", "live")
_ENGINES = ("duckdb", "spark")
# A suggestion of a region, `35.78 Kota Surabaya`, or its code alone, with the dot that may end a sentence.
_SUGGESTED = re.compile(r"(?P<code>\d[\d.]*?)\.?(?: .*)?", re.DOTALL)


async def new_run(visit: Visit) -> Response:
    """What is wanted; and below, where that is said, what it will do."""
    return await _page(
        visit, _wanted({name: visit.asked(name) for name in ("way", "extract", "region", "engine")})
    )


async def start_run(visit: Visit) -> Response:
    """Start it. The form's key makes one run of a form that is sent twice."""
    typed = await visit.typed("way", "extract", "region", "engine", "key")
    wanted = _wanted(typed)
    body = {name: value for name, value in wanted.items() if value}
    try:
        answer = await visit.ask("POST", API, body, once=typed["key"])
    except ApiProblem as problem:
        if not problem.about_input:
            raise
        return await _page(visit, wanted, problem)
    return visit.see(f"{PLACE}/runs/{answer.json['id']}", said="run-started")


async def _page(visit: Visit, wanted: Mapping[str, str], problem: ApiProblem | None = None) -> Response:
    extracts = (await visit.get(f"{API}/extracts"))["extracts"]
    chosen = next((one for one in extracts if one["name"] == wanted["extract"]), None)
    names = {**await region_names(visit), **await region_names(visit, "regency")}
    known = _is_known(wanted["region"], names)
    return visit.show(
        "reconciliations/new.html",
        wanted=wanted,
        extracts=extracts,
        chosen=chosen,
        names=names,
        ready=known and (wanted["way"] == "live" or chosen is not None),
        wrong_extract=_wrong_extract(visit, wanted, extracts, chosen=chosen is not None),
        wrong_region=_wrong_region(visit, wanted["region"], known=known, problem=problem),
        key=str(uuid4()),
        problem=problem,
    )


def _is_known(region: str, names: Mapping[str, str]) -> bool:
    """Whether it is all of Indonesia or lies in a regency or a province that there is."""
    return not region or region[:5] in names


def _wrong_extract(
    visit: Visit, wanted: Mapping[str, str], extracts: Sequence[object], *, chosen: bool
) -> str:
    """What is told at the extract: only once somebody asks what the run will do, with none chosen."""
    if not visit.asked("explain") or wanted["way"] == "live" or chosen:
        return ""
    if not extracts:
        return visit.speech.say("There is no extract yet: put one into the folder first, or ask live.")
    return visit.speech.say("Choose an extract first.")


def _wrong_region(visit: Visit, region: str, *, known: bool, problem: ApiProblem | None) -> str:
    if not known:
        return visit.speech.say("There is no region %(code)s. Choose one of the suggestions.", code=region)
    return (problem.at("/region") if problem else None) or ""


def _wanted(said: Mapping[str, str]) -> dict[str, str]:
    """An order: words that the API does not know are the usual ones, and a live run has no extract."""
    way = said["way"] if said["way"] in _WAYS else ""
    engine = said["engine"] if said["engine"] in _ENGINES else _ENGINES[0]
    return {
        "way": way,
        "extract": said["extract"] if way == "extract" else "",
        "region": region_code(said["region"]),
        "engine": engine,
    }


def region_code(typed: str) -> str:
    """The code of a region that was chosen or typed; what begins with no code stays whole, to be refused.

    >>> region_code("35.78 Kota Surabaya"), region_code("35."), region_code("Antah Berantah")
    ('35.78', '35', 'Antah Berantah')
    """
    found = _SUGGESTED.fullmatch(typed.strip())
    return found["code"] if found else typed.strip()


PAGES: Sequence[Page] = (
    Page("/reconciliations/new", new_run),
    Page("/reconciliations/new", start_run, "POST"),
)
SAID: Mapping[str, str] = {"run-started": N_("The run was started.")}
