"""The endpoints that every consumer calls all day, reached without the framework's way to them.

The search for a route, dependencies and six layers of exception handling cost more than the answer. What the
framework knows of these endpoints is for the documentation; whatever is not one of them passes through to it.
An error leaves as the same problem either way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api import problems

Endpoint = Callable[[Request], Awaitable[Response]]


class Direct:
    """ASGI middleware; it MUST stand inside of what ends every exception (`gateway.api.edge`)."""

    def __init__(self, app: ASGIApp, documented: APIRouter, member_names: frozenset[str]) -> None:
        self._app = app
        self._member_names = member_names
        self._routes: Mapping[tuple[str, str], APIRoute] = {
            (method, route.path): route
            for route in documented.routes
            if isinstance(route, APIRoute)
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        request = Request(scope, receive, send)
        endpoint: Endpoint = route.endpoint
        try:
            response = await endpoint(request)
        except ClientDisconnect:
            raise
        except problems.FORESEEN as error:
            response = problems.told(request, error, self._member_names)
        except Exception as error:
            await problems.told(request, error, self._member_names)(scope, receive, send)
            raise  # for the log
        await response(scope, receive, send)
