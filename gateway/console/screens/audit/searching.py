"""What was typed into a form about the log: choices, days and moments, an id. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from gateway.console.language import N_, Speech
from gateway.console.words import WORDS

ALL = N_("All")
# As lists show it: the fewest digits by which an entry is looked for.
_SHORT = re.compile(r"[0-9a-f]{8,31}")
_ZONE = ZoneInfo("Asia/Jakarta")


def options(speech: Speech, group: str, values: Iterable[str]) -> list[tuple[str, str]]:
    """What can be chosen, each with its word; the first choice is everything."""
    words = WORDS[group]
    return [("", speech.say(ALL)), *((one, speech.say(words.get(one, one))) for one in values)]


def first_moment(day: str) -> str | None:
    """The beginning of a civil day (WIB), as the API wants it; None for what is no day."""
    return _moment(day, 0)


def last_moment(day: str) -> str | None:
    """The end of a civil day (WIB), exclusive; None for what is no day."""
    return _moment(day, 1)


def moment_in(text: str) -> str | None:
    """A moment as a browser gives it (WIB, to the minute), as the API wants it; None for what is none.

    >>> moment_in("2026-11-22T08:30")
    '2026-11-22T08:30:00+07:00'
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=_ZONE).isoformat() if moment.tzinfo is None else None


def reference_in(text: str) -> UUID | None:
    """The reference of an entry that somebody typed or pasted; None for what is none."""
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def digits_in(text: str) -> str | None:
    """The digits with which a reference begins, as somebody typed or pasted them; None for what is none.

    >>> digits_in(" 6F1E0F0E-30c0"), digits_in("6f1e")
    ('6f1e0f0e30c0', None)
    """
    digits = text.strip().lower().replace("-", "")
    return digits if _SHORT.fullmatch(digits) else None


def _moment(day: str, later: int) -> str | None:
    try:
        begins = date.fromisoformat(day) + timedelta(days=later)
    except (ValueError, OverflowError):
        return None
    return datetime(begins.year, begins.month, begins.day, tzinfo=_ZONE).isoformat()
