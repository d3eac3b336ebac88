"""The list of agreements, a new agreement, and the data dictionary."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.named_consumers import suggested
from gateway.console.screens.agreements.address import AGREEMENTS
from gateway.console.visit import Visit

_PER_PAGE = 50
_ALL = "/admin/v1/policies"
# In the order in which somebody looks for them.
STANDINGS = ("active", "suspended", "not_yet_valid", "expired", "revoked", "draft", "submitted", "approved")
_HEADING = ("title_id", "title_en", "consumer", "purpose", "pks")


async def agreements(visit: Visit) -> Response:
    """Every agreement, found by words, standing, consumer, and what is being made of it."""
    wanted = {name: visit.asked(name) for name in ("search", "standing", "consumer", "open_state")}
    found = await visit.get(
        _ALL,
        kind="agreement",
        page=visit.page_number(),
        per_page=_PER_PAGE,
        order=visit.asked("order") or None,
        **{name: value or None for name, value in wanted.items()},
    )
    return visit.show("agreements/list.html", found=found, wanted=wanted, standings=STANDINGS)


async def new(visit: Visit) -> Response:
    """The form of a new agreement, begun from nothing or from a copy."""
    return await _new_form(visit, {name: visit.asked(name) for name in ("copy", "version", "consumer")})


async def begin(visit: Visit) -> Response:
    """Begin the first draft of a new agreement."""
    typed = await visit.typed("name", "copy", "version", *_HEADING, "reason")
    try:
        made = await visit.post(
            f"{_ALL}/agreement/{typed['name'] or '-'}/begin", await _beginning(visit, typed)
        )
    except ApiProblem as problem:
        if problem.about_input or problem.status == 404:  # noqa: PLR2004 - what is to be copied is not there
            return await _new_form(visit, typed, problem)
        raise
    return visit.see(f"{AGREEMENTS}/{made['name']}/versions/{made['version']}/terms", said="draft-begun")


async def dictionary(visit: Visit) -> Response:
    """Every field that the gateway knows, and the most that may be released of it."""
    return visit.show("agreements/dictionary.html", dictionary=await visit.get("/admin/v1/dictionary"))


async def _beginning(visit: Visit, typed: dict[str, str]) -> dict[str, Any]:
    body: dict[str, Any] = {name: typed[name] or None for name in _HEADING}
    body["reason"] = typed["reason"]
    if typed["copy"]:
        number = typed["version"]
        if not number.isdecimal():
            copied = await visit.get(f"{_ALL}/agreement/{typed['copy']}")
            number = str(copied["in_force"] or copied["newest"])
        body["copy_of"] = {"name": typed["copy"], "version": int(number)}
    return body


async def _new_form(visit: Visit, typed: dict[str, str], problem: ApiProblem | None = None) -> Response:
    return visit.show(
        "agreements/new.html",
        problem=problem,
        typed={name: typed.get(name, "") for name in ("name", "copy", "version", *_HEADING, "reason")},
        suggested=await suggested(visit, typed.get("consumer", "")),
    )
