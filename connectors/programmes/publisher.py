"""Membership lists of PKH, BPNT, BST and any other programme, pulled as a publisher on SPLP would serve them.

SPLP is a WSO2 API Manager by the evidence of its own training material: OAuth2 client credentials per
subscribed application, Bearer, throttling tiers, fault bodies with 9008xx and 9009xx codes. The resource

    GET /{context}/{version}/memberships?programme=PKH&limit=1000[&cursor=...]

and the format of the list are Gapura's own (connectors/programmes/rows.py). A page goes to the caller before
the next is asked for, with the cursor from which a pull that was cut short goes on.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import quote_plus, urlencode

from connectors.programmes.rows import Page, read_page
from connectors.transport.client import Transport
from connectors.transport.failures import (
    BrokenContract,
    GarbledAnswer,
    Misconfigured,
    Overloaded,
    Rejected,
    ServerFault,
    SourceFailure,
    TerminalFailure,
)
from connectors.transport.strict_json import strict_json
from connectors.transport.wire import Reply, retry_after_s

# Statuses whose body names the cause. 429 and 503 are among them for the time at which to come back.
_FAULTS = frozenset({400, 401, 403, 404, 410, 429, 500, 503})
_FAULT_CODE = re.compile(r"\b(?:9008[0-9]{2}|9009[0-9]{2}|700700)\b")
_NEXT_ACCESS = re.compile(r"(20\d\d)-([A-Z][a-z]{2})-(\d\d) (\d\d):(\d\d):(\d\d)\+0000")
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_TOKEN_REFUSED = frozenset({"900901", "900902", "900903", "900904"})
_CONFIGURATION: Mapping[str, str] = MappingProxyType(
    {
        "900905": "the token is not of the kind that this API wants: check the application's settings",
        "900906": "this API has no such resource: check path and version",
        "900907": "the API or this application is blocked: ask its publisher",
        "900908": "this application has no subscription to the API: subscribe it in the developer portal",
        "900909": "the subscription to the API is not active: ask its publisher",
        "900910": "the token lacks the scope of this resource: have it granted to the application",
        "900805": "the publisher has blocked this application or our address",
    }
)
# A token that says nothing useful about its life is renewed this often; the early bird avoids the gap.
_TOKEN_LIFE_S, _RENEW_BEFORE_S = 3600, 60


class CursorExpired(TerminalFailure):
    """The publisher no longer knows the cursor: pull the list anew, from no cursor."""

    alive = True


class _TokenRefused(Misconfigured):
    """The Bearer token was not taken. Once that is an early end of its life, twice it is configuration."""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """Consumer key and secret of the application that is subscribed to the API."""

    client_id: str
    client_secret: str = field(repr=False)

    def basic(self) -> str:
        """The Authorization header of RFC 6749, 2.3.1, which encodes both halves before it joins them."""
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"


class ProgrammeListSource:
    """The list of one programme. `api` leads to SPLP's gateway, `tokens` to its token endpoint's host.

    `name` stands as the source beside every membership; `path` is the resource, /{context}/{version}/...
    """

    def __init__(
        self,
        *,
        name: str,
        programme: str,
        api: Transport,
        path: str,
        tokens: Transport,
        token_path: str,
        credentials: ClientCredentials,
        clock: Callable[[], datetime],
        page_size: int = 1000,
    ) -> None:
        self.name = name
        self.programme = programme
        self._api = api
        self._path = path
        self._tokens = tokens
        self._token_path = token_path
        self._credentials = credentials
        self._clock = clock
        self._page_size = page_size
        self._token: tuple[str, datetime] | None = None

    async def pages(self, cursor: str | None, deadline: float) -> AsyncGenerator[Page]:
        """The list from `cursor` on (None = from the beginning), page by page, until it says that it ends.

        Raises SourceFailure where it stops early; the cursor of the last page is then where to go on, except
        after CursorExpired. `deadline` is event-loop time in seconds and covers the whole pull.
        """
        seen = {cursor}
        while True:
            page = read_page(await self._get(cursor, self._page_size, deadline), self.programme, self.name)
            if page.more and page.cursor in seen:
                raise BrokenContract(f"{self.name} says that there is more, and gives no new cursor to it")
            yield page
            if not page.more:
                return
            cursor = page.cursor
            seen.add(cursor)

    async def ping(self) -> None:
        """Ask for one row; raises SourceFailure."""
        deadline = asyncio.get_running_loop().time() + self._api.settings.attempt_timeout_s
        await self._get(None, 1, deadline)

    async def _get(self, cursor: str | None, limit: int, deadline: float) -> Any:
        params = {"programme": self.programme, "limit": str(limit)}
        if cursor is not None:
            params["cursor"] = cursor
        token = await self._bearer(deadline, refused=None)
        with suppress(_TokenRefused):
            return await self._send(self._api, "GET", self._path, token, deadline, params=params)
        token = await self._bearer(deadline, refused=token)
        return await self._send(self._api, "GET", self._path, token, deadline, params=params)

    async def _bearer(self, deadline: float, *, refused: str | None) -> str:
        """The Authorization header of the API, kept for the token's life unless it is the one `refused`."""
        if self._token is None or self._token[0] == refused or self._token[1] <= self._clock():
            form = urlencode({"grant_type": "client_credentials"}).encode()
            answer = await self._send(
                self._tokens, "POST", self._token_path, self._credentials.basic(), deadline, content=form
            )
            token, life_s = _token(answer, self._tokens.settings.name)
            self._token = token, self._clock() + timedelta(seconds=life_s)
        return self._token[0]

    async def _send(
        self,
        transport: Transport,
        method: str,
        path: str,
        authorization: str,
        deadline: float,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Any:
        """The JSON of a good answer. Raises SourceFailure."""
        parsed: Any = None

        def judge(reply: Reply) -> None:
            nonlocal parsed
            if reply.status not in (200, 201):
                raise _fault(reply, transport.settings.name, self._clock())
            parsed = _json(reply.body)
            if not isinstance(parsed, dict):
                raise GarbledAnswer(f"{transport.settings.name} does not answer with a JSON object")

        headers = {"Authorization": authorization, "Accept": "application/json"}
        if content is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        await transport.send(
            method,
            path,
            deadline=deadline,
            headers=headers,
            params=params,
            content=content,
            expect=None,  # older gateways say their faults in XML
            also_answers=_FAULTS,
            judge=judge,
        )
        return parsed


def _token(answer: Mapping[str, Any], source: str) -> tuple[str, float]:
    """The Authorization header that a token answer makes, and for how long it holds, in seconds."""
    token, kind, life_s = answer.get("access_token"), answer.get("token_type"), answer.get("expires_in")
    if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
        raise BrokenContract(f"{source} answers without a usable access_token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise BrokenContract(f"{source} does not answer with a token of type Bearer")
    if not isinstance(life_s, int | float) or not 0 < life_s < _TOKEN_LIFE_S:
        life_s = _TOKEN_LIFE_S
    return f"Bearer {token}", max(0.0, life_s - _RENEW_BEFORE_S)


def _fault(reply: Reply, source: str, now: datetime) -> SourceFailure:
    """The failure that a fault means, told by code and status alone: its words may quote the question."""
    text = reply.body.decode("utf-8", "replace")
    code = next(iter(_FAULT_CODE.findall(text)), "")
    if code in _TOKEN_REFUSED:
        return _TokenRefused(f"{source} refuses a fresh token ({code}): check the application", alive=True)
    if code in _CONFIGURATION:
        return Misconfigured(f"{source}: {_CONFIGURATION[code]} ({code})", alive=True)
    if any(f'"{error}"' in text for error in ("invalid_client", "unauthorized_client")):
        return Misconfigured(f"{source} does not accept client_id and client_secret: check both", alive=True)
    return _fault_by_status(reply, f"{source} answers with status {reply.status} {code}".rstrip(), text, now)


def _fault_by_status(reply: Reply, said: str, text: str, now: datetime) -> SourceFailure:
    match reply.status:
        case 429 | 503:
            rest_s = retry_after_s(reply.headers.get("retry-after"), reply.headers.get("date"), now)
            rest_s = _until_next_access(text, now) if rest_s is None else rest_s
            return Overloaded(f"{said} and asks for rest", retry_after_s=rest_s, may_have_acted=False)
        case 410:
            return CursorExpired(f"{said}: the cursor has expired, pull the list anew")
        case 401 | 403:
            return Misconfigured(f"{said}: check credentials and subscription", alive=True)
        case 500:
            return ServerFault(said)
        case _:
            return Rejected(said, status=reply.status)


def _until_next_access(text: str, now: datetime) -> float | None:
    """Seconds until WSO2's nextAccessTime, such as 2026-Nov-01 05:51:00+0000 UTC."""
    if found := _NEXT_ACCESS.search(text):
        year, month, *rest = found.groups()
        with suppress(ValueError):
            day, hour, minute, second = map(int, rest)
            month_number = _MONTHS.index(month) // 3 + 1
            moment = datetime(int(year), month_number, day, hour, minute, second, tzinfo=UTC)
            return max(0.0, (moment - now).total_seconds())
    return None


def _json(body: bytes) -> Any:
    with suppress(ValueError):
        return strict_json(body.decode())
    return None
