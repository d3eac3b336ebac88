"""A browser without scripts: follows links, keeps cookies, fills in the forms that a page really has."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Self

import httpx

_VOID = {"input", "meta", "link", "img", "br", "hr", "use", "source", "wbr", "path", "circle"}


@dataclass
class Form:
    """A form as the page has it: where it goes, and what its fields hold."""

    method: str
    action: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)  # text, name, value

    def offers(self, button: str) -> bool:
        return any(text == button for text, _, _ in self.buttons)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.texts: list[str] = []
        self.links: dict[str, str] = {}
        self._open: list[tuple[str, dict[str, str]]] = []
        self._select: str | None = None
        self._textarea: str | None = None
        self._said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        marks = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self._open.append((tag, marks))
        match tag:
            case "form":
                self.forms.append(Form(marks.get("method", "get").lower(), marks.get("action", "")))
            case "input":
                self._input(marks)
            case "select":
                self._select = marks.get("name")
                if self._select:
                    self._form().fields.setdefault(self._select, [])
            case "option":
                chosen = "selected" in marks or not self._form().fields.get(self._select or "", [])
                if self._select and chosen:
                    self._form().fields[self._select] = [marks.get("value", "")]
            case "textarea":
                self._textarea = marks.get("name")
                self._said = []
            case "button" | "a":
                self._said = []
            case _:
                pass

    def handle_endtag(self, tag: str) -> None:
        marks: dict[str, str] = {}
        for at in range(len(self._open) - 1, -1, -1):
            if self._open[at][0] == tag:
                marks = self._open[at][1]
                del self._open[at:]
                break
        said = " ".join("".join(self._said).split())
        if tag == "button" and self.forms:
            self._form().buttons.append((said, marks.get("name", ""), marks.get("value", "")))
        elif tag == "a":
            self.links.setdefault(said, marks.get("href", ""))
        elif tag == "textarea" and self._textarea:
            # The first newline after the tag is the markup's, not the text's.
            self._form().fields[self._textarea] = ["".join(self._said).removeprefix("\n")]
            self._textarea = None
        elif tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        self._said.append(data)
        if not any(tag in {"script", "style", "option"} for tag, _ in self._open):
            self.texts.append(data)

    def _input(self, marks: dict[str, str]) -> None:
        name, kind = marks.get("name"), marks.get("type", "text")
        if name and (kind not in {"checkbox", "radio"} or "checked" in marks):
            self._form().fields.setdefault(name, []).append(
                marks.get("value", "on" if kind != "text" else "")
            )

    def _form(self) -> Form:
        return self.forms[-1] if self.forms else Form("get", "")


@dataclass
class Seen:
    """A page as it was answered."""

    response: httpx.Response
    path: str

    def __post_init__(self) -> None:
        self._reader = _Reader()
        self._reader.feed(self.html)

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def html(self) -> str:
        return self.response.text

    @property
    def text(self) -> str:
        """What a reader sees, in one line."""
        return " ".join(" ".join(self._reader.texts).split())

    @property
    def links(self) -> dict[str, str]:
        """Addresses by the words of the link; of two with the same words the first."""
        return self._reader.links

    @property
    def forms(self) -> list[Form]:
        return self._reader.forms

    def form(self, button: str) -> Form:
        """The form with a button of these words."""
        return next(form for form in self.forms if form.offers(button))


class Browser:
    """One browser of somebody of the staff. Follows what a page sends it on to."""

    def __init__(self, origin: str, *, language: str = "en") -> None:
        self._http = httpx.Client(base_url=origin, trust_env=False, timeout=30, follow_redirects=True)
        self._http.cookies.set("gapura-language", language)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._http.close()

    @property
    def cookies(self) -> httpx.Cookies:
        return self._http.cookies

    def open(self, path: str) -> Seen:
        """A page, by its address."""
        return self._seen(self._http.get(path))

    def send(self, seen: Seen, button: str, **typed: str | list[str]) -> Seen:
        """Press a button of a form of the page, with what was typed in place of what the fields held."""
        form = seen.form(button)
        values: dict[str, str | list[str]] = {**form.fields, **typed}
        _, name, value = next(one for one in form.buttons if one[0] == button)
        if name:
            values[name] = value
        target = form.action or seen.path
        if form.method == "post":
            return self._seen(self._http.post(target, data=values, headers={"sec-fetch-site": "same-origin"}))
        return self._seen(self._http.get(target, params=values))

    def post(self, path: str, headers: dict[str, str] | None = None, **typed: str) -> Seen:
        """Send what no form of ours has."""
        return self._seen(self._http.post(path, data=typed, headers=headers or {}))

    def sign_in(self, staff_id: str, password: str) -> Seen:
        """Sign in by the form."""
        return self.send(self.open("/console/sign-in"), "Sign in", id=staff_id, password=password)

    def _seen(self, response: httpx.Response) -> Seen:
        return Seen(response, response.request.url.raw_path.decode())
