"""Who looked at one person. A person stands in a form's body alone, never in an address or a log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.screen import Page
from gateway.console.visit import Visit

_PATH = "/audit/person"
_NOTHING = {"nik": "", "person_id": "", "reason": "", "before": ""}


async def ask(visit: Visit) -> Response:
    """The form: whom it is about, and why it is asked."""
    return _page(visit, _NOTHING)


async def history(visit: Visit) -> Response:
    """The accesses to one person, the newest first. Reading them is itself an entry of that history."""
    typed = await visit.typed(*_NOTHING)
    asked = {name: value for name, value in typed.items() if value}
    try:
        found = await visit.post("/admin/v1/rights/access-history", {"reason": "", **asked})
    except ApiProblem as problem:
        if problem.about_input:
            return _page(visit, typed, problem=problem)
        raise
    return _page(visit, typed, found=found)


def _page(
    visit: Visit, typed: dict[str, str], *, found: Any = None, problem: ApiProblem | None = None
) -> Response:
    return visit.show("audit/person.html", typed=typed, found=found, problem=problem)


PAGES: Sequence[Page] = (Page(_PATH, ask), Page(_PATH, history, "POST"))
