"""The console's routes: its screens, its files, and the headers that every page leaves with.

Each screen is a module of `screens` that is listed there; nothing else needs to know it.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, compile_path
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.console.asking import Api, ApiProblem
from gateway.console.pages import STATIC, Pages
from gateway.console.screen import Page
from gateway.console.screens import SCREENS
from gateway.console.visit import PREFIX, Visit, from_elsewhere, problem_page

# Nothing of another host, nothing inline: a text that came in as data can never run.
_POLICY = "; ".join(
    (
        *("default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:"),
        *("connect-src 'self'", "worker-src 'self'", "form-action 'self'", "base-uri 'none'"),
        "frame-ancestors 'none'",
    )
)
_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Frame-Options": "DENY",
}
_READABLE = frozenset(page.path for screen in SCREENS for page in screen.PAGES if page.method == "GET")
_READ = [compile_path(PREFIX + path)[0] for path in sorted(_READABLE)]
_SENT = [
    compile_path(PREFIX + page.path)[0]
    for screen in SCREENS
    for page in screen.PAGES
    if page.method == "POST" and page.path not in _READABLE
]
_FOREVER = "public, max-age=31536000, immutable"


def console_routes(app: ASGIApp) -> list[BaseRoute]:
    """Everything under `/console`, and the way to it from `/`. `app` has the admin API that is asked."""
    pages = Pages({word: sentence for screen in SCREENS for word, sentence in screen.SAID.items()})
    api = Api(app)
    routes = [_Screen(page, api, pages).route for screen in SCREENS for page in screen.PAGES]
    missing = _Screen(Page("/{rest:path}", _nothing_here), api, pages)
    files = Mount(f"{PREFIX}/static", _Files(directory=STATIC))
    return [Route("/", _to_console), files, *routes, missing.route]


async def _to_console(_request: Request) -> Response:
    return RedirectResponse(PREFIX, status_code=303)


class _Screen:
    """One page as an application: it may fail after it has told the browser so, for the log."""

    def __init__(self, page: Page, api: Api, pages: Pages) -> None:
        self._page = page
        self._api = api
        self._pages = pages
        self.route = Route(PREFIX + page.path, self, methods=[page.method])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self.route  # for the log, which repeats no path: it may hold an id
        visit = Visit(Request(scope, receive, send), self._api, self._pages)
        try:
            response = await _visited(self._page, visit)
        except ClientDisconnect:
            raise
        except Exception:
            await _leave(visit.show("fault.html", status=500), scope, receive, send)
            raise
        await _leave(response, scope, receive, send)


async def _leave(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    response.headers.update(_HEADERS)
    await response(scope, receive, send)


async def _visited(page: Page, visit: Visit) -> Response:
    if page.method != "GET" and from_elsewhere(visit.request):
        return PlainTextResponse("Another site had your browser send this: refused.", status_code=403)
    try:
        if page.signed_in:
            visit.session = await visit.get("/admin/v1/session")
        return await page.screen(visit)
    except ApiProblem as problem:
        if problem.status == 401 and page.signed_in:  # noqa: PLR2004
            if page.method == "GET":
                return visit.sign_in_first()
            return await visit.session_ended(visit.address if page.path in _READABLE else PREFIX)
        return problem_page(visit, problem)


async def _nothing_here(visit: Visit) -> Response:
    read = page_of_form(visit.request.url.path)
    return visit.see(read) if read else visit.show("missing.html", status=404)


def page_of_form(path: str) -> str | None:
    """Where to read on, for whoever opens anew an address that takes forms alone; None for any other path.

    It is the nearest page above. A browser shows such an address wherever a form was answered with a page.
    """
    if not any(sent.fullmatch(path) for sent in _SENT):
        return None
    above = path
    while above != PREFIX:
        above = above.rpartition("/")[0]
        if any(read.fullmatch(above) for read in _READ):
            return above
    return PREFIX


class _Files(StaticFiles):
    """Files of ours: kept by browsers for ever where the address names the content, else asked about."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        scope["route"] = Mount(f"{PREFIX}/static", self)
        if response.status_code < 400:  # noqa: PLR2004
            kept = _FOREVER if scope["query_string"].startswith(b"v=") else "no-cache"
            MutableHeaders(raw=response.raw_headers)["Cache-Control"] = kept
        return response
