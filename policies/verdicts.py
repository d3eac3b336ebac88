"""What a source says beside what the caller claims: match, no match, or unknown, and nothing else.

A verdict MUST NOT depend on anything but the value and the claim, and a value that does not have the declared
type of its field is unknown: what cannot be compared is no mismatch.
"""

from __future__ import annotations

import unicodedata
from datetime import date

from policies.dictionary import Value

MATCH, NO_MATCH, UNKNOWN = "match", "no_match", "unknown"


def compare_texts(value: Value, claim: str | None) -> str:
    """Whether a text is the one claimed, but for case, white space and kinds of Unicode spelling."""
    if type(value) is not str or claim is None or not claim.strip():
        return UNKNOWN
    return MATCH if _plain(value) == _plain(claim) else NO_MATCH


def compare_numbers(value: Value, claim: str | None) -> str:
    """Whether a whole number is the one claimed, in decimal digits."""
    return compare_texts(str(value), claim) if type(value) is int else UNKNOWN


def compare_days(value: Value, claim: str | None) -> str:
    """Whether a day is the one claimed, as YYYY-MM-DD; a claim that is no day is unknown."""
    if type(value) is not date or claim is None:
        return UNKNOWN
    try:
        claimed = date.fromisoformat(claim.strip())
    except ValueError:
        return UNKNOWN
    return MATCH if value == claimed else NO_MATCH


def pass_on(value: Value, _claim: str | None) -> str:
    """The source's own comparison; whatever else it says, the answer is unknown."""
    return value if type(value) is str and value in {MATCH, NO_MATCH} else UNKNOWN


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
