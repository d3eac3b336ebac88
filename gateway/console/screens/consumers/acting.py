"""Acts upon one consumer, each with a page that names what it will do and asks why.

Who may do them, and whether it takes a second person, the API decides; a page offers what it may not refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from starlette.responses import Response

from gateway.console.asking import ApiProblem
from gateway.console.language import N_
from gateway.console.visit import Visit

_CONSUMERS = "/admin/v1/consumers"
_FORBIDDEN = 403
_WRITERS = ("author", "operator")
_STOPPERS = ("operator", "approver")


@dataclass(frozen=True, slots=True)
class Act:
    """One act: the words of its page, who is offered it, and how the API is asked for it.

    `path` follows the consumer's; `{kid}` in it is the key. `names_state`: the API wants to know which state
    of the consumer was seen.
    """

    title: str
    will: str
    button: str
    roles: tuple[str, ...]
    path: str
    danger: bool = False
    names_state: bool = False
    method: Literal["POST", "PUT"] = "POST"
    body: Mapping[str, Any] | None = None


ACTS: Mapping[str, Act] = {
    "approve": Act(
        N_("Approve"),
        N_("The consumer is let in, or the change that waits counts, from the next request on."),
        N_("Approve"),
        ("approver",),
        "/approve",
        names_state=True,
    ),
    "refuse": Act(
        N_("Refuse what waits"),
        N_("The change that waits is dropped; a consumer that was never approved is suspended."),
        N_("Refuse"),
        (*_WRITERS, "approver"),
        "/refuse",
        danger=True,
        names_state=True,
    ),
    "suspend": Act(
        N_("Suspend the consumer"),
        N_("It is refused from now on, with every token that it holds. Its agreements stay as they are."),
        N_("Suspend it now"),
        _STOPPERS,
        "/disable",
        danger=True,
    ),
    "resume": Act(
        N_("Let the consumer call again"),
        N_("It may call again. Whoever suspended it cannot do this; one never approved waits for approval."),
        N_("Let it call again"),
        _STOPPERS,
        "/enable",
    ),
    "into-sandbox": Act(
        N_("Into the sandbox"),
        N_("It is answered from synthetic people only, from the next request on."),
        N_("Put it into the sandbox"),
        _WRITERS,
        "/sandbox",
        names_state=True,
        method="PUT",
        body={"sandbox": True},
    ),
    "out-of-sandbox": Act(
        N_("Out of the sandbox"),
        N_("Once somebody else has approved it, it is answered about real people as its agreements allow."),
        N_("Propose it for real people"),
        _WRITERS,
        "/sandbox",
        names_state=True,
        method="PUT",
        body={"sandbox": False},
    ),
    "approve-key": Act(
        N_("Approve a key"),
        N_("Whoever holds the private key can call as this consumer. The other keys end as it announced."),
        N_("Approve the key"),
        ("approver",),
        "/keys/{kid}/approve",
        names_state=True,
    ),
    "end-key": Act(
        N_("End a key"),
        N_("No assertion by this key is accepted any more; tokens already issued live on for minutes."),
        N_("End the key now"),
        _STOPPERS,
        "/keys/{kid}/remove",
        danger=True,
    ),
}


def offered(visit: Visit, consumer: Mapping[str, Any]) -> list[tuple[str, Act]]:
    """The acts upon the consumer itself that make sense in its state, for whoever has their role."""
    waits, state = consumer["waiting"] is not None, consumer["state"]
    sensible = {
        "approve": waits or state == "proposed",
        "refuse": waits or state == "proposed",
        "suspend": state == "active",
        "resume": state == "disabled" and consumer["disabled_by"] != (visit.session or {}).get("id"),
        "into-sandbox": not consumer["sandbox"] and state == "active",
        "out-of-sandbox": consumer["sandbox"] and state == "active",
    }
    return [
        (name, ACTS[name]) for name, makes in sensible.items() if makes and visit.holds(*ACTS[name].roles)
    ]


async def asked(visit: Visit) -> Response:
    """The page that names what the act will do."""
    return await _page(visit, "", None)


async def done(visit: Visit) -> Response:
    """Do it, or show the page again with what was wrong."""
    act, consumer = ACTS.get(visit.path("act")), visit.path("consumer")
    if act is None:
        return visit.show("missing.html", status=404)
    typed = await visit.typed("reason", "etag", "kid")
    path = f"{_CONSUMERS}/{consumer}{act.path.format(kid=quote(typed['kid'], safe='/'))}"
    body = {**(act.body or {}), "reason": typed["reason"]}
    try:
        await visit.ask(act.method, path, body, etag=typed["etag"] if act.names_state else "")
    except ApiProblem as problem:
        if problem.about_input or problem.status == _FORBIDDEN:
            return await _page(visit, typed["reason"], problem)
        raise
    return visit.see(f"/console/consumers/{consumer}", said="consumer-act")


async def _page(visit: Visit, reason: str, problem: ApiProblem | None) -> Response:
    act, consumer = ACTS.get(visit.path("act")), visit.path("consumer")
    if act is None:
        return visit.show("missing.html", status=404)
    answer = await visit.ask("GET", f"{_CONSUMERS}/{consumer}")
    kid = visit.asked("kid") or (await visit.typed("kid"))["kid"] if problem else visit.asked("kid")
    return visit.show(
        "consumers/act.html",
        act=act,
        consumer=answer.json,
        key=next((key for key in answer.json["keys"] if key["kid"] == kid), None),
        etag=answer.etag.strip('"'),
        reason=reason,
        problem=problem,
    )
