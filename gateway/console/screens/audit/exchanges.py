"""Exchanges: searched by what stands in the address, and one of them told, checked and bundled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from gateway.console.named_consumers import meant
from gateway.console.screen import Page
from gateway.console.screens.audit.entries import entry_pages, sought
from gateway.console.screens.audit.searching import first_moment, last_moment, options
from gateway.console.visit import PREFIX, Visit

_FILTERS = ("consumer", "purpose", "operation", "outcome", "since", "until")
_LIST = "/audit"


async def search(visit: Visit) -> Response:
    """What was exchanged, the newest first; an id leads to the exchange itself."""
    references = await sought(visit, "exchange")
    if references and len(references) == 1:
        return visit.see(f"{PREFIX}{_LIST}/exchanges/{references[0]}")
    consumer = await meant(visit, visit.asked("consumer"))
    chosen = {**{name: visit.asked(name) for name in _FILTERS}, "consumer": consumer.id}
    # Of a consumer that is not known yet nothing is listed: what it could be is.
    found = None if consumer.unsure else await _found(visit, chosen)
    choices = await visit.get("/admin/v1/exchanges/filters")
    refusals = [word for word in choices["outcomes"] if word != "answered"]
    return visit.show(
        "audit/exchanges.html",
        found=found,
        chosen={**chosen, "consumer": chosen["consumer"] or visit.asked("consumer")},
        references=references,
        consumer=consumer,
        purposes=options(visit.speech, "purpose", choices["purposes"]),
        operations=options(visit.speech, "asked", choices["operations"]),
        outcomes=[
            *options(visit.speech, "outcome", ("answered", "refused")),
            *options(visit.speech, "refusal", refusals)[1:],
        ],
    )


async def _found(visit: Visit, chosen: Mapping[str, str]) -> Any:
    return await visit.get(
        "/admin/v1/exchanges",
        **{name: chosen[name] or None for name in _FILTERS[:4]},
        since=first_moment(chosen["since"]),
        until=last_moment(chosen["until"]),
        after=visit.asked("after") or None,
    )


PAGES: Sequence[Page] = (
    Page(_LIST, search),
    *entry_pages("/audit/exchanges/{entry_id}", "/admin/v1/exchanges", "exchange"),
)
