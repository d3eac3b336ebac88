"""Dukcapil's wire format, without the wire: what is sent, and what an answer says. Pure.

No public specification exists; the format is what several independent clients of the "hak akses" service
agree on. An answer is read into a person's state and verdicts, and nothing else of it is kept: no function
here returns or raises an element's value. MUST NOT guess: what is malformed, unknown or contradicts itself is
`Trouble` for the whole answer, or no verdict for one element.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import SequenceMatcher
from typing import Any, Literal, TypeGuard

from connectors.base import Value

Call = Literal["verify", "record"]
Kind = Literal["quota", "configuration", "unusable"]
Verdict = Literal["match", "no_match"]

STATE_FIELD = "dukcapil_person_state"
PERSON_STATES = ("alive", "deceased", "duplicate", "inactive", "not_found", "malformed_nik")
# Orders in which TGL_LHR is asked; answers are always ISO.
BIRTH_DATE_FORMATS = {"DD-MM-YYYY": "%d-%m-%Y", "YYYY-MM-DD": "%Y-%m-%d"}

_IDENTIFIER_DIGITS = 16
_REGION = re.compile(r"(\d\d)(?:\.(\d\d)(?:\.(\d\d)(?:\.(\d{4}))?)?)?", re.ASCII)
_REGION_WIDTHS = {"NO_PROP": 2, "NO_KAB": 2, "NO_KEC": 2, "NO_KEL": 4}
_SEX_WORDS = {"L": "Laki-Laki", "P": "Perempuan"}
_SEXES = {"laki laki", "perempuan"}
# "Tidak Sesuai" contains "Sesuai": only a pattern that covers the whole text tells them apart. Nothing may
# stand before it, not even a blank: " Sesuai" is what is left of the other word when it is cut off.
_VERDICT = re.compile(r"(tidak\s+)?sesuai\s*(?:\(\s*(\d{1,3})\s*\)\s*)?", re.ASCII | re.IGNORECASE)
_FULL_SCORE = 100
# Comparing two texts costs the product of their lengths; no name or street is longer than this.
_LONGEST_TEXT = 256


@dataclass(frozen=True, slots=True)
class Element:
    """A field's name at Dukcapil, the registry field to verify, and whether similarity suffices."""

    name: str
    known: str
    scored: bool


ELEMENTS: Mapping[str, Element] = {
    "dukcapil_full_name": Element("NAMA_LGKP", "full_name", scored=True),
    "dukcapil_birth_date": Element("TGL_LHR", "birth_date", scored=False),
    "dukcapil_birth_place": Element("TMPT_LHR", "birth_place", scored=True),
    "dukcapil_sex": Element("JENIS_KLMIN", "sex", scored=False),
    "dukcapil_mother_name": Element("NAMA_LGKP_IBU", "mother_name", scored=True),
    "dukcapil_address": Element("ALAMAT", "address", scored=True),
    "dukcapil_family_card_number": Element("NO_KK", "family_card_number", scored=False),
}
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
    """The login that every call carries in its body."""

    user_id: str = field(repr=False)
    password: str = field(repr=False)
    ip_user: str = field(repr=False)


class _Malformed(Exception):  # noqa: N818 - never leaves this module
    """The answer cannot be used; the text says why and holds nothing of the answer."""


def elements_to_verify(fields: Collection[str], known: Mapping[str, Value]) -> dict[str, str]:
    """The elements to send for these fields, in Dukcapil's words: no more than was asked.

    What the registry lacks, or holds in a shape that Dukcapil cannot compare, is left out. The birth date is
    ISO here; `request_body` puts it into the agreement's order.
    """
    elements: dict[str, str] = {}
    for name, element in ELEMENTS.items():
        if name in fields and (text := _CONVERSIONS[element.known](known.get(element.known))):
            elements[element.name] = text
    if "ALAMAT" in elements:
        elements |= _region_elements(known.get("region"))
    return elements


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


def is_identifier(text: object) -> TypeGuard[str]:
    """Whether this is the text of a NIK or family-card number: 16 digits."""
    return isinstance(text, str) and len(text) == _IDENTIFIER_DIGITS and text.isascii() and text.isdigit()


def _upper_case(value: Value) -> str | None:
    return " ".join(value.upper().split()) or None if isinstance(value, str) else None


_CONVERSIONS: Mapping[str, Callable[[Value], str | None]] = {
    "full_name": _upper_case,
    "birth_date": lambda value: value.isoformat() if isinstance(value, date) else None,
    "birth_place": _upper_case,
    "sex": lambda value: _SEX_WORDS.get(value) if isinstance(value, str) else None,
    "mother_name": _upper_case,
    "address": _upper_case,
    "family_card_number": lambda value: value if is_identifier(value) else None,
}


def _region_elements(code: Value) -> dict[str, str]:
    """The parts of a dotted Kemendagri code. BPS codes have no dots and could only ever fail: not sent."""
    parts = _REGION.fullmatch(code) if isinstance(code, str) else None
    if parts is None:
        return {}
    return {name: part for name, part in zip(_REGION_WIDTHS, parts.groups(), strict=True) if part}


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
    elsewhere = any(verdicts.get(part) != "match" for part in _REGION_WIDTHS if part in sent)
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
    echoed = bool(verdicts) and _padded(content.get("NIK"), _IDENTIFIER_DIGITS) == nik
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
    if _padded(record.get("NIK"), _IDENTIFIER_DIGITS) != nik:
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
    if name in _REGION_WIDTHS:
        code = _padded(value, _REGION_WIDTHS[name])
        return code if code and code.strip("0") else None
    if name == "NO_KK":
        digits = _padded(value, _IDENTIFIER_DIGITS)
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
