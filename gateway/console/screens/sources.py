"""Sumber data: how each source stands, in words; one of them with what every process sees; testing it now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.screen import Page
from gateway.console.screens import usage_report
from gateway.console.visit import Visit

_LIST, _ONE = "/sources", "/sources/{name}"


async def sources(visit: Visit) -> Response:
    """Every source, those first that somebody has to look at."""
    found = (await visit.get("/admin/v1/sources"))["sources"]
    by_kind = {
        kind: [one for one in found if one["kind"] in kinds]
        for kind, kinds in {
            "outside": ("connector", "unconfigured"),
            "lists": ("list",),
            "own": ("registry", "maps"),
        }.items()
    }
    down = [one for one in found if one["standing"] in {"down", "recovering"}]
    return visit.show("sources/list.html", sources=by_kind, down=down)


async def source(visit: Visit) -> Response:
    """One source, with what every process sees of it."""
    return await _page(visit)


async def test(visit: Visit) -> Response:
    """Ask the source now and show what came of it; asking costs a call, so the result has no address."""
    try:
        tested = await visit.post(f"/admin/v1/sources/{visit.path('name')}/test")
    except ApiProblem as problem:
        if problem.about_input:
            return await _page(visit, problem=problem)
        raise
    return await _page(visit, tested=tested)


async def _page(
    visit: Visit, *, tested: Mapping[str, object] | None = None, problem: ApiProblem | None = None
) -> Response:
    found = await visit.get(f"/admin/v1/sources/{visit.path('name')}")
    return visit.show("sources/one.html", source=found, tested=tested, problem=problem)


# What stands behind a source's name in an address comes last: any other word would be taken for one.
PAGES: Sequence[Page] = (
    *usage_report.PAGES,
    Page(_LIST, sources),
    Page(_ONE, source),
    Page(_ONE + "/test", test, "POST"),
)
SAID: Mapping[str, str] = {}
