"""BPJS Kesehatan's VClaim as a real HTTP server: what a health facility meets when it looks up a member.

It checks the header signature within a clock window, and answers with a string that is encrypted under a key
of that very call. The size of BPJS's own window, its HTTP status for a refusal and its words for "no such
member" are not public: they are settings here, so that a connector can be shown not to depend on them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from urllib.parse import unquote

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from connectors.bpjs.lzstring import compress_to_encoded_uri_component
from connectors.kind import SimulatedPerson

Fault = Literal[
    "unregistered",
    "expired",
    "signature",
    "refused",
    "plaintext",
    "lowercase",
    "wrong_person",
    "another_key",
    "truncated",
    "garbage",
    "http_429",
    "http_503",
]
Segment = Literal["pbi_apbn", "pbi_apbd", "private", "self_employed"]

UNREGISTERED = "Unauthorized! You are not registered for this service!"
EXPIRED = "Unauthorized! Consumer ID is expired!"
WRONG_SIGNATURE = "Signature Service Tidak Sesuai"
NOT_FOUND = "Peserta Tidak Ditemukan"
_KINDS: Mapping[Segment, tuple[str, str]] = {
    "pbi_apbn": ("21", "PBI (APBN)"),
    "pbi_apbd": ("22", "PBI (APBD)"),
    "private": ("13", "PEGAWAI SWASTA"),
    "self_employed": ("14", "PEKERJA MANDIRI"),
}
_CLASSES = {"1": "KELAS I", "2": "KELAS II", "3": "KELAS III"}
_BLOCK_BITS = 128
_CHALLENGES = {"unregistered": UNREGISTERED, "expired": EXPIRED, "signature": WRONG_SIGNATURE}


@dataclass(frozen=True, slots=True)
class Member:
    """A synthetic person as BPJS knows them. `inactive_because` is the rest of the words NON AKTIF ..."""

    nik: str
    name: str
    card_number: str
    birth_date: date
    sex: Literal["L", "P"]
    segment: Segment
    class_: Literal["1", "2", "3"] = "3"
    active: bool = True
    inactive_because: str = "KARENA PREMI"


def members_among(people: Iterable[SimulatedPerson]) -> Iterator[Member]:
    """Whom BPJS knows of these: recipients of PBI-JK as such, most others by lot, the dead as inactive."""
    for number, person in enumerate(people, start=1):
        born = person.known.get("birth_date")
        insured = any(one.programme == "PBI-JK" for one in person.enrolments)
        if isinstance(born, date) and person.text("sex") and (insured or person.lot(4)):
            yield _member(person, f"{number:013}", born)


def _member(person: SimulatedPerson, card_number: str, born: date) -> Member:
    by_lot: tuple[Segment, ...] = ("private", "self_employed", "pbi_apbd")
    paid = any(one.programme == "PBI-JK" and one.ends_on is None for one in person.enrolments)
    segment = "pbi_apbn" if paid else by_lot[person.lot(len(by_lot))]
    dead = person.text("life_status") == "deceased"
    return Member(
        nik=person.nik,
        name=person.text("full_name") or "",
        card_number=card_number,
        birth_date=born,
        sex="P" if person.text("sex") == "P" else "L",
        segment=segment,
        class_="3" if segment.startswith("pbi") else "2",
        active=not dead and not (segment == "self_employed" and person.lot(2) == 0),
        inactive_because="MENINGGAL" if dead else "KARENA PREMI",
    )


@dataclass
class BpjsSimulator:
    """`app` serves `/vclaim-rest/Peserta/...` to one registered consumer.

    `next_answers` holds faults; each is used up by one call that asks for a member. `asked` counts calls,
    refused ones too. `clock` is the server's, in UTC.
    """

    members: Iterable[Member]
    consumer_id: str
    secret: str
    user_key: str
    clock: Callable[[], datetime]
    clock_window: timedelta = timedelta(minutes=5)
    expired: bool = False
    refusals: Literal["json", "text"] = "json"
    refusal_status: int = 401
    not_found: str = NOT_FOUND
    retry_after_s: int = 1
    next_answers: deque[Fault] = field(default_factory=deque)
    asked: int = 0
    app: Starlette = field(init=False)

    def __post_init__(self) -> None:
        members = list(self.members)
        self._by_nik = {member.nik: member for member in members}
        self._by_card = {member.card_number: member for member in members}
        self.app = Starlette(
            routes=[
                Route("/vclaim-rest/Peserta/nik/{number}/tglSEP/{day}", self._by("nik")),
                Route("/vclaim-rest/Peserta/nokartu/{number}/tglSEP/{day}", self._by("nokartu")),
            ]
        )

    def _by(self, kind: Literal["nik", "nokartu"]) -> Callable[[Request], Any]:
        found = self._by_nik if kind == "nik" else self._by_card

        async def answer(request: Request) -> Response:
            self.asked += 1
            fault = self.next_answers.popleft() if self.next_answers else None
            if refusal := self._refusal(request, fault):
                return refusal
            number, day = request.path_params["number"], request.path_params["day"]
            if not _is_iso_date(day):
                return _business_refusal("Format Tanggal SEP yyyy-MM-dd")
            member = found.get(unquote(number))
            if fault == "wrong_person":
                member = next(other for other in found.values() if other is not member)
            if member is None:
                return _business_refusal(self.not_found)
            return self._answer(member, request.headers["x-timestamp"], fault)

        return answer

    def _refusal(self, request: Request, fault: Fault | None) -> Response | None:
        """What the gateway in front says before the service is reached, or None."""
        if fault == "http_429":
            return PlainTextResponse("Too Many Requests", 429, {"Retry-After": str(self.retry_after_s)})
        if fault == "http_503":
            return PlainTextResponse("Service Unavailable", 503)
        if fault == "refused":
            return _business_refusal("Tanggal SEP tidak boleh mundur")
        words = _CHALLENGES.get(fault or "") or self._challenge(request)
        if words is None:
            return None
        if self.refusals == "text":
            return PlainTextResponse(words, self.refusal_status)
        body = {"metaData": {"code": str(self.refusal_status), "message": words}, "response": None}
        return JSONResponse(body, self.refusal_status)

    def _challenge(self, request: Request) -> str | None:
        consumer = request.headers.get("x-cons-id", "")
        known = hmac.compare_digest(request.headers.get("user_key", "").encode(), self.user_key.encode())
        if consumer != self.consumer_id or not known:
            return UNREGISTERED
        if self.expired:
            return EXPIRED
        stamp = request.headers.get("x-timestamp", "")
        right = base64.b64encode(_mac(self.secret, f"{consumer}&{stamp}"))
        given = request.headers.get("x-signature", "").encode()
        in_time = stamp.isdigit() and (
            abs(self.clock().timestamp() - int(stamp)) <= self.clock_window.total_seconds()
        )
        return None if in_time and hmac.compare_digest(right, given) else WRONG_SIGNATURE

    def _answer(self, member: Member, timestamp: str, fault: Fault | None) -> Response:
        content = {"peserta": self._member(member)}
        if fault == "plaintext":
            return _enveloped(content)
        key_text = self.consumer_id + self.secret + ("0" if fault == "another_key" else timestamp)
        sealed = seal(json.dumps(content), key_text)
        if fault == "truncated":
            sealed = sealed[: len(sealed) // 8 * 4]
        if fault == "garbage":
            return Response(b"<html><body>OK</body></html>", media_type="text/html")
        return _enveloped(sealed, "metadata" if fault == "lowercase" else "metaData")

    def _member(self, member: Member) -> dict[str, Any]:
        kind, kind_words = _KINDS[member.segment]
        age = _age(member.birth_date, self.clock().date())
        return {
            "cob": {"nmAsuransi": None, "noAsuransi": None, "tglTAT": None, "tglTMT": None},
            "hakKelas": {"keterangan": _CLASSES[member.class_], "kode": member.class_},
            "informasi": {"dinsos": None, "eSEP": None, "noSKTM": None, "prolanisPRB": None},
            "jenisPeserta": {"keterangan": kind_words, "kode": kind},
            "mr": {"noMR": None, "noTelepon": None},
            "nama": member.name,
            "nik": member.nik,
            "noKartu": member.card_number,
            "pisa": "1",
            "provUmum": {"kdProvider": "0000P000", "nmProvider": "PUSKESMAS CONTOH"},
            "sex": member.sex,
            "statusPeserta": {"keterangan": "AKTIF", "kode": "0"}
            if member.active
            else {"keterangan": f"NON AKTIF {member.inactive_because}".strip(), "kode": "1"},
            "tglCetakKartu": "2016-02-12",
            "tglLahir": member.birth_date.isoformat(),
            "tglTAT": "2099-12-31",
            "tglTMT": "2014-01-01",
            "umur": {"umurSaatPelayanan": age, "umurSekarang": age},
        }


def seal(text: str, key_text: str) -> str:
    """Pack, encrypt and encode as VClaim does; `key_text` is consumer id, secret and timestamp in a row."""
    key = hashlib.sha256(key_text.encode()).digest()
    padder = PKCS7(_BLOCK_BITS).padder()
    padded = padder.update(compress_to_encoded_uri_component(text).encode()) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def _enveloped(response: Any, metadata: str = "metaData") -> JSONResponse:
    return JSONResponse({metadata: {"code": "200", "message": "OK"}, "response": response})


def _business_refusal(words: str) -> JSONResponse:
    return JSONResponse({"metaData": {"code": "201", "message": words}, "response": None})


def _mac(secret: str, message: str) -> bytes:
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).digest()


def _is_iso_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _age(born: date, today: date) -> str:
    months = (today.year - born.year) * 12 + today.month - born.month - (today.day < born.day)
    return f"{months // 12} tahun ,{months % 12} bulan"


def utc_now() -> datetime:
    """The clock of a simulator that runs for people."""
    return datetime.now(UTC)
