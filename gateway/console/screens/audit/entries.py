"""One entry of the log on a page of its own, with its proof, and the bundle that proves it elsewhere.

What an exchange and an act of staff have in common: told, checked while the page is made, downloaded byte for
byte as the API makes it, for a reason that the log keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.screen import Page
from gateway.console.screens.audit.searching import digits_in, reference_in
from gateway.console.visit import Visit


async def sought(visit: Visit, kind: str) -> Sequence[UUID] | None:
    """The references that the one in the query could be: itself if it is whole, else all that begin so.

    `kind` is `exchange` or `act`. None where it is no reference, nor the beginning of one.
    """
    typed = visit.asked("reference")
    if whole := reference_in(typed):
        return [whole]
    digits = digits_in(typed)
    if digits is None:
        return None
    found = await visit.get(f"/admin/v1/log/references/{digits}", kind=kind)
    return [UUID(one) for one in found["references"]]


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
            problem=problem,
            reason=typed["reason"],
            **{name: found},
        )

    return (Page(path, one), Page(f"{path}/bundle", bundle, "POST"))
