"""What of the API is going away, since when, until when: one declaration, told on every answer and in /docs.

`Deprecation` is RFC 9745, `Sunset` RFC 8594; their links lead to the words for people. An operation that is
declared here goes on as before: it is removed by the release after its sunset, and by nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import SettingsInvalid

# What partners were promised: README, "What may change".
NOTICE = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Deprecated:
    """An operation that is going away. Moments are aware; `words` is an address where people read why.

    `operation` is as the contract has it: `POST /v1/records`. `instead` is the path of what takes its place.
    """

    operation: str
    since: datetime
    sunset: datetime | None
    words: str
    instead: str | None = None

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What every answer of the operation says."""
        links = [f'<{self.words}>; rel="deprecation"; type="text/html"']
        fields = {"deprecation": f"@{int(self.since.timestamp())}"}
        if self.sunset is not None:
            fields["sunset"] = format_datetime(self.sunset.astimezone(UTC), usegmt=True)
            links.append(f'<{self.words}>; rel="sunset"; type="text/html"')
        if self.instead is not None:
            links.append(f'<{self.instead}>; rel="successor-version"')
        fields["link"] = ", ".join(links)
        return [(name.encode(), value.encode()) for name, value in fields.items()]


# THE declaration. Empty: nothing of version 1 is going away.
DEPRECATED: tuple[Deprecated, ...] = ()


def told(app: ASGIApp, deprecated: Sequence[Deprecated]) -> ASGIApp:
    """The app, whose answers say what is going away. As good as always nothing is, and nothing is added."""
    return _Telling(app, {one.operation: one.headers() for one in deprecated}) if deprecated else app


class _Telling:
    def __init__(self, app: ASGIApp, headers: Mapping[str, list[tuple[bytes, bytes]]]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def telling_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The route is known by now: an answer of the framework's own has none.
                path = getattr(scope.get("route"), "path", None)
                more = self._headers.get(f"{scope['method']} {path}", ())
                message["headers"] = [*message["headers"], *more]
            await send(message)

        await self._app(scope, receive, telling_send)


def document(contract: dict[str, Any], deprecated: Iterable[Deprecated]) -> None:
    """Mark the operations in the contract.

    Raises SettingsInvalid for one that it does not have, or that ends before its notice does: a declaration
    that says nothing would be worse than none.
    """
    problems = []
    for one in deprecated:
        method, _, path = one.operation.partition(" ")
        operation = contract["paths"].get(path, {}).get(method.lower())
        if operation is None:
            problems.append(f"{one.operation}: deprecated, and no operation of the contract")
            continue
        if one.sunset is not None and one.sunset - one.since < NOTICE:
            problems.append(
                f"{one.operation}: its sunset is less than {NOTICE.days} days after its deprecation"
            )
        operation["deprecated"] = True
        operation["description"] = f"{operation.get('description', '')}\n\n{_sentence(one)}".strip()
        for response in operation.get("responses", {}).values():
            response.setdefault("headers", {}).update(_FIELDS)
    if problems:
        raise SettingsInvalid(problems)


def _sentence(one: Deprecated) -> str:
    ends = f", served until {one.sunset:%Y-%m-%d} at least" if one.sunset else ""
    instead = f" Use {one.instead} instead." if one.instead else ""
    return f"**Deprecated** since {one.since:%Y-%m-%d}{ends}: see {one.words}.{instead}"


_FIELDS: Mapping[str, Any] = {
    "Deprecation": {"description": "RFC 9745: since when.", "schema": {"type": "string"}},
    "Sunset": {"description": "RFC 8594: until when it is served.", "schema": {"type": "string"}},
}
