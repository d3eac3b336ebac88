"""Which of the registry's particulars Dukcapil is asked to compare, and how it writes them. Pure.

Dukcapil compares texts, so what is written otherwise there is put into its words first. MUST NOT send more
than was asked: an element on which nobody needs a verdict stays here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeGuard

from connectors.base import Value

STATE_FIELD = "dukcapil_person_state"
PERSON_STATES = ("alive", "deceased", "duplicate", "inactive", "not_found", "malformed_nik")
IDENTIFIER_DIGITS = 16
_REGION = re.compile(r"(\d\d)(?:\.(\d\d)(?:\.(\d\d)(?:\.(\d{4}))?)?)?", re.ASCII)
REGION_WIDTHS = {"NO_PROP": 2, "NO_KAB": 2, "NO_KEC": 2, "NO_KEL": 4}
_SEX_WORDS = {"L": "Laki-Laki", "P": "Perempuan"}


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


def is_identifier(text: object) -> TypeGuard[str]:
    """Whether this is the text of a NIK or family-card number: 16 digits."""
    return isinstance(text, str) and len(text) == IDENTIFIER_DIGITS and text.isascii() and text.isdigit()


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
    return {name: part for name, part in zip(REGION_WIDTHS, parts.groups(), strict=True) if part}
