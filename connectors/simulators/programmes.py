"""A programme's membership list behind an SPLP gateway, as a real HTTP server.

Token endpoint, Bearer, a subscription per API, a throttling tier, and faults in the three shapes that WSO2's
gateways use (wrapped and flat JSON, XML). The list behind it is Gapura's own format, kept as a log in which
every membership stands once, at its last change: a cursor is a place in that log.
"""

from __future__ import annotations

import base64
import hmac
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from secrets import token_urlsafe
from typing import Any, Literal
from urllib.parse import parse_qs, unquote_plus

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from connectors.kind import Clock, Secrets, SimulatedPerson, Simulation
from connectors.programmes.rows import FORMAT

Fault = Literal[
    "token_revoked",
    "throttled",
    "backend_down",
    "truncated",
    "garbage",
    "stuck_cursor",
    "cursor_expired",
    "wrong_programme",
    "spoilt_rows",
]
# The programmes whose lists are simulated.
LISTED = ("PKH", "BPNT", "BST")
# A number that no registry of the demo holds: what an operator sees of a row that fits nobody.
_UNKNOWN_NIK = "3578014101809999"
# One in so many people is in a programme's list and not yet in the registry.
_NEWLY_LISTED = 40
_MOST_ROWS = 5000
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


@dataclass(frozen=True, slots=True)
class Row:
    """One membership of a synthetic person. `ends_on` is exclusive; equal to `starts_on` it is taken back."""

    programme: str
    nik: str
    starts_on: date
    ends_on: date | None = None
    segment: str | None = None


def memberships_among(people: Iterable[SimulatedPerson], today: date) -> Iterator[Row]:
    """Who the registry has enrolled, some whom it does not know of yet, and one whom it cannot know."""
    quarter = today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1)
    for person in people:
        enrolled = [one for one in person.enrolments if one.programme in LISTED]
        for one in enrolled:
            yield Row(one.programme, person.nik, one.starts_on, one.ends_on, one.segment)
        if not enrolled and person.lot(_NEWLY_LISTED) == 0:
            yield Row("PKH", person.nik, quarter, segment="anak_sekolah")
    yield Row("PKH", _UNKNOWN_NIK, quarter)


@dataclass
class ProgrammesSimulator:
    """`app` serves `/oauth2/token` and `/{context}/{version}/memberships` to one application.

    `next_answers` holds faults; each is used up by one call for a page. At most `calls_per_minute` calls are
    let through in a minute of `clock` (UTC). `tokens_issued` and `pages_asked` count, refused pages too.
    """

    rows: Iterable[Row]
    client_id: str
    client_secret: str
    clock: Callable[[], datetime]
    context: str = "bansos"
    version: str = "1.0"
    subscribed: bool = True
    calls_per_minute: int = 600
    token_life: timedelta = timedelta(hours=1)
    fault_shape: Literal["wrapped", "flat", "xml"] = "wrapped"
    retry_after: bool = False
    next_answers: deque[Fault] = field(default_factory=deque)
    tokens_issued: int = 0
    pages_asked: int = 0
    app: Starlette = field(init=False)

    def __post_init__(self) -> None:
        self._log: dict[tuple[str, str, date], tuple[int, Row]] = {}
        self._changes = 0
        self._tokens: dict[str, datetime] = {}
        self._calls: deque[datetime] = deque()
        for row in self.rows:
            self.publish(row)
        self.app = Starlette(
            routes=[
                Route("/oauth2/token", self._token, methods=["POST"]),
                Route(f"/{self.context}/{self.version}/memberships", self._page),
            ]
        )

    def publish(self, row: Row) -> None:
        """Add a membership, or tell it anew: it is then the newest of the log."""
        self._changes += 1
        self._log[row.programme, row.nik, row.starts_on] = self._changes, row

    async def _token(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        client, secret = _basic(request.headers.get("authorization", ""))
        right = hmac.compare_digest(secret.encode(), self.client_secret.encode())
        if client != self.client_id or not right:
            words = {"error": "invalid_client", "error_description": "Client Authentication failed."}
            return JSONResponse(words, 401)
        if form.get("grant_type") != ["client_credentials"]:
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        self.tokens_issued += 1
        token = token_urlsafe(32)
        self._tokens[token] = self.clock() + self.token_life
        seconds = int(self.token_life.total_seconds())
        return JSONResponse(
            {"access_token": token, "scope": "default", "token_type": "Bearer", "expires_in": seconds}
        )

    async def _page(self, request: Request) -> Response:
        self.pages_asked += 1
        fault = self.next_answers.popleft() if self.next_answers else None
        if fault == "token_revoked":
            self._tokens.clear()
        return self._refusal(request, fault) or self._answer(request, fault)

    def _refusal(self, request: Request, fault: Fault | None) -> Response | None:
        """What the gateway says before it lets a call through, or None."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        now = self.clock()
        if scheme.lower() != "bearer" or not token:
            return self._fault(401, 900902, "Missing Credentials")
        if token not in self._tokens:
            return self._fault(401, 900901, "Invalid Credentials")
        if self._tokens[token] <= now:
            return self._fault(401, 900903, "Access Token Expired")
        if not self.subscribed:
            return self._fault(403, 900908, "Resource forbidden ")
        while self._calls and self._calls[0] <= now - timedelta(minutes=1):
            self._calls.popleft()
        if fault == "throttled" or len(self._calls) >= self.calls_per_minute:
            return self._throttled(now)
        self._calls.append(now)
        return None

    def _throttled(self, now: datetime) -> Response:
        oldest = self._calls[0] if self._calls else now - timedelta(seconds=59)
        free_at = oldest + timedelta(minutes=1)
        month = _MONTHS[free_at.month * 3 - 3 : free_at.month * 3]
        answer = self._fault(
            429,
            900803,
            "Message throttled out",
            description="You have exceeded your quota",
            nextAccessTime=f"{free_at:%Y}-{month}-{free_at:%d %H:%M:%S}+0000 UTC",
        )
        if self.retry_after:
            answer.headers["Retry-After"] = str(max(1, round((free_at - now).total_seconds())))
        return answer

    def _fault(self, status: int, code: int, message: str, **more: str) -> Response:
        body: dict[str, Any] = {"code": code, "message": message, "description": message, **more}
        match self.fault_shape:
            case "wrapped":
                return JSONResponse({"fault": body}, status)
            case "flat":
                return JSONResponse({**body, "code": str(code), "type": "Status report"}, status)
            case "xml":
                inner = "".join(f"<am:{name}>{value}</am:{name}>" for name, value in body.items())
                text = f'<am:fault xmlns:am="http://wso2.org/apimanager">{inner}</am:fault>'
                return Response(text, status, media_type="application/xml")

    def _answer(self, request: Request, fault: Fault | None) -> Response:
        if fault == "backend_down":
            return self._fault(503, 101503, "Runtime Error")
        programme, limit = request.query_params.get("programme", ""), request.query_params.get("limit", "")
        place = _place(request.query_params.get("cursor"))
        if not limit.isdigit() or not 1 <= int(limit) <= _MOST_ROWS:
            return JSONResponse({"error": "limit must be 1 to 5000"}, 400)
        if place is None or fault == "cursor_expired":
            return JSONResponse({"error": "cursor_expired"}, 410)
        found = sorted(
            (at, row) for (of, _, _), (at, row) in self._log.items() if of == programme and at > place
        )
        shown = found[: int(limit)]
        page = {
            "format": FORMAT,
            "programme": "ANOTHER" if fault == "wrong_programme" else programme,
            "as_of": self.clock().date().isoformat(),
            "items": [_item(row, spoilt=fault == "spoilt_rows") for _, row in shown],
            "next_cursor": _cursor(shown[-1][0] if shown and fault != "stuck_cursor" else place),
            "more": len(found) > len(shown) or fault == "stuck_cursor",
        }
        return _damaged(JSONResponse(page), fault)


def _damaged(answer: Response, fault: Fault | None) -> Response:
    if fault == "truncated":
        return Response(answer.body[: len(answer.body) // 2], media_type="application/json")
    if fault == "garbage":
        return Response("<html><body>Portal Penyedia</body></html>", media_type="text/html")
    return answer


def _item(row: Row, *, spoilt: bool) -> dict[str, Any]:
    return {
        # Spoilt as a spreadsheet does it: the number is a number.
        "nik": int(row.nik) if spoilt else row.nik,
        "starts_on": row.starts_on.isoformat(),
        "ends_on": row.ends_on and row.ends_on.isoformat(),
        "segment": row.segment,
    }


def _cursor(place: int) -> str:
    return base64.urlsafe_b64encode(f"place {place}".encode()).decode().rstrip("=")


def _place(cursor: str | None) -> int | None:
    """Where a cursor points, 0 for the beginning, None for one that was not given out here."""
    if cursor is None:
        return 0
    try:
        words = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        return int(words.removeprefix("place "))
    except ValueError:
        return None


def _basic(authorization: str) -> tuple[str, str]:
    """Client id and secret of a Basic header, form-decoded as RFC 6749, 2.3.1 encodes them."""
    try:
        pair = base64.b64decode(authorization.removeprefix("Basic "), validate=True).decode()
    except ValueError:
        return "", ""
    client, _, secret = pair.partition(":")
    return unquote_plus(client), unquote_plus(secret)


def _serve(people: Sequence[SimulatedPerson], secrets: Secrets, clock: Clock) -> ASGIApp:
    rows = memberships_among(people, clock().date())
    return ProgrammesSimulator(rows, secrets["client_id"], secrets["client_secret"], clock=clock).app


# One publisher for the lists of all programmes in LISTED; each has its own section with these keys.
SIMULATION = Simulation(
    serve=_serve,
    secrets={"client_id": "gapura-latihan", "client_secret": "rahasia-latihan"},
    keys={"path": "/bansos/1.0/memberships", "token_path": "/oauth2/token"},
)
