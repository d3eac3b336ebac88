"""The admin API, asked within the process: the console's only source, and the only way in which it acts.

A question is a whole HTTP request with the browser's own cookie, so whoever may not ask the API may not ask
through a page either. MUST NOT keep anything between two questions: no cookie, no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from starlette.types import ASGIApp

from gateway.console.language import N_
from gateway.console.unfit_fields import field_of, name_at, sentence_at

# Nobody resolves it: the transport calls the application directly.
_ORIGIN = "http://console.invalid"
_LOOK = N_("Look at the fields that are marked.")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answered to a question that it took."""

    status: int
    headers: httpx.Headers
    content: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The answer's document; None where there is none."""
        return orjson.loads(self.content) if self.content else None

    @property
    def etag(self) -> str:
        """The state that an `If-Match` would name; empty where the answer has none."""
        return str(self.headers.get("etag", ""))


class ApiProblem(Exception):  # noqa: N818 - named for what the API sent
    """The API refused: its status and its problem details (RFC 9457), in the visitor's language.

    `say` gives the console's own sentences in that language.
    """

    def __init__(self, status: int, members: Mapping[str, Any], say: Callable[..., str]) -> None:
        super().__init__(members.get("code", status))
        self.status = status
        self.members = members
        self._say = say
        self._marked: dict[str, str] = {}
        self._shown: set[str] = set()

    @property
    def code(self) -> str:
        """What went wrong, as a program knows it."""
        return str(self.members.get("code", ""))

    @property
    def about_input(self) -> bool:
        """Whether whoever filled in a form can mend it there, so that the form should be shown again."""
        return self.status in {400, 409, 413, 422, 428} or self.code == "csrf_token_missing"

    @property
    def malformed(self) -> bool:
        """Whether it is about fields, one by one."""
        return bool(self.members.get("errors"))

    @property
    def _errors(self) -> Sequence[Mapping[str, Any]]:
        return self.members.get("errors") or ()

    def mark(self, pointer: str, sentence: str) -> None:
        """Have a sentence of the page's own told at a place, in place of what the API says of it."""
        self._marked[pointer] = sentence

    def told_at_fields(self) -> ApiProblem:
        """The same, with what it lists of single fields of a registration told at these."""
        left: list[str] = []
        marks: dict[str, list[str]] = {}
        for line in self.members.get("problems") or ():
            if field := field_of(line):
                marks.setdefault(field[0], []).append(field[1])
            else:
                left.append(line)
        if not marks:
            return self
        members = {**self.members, "problems": left, "remedy": self._say(_LOOK)}
        problem = ApiProblem(self.status, members, self._say)
        for pointer, sentences in marks.items():
            problem.mark(pointer, "; ".join(sentences))
        return problem

    def at(self, pointer: str) -> str | None:
        """What is told at the field for one place of what was sent (a JSON pointer), or below it."""
        here = [one for one in self._errors if f"{one['pointer']}/".startswith(f"{pointer}/")]
        self._shown |= {one["pointer"] for one in here}
        if pointer in self._marked:
            return self._marked[pointer]
        return sentence_at(here[0], self._say) if here else None

    @property
    def marks_fields(self) -> bool:
        """Whether a field of the page that was rendered tells something of it."""
        return bool(self._shown)

    @property
    def unplaced(self) -> list[str]:
        """What no field of the page that was rendered has told, each with the name of its field."""
        told = []
        for one in self._errors:
            if one["pointer"] not in self._shown:
                name, sentence = name_at(one["pointer"]), sentence_at(one, self._say)
                told.append(f"{name.replace('_', ' ')}: {sentence}" if name else sentence)
        return list(dict.fromkeys(told))


class Api:
    """Asks the application that it is given. One for all visits."""

    def __init__(self, app: ASGIApp) -> None:
        self._transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        say: Callable[..., str],
        params: Mapping[str, Any] | None = None,
        body: Any = None,
    ) -> Answer:
        """One question. Raises ApiProblem for whatever is not a success, which speaks by `say`.

        `params` that are None are left out; `body` is sent as JSON.
        """
        sent = dict(headers)
        content = b""
        if method not in {"GET", "HEAD"}:
            content = orjson.dumps({} if body is None else body)
            sent["content-type"] = "application/json"
        chosen = {name: value for name, value in (params or {}).items() if value is not None}
        request = httpx.Request(method, _ORIGIN + path, params=chosen, headers=sent, content=content)
        response = await self._transport.handle_async_request(request)
        answer = Answer(response.status_code, response.headers, await response.aread())
        if response.is_success or response.is_redirect:
            return answer
        raise ApiProblem(answer.status, _members(answer), say)


def _members(answer: Answer) -> Mapping[str, Any]:
    try:
        members = answer.json
    except orjson.JSONDecodeError:
        return {}
    return members if isinstance(members, dict) else {}
