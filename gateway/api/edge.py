"""The outermost layer: size limit, safety headers, timing, and the end of every exception.

Everything a client can observe passes here last. It lets no exception reach the server, which would print
its text, and it knows requests by a random id, never by what they contain.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import BodyTooLarge
from gateway.telemetry import Telemetry

_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
# Not a status of HTTP: proxies write it into their logs for a client that went away.
_CLIENT_GONE = 499
# Seeded by the system once: an id only has to be another one, and asking the system costs a call each time.
_REQUEST_IDS = random.Random()  # noqa: S311 - nothing rests on nobody guessing it
_NO_STORE = (b"cache-control", b"no-store")


class Edge:
    """ASGI middleware around the whole application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        telemetry: Telemetry,
        max_body_bytes: int,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app = app
        self._telemetry = telemetry
        self._max_body_bytes = max_body_bytes
        self._stopwatch = stopwatch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event; only HTTP is timed and guarded."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = self._stopwatch()
        request_id = f"{_REQUEST_IDS.getrandbits(64):016x}"
        scope.setdefault("state", {})["request_id"] = request_id
        with self._telemetry.tracing(scope) as traced:
            status = await self._answered(scope, receive, send, request_id)
            if traced is not None:
                traced.answered(_said(scope, status, request_id))
        self._telemetry.request_finished(
            request_id=request_id,
            method=scope["method"],
            route=_route(scope),
            status=status,
            seconds=self._stopwatch() - began,
            consumer_id=_state(scope, "consumer_id"),
        )

    async def _answered(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> int:
        """Have it answered, and give the status that left; no exception gets past here."""
        status = 0

        async def guarded_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *_with_safety(message["headers"], request_id, _state(scope, "dpop_nonce")),
                    # What the agreement's limits left, from the moment that the request was counted.
                    *scope["state"].get("rate_limit", ()),
                ]
            await send(message)

        try:
            await self._app(scope, self._limited(receive), guarded_send)
        except ClientDisconnect:
            status = status or _CLIENT_GONE
        except Exception as error:  # noqa: BLE001 - the server would print it, and its text may quote a person
            self._telemetry.request_failed(
                error, request_id=request_id, method=scope["method"], route=_route(scope)
            )
        return status

    def _limited(self, receive: Receive) -> Receive:
        left = self._max_body_bytes

        async def limited() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise BodyTooLarge(f"The body exceeds {self._max_body_bytes} bytes; send fewer subjects.")
            return message

        return limited


def _route(scope: Scope) -> str:
    """The route's template: a path that matched nothing may hold anything, so it is not repeated."""
    return getattr(scope.get("route"), "path", "unmatched")


def _said(scope: Scope, status: int, request_id: str) -> dict[str, str | int]:
    """What a trace is told of a request."""
    said: dict[str, str | int] = {"method": scope["method"], "route": _route(scope), "status": status}
    who = _state(scope, "consumer_id")
    return said | {"request_id": request_id} | ({"consumer_id": who} if who else {})


def _state(scope: Scope, name: str) -> str | None:
    """What the bearer check left beside the request, if it got that far."""
    value: str | None = scope.get("state", {}).get(name)
    return value


def _with_safety(
    headers: list[tuple[bytes, bytes]], request_id: str, dpop_nonce: str | None
) -> list[tuple[bytes, bytes]]:
    present = {name.lower() for name, _ in headers}
    return [
        *headers,
        *_HEADERS,
        *(() if b"cache-control" in present else (_NO_STORE,)),
        # A client that keeps the newest nonce is never asked to repeat a request (RFC 9449, section 8.2).
        *(((b"dpop-nonce", dpop_nonce.encode()),) if dpop_nonce and b"dpop-nonce" not in present else ()),
        (b"x-request-id", request_id.encode()),
    ]
