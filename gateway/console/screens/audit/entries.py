"""One entry of the log on a page of its own, with its proof, and the bundle that proves it elsewhere.

What an exchange and an act of staff have in common: told, checked while the page is made, downloaded byte for
byte as the API makes it, for a reason that the log keeps.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.screen import Page
from gateway.console.screens.audit.searching import reference_in
from gateway.console.visit import Visit


def entry_pages(path: str, api: str, name: str) -> Sequence[Page]:
    """The pages of one entry at `path`, which holds `{entry_id}`; `name` is its template and word there."""

    async def one(visit: Visit) -> Response:
        return await shown(visit)

    async def bundle(visit: Visit) -> Response:
        entry_id = visit.path("entry_id")
        try:
            answer = await visit.ask("POST", f"{api}/{entry_id}/bundle", await visit.typed("reason"))
        except ApiProblem as problem:
            if problem.about_input:
                return await shown(visit, problem)
            raise
        named = {"Content-Disposition": f'attachment; filename="bundle-{entry_id}.json"'}
        return Response(answer.content, media_type="application/json", headers=named)

    async def shown(visit: Visit, problem: ApiProblem | None = None) -> Response:
        if reference_in(visit.path("entry_id")) is None:
            return visit.show("missing.html", status=404)
        found = await visit.get(f"{api}/{visit.path('entry_id')}")
        typed = await visit.typed("reason") if problem else {"reason": ""}
        return visit.show(
            f"audit/{name}.html",
            status=problem.status if problem else 200,
            problem=problem,
            reason=typed["reason"],
            **{name: found},
        )

    return (Page(path, one), Page(f"{path}/bundle", bundle, "POST"))
