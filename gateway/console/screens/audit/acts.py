"""Acts of staff: who did what to which thing, searched, and one of them told, checked and bundled."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from gateway.console.screen import Page
from gateway.console.screens.audit.entries import entry_pages, sought
from gateway.console.screens.audit.searching import ALL, first_moment, last_moment, options
from gateway.console.visit import PREFIX, Visit

_FILTERS = ("actor", "act", "since", "until")
_LIST = "/audit/acts"


async def search(visit: Visit) -> Response:
    """What staff did, the newest first."""
    references = await sought(visit, "act")
    if references and len(references) == 1:
        return visit.see(f"{PREFIX}{_LIST}/{references[0]}")
    chosen = {name: visit.asked(name) for name in _FILTERS}
    found = await visit.get(
        "/admin/v1/acts",
        actor=chosen["actor"] or None,
        act=chosen["act"] or None,
        since=first_moment(chosen["since"]),
        until=last_moment(chosen["until"]),
        after=visit.asked("after") or None,
    )
    choices = await visit.get("/admin/v1/acts/filters")
    families = sorted({f"{word.partition('.')[0]}." for word in choices["acts"]})
    return visit.show(
        "audit/acts.html",
        found=found,
        chosen=chosen,
        references=references,
        actors=[("", visit.speech.say(ALL)), *options(visit.speech, "actor", choices["actors"])[1:]],
        acts=[
            *options(visit.speech, "staff_acts", families),
            *options(visit.speech, "staff_act", choices["acts"])[1:],
        ],
    )


PAGES: Sequence[Page] = (
    Page(_LIST, search),
    *entry_pages("/audit/acts/{entry_id}", "/admin/v1/acts", "act"),
)
