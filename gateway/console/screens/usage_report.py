"""The usage report that Dukcapil gets each semester: read on a page, and downloaded to be handed in.

The API keeps it for auditors; handing it in happens outside, so the page cannot tell whether that was done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone

from starlette.responses import Response

from gateway.console.screen import Page
from gateway.console.visit import Visit

_PATH = "/sources/usage-report"
_API = "/admin/v1/rights/usage"
_WIB = timezone(timedelta(hours=7))
_SEMESTERS_SHOWN = 6
_FIRST_MONTH_OF_SECOND = 7
_KINDS: Mapping[str, str] = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


async def usage_report(visit: Visit) -> Response:
    """The report of the semester in the address; without one, of the semester that runs."""
    semesters = _last_semesters(datetime.now(_WIB))
    asked = visit.asked("semester", semesters[0])
    report = await visit.get(f"{_API}/{asked if asked in semesters else semesters[0]}")
    return visit.show("sources/usage.html", report=report, semesters=semesters)


async def download(visit: Visit) -> Response:
    """The same as a file: `2026-S2.csv`, a table, or `2026-S2.json`."""
    semester, _, kind = visit.path("file").partition(".")
    if kind not in _KINDS:
        return visit.show("missing.html", status=404)
    answer = await visit.ask("GET", f"{_API}/{semester}", output=kind)
    named = {"Content-Disposition": f'attachment; filename="usage-{_name_of(semester)}.{kind}"'}
    return Response(answer.content, media_type=_KINDS[kind], headers=named)


def _last_semesters(now: datetime) -> list[str]:
    """The semester of a moment and those before it, the newest first."""
    year, half = now.year, 2 if now.month >= _FIRST_MONTH_OF_SECOND else 1
    names = []
    for _ in range(_SEMESTERS_SHOWN):
        names.append(f"{year}-S{half}")
        year, half = (year, 1) if half == 2 else (year - 1, 2)  # noqa: PLR2004 - halves of a year
    return names


def _name_of(semester: str) -> str:
    """The semester as the name of a file; the API has refused what is none."""
    return "".join(letter for letter in semester if letter.isalnum() or letter == "-")


PAGES: Sequence[Page] = (Page(_PATH, usage_report), Page(_PATH + "/{file}", download))
