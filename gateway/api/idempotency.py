"""`Idempotency-Key` at the edge: which requests may carry one, and how an answer is given again.

An exchange takes none. It asks and changes nothing, so it may simply be sent again; an answer kept for a day
would outlive the suspension of its agreement, the erasure of a record and the day's decile, and would be a
store of what people were told about, in a gateway that keeps no value. Asked twice it is decided, counted and
on record twice, which is the truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api import problems
from gateway.errors import BadInput
from gateway.idempotency import keys
from gateway.idempotency.attempt import MOST_KEPT_BYTES, Attempt, Replayed, put_beside
from gateway.idempotency.store import KEPT, UsedKeys

REPLAYED_HEADER = "Idempotency-Replayed"
_METHODS = frozenset({"POST", "PATCH"})
_PREFIXES = ("/v1/", "/admin/v1/")
# What asks and changes nothing, and signing in, which has no caller yet.
QUESTIONS = frozenset(
    {
        *("/v1/eligibility", "/v1/records", "/v1/access-history"),
        *("/v1/pseudonyms/rekey", "/v1/pseudonyms/translate", "/v1/pseudonyms/open"),
        *("/admin/v1/session", "/admin/v1/session/enrolment", "/admin/v1/explain"),
    }
)
_NONE = 500  # an application that ended without an answer failed
# What speaks of the body, or of what was done. Whatever else an answer carries is of its own request.
_KEPT_HEADERS = frozenset({b"content-type", b"content-language", b"etag", b"location", b"gapura-receipt"})

# A string of RFC 9651 without escapes; those are understood as well.
_PARAMETER: dict[str, Any] = {
    "name": keys.HEADER,
    "in": "header",
    "required": False,
    "schema": {
        "type": "string",
        "pattern": rf'^"[ !#-\[\]-~]{{{keys.SHORTEST},{keys.LONGEST}}}"$',
        "examples": ['"8e03978e-40d5-43dd-bc93-6894a57f9324"'],
    },
    "description": "A new one for each thing that you want done, such as a UUID, in quotes: sent again with "
    f"the same key within {KEPT.total_seconds() / 3600:.0f} hours, the same request is answered as the first "
    "time and not done again. Only what was done is remembered: what was refused can be mended and sent with "
    "its key.",
}
_RESPONSES = {
    "400": "The key is no string in quotes, or the values cannot be used.",
    "409": "In conflict with the present state; or the request of this key is being done.",
    "422": "The request is malformed; or its key was used for another one.",
}
_REPLAYED: dict[str, Any] = {
    "description": "`?1`: this was done before, and is answered as it was then.",
    "schema": {"type": "string", "enum": ["?1"]},
}


class Idempotency:
    """ASGI middleware. It MUST stand inside of what signs answers: one given again is signed anew."""

    def __init__(self, app: ASGIApp, used: UsedKeys, secret: bytes) -> None:
        self._app = app
        self._used = used
        self._secret = secret

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection event."""
        lines = _key_lines(scope)
        return self._once(lines, scope, receive, send) if lines else self._app(scope, receive, send)

    async def _once(self, lines: list[str], scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            key = keys.key_in(lines)
        except BadInput as refusal:
            await problems.told(request, refusal, frozenset())(scope, receive, send)
            return
        body = await request.body()
        target: bytes = scope.get("raw_path") or scope["path"].encode()
        asked = keys.Request(scope["method"], target + b"?" + scope["query_string"], body)
        attempt = Attempt(self._used, self._secret, key, asked)
        put_beside(scope.setdefault("state", {}), attempt)
        answer = _Answer(send)
        try:
            with attempt.under_way():
                await self._app(scope, _sent_again(body, receive), answer.hold)
        finally:
            await answer.leave(attempt)


async def replay(_request: Request, replayed: Exception) -> Response:
    """The answer as it left the first time. What FastAPI calls for a request that was done before."""
    assert isinstance(replayed, Replayed)  # noqa: S101 - registered for nothing else
    answer = replayed.answer
    return Response(answer.body, answer.status, {**dict(answer.headers), REPLAYED_HEADER: "?1"})


class _Answer:
    """Holds an answer back until it is kept: whoever has seen it may rely on seeing it again."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._held: list[Message] = []
        self._status = _NONE
        self._headers: list[tuple[str, str]] = []
        self._body = bytearray()

    async def hold(self, message: Message) -> None:
        """Take one message of the application."""
        self._held.append(message)
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message["headers"]
                if name.lower() in _KEPT_HEADERS
            ]
        self._body += message.get("body", b"")
        if len(self._body) > MOST_KEPT_BYTES:
            await self._let_go()

    async def leave(self, attempt: Attempt) -> None:
        """Keep it, as far as it is to be kept, and let it leave."""
        short = len(self._body) <= MOST_KEPT_BYTES
        stored = keys.StoredAnswer(self._status, self._headers, bytes(self._body)) if short else None
        await asyncio.to_thread(attempt.end, stored, self._status)
        await self._let_go()

    async def _let_go(self) -> None:
        held, self._held = self._held, []
        for message in held:
            await self._send(message)


def _key_lines(scope: Scope) -> list[str]:
    """The field lines of the key, where one counts: as good as always there are none."""
    if scope["type"] != "http" or scope["method"] not in _METHODS:
        return []
    path: str = scope["path"]
    if not path.startswith(_PREFIXES) or path in QUESTIONS:
        return []
    return [
        value.decode("latin-1") for name, value in scope["headers"] if name == keys.HEADER.lower().encode()
    ]


def _sent_again(body: bytes, receive: Receive) -> Receive:
    """What the application receives of a request whose body was read already."""
    whole: Message | None = {"type": "http.request", "body": body, "more_body": False}

    async def receiving() -> Message:
        nonlocal whole
        message, whole = whole, None
        return message if message is not None else await receive()

    return receiving


def document(contract: dict[str, Any]) -> None:
    """Tell the contract which operations take a key, and what may come of it."""
    for operation in _operations(contract):
        parameters = operation.setdefault("parameters", [])
        if not any(one.get("name") == keys.HEADER for one in parameters):
            parameters.append(_PARAMETER)
        responses = operation.setdefault("responses", {})
        problem = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        for status, words in _RESPONSES.items():
            responses.setdefault(status, {"description": words, "content": problem})
        for status, response in responses.items():
            if status.startswith("2"):
                response.setdefault("headers", {})[REPLAYED_HEADER] = _REPLAYED


def _operations(contract: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, ways in contract["paths"].items():
        if path.startswith(_PREFIXES) and path not in QUESTIONS:
            yield from (ways[method] for method in ("post", "patch") if method in ways)
