"""One request of a browser: who visits, in which language, what the API says to them, and the page they get.

A page is always whole. Where a part of it renews itself, the browser asks for the same page and takes that
part, so every state has an address and nothing needs a script to be read.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.console.announced import Maintenance, announced
from gateway.console.asking import Answer, Api, ApiProblem
from gateway.console.given_back import given_back
from gateway.console.language import Language, Speech, chosen, speech
from gateway.console.pages import Pages

PREFIX = "/console"
LANGUAGE_COOKIE = "gapura-language"
# A path of the console, and nothing that a browser could take for another host.
_OWN_PATH = re.compile(r"/console(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*/?(?:\?[A-Za-z0-9_.~=&%+,:-]*)?")
# As `gateway.console.pages.once` makes them.
_FORM_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
_PASSED_ON = ("set-cookie", "retry-after")

Screen = Callable[["Visit"], Awaitable[Response]]


class Visit:
    """What a screen has to work with. `session` is None while nobody is signed in."""

    def __init__(self, request: Request, api: Api, pages: Pages) -> None:
        self.request = request
        self.language: Language = chosen(request.cookies.get(LANGUAGE_COOKIE))
        self.speech: Speech = speech(self.language)
        self.session: Mapping[str, Any] | None = None
        self._api = api
        self._pages = pages
        self._form: FormData | None = None
        self._cookies: list[str] = []
        self._done = 0
        self.maintenance: Maintenance | None = None

    @property
    def address(self) -> str:
        """Path and query of this request: the state of the page, in the URL."""
        query = self.request.url.query
        return self.request.url.path + (f"?{query}" if query else "")

    def path(self, name: str) -> str:
        """A parameter of the route's path."""
        return str(self.request.path_params[name])

    def asked(self, name: str, otherwise: str = "") -> str:
        """A parameter of the query; the other text where it is missing or empty."""
        return self.request.query_params.get(name) or otherwise

    def page_number(self, name: str = "page") -> int:
        """A page number of the query, from 1; 1 for whatever is none."""
        word = self.asked(name)
        return max(1, int(word)) if word.isascii() and word.isdecimal() and len(word) <= 6 else 1  # noqa: PLR2004

    async def form(self) -> FormData:
        """What a form of ours sent."""
        if self._form is None:
            self._form = await self.request.form(max_files=0, max_fields=2000)
        return self._form

    async def typed(self, *names: str) -> dict[str, str]:
        """The named fields of the form, as text without space around it; empty where there is none."""
        form = await self.form()
        return {name: str(form.get(name, "")).strip() for name in names}

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        etag: str = "",
        once: str = "",
        **params: Any,
    ) -> Answer:
        """Ask the admin API as whoever visits. Raises ApiProblem when it refuses.

        What changes something carries the form's CSRF token, which the API checks, and an `Idempotency-Key`:
        that of `once`, or else the form's and the place of this question among those that the form leads to.
        The same again does nothing anew. `etag` is sent as `If-Match`.
        """
        headers = {"accept-language": self.language, "cookie": self.request.headers.get("cookie", "")}
        if method != "GET":
            headers["x-csrf-token"] = str((await self.form()).get("csrf_token", ""))
        if etag:
            headers["if-match"] = etag if etag.startswith('"') else f'"{etag}"'
        if method == "POST" and (key := once or await self._next_key()):
            headers["idempotency-key"] = f'"{key}"'
        answer = await self._api.ask(
            method, path, headers=headers, say=self.speech.say, params=params, body=body
        )
        self._cookies += answer.headers.get_list("set-cookie")
        self.maintenance = announced(answer.headers.get("gapura-maintenance", ""))
        return answer

    async def _next_key(self) -> str:
        """The key of what this form has the API do next; empty for what is none of the forms of ours."""
        key = str((await self.form()).get("once", ""))
        if _FORM_KEY.fullmatch(key) is None:
            return ""
        self._done += 1
        return f"{key}-{self._done}"

    async def get(self, path: str, **params: Any) -> Any:
        """The document that the admin API has at a path."""
        return (await self.ask("GET", path, **params)).json

    async def post(self, path: str, body: Any = None, **params: Any) -> Any:
        """Have the admin API do something; gives the document that it answers."""
        return (await self.ask("POST", path, body, **params)).json

    def holds(self, *roles: str) -> bool:
        """Whether whoever visits has one of the roles. For what to offer: the API decides what is done."""
        return bool(self.session and set(self.session["roles"]).intersection(roles))

    def show(
        self, template: str, *, status: int = 200, problem: ApiProblem | None = None, **context: Any
    ) -> Response:
        """A page; one that shows what the API refused has the refusal's status."""
        html = self._pages.render(template, self, problem, context)
        status = problem.status if problem else status
        return self._with_cookies(Response(html, status, media_type="text/html; charset=utf-8"))

    def see(self, path: str, *, said: str = "", **params: Any) -> Response:
        """Send the browser on to a page of the console, where a sentence tells what was done."""
        query = urlencode({**params, **({"said": said} if said else {})})
        target = f"{path}{'&' if '?' in path else '?'}{query}" if query else path
        return self._with_cookies(RedirectResponse(target, status_code=303))

    def sign_in_first(self) -> Response:
        """Send the browser to the sign-in, from where it comes back here."""
        return RedirectResponse(f"{PREFIX}/sign-in?next={quote(self.address, safe='')}", status_code=303)

    async def session_ended(self, back: str) -> Response:
        """Keep what was typed while whoever visits signs in again in another tab, to come to `back`.

        Sent again from there it has no CSRF token that holds: the form is shown, and nothing is done.
        """
        self.session = None
        typed = [(name, str(text)) for name, text in (await self.form()).multi_items()]
        return self.show("session-ended.html", status=401, back=back, typed=given_back(typed))

    def _with_cookies(self, response: Response) -> Response:
        for cookie in self._cookies:
            response.headers.append("set-cookie", cookie)
        return response


def own_path(unverified: str) -> str:
    """The path, if it is one of the console; else its first page. For what a browser brings along."""
    return unverified if _OWN_PATH.fullmatch(unverified) else PREFIX


def from_elsewhere(request: Request) -> bool:
    """Whether another site had the browser send this. Only what changes something is asked.

    Browsers say it themselves (`Sec-Fetch-Site`); of one that does not, the origin must be ours.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")


def problem_page(visit: Visit, problem: ApiProblem) -> Response:
    """What the API refused, as a page of its own."""
    return visit.show("problem.html", problem=problem)
