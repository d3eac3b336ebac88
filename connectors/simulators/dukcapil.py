"""Dukcapil's "hak akses" service as a real HTTP server, for tests, the demo and training.

Written from what is publicly known of the service, and not from the connector: it shares no code with it.
People are rows with the registry's field names; a row's `dukcapil_state` says how the service knows them.
What it MUST NOT be given is anybody real.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from difflib import SequenceMatcher
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.kind import SimulatedPerson

_JAKARTA = timezone(timedelta(hours=7))
_STATES = {
    "deceased": ("11", "Data Ditemukan, Meninggal Dunia"),
    "duplicate": ("12", "Data Ditemukan, Data Ganda"),
    "not_found": ("13", "Data Tidak Ditemukan, NIK tidak terdapat di database Kependudukan"),
    "inactive": ("14", "Data Ditemukan, Status Non Aktif silahkan hubungi Dinas Dukcapil"),
    "malformed_nik": ("15", "Data Tidak Ditemukan, NIK tidak sesuai format Dukcapil"),
}
_QUOTA_USED_UP = ("05", "Kuota Akses Hari ini telah Habis")
_SCORED = {"NAMA_LGKP", "TMPT_LHR", "ALAMAT", "NAMA_LGKP_IBU"}
_NUMBERS = {"NIK", "NO_KK", "NO_RT", "NO_RW", "NO_KEL", "NO_KEC", "NO_KAB", "NO_PROP", "KODE_POS"}
_UNKNOWN_HERE = (
    *("AGAMA", "GOL_DARAH", "STATUS_KAWIN", "STAT_HBKEL", "PDDK_AKH", "JENIS_PKRJN", "NO_AKTA_LHR"),
    *("NO_AKTA_KWN", "TGL_KWN", "NO_AKTA_CRAI", "TGL_CRAI", "NIK_IBU", "NIK_AYAH", "NAMA_LGKP_AYAH"),
    *("DUSUN", "KODE_POS", "KEL_NAME", "KEC_NAME", "KAB_NAME", "PROP_NAME", "EKTP_CREATED", "EKTP_BATCH"),
    *("FOTO", "RESPON"),
)
_METHODS: Mapping[str, Literal["record", "verify"]] = {
    "CALL_NIK": "record",
    "GET_NIK": "record",
    "BYNIK": "record",
    "CALL_VERIFY_BY_ELEMEN": "verify",
    "KONEKSITAS_VERIFBY_ELEMEN": "verify",
}

Row = Mapping[str, Any]
Elements = dict[str, str]


@dataclass(frozen=True, slots=True)
class Account:
    """One user of one institution. `hosts` are the client addresses that are let in; None = any."""

    customer: str = "KEMENSOS"
    user_id: str = "latihan"
    password: str = field(default="rahasia", repr=False)
    ip_users: frozenset[str] = frozenset({"10.0.0.1"})
    hosts: frozenset[str] | None = None
    active: bool = True
    customer_active: bool = True


@dataclass(frozen=True, slots=True)
class Dialect:
    """How this server writes, where real ones differ from each other.

    `birth_date_format` is the order in which it understands dates; it writes them ISO.
    """

    message_key: Literal["RESPON", "RESPONSE", "RESPONSE_DESC"] = "RESPON"
    with_code: bool = True
    lower_case_texts: bool = False
    lower_case_keys: bool = False
    numbers: bool = False
    scores: bool = True
    with_quota: bool = True
    nik_echo: bool = False
    birth_date_format: str = "%d-%m-%Y"


@dataclass(slots=True)
class DukcapilSimulator:
    """`app` is the ASGI application; everything else may be changed while it runs.

    The quota is each account's, per day of Jakarta by `clock`, and counts every call whose login is good.
    What stands in `next_answers` is sent, one per call, instead of an answer; the call is counted.
    `calls` counts all calls; `counted` those that used up quota today, by user id; `requests` holds the
    element names that each call carried, never their values. `feedback` holds the messages accepted.
    """

    people: Iterable[Row]
    accounts: tuple[Account, ...] = (Account(),)
    clock: Callable[[], datetime] = lambda: datetime.now(_JAKARTA)
    daily_quota: int = 10_000
    dialect: Dialect = field(default_factory=Dialect)
    feedback_token: str = field(default="token-latihan", repr=False)
    next_answers: deque[Response] = field(default_factory=deque)
    calls: int = 0
    counted: dict[str, int] = field(default_factory=dict)
    requests: list[frozenset[str]] = field(default_factory=list)
    feedback: list[Any] = field(default_factory=list, repr=False)
    app: Starlette = field(init=False, repr=False)
    _rows: dict[str, Row] = field(init=False, repr=False)
    _day: date | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Index the people and lay out both families of addresses."""
        self._rows = {row["nik"]: row for row in self.people}
        self.app = Starlette(
            routes=[
                Route("/dukcapil/get_json/{customer}/{method}", self._call, methods=["POST"]),
                Route("/dukcapil/get_json/{region}/{customer}/{method}", self._call, methods=["POST"]),
                Route("/databalikan/api/store", self._store_feedback, methods=["POST"]),
            ]
        )

    async def _call(self, request: Request) -> Response:
        self.calls += 1
        kind = _METHODS.get(request.path_params["method"].upper())
        if kind is None:
            return Response("Not Found", status_code=404)
        try:
            body = {str(key).upper(): value for key, value in json.loads(await request.body()).items()}
        except (ValueError, AttributeError):
            return self._said("Parameter Tidak Lengkap / Tidak Valid")
        self.requests.append(frozenset(body))
        host = request.client.host if request.client else ""
        account = self._login(body, request.path_params["customer"], host)
        if isinstance(account, str):
            return self._said(account)
        if not self._count(account.user_id):
            return self._said(*reversed(_QUOTA_USED_UP), user_id=account.user_id)
        if self.next_answers:
            return self.next_answers.popleft()
        return self._look_up(kind, body, account.user_id)

    def _login(self, body: Mapping[str, Any], customer: str, host: str) -> Account | str:
        """The account that calls, or the text of the refusal."""
        user_id, password = body.get("USER_ID"), body.get("PASSWORD")
        ip_user = next((body[key] for key in ("IP_USER", "IP_USERS", "IP_ADDRESS") if body.get(key)), None)
        if not (user_id and password and ip_user):
            return "User, password dan IP tidak boleh kosong"
        account = next((a for a in self.accounts if (a.user_id, a.password) == (user_id, password)), None)
        if account is None or account.customer.upper() != customer.upper():
            return "Login Gagal"
        refusals = {
            "User ID Tidak Aktif": not account.active,
            "Instansi Tidak Aktif": not account.customer_active,
            "IP Client  Tidak terdaftar": account.hosts is not None and host not in account.hosts,
            "IP Address Tidak Sesuai": ip_user not in account.ip_users,
        }
        return next((text for text, refused in refusals.items() if refused), account)

    def _count(self, user_id: str) -> bool:
        today = self.clock().astimezone(_JAKARTA).date()
        if today != self._day:
            self._day = today
            self.counted.clear()
        if self.counted.get(user_id, 0) >= self.daily_quota:
            return False
        self.counted[user_id] = self.counted.get(user_id, 0) + 1
        return True

    def _look_up(self, kind: str, body: Mapping[str, Any], user_id: str) -> Response:
        nik = str(body.get("NIK", ""))
        threshold = str(body.get("TRESHOLD", ""))
        if not nik or (kind == "verify" and not (threshold.isdigit() and 1 <= int(threshold) <= 100)):  # noqa: PLR2004 - per cent
            return self._said("Parameter Tidak Lengkap / Tidak Valid", user_id=user_id)
        row = self._rows.get(nik)
        if row is None:
            well_formed = len(nik) == 16 and nik.isdigit()  # noqa: PLR2004 - digits of a NIK
            state = "not_found" if well_formed else "malformed_nik"
        else:
            state = row.get("dukcapil_state", "deceased" if row.get("life_status") == "deceased" else "alive")
        if state in _STATES:
            return self._said(*reversed(_STATES[state]), user_id=user_id)
        assert row is not None  # noqa: S101 - only a row is in any other state
        elements = _elements(row)
        if kind == "record":
            return self._page(self._record(elements), user_id)
        asked = {name: str(value) for name, value in body.items() if name in elements}
        return self._page(self._verify(asked, elements, int(threshold)), user_id)

    def _record(self, elements: Elements) -> dict[str, Any]:
        record: dict[str, Any] = {name: self._number(name, value) for name, value in elements.items()}
        return {**record, **dict.fromkeys(_UNKNOWN_HERE), "EKTP_STATUS": "SUDAH REKAM"}

    def _number(self, name: str, value: str) -> str | int:
        return int(value) if self.dialect.numbers and name in _NUMBERS and value.isdigit() else value

    def _verify(self, asked: Elements, held: Elements, threshold: int) -> dict[str, Any]:
        said: dict[str, Any] = {
            name: self._verdict(name, asked[name], held[name], threshold) for name in asked
        }
        if self.dialect.nik_echo:
            said["NIK"] = self._number("NIK", held["NIK"])
        return said

    def _verdict(self, name: str, asked: str, held: str, threshold: int) -> str:
        if name not in _SCORED:
            if name == "TGL_LHR":
                asked = self._iso(asked)
            same = asked.upper() == held.upper()
            return "Sesuai" if same else "Tidak Sesuai"
        score = round(SequenceMatcher(None, asked.upper(), held.upper(), autojunk=False).ratio() * 100)
        word = "Sesuai" if score >= threshold else "Tidak Sesuai"
        return f"{word} ({score})" if self.dialect.scores else word

    def _iso(self, text: str) -> str:
        try:
            return datetime.strptime(text, self.dialect.birth_date_format).date().isoformat()  # noqa: DTZ007 - a day
        except ValueError:
            return ""

    def _said(self, text: str, code: str | None = None, *, user_id: str | None = None) -> Response:
        """A business failure: HTTP 200, with the error inside the page."""
        text = text.lower() if self.dialect.lower_case_texts else text
        content: dict[str, Any] = {self.dialect.message_key: text}
        if code is not None and self.dialect.with_code:
            content["RESPONSE_CODE"] = int(code) if self.dialect.numbers else code
        return self._page(content, user_id)

    def _page(self, content: dict[str, Any], user_id: str | None) -> Response:
        if self.dialect.lower_case_keys:
            content = {name.lower(): value for name, value in content.items()}
        page: dict[str, Any] = {
            "content": [content],
            "lastPage": True,
            "firstPage": True,
            "numberOfElements": 1,
            "totalElements": 1,
            "number": 0,
            "size": 1,
            "sort": None,
        }
        if self.dialect.with_quota and user_id is not None:
            page["quotaLimiter"] = self.daily_quota - self.counted.get(user_id, 0)
        return JSONResponse(page)

    async def _store_feedback(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {self.feedback_token}":
            return JSONResponse({"message": "Unauthorized"}, status_code=401)
        if self.next_answers:
            return self.next_answers.popleft()
        try:
            messages = json.loads(await request.body())
        except ValueError:
            messages = None
        if not (isinstance(messages, list) and messages and all(map(_is_feedback, messages))):
            return JSONResponse({"message": "Parameter Tidak Valid"}, status_code=400)
        if all(message in self.feedback for message in messages):
            return JSONResponse({"message": "Data sudah pernah dikirim"}, status_code=400)
        self.feedback.extend(messages)
        return JSONResponse({"message": "Success"})


def population_row(person: SimulatedPerson) -> Row:
    """As the registry has them, except where the registry itself says that Dukcapil differs."""
    row = {"nik": person.nik, **person.known}
    if person.shares_nik or person.known.get("identity_status") == "duplicate":
        return {**row, "dukcapil_state": "duplicate"}
    if person.known.get("identity_status") == "unmatched":
        return {**row, "full_name": "ORANG LAIN CONTOH", "birth_date": date(1950, 1, 1)}
    return row


def _elements(row: Row) -> Elements:
    """The row in Dukcapil's words: upper case, ISO dates, codes of 2, 2, 2 and 4 digits."""
    province, regency, district, village = ([*str(row.get("region") or "").split("."), "", "", ""])[:4]
    born = row.get("birth_date")
    texts = {
        "NIK": row["nik"],
        "NO_KK": row.get("family_card_number"),
        "NAMA_LGKP": row.get("full_name"),
        "TMPT_LHR": row.get("birth_place"),
        "TGL_LHR": born.isoformat() if isinstance(born, date) else born,
        "JENIS_KLMIN": {"L": "LAKI-LAKI", "P": "PEREMPUAN"}.get(str(row.get("sex"))),
        "NAMA_LGKP_IBU": row.get("mother_name"),
        "ALAMAT": row.get("address"),
        "NO_RT": row.get("rt"),
        "NO_RW": row.get("rw"),
        "NO_PROP": province,
        "NO_KAB": regency,
        "NO_KEC": district,
        "NO_KEL": village,
    }
    return {name: str(text or "").upper() for name, text in texts.items()}


def _is_feedback(message: Any) -> bool:
    """Whether this reads `{id_lembaga, nama_lembaga, data: [{NIK, param: [{...}]}]}`."""
    if not isinstance(message, dict) or not (message.get("id_lembaga") and message.get("nama_lembaga")):
        return False
    data = message.get("data")
    return isinstance(data, list) and all(
        isinstance(entry, dict) and isinstance(entry.get("NIK"), str) and isinstance(entry.get("param"), list)
        for entry in data
    )
