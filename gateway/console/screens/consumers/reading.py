"""The list of consumers with their health, and the page of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.screens.consumers.acting import offered
from gateway.console.visit import Visit
from gateway.console.words import WORDS

_CONSUMERS = "/admin/v1/consumers"
_STATES = ("active", "proposed", "disabled")
_STATE_WORDS = WORDS["consumer_state"]
_PER_PAGE = 50
_EXCHANGES = 15
# What the list can be narrowed to beside a state, and how the API is asked for it.
_ONLY: Mapping[str, Mapping[str, bool]] = {"waits": {"waits": True}, "sandbox": {"sandbox": True}}


async def listed(visit: Visit) -> Response:
    """A page of the list, as the address narrows it."""
    state, search = visit.asked("state"), visit.asked("search")
    only = {
        name: value for word, asked in _ONLY.items() if visit.asked(word) for name, value in asked.items()
    }
    page = await visit.get(
        _CONSUMERS,
        search=search or None,
        state=state if state in _STATES else None,
        after=visit.asked("after") or None,
        limit=_PER_PAGE,
        **only,
    )
    ids = [one["id"] for one in page["consumers"]]
    health: dict[str, Any] = {}
    if ids:
        answer = await visit.get("/admin/v1/consumer-health", id=ids)
        health = {one["id"]: one for one in answer["consumers"]}
    return visit.show(
        "consumers/list.html",
        consumers=[(one, health[one["id"]]) for one in page["consumers"]],
        total=page["total"],
        following=page["next"],
        states=[(name, visit.speech.say(_STATE_WORDS[name])) for name in _STATES],
        state=state,
        search=search,
        only=[word for word in _ONLY if visit.asked(word)],
    )


async def one(visit: Visit) -> Response:
    """One consumer: identity, credentials, agreements, limits and their use, last exchanges."""
    consumer = visit.path("consumer")
    path = f"{_CONSUMERS}/{consumer}"
    registered = await visit.get(path)
    (health,) = (await visit.get("/admin/v1/consumer-health", id=[consumer]))["consumers"]
    agreements = await visit.get("/admin/v1/policies", kind="agreement", consumer=consumer)
    limits = await visit.get(f"{path}/limits")
    exchanges = await _exchanges(visit, path)
    signed = await visit.get(f"{path}/signatures")
    return visit.show(
        "consumers/one.html",
        consumer=registered,
        health=health,
        agreements=agreements["policies"],
        limits=limits["agreements"],
        day=limits["day"],
        exchanges=exchanges["exchanges"],
        older=exchanges["next"],
        signed=signed["mode"],
        acts=offered(visit, registered),
    )


async def _exchanges(visit: Visit, path: str) -> Any:
    """The exchanges before the one that the address names; the newest where it names none of the log."""
    try:
        return await visit.get(f"{path}/exchanges", before=visit.asked("before") or None, limit=_EXCHANGES)
    except ApiProblem:
        return await visit.get(f"{path}/exchanges", limit=_EXCHANGES)
