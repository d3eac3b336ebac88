"""Dukcapil's wire format, without the wire: what is sent, and what an answer says. Pure.

No public specification exists; the format is what several independent clients of the "hak akses" service
agree on. An answer is read into a person's state and verdicts, and nothing else of it is kept: no function
here returns or raises an element's value. MUST NOT guess: what is malformed, unknown or contradicts itself is
`Trouble` for the whole answer, or no verdict for one element.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import SequenceMatcher
from typing import Any, Literal

from connectors.base import Value
from connectors.dukcapil.elements import (
    ELEMENTS,
    IDENTIFIER_DIGITS,
    PERSON_STATES,
    REGION_WIDTHS,
    STATE_FIELD,
)

Call = Literal["verify", "record"]
Kind = Literal["quota", "configuration", "unusable"]
Verdict = Literal["match", "no_match"]

# Orders in which TGL_LHR is asked; answers are always ISO.
BIRTH_DATE_FORMATS = {"DD-MM-YYYY": "%d-%m-%Y", "YYYY-MM-DD": "%Y-%m-%d"}

_SEXES = {"laki laki", "perempuan"}
# "Tidak Sesuai" contains "Sesuai": only a pattern that covers the whole text tells them apart. Nothing may
# stand before it, not even a blank: " Sesuai" is what is left of the other word when it is cut off.
_VERDICT = re.compile(r"(tidak\s+)?sesuai\s*(?:\(\s*(\d{1,3})\s*\)\s*)?", re.ASCII | re.IGNORECASE)
_FULL_SCORE = 100
# Comparing two texts costs the product of their lengths; no name or street is longer than this.
_LONGEST_TEXT = 256


_SCORED = frozenset(element.name for element in ELEMENTS.values() if element.scored)


@dataclass(frozen=True, slots=True)
class Said:
    """What Dukcapil says of one person: a state, and a verdict by element where there is one."""

    state: str
    verdicts: Mapping[str, Verdict]
    quota_left: int | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an answer says nothing of the person. `cause` is for operators and holds no value.

    `code` is a key of REFUSALS, or `malformed`.
    """

    code: str
    kind: Kind
    cause: str
    quota_left: int | None = None


@dataclass(frozen=True, slots=True)
class Spelling:
    """How one agreement with Dukcapil spells the keys that are not elements."""

    user_id: str = "USER_ID"
    password: str = "PASSWORD"  # noqa: S105 - the key's name, not a password
    ip_user: str = "IP_USER"
    nik: str = "NIK"
    threshold: str = "TRESHOLD"  # sic: Dukcapil writes it so


@dataclass(frozen=True, slots=True)
class Credentials:
    """The login that every call carries in its body; `basic_login` is user:password for a proxy that asks."""

    user_id: str = field(repr=False)
    password: str = field(repr=False)
    ip_user: str = field(repr=False)
    basic_login: str | None = field(default=None, repr=False)

    def headers(self) -> dict[str, str]:
        """The headers of every call, with the proxy's login if there is one."""
        headers = {"Content-Type": "application/json"}
        if self.basic_login is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(self.basic_login.encode()).decode()
        return headers


class _Malformed(Exception):  # noqa: N818 - never leaves this module
    """The answer cannot be used; the text says why and holds nothing of the answer."""


def request_body(
    nik: str,
    elements: Mapping[str, str],
    credentials: Credentials,
    spelling: Spelling,
    *,
    threshold: int | None,
    birth_date_format: str,
) -> bytes:
    """The JSON body of one call. `threshold` is None for a full record, which compares nothing."""
    body = {
        spelling.user_id: credentials.user_id,
        spelling.password: credentials.password,
        spelling.ip_user: credentials.ip_user,
        spelling.nik: nik,
        **elements,
    }
    if threshold is not None:
        body[spelling.threshold] = str(threshold)
    if day := elements.get("TGL_LHR"):
        body["TGL_LHR"] = date.fromisoformat(day).strftime(BIRTH_DATE_FORMATS[birth_date_format])
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def read_answer(
    body: bytes,
    call: Call,
    nik: str,
    sent: Mapping[str, str],
    *,
    threshold: int,
    found_messages: Iterable[str] = (),
) -> Said | Trouble:
    """What an answer with HTTP status 200 says of the person whose `nik` was asked.

    `sent` are the elements of `elements_to_verify`; there is a verdict for no other. With a full record the
    comparison happens here, with `threshold` (1 to 100) as similarity in per cent, and the record is dropped.
    `found_messages` are texts that this agreement's service sends with success.
    """
    try:
        content, quota_left = _page(body)
        meaning = _meaning(content, {_words(text) for text in found_messages})
        if meaning == "found":
            judge = _read_verdicts if call == "verify" else _compare_record
            return Said("alive", judge(content, nik, sent, threshold), quota_left)
    except _Malformed as error:
        return Trouble("malformed", "unusable", str(error))
    if meaning in PERSON_STATES:
        return Said(meaning, {}, quota_left)
    return Trouble(meaning, *REFUSALS[meaning], quota_left)


def field_verdicts(fields: Iterable[str], said: Said, sent: Collection[str]) -> dict[str, Value]:
    """One value for each asked field, None where Dukcapil said nothing of what was `sent` to rely on."""
    values: dict[str, Value] = {}
    for name in fields:
        if name == STATE_FIELD:
            values[name] = said.state
        elif name == "dukcapil_address":
            values[name] = _address_verdict(said.verdicts, sent)
        else:
            values[name] = said.verdicts.get(ELEMENTS[name].name)
    return values


def _address_verdict(verdicts: Mapping[str, Verdict], sent: Collection[str]) -> Verdict | None:
    """Another street is another address; the same street needs the same village to be the same address.

    Codes change when a district is divided although nobody moved, so they can only withhold a match.
    """
    street = verdicts.get("ALAMAT")
    elsewhere = any(verdicts.get(part) != "match" for part in REGION_WIDTHS if part in sent)
    return None if street == "match" and elsewhere else street


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object with its keys in upper case, as services disagree about case; a key may stand once."""
    members = {key.upper(): value for key, value in pairs}
    if len(members) != len(pairs):
        raise _Malformed("The answer names one element twice.")
    return members


def _page(body: bytes) -> tuple[dict[str, Any], int | None]:
    """The one element of the answer's page, and the quota that is left if the page says so."""
    try:
        page = json.loads(body.decode(), object_pairs_hook=_object)
    except (ValueError, RecursionError):
        page = None
    content = page.get("CONTENT") if isinstance(page, dict) else None
    if not isinstance(content, list) or len(content) != 1 or not isinstance(content[0], dict):
        raise _Malformed("The answer is not a page with exactly one element in `content`.")
    if page.get("NUMBEROFELEMENTS", 1) != 1:
        raise _Malformed("The answer's page counts other than the one element that it holds.")
    left = page.get("QUOTALIMITER")
    usable = isinstance(left, int) and not isinstance(left, bool) and left >= 0
    return content[0], left if usable else None


# Not found, with no more said: agrees with both codes that mean it.
_ABSENT = "absent"
# Texts as seen in several clients, without case, punctuation and double blanks, which all vary.
_TEXTS: Mapping[str, str] = {
    "kuota akses hari ini telah habis": "quota",
    "data ditemukan meninggal dunia": "deceased",
    "data ditemukan data ganda": "duplicate",
    "data tidak ditemukan": _ABSENT,
    "data tidak ditemukan nik tidak terdapat di database kependudukan": "not_found",
    "data ditemukan status non aktif silahkan hubungi dinas dukcapil": "inactive",
    "data tidak ditemukan nik tidak sesuai format dukcapil": "malformed_nik",
    "login gagal": "login",
    "user password dan ip tidak boleh kosong": "login",
    "ip address tidak sesuai": "ip",
    "ip client tidak terdaftar": "ip",
    "ip tidak sesuai": "ip",
    "user id tidak aktif": "user_inactive",
    "instansi tidak aktif": "institution_inactive",
    "parameter tidak lengkap tidak valid": "parameters",
    "parameter tidak lengkap": "parameters",
    "parameter tidak valid": "parameters",
}
_CODES: Mapping[str, str] = {
    "00": "found",
    "05": "quota",
    "08": "final_failure",
    "11": "deceased",
    "12": "duplicate",
    "13": "not_found",
    "14": "inactive",
    "15": "malformed_nik",
}
REFUSALS: Mapping[str, tuple[Kind, str]] = {
    "quota": ("quota", "Dukcapil says that today's quota is used up; calls resume at 00:00 WIB."),
    "login": ("configuration", "Dukcapil refuses the login: check the user id and password files."),
    "ip": ("configuration", "Dukcapil refuses the IP: have this server's address and IP_USER registered."),
    "user_inactive": ("configuration", "Dukcapil says the user is inactive: ask Dukcapil to activate it."),
    "institution_inactive": ("configuration", "Dukcapil says the institution is inactive: are reports due?"),
    "parameters": ("configuration", "Dukcapil refuses the parameters: check method, spelling, date format."),
    "final_failure": ("unusable", "Dukcapil answered with code 08, whose meaning is not public."),
}
_MESSAGE_KEYS = ("RESPON", "RESPONSE", "RESPONSE_DESC")


def _words(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).casefold()))


def _meaning(content: Mapping[str, Any], found: Collection[str]) -> str:
    """What code and messages say together; `found` when they object to nothing."""
    messages = [content[key] for key in _MESSAGE_KEYS if content.get(key) is not None]
    if not all(isinstance(message, str) for message in messages):
        raise _Malformed("The answer's message is not text.")
    texts = {text for message in messages if (text := _words(message))}
    meanings = {"found" if text in found else _TEXTS.get(text) for text in texts}
    code = content.get("RESPONSE_CODE")
    if code is None or code == "":
        if None in meanings:
            raise _Malformed("The message is not known; if it means success, list it in `found_messages`.")
    else:
        by_code = _CODES.get(_padded(code, 2) or "")
        if by_code is None:
            raise _Malformed("The response code is not known.")
        # A text that nobody has seen yet does not outweigh the code.
        meanings = meanings - {None} | {by_code}
    if meanings & {"not_found", "malformed_nik"}:
        meanings.discard(_ABSENT)
    if len(meanings) > 1:
        raise _Malformed("The answer's code and messages contradict each other.")
    meaning = (meanings.pop() if meanings else None) or "found"
    return "not_found" if meaning == _ABSENT else meaning


def _padded(value: object, width: int) -> str | None:
    """A code that may have come as a number and lost its zeros; None when it is no such code."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    text = str(value).strip()
    return text.zfill(width) if text.isascii() and text.isdigit() and len(text) <= width else None


def _read_verdicts(
    content: Mapping[str, Any], nik: str, sent: Mapping[str, str], threshold: int
) -> dict[str, Verdict]:
    verdicts = {
        name: verdict
        for name in sent
        if (verdict := _verdict(content.get(name), threshold, scored=name in _SCORED))
    }
    # Some services echo the number instead of judging it; an error might do so too, and proves nothing.
    echoed = bool(verdicts) and _padded(content.get("NIK"), IDENTIFIER_DIGITS) == nik
    if not echoed and _verdict(content.get("NIK"), threshold, scored=False) != "match":
        raise _Malformed("The answer does not confirm that it speaks of the NIK that was asked.")
    return verdicts


def _verdict(value: object, threshold: int, *, scored: bool) -> Verdict | None:
    """The verdict of one element, or None when its word and score do not go together."""
    match = _VERDICT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    word: Verdict = "no_match" if match[1] else "match"
    if match[2] is None:
        return word
    score = int(match[2])
    if not scored or score > _FULL_SCORE:
        return None
    # Whether a score equal to the threshold suffices is not public: there, the word counts.
    agrees = score >= threshold if word == "match" else score <= threshold
    return word if agrees else None


def _compare_record(
    record: Mapping[str, Any], nik: str, sent: Mapping[str, str], threshold: int
) -> dict[str, Verdict]:
    if _padded(record.get("NIK"), IDENTIFIER_DIGITS) != nik:
        raise _Malformed("The record is not of the NIK that was asked.")
    if not _comparable("NAMA_LGKP", record.get("NAMA_LGKP")):
        raise _Malformed("The answer holds no record of a person.")
    verdicts: dict[str, Verdict] = {}
    for name, asked in sent.items():
        ours, theirs = _comparable(name, asked), _comparable(name, record.get(name))
        if not ours or not theirs:
            continue
        alike = SequenceMatcher(None, ours, theirs, autojunk=False).ratio() * _FULL_SCORE
        same = alike >= threshold if name in _SCORED else ours == theirs
        verdicts[name] = "match" if same else "no_match"
    return verdicts


def _comparable(name: str, value: object) -> str | None:
    """An element in the one form in which both sides are compared; None when it has no such form."""
    if name in REGION_WIDTHS:
        code = _padded(value, REGION_WIDTHS[name])
        return code if code and code.strip("0") else None
    if name == "NO_KK":
        digits = _padded(value, IDENTIFIER_DIGITS)
        return digits if digits and not digits.startswith("0") else None  # no province begins with 0
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        return None
    if name == "TGL_LHR":
        try:
            return date.fromisoformat(value.strip()).isoformat()
        except ValueError:
            return None
    text = _words(value)
    return text if name != "JENIS_KLMIN" or text in _SEXES else None
