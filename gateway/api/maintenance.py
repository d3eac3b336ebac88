"""The gate of maintenance: exchanges and changes are answered 503 with until when, reading goes on.

It stands before everything that knows a caller, and asks no database. What may pass is listed; whatever else
changes something may not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import orjson
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.problems import problem
from gateway.civil_day import wib
from gateway.maintenance.standing import Standing
from gateway.maintenance.window import HEADER, Window
from policies.dictionary import Text

CODE = "maintenance"
ADMIN_PATH = "/admin/v1/maintenance"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
# Staff sign in and out, and open again. What a page of the console changes, it changes by the admin API.
_OPEN_TO_STAFF = frozenset({"/admin/v1/session", ADMIN_PATH, f"{ADMIN_PATH}/end"})
_CONSOLE = "/console/"
# Of a consumer nothing passes: what it reads is about people, counted and on record.
_CONSUMERS, _OAUTH = "/v1/", "/oauth/"


class MaintenanceGate:
    """ASGI middleware. As good as always there is no window, and a request pays for one look."""

    def __init__(self, app: ASGIApp, standing: Standing, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._standing = standing
        self._clock = clock

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection event."""
        window = self._standing.window
        if window is None or scope["type"] != "http":
            return self._app(scope, receive, send)
        return self._told(window, scope, receive, send)

    async def _told(self, window: Window, scope: Scope, receive: Receive, send: Send) -> None:
        now = self._clock()
        if window.in_force(now) and not passes(scope["method"], scope["path"]):
            await closed(Request(scope), window, now)(scope, receive, send)
            return

        async def telling_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = window.header
            await send(message)

        await self._app(scope, receive, telling_send)


def passes(method: str, path: str) -> bool:
    """Whether a request is served while maintenance is in force."""
    if path.startswith(_CONSUMERS):
        return False
    if method in _READING:
        return True
    return path in _OPEN_TO_STAFF or path.startswith(_CONSOLE)


def closed(request: Request, window: Window, now: datetime) -> Response:
    """The refusal: when to ask again, as a header, as a member, and in words."""
    headers = {"Retry-After": str(window.retry_after_s(now)), HEADER: window.header}
    until = None if window.until is None else wib(window.until).isoformat(timespec="minutes")
    if request.url.path.startswith(_OAUTH):
        # RFC 6749, 5.2, whose clients read no other shape.
        said = {"error": "temporarily_unavailable", "error_description": _sentence(until).en}
        return Response(orjson.dumps(said), 503, headers, "application/json")
    return problem(request, 503, CODE, _sentence(until), headers=headers, until=until)


def _sentence(until: str | None) -> Text:
    if until is None:
        return Text(
            "Gateway sedang dalam pemeliharaan; tidak ada yang dijawab atau diubah.",
            "The gateway is under maintenance; nothing was answered and nothing changed.",
        )
    return Text(
        f"Gateway sedang dalam pemeliharaan sampai {until}; tidak ada yang dijawab atau diubah.",
        f"The gateway is under maintenance until {until}; nothing was answered and nothing changed.",
    )
