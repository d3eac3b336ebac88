"""Exchanges: searched by what stands in the address, and one of them told, checked and bundled."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import RedirectResponse, Response

from gateway.console.asking import ApiProblem
from gateway.console.screen import Page
from gateway.console.screens.audit.bundling import downloaded
from gateway.console.screens.audit.searching import ALL, first_moment, last_moment, options, reference_in
from gateway.console.visit import PREFIX, Visit

_FILTERS = ("consumer", "purpose", "operation", "outcome", "since", "until")
_LIST, _ONE = "/audit", "/audit/exchanges/{exchange_id}"


async def search(visit: Visit) -> Response:
    """What was exchanged, the newest first; an id leads to the exchange itself."""
    typed = visit.asked("reference")
    if reference := reference_in(typed):
        return RedirectResponse(f"{PREFIX}{_LIST}/exchanges/{reference}", status_code=303)
    chosen = {name: visit.asked(name) for name in _FILTERS}
    found = await visit.get(
        "/admin/v1/exchanges",
        **{name: chosen[name] or None for name in _FILTERS[:4]},
        since=first_moment(chosen["since"]),
        until=last_moment(chosen["until"]),
        after=visit.asked("after") or None,
    )
    choices = await visit.get("/admin/v1/exchanges/filters")
    refusals = [word for word in choices["outcomes"] if word != "answered"]
    return visit.show(
        "audit/exchanges.html",
        found=found,
        chosen=chosen,
        typed=typed,
        consumers=[("", visit.speech.say(ALL)), *((one["id"], one["name"]) for one in choices["consumers"])],
        purposes=options(visit.speech, "purpose", choices["purposes"]),
        operations=options(visit.speech, "asked", choices["operations"]),
        outcomes=[
            *options(visit.speech, "outcome", ("answered", "refused")),
            *options(visit.speech, "refusal", refusals)[1:],
        ],
    )


async def exchange(visit: Visit) -> Response:
    """One exchange; what proves it is checked while the page is made."""
    return await _page(visit)


async def bundle(visit: Visit) -> Response:
    """Download what proves the exchange."""
    exchange_id = visit.path("exchange_id")
    try:
        return await downloaded(visit, f"/admin/v1/exchanges/{exchange_id}/bundle", exchange_id)
    except ApiProblem as problem:
        if problem.about_input:
            return await _page(visit, problem)
        raise


async def _page(visit: Visit, problem: ApiProblem | None = None) -> Response:
    found = await visit.get(f"/admin/v1/exchanges/{visit.path('exchange_id')}")
    typed = await visit.typed("reason") if problem else {"reason": ""}
    return visit.show(
        "audit/exchange.html",
        status=problem.status if problem else 200,
        exchange=found,
        problem=problem,
        reason=typed["reason"],
    )


PAGES: Sequence[Page] = (
    Page(_LIST, search),
    Page(_ONE, exchange),
    Page(_ONE + "/bundle", bundle, "POST"),
)
