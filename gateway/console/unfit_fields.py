"""What is said at a field that the API could not use: a sentence for whoever filled in the form. Pure.

The API names places as programs do (JSON pointers, patterns); none of that is shown on a page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from gateway.console.language import N_

_DAY = N_("A day: choose it in the calendar, or write year, month and day.")
_MOMENT = N_("A day and a time of day.")
_DAYS = N_("A whole number of days.")
_SHORT = N_("Small letters, digits and hyphens, such as kesehatan.")
# By the name of the field, whatever is wrong with it.
_BY_NAME: Mapping[str, str] = {
    "region": N_("A code of Kemendagri, such as 35 for a province or 35.78 for a regency or city."),
    "regions": N_(
        "Codes of Kemendagri with commas between, such as 35 or 35.78; or choose the whole country."
    ),
    "roles": N_("Choose at least one role."),
    "jwks": N_("This is no set of keys. Paste JSON as in the example: each key with its own kid."),
    "jwk": N_("This is no key. Paste JSON as in the example: one public key with its kid."),
    "email": N_("One e-mail address, such as data@example.go.id."),
    "nik": N_("The 16 digits of the NIK."),
    "sector": _SHORT,
    **dict.fromkeys(("from", "to", "first", "last", "day", "on_date", "valid_from", "valid_until"), _DAY),
    **dict.fromkeys(("not_before", "not_after", "known_at"), _MOMENT),
    **dict.fromkeys(("days", "overlap_days"), _DAYS),
}
# How a sentence about a registration names its field, in either language, and where that field is.
_NAMED: Mapping[str, str] = {
    "id": "/id",
    **dict.fromkeys(("nama", "name"), "/name"),
    **dict.fromkeys(("sektor", "sector"), "/sector"),
    **dict.fromkeys(("wilayah", "region"), "/regions"),
    **dict.fromkeys(("unit", "office"), "/contact/office"),
    "email": "/contact/email",
    **dict.fromkeys(("jwks", "kunci", "key"), "/jwks"),
}
_NAMES_FIELD = re.compile(r"(?P<name>[a-z]+)(?P<place> (?:ke-)?\d+)?: (?P<what>.+)", re.DOTALL)
_EMPTY = N_("Fill this in.")
_UNFIT = N_("What is written here cannot be used: it does not have the form that is asked for.")
_EXPECTED = N_("Expected: %(what)s.")
# Words of the API that are for programs: a pattern, or the contract.
_FOR_PROGRAMS = re.compile(r"[\\^$]|openapi|pola|pattern|objek|an object|\bdaftar\b|a list")
_AT_LEAST_ONE = re.compile(r"(?:sedikitnya|at least) 1 (?:karakter|char)")


def name_at(pointer: str) -> str:
    """The field that a JSON pointer leads to; empty for the whole.

    >>> name_at("/contact/email"), name_at("/regions/0"), name_at("")
    ('email', 'regions', '')
    """
    return next((part for part in reversed(pointer.split("/")) if part and not part.isdecimal()), "")


def field_of(sentence: str) -> tuple[str, str] | None:
    """The place of a registration that a sentence begins by naming, and what is told there; None for others.

    Of several keys or regions, the sentence goes on naming the one that it is about.

    >>> field_of("sector: expected a-z"), field_of("key 1: twice"), field_of("reason: expected a line")
    (('/sector', 'Expected a-z'), ('/jwks', 'Key 1: twice'), None)
    """
    named = _NAMES_FIELD.fullmatch(sentence)
    if named is None or named["name"] not in _NAMED:
        return None
    told = sentence if named["place"] else named["what"]
    return _NAMED[named["name"]], told[0].upper() + told[1:]


def sentence_at(error: Mapping[str, Any], say: Callable[..., str]) -> str:
    """What whoever filled in the form is told at the field; `say` gives a sentence in their language."""
    known = _BY_NAME.get(name_at(error["pointer"]))
    expected = str(error["expected"])
    if known is not None:
        return say(known)
    if error.get("got") in {"nothing", "null"} or _AT_LEAST_ONE.search(expected):
        return say(_EMPTY)
    return say(_UNFIT) if _FOR_PROGRAMS.search(expected) else say(_EXPECTED, what=expected)
