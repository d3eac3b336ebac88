"""What the two searches of the log have in common: choices, days to moments, an id typed into it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from gateway.console.language import N_, Speech
from gateway.console.words import WORDS

ALL = N_("All")
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


def reference_in(text: str) -> UUID | None:
    """The reference of an entry that somebody typed or pasted; None for what is none."""
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def _moment(day: str, later: int) -> str | None:
    try:
        begins = date.fromisoformat(day) + timedelta(days=later)
    except (ValueError, OverflowError):
        return None
    return datetime(begins.year, begins.month, begins.day, tzinfo=_ZONE).isoformat()
