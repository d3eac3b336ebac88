"""Aturan program: who qualifies, clause by clause, in words; changed and approved as agreements are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from gateway.console.screen import Page
from gateway.console.screens.agreements import one, trying
from gateway.console.visit import Visit

_PER_PAGE = 50
_ALL = "/programmes"
_ONE = _ALL + "/{name}"
_VERSION = _ONE + "/versions/{number:int}"


async def programmes(visit: Visit) -> Response:
    """Every programme that has a rule."""
    found = await visit.get(
        "/admin/v1/policies", kind="programme", page=visit.page_number(), per_page=_PER_PAGE
    )
    return visit.show("programmes/list.html", found=found)


PAGES: Sequence[Page] = (
    Page(_ALL, programmes),
    Page(_ONE, one.policy),
    Page(f"{_ONE}/compare", one.compare),
    Page(f"{_ONE}/begin", one.begin_version, "POST"),
    Page(_VERSION, one.version),
    Page(_VERSION + "/acts/{act}", one.do_act, "POST"),
    Page(f"{_VERSION}/preview", trying.preview),
    Page(f"{_VERSION}/preview", trying.try_on_person, "POST"),
    Page(f"{_VERSION}/impact", trying.impact),
    Page(f"{_VERSION}/impact", trying.replay, "POST"),
    Page(f"{_VERSION}/text", one.text),
    Page(f"{_VERSION}/text", one.save_text, "POST"),
)
SAID: Mapping[str, str] = {}
