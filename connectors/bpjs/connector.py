"""BPJS Kesehatan: is this NIK a member now, in which segment, in which class. Asked over VClaim.

VClaim is made for health facilities; no public specification of an exchange with the ministry exists, and it
is the nearest real protocol. Its answers come under a key of that very call, without integrity: so every
word is taken only where two parts of the answer agree on it, and what is not known by heart has no value.

BPJS wants the NIK in the path. It MUST NOT get from there into a cause, a log line or an exception: nothing
of a request or an answer is quoted here, and the transport logs no address.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from connectors.base import NotFound, Outcome, Record, Subject, Unavailable, Value
from connectors.bpjs.lzstring import BrokenText, decompress_from_encoded_uri_component
from connectors.transport.client import Transport
from connectors.transport.failures import (
    BrokenContract,
    GarbledAnswer,
    Misconfigured,
    Overloaded,
    Rejected,
    ServerFault,
    SourceFailure,
)
from connectors.transport.strict_json import strict_json
from connectors.transport.wire import Reply

_WIB = timezone(timedelta(hours=7), "WIB")
_AES_BLOCK = 16
_NIK = re.compile(r"[0-9]{16}")
# Statuses with which a gateway may say one of its refusals; the words decide, not the number.
_READABLE_STATUSES = frozenset({400, 401, 403, 404, 412, 500})
_NO_CARD = "0" * 13
# BPJS's window is not public; one minute apart is more than a machine that keeps time ever is.
_DRIFT_WORTH_NAMING_S = 60

_REFUSALS = (
    (
        re.compile(r"not registered for this service", re.IGNORECASE),
        (
            "BPJS says that this consumer is not registered for VClaim: check consumer_id and user_key, and "
            "ask BPJS whether the service is activated for them"
        ),
    ),
    (
        re.compile(r"consumer id is expired", re.IGNORECASE),
        "BPJS says that the consumer id has expired: have BPJS renew it",
    ),
)
_WRONG_SIGNATURE = re.compile(r"signature service tidak sesuai", re.IGNORECASE)
# The exact words are not public. The whole message has to say it: "not registered at this clinic" does not.
_NOBODY = re.compile(
    r"(?:data |nomor )?(?:peserta|nik|no\.? ?kartu)(?: peserta)?(?: dengan nik \S+)? "
    r"(?:tidak|belum) (?:ditemukan|terdaftar|ada)[ .!]*",
    re.IGNORECASE,
)
_SEGMENTS = {("21", "PBI APBN"): "pbi_apbn", ("22", "PBI APBD"): "pbi_apbd"}
_PBI_CODES = frozenset(code for code, _ in _SEGMENTS)
# Categories that the state pays for, whose codes are not public: PBI or not, nobody here can tell.
_PERHAPS_PBI = re.compile(r"PBI|APBN|APBD|PEMDA|JAMKESDA|MISKIN|TIDAK MAMPU|IURAN|PHK|CACAT")
_CLASSES = {("1", "KELAS I"): "1", ("2", "KELAS II"): "2", ("3", "KELAS III"): "3"}
_INACTIVE = re.compile(r"(?:NON ?AKTIF|TIDAK AKTIF)(?: .*)?")


@dataclass(frozen=True, slots=True)
class BpjsCredentials:
    """What BPJS gave: consumer id, the secret that signs and decrypts, and the user key of the service."""

    consumer_id: str
    secret: str = field(repr=False)
    user_key: str = field(repr=False)

    def headers(self, timestamp: str) -> dict[str, str]:
        """The headers that sign one call. `timestamp` is Unix seconds as text."""
        message = f"{self.consumer_id}&{timestamp}".encode()
        signature = hmac.new(self.secret.encode(), message, hashlib.sha256).digest()
        return {
            "X-cons-id": self.consumer_id,
            "X-timestamp": timestamp,
            "X-signature": base64.b64encode(signature).decode(),
            "user_key": self.user_key,
            "Content-Type": "application/json; charset=utf-8",
        }

    def open(self, sealed: object, timestamp: str) -> Any:
        """The content of a response to the call that was signed with `timestamp`. Raises BrokenContract."""
        try:
            if not isinstance(sealed, str):
                raise BrokenText("the response is not a text")
            key = hashlib.sha256(f"{self.consumer_id}{self.secret}{timestamp}".encode()).digest()
            decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:_AES_BLOCK])).decryptor()
            packed = decryptor.update(base64.b64decode(sealed, validate=True)) + decryptor.finalize()
            # Padding is left on: it follows LZ-String's end mark, and how BPJS pads is not public.
            return strict_json(decompress_from_encoded_uri_component(packed.decode("ascii")))
        except (binascii.Error, ValueError):
            pass
        raise BrokenContract(
            "BPJS answers with something that this call's key does not open; if every call ends so, check "
            "that secret belongs to consumer_id"
        )


@dataclass(slots=True)
class _UnderWay:
    timestamp: str
    callers: int = 0


class BpjsConnector:
    """Membership in the national health insurance, by NIK. `transport` leads to .../vclaim-rest."""

    name = "bpjs"
    provides = frozenset({"bpjs_membership_status", "bpjs_segment", "bpjs_class"})
    needs = frozenset({"nik"})
    outside = True
    many_at_once = False
    # Segments change by the month, but a premium paid in the morning counts in the afternoon.
    fresh_for: timedelta | None = timedelta(hours=1)

    def __init__(
        self, transport: Transport, credentials: BpjsCredentials, *, clock: Callable[[], datetime]
    ) -> None:
        self._transport = transport
        self._credentials = credentials
        self._clock = clock
        self._under_way: dict[str, _UnderWay] = {}

    async def fetch(
        self, subjects: Sequence[Subject], fields: frozenset[str], on_date: date, deadline: float
    ) -> Sequence[Outcome]:
        """One outcome per subject, in order. Who has no NIK of 16 digits is nobody whom BPJS could know."""
        return await asyncio.gather(*(self._fetch(one, fields, on_date, deadline) for one in subjects))

    async def ping(self) -> None:
        """Ask for a card that cannot be: to be told so proves address, credentials and clock."""
        path = f"/Peserta/nokartu/{_NO_CARD}/tglSEP/{self._today().isoformat()}"
        deadline = asyncio.get_running_loop().time() + self._transport.settings.attempt_timeout_s
        try:
            await self._ask(path, deadline)
        except Rejected:
            return

    async def _fetch(
        self, subject: Subject, fields: frozenset[str], on_date: date, deadline: float
    ) -> Outcome:
        nik = subject.nik
        if nik is None or subject.person_id is None or not _NIK.fullmatch(nik):
            return NotFound()
        try:
            reply, timestamp = await self._ask(f"/Peserta/nik/{nik}/tglSEP/{on_date.isoformat()}", deadline)
            content = self._content(reply, timestamp)
            if content is None:
                return NotFound()
            known = _membership(content, nik)
        except SourceFailure as failure:
            return Unavailable(failure.since or self._clock(), cause=failure.cause)
        # Whether BPJS answers for the day asked about or for today is not public: it is dated as said today.
        return Record(subject.person_id, {name: known[name] for name in fields}, self._today())

    async def _ask(self, path: str, deadline: float) -> tuple[Reply, str]:
        """A judged answer, and the timestamp that opens it. Raises SourceFailure.

        Who asks the same while it is under way is given the same call, hence its timestamp: it is in the key.
        """
        call = self._under_way.setdefault(path, _UnderWay(str(int(self._clock().timestamp()))))
        call.callers += 1
        try:
            reply = await self._transport.send(
                "GET",
                path,
                deadline=deadline,
                headers=self._credentials.headers(call.timestamp),
                expect=None,  # refusals come as plain text, too
                also_answers=_READABLE_STATUSES,
                judge=self._judge,
                key=(path, call.timestamp),
            )
        finally:
            call.callers -= 1
            if not call.callers:
                self._under_way.pop(path, None)
        return reply, call.timestamp

    def _content(self, reply: Reply, timestamp: str) -> Any:
        """What a judged answer holds, or None where BPJS knows nobody. Raises BrokenContract."""
        code, _, sealed = _envelope(reply)
        return self._credentials.open(sealed, timestamp) if code == "200" else None

    def _judge(self, reply: Reply) -> None:
        """Raise what the gateway or the service hid in its answer."""
        try:
            code, message, _ = _envelope(reply)
        except (GarbledAnswer, Misconfigured, ServerFault):
            self._refuse_by(_text(reply), reply)
            raise
        self._refuse_by(message, reply)
        if code == "200":
            return
        if code == "201":
            if not _NOBODY.fullmatch(message.strip()):
                raise Rejected("BPJS refuses this question (code 201)", status=reply.status)
            return
        _raise_for(code)

    def _refuse_by(self, words: str, reply: Reply) -> None:
        for pattern, cause in _REFUSALS:
            if pattern.search(words):
                raise Misconfigured(cause, alive=True)
        if _WRONG_SIGNATURE.search(words):
            raise Misconfigured(_signature_cause(reply.headers.get("date"), self._clock()), alive=True)

    def _today(self) -> date:
        return self._clock().astimezone(_WIB).date()


def _signature_cause(their_date: str | None, now: datetime) -> str:
    """A wrong secret and a wrong clock look alike to BPJS; its own Date tells them apart."""
    refused = "BPJS refuses the signature"
    try:
        theirs = parsedate_to_datetime(their_date or "")
    except ValueError:
        return f"{refused}: secret is not that of consumer_id, or this machine's clock is wrong"
    drift_s = (now - (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC))).total_seconds()
    if abs(drift_s) < _DRIFT_WORTH_NAMING_S:
        return f"{refused}, and the clocks agree: secret is not that of consumer_id"
    way = "ahead of" if drift_s > 0 else "behind"
    return f"{refused}: this machine's clock is {abs(drift_s):.0f} s {way} that of BPJS, synchronise it (NTP)"


def _envelope(reply: Reply) -> tuple[str, str, Any]:
    """Code, message and response.

    Raises GarbledAnswer for what is no envelope, Misconfigured for a bare refusal, BrokenContract for an
    envelope that contradicts itself.
    """
    try:
        document = strict_json(_text(reply))
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise _no_envelope(reply.status)
    metadata = _only(document, "metaData", "metadata")
    if not isinstance(metadata, dict):
        raise _no_envelope(reply.status)
    code, message = _only(metadata, "code", "Code"), _only(metadata, "message", "Message")
    if type(code) not in (str, int) or not isinstance(message, str):
        raise BrokenContract("BPJS answers without a code and message of the known types")
    if str(code) in ("200", "201") and reply.status not in (200, 201):
        raise BrokenContract(f"BPJS answers with code {code} under HTTP status {reply.status}")
    return str(code), message, document.get("response")


def _no_envelope(status: int) -> SourceFailure:
    if status in (401, 403):
        return Misconfigured(
            f"BPJS refuses with status {status}: check the credentials and whether our address is allowed",
            alive=True,
        )
    if status == 404:  # noqa: PLR2004 - as in HTTP
        return Misconfigured("BPJS has no such service (status 404): check base_url", alive=True)
    if status == 500:  # noqa: PLR2004 - as in HTTP
        return ServerFault("BPJS answers with status 500")
    return GarbledAnswer(f"BPJS answers with status {status} and without metaData: is a proxy in between?")


def _only(document: Mapping[str, Any], *spellings: str) -> Any:
    given = [name for name in spellings if name in document]
    if len(given) > 1:
        raise BrokenContract(f"BPJS answers with both spellings of {spellings[0]}")
    return document[given[0]] if given else None


def _raise_for(code: str) -> NoReturn:
    number = int(code) if re.fullmatch("[0-9]{1,3}", code) else -1
    match number:
        case 401 | 403:
            raise Misconfigured(f"BPJS refuses with code {number}: check the credentials", alive=True)
        case 429:
            raise Overloaded("BPJS asks for rest (code 429)")
        case _ if 500 <= number <= 599:  # noqa: PLR2004 - as HTTP's classes of status
            raise ServerFault(f"BPJS says that it failed (code {number})")
        case _ if number >= 0:
            raise Rejected(f"BPJS refuses this question (code {number})", status=number)
        case _:
            raise BrokenContract("BPJS answers with a code that is no number")


def _membership(content: Any, nik: str) -> dict[str, Value]:
    """The fields of a member, None where BPJS's words are not known. Raises BrokenContract."""
    member = content.get("peserta") if isinstance(content, dict) else None
    if not isinstance(member, dict):
        raise BrokenContract("BPJS answers 200 without a member")
    if member.get("nik") != nik:
        raise BrokenContract("BPJS answers about somebody else than was asked for")
    segment, class_ = _segment(*_coded(member, "jenisPeserta")), _CLASSES.get(_coded(member, "hakKelas"))
    if segment in _SEGMENTS.values() and class_ in ("1", "2"):
        segment = class_ = None  # PBI is class III: one of the two is wrong
    return {
        "bpjs_membership_status": _status(*_coded(member, "statusPeserta")),
        "bpjs_segment": segment,
        "bpjs_class": class_,
    }


def _coded(member: Mapping[str, Any], name: str) -> tuple[str, str]:
    """A code and its words in capitals, letters and digits only; empty where they are not two texts."""
    pair = member.get(name)
    code, words = (pair.get("kode"), pair.get("keterangan")) if isinstance(pair, dict) else (None, None)
    if not isinstance(code, str) or not isinstance(words, str):
        return "", ""
    return code, " ".join(re.findall(r"[A-Z0-9]+", words.upper()))


def _status(code: str, words: str) -> str | None:
    # "0" is active: public mock-ups that have it the other way round are wrong.
    if code == "0":
        return "active" if words == "AKTIF" else None
    return "inactive" if re.fullmatch("[1-9][0-9]*", code) and _INACTIVE.fullmatch(words) else None


def _segment(code: str, words: str) -> str | None:
    if segment := _SEGMENTS.get((code, words)):
        return segment
    known_as_other = re.fullmatch("[0-9]+", code) and words and not _PERHAPS_PBI.search(words)
    return "other" if known_as_other and code not in _PBI_CODES else None


def _text(reply: Reply) -> str:
    return reply.body.decode("utf-8", "replace")
