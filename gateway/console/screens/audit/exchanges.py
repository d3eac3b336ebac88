"""Exchanges: searched by what stands in the address, and one of them told, checked and bundled."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import RedirectResponse, Response

from gateway.console.screen import Page
from gateway.console.screens.audit.entries import entry_pages
from gateway.console.screens.audit.searching import ALL, first_moment, last_moment, options, reference_in
from gateway.console.visit import PREFIX, Visit

_FILTERS = ("consumer", "purpose", "operation", "outcome", "since", "until")
_LIST = "/audit"


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


PAGES: Sequence[Page] = (
    Page(_LIST, search),
    *entry_pages("/audit/exchanges/{entry_id}", "/admin/v1/exchanges", "exchange"),
)
