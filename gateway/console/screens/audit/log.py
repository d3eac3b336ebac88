"""The log as a whole: its checkpoints, its witnesses, and checks of all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.language import N_
from gateway.console.screen import Page
from gateway.console.visit import PREFIX, Visit

_LOG = "/audit/log"
_VERIFIER = "verify.py"


async def log(visit: Visit) -> Response:
    """How the log stands. While a check runs, its part of the page renews itself."""
    return await _page(visit)


async def verify(visit: Visit) -> Response:
    """Begin a check of the whole log."""
    try:
        await visit.post("/admin/v1/log/verify")
    except ApiProblem as problem:
        if problem.about_input:
            return await _page(visit, problem)
        raise
    return visit.see(PREFIX + _LOG, said="check-begun")


async def verifier(visit: Visit) -> Response:
    """Download the verifier, which needs no gateway."""
    if visit.path("file") != _VERIFIER:
        return visit.show("missing.html", status=404)
    answer = await visit.ask("GET", "/admin/v1/log/verifier")
    named = {"Content-Disposition": f'attachment; filename="{_VERIFIER}"'}
    return Response(answer.content, media_type="text/x-python; charset=utf-8", headers=named)


async def _page(visit: Visit, problem: ApiProblem | None = None) -> Response:
    found = await visit.get("/admin/v1/log")
    return visit.show("audit/log.html", log=found, problem=problem)


PAGES: Sequence[Page] = (
    Page(_LOG, log),
    Page(_LOG + "/verify", verify, "POST"),
    Page(_LOG + "/{file}", verifier),
)
SAID: Mapping[str, str] = {"check-begun": N_("The check of the whole log has begun; it goes on by itself.")}
