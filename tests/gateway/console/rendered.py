"""Pages of the console by their templates alone: no gateway, no browser."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request

from gateway.console.asking import Api
from gateway.console.language import Language
from gateway.console.pages import Pages
from gateway.console.visit import Visit

PAGES = Pages({})


def rendered(template: str, *, language: Language = "id", **context: object) -> str:
    """A page in a language, by its template, as an operator's visit gets it."""
    request = Request(
        {
            "type": "http",
            "method": "GET",
            "scheme": "http",
            "path": "/console",
            "query_string": b"",
            "server": ("localhost", 80),
            "headers": [(b"cookie", f"gapura-language={language}".encode())],
        }
    )
    visit = Visit(request, Api(Starlette()), PAGES)
    visit.session = {"id": "operator", "name": "Operator", "roles": ["operator"], "csrf_token": ""}
    return bytes(visit.show(template, **context).body).decode()
