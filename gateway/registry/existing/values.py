"""From what a column of another's database holds to what the registry says: pure, one reading per column.

What cannot be read with certainty is UNUSABLE: the caller counts it and gives nothing. Nothing is guessed: no
zeros are added to a national id, no date is tried in a second form, no code is taken for a similar one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal
from uuid import UUID

from connectors.base import Value
from gateway.civil_day import civil_day
from gateway.registry.periods import period_start

Kind = Literal["key", "text", "word", "identifier", "date", "region", "decile", "number", "unit"]
# As `format` of a date: the first day of a quarter that is written like 2026-Q3 or 2026 TW 3.
QUARTER = "quarter"

_IDENTIFIER = re.compile(r"[0-9]{16}")
_DOTTED = re.compile(r"[0-9]{2}(\.[0-9]{2}(\.[0-9]{2}(\.[0-9]{4})?)?)?")
_UNDOTTED = re.compile(r"[0-9]{2}([0-9]{2}([0-9]{2}([0-9]{4})?)?)?")
_QUARTER = re.compile(r"([0-9]{4})[- ]?(?:Q|TW|TRIWULAN)[- ]?([1-4])", re.IGNORECASE)
_UNIT = re.compile(r"[0-9]{1,3}")
_DECILE = re.compile(r"10|[1-9]")
_NUMBER = re.compile(r"[0-9]{1,9}")
# How registers write that there is nothing, everywhere.
_NOTHING = frozenset({"", "-"})


class Unusable(Enum):
    """The one answer of a reading to what it cannot read."""

    UNUSABLE = "unusable"


UNUSABLE: Final = Unusable.UNUSABLE
Reading = Callable[[Any], Value | Unusable]


@dataclass(frozen=True, slots=True)
class MappedColumn:
    """One column of the other database and how it is read. `place` is where the mapping names it.

    `values` are its codes and our words, `empty` the codes that say that there is nothing. `words`, if given,
    are all that may come out.
    """

    place: str
    name: str
    kind: Kind
    values: Mapping[str, str] = field(default_factory=dict)
    empty: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    format: str | None = None
    form: str | None = None


def reading_of(column: MappedColumn) -> Reading:
    """What makes our value, None for nothing, or UNUSABLE of a raw value of this column."""
    if column.kind == "date":
        return lambda raw: _day(raw, column)
    read = _READINGS[column.kind]

    def reading(raw: Any) -> Value | Unusable:
        code = code_of(raw)
        if code is None or isinstance(code, Unusable):
            return code
        if code in column.empty:
            return None
        if column.values:
            word = column.values.get(code)
            return UNUSABLE if word is None else read(word, column)
        return read(code, column)

    return reading


def code_of(raw: Any) -> str | Unusable | None:
    """A raw value as text; None for nothing. A fraction or a floating-point number has lost what it was.

    >>> code_of(7), code_of(" 07 "), code_of("-"), code_of(True), code_of(7.0)
    ('7', '07', None, 'true', <Unusable.UNUSABLE: 'unusable'>)
    """
    match raw:
        case None:
            return None
        case str():
            return None if raw.strip() in _NOTHING else raw.strip()
        case bool():
            return "true" if raw else "false"
        case int() | UUID():
            return str(raw)
        case Decimal() if raw.is_finite() and raw == raw.to_integral_value():
            return str(int(raw))
        case _:
            return UNUSABLE


def _text(code: str, _column: MappedColumn) -> Value | Unusable:
    return code


def _word(code: str, column: MappedColumn) -> Value | Unusable:
    return code if not column.words or code in column.words else UNUSABLE


def _identifier(code: str, _column: MappedColumn) -> Value | Unusable:
    return code if _IDENTIFIER.fullmatch(code) else UNUSABLE


def _region(code: str, column: MappedColumn) -> Value | Unusable:
    if column.form != "undotted":
        return code if _DOTTED.fullmatch(code) else UNUSABLE
    if not _UNDOTTED.fullmatch(code):
        return UNUSABLE
    return ".".join(part for part in (code[:2], code[2:4], code[4:6], code[6:]) if part)


def _unit(code: str, _column: MappedColumn) -> Value | Unusable:
    return code.zfill(3) if _UNIT.fullmatch(code) else UNUSABLE


def _decile(code: str, _column: MappedColumn) -> Value | Unusable:
    return int(code) if _DECILE.fullmatch(code) else UNUSABLE


def _number(code: str, _column: MappedColumn) -> Value | Unusable:
    return int(code) if _NUMBER.fullmatch(code) else UNUSABLE


_READINGS: Mapping[str, Callable[[str, MappedColumn], Value | Unusable]] = {
    "key": _text,
    "text": _text,
    "word": _word,
    "identifier": _identifier,
    "region": _region,
    "unit": _unit,
    "decile": _decile,
    "number": _number,
}


def _day(raw: Any, column: MappedColumn) -> date | Unusable | None:
    """A civil date; of a moment with a time zone, the day that it is in Jakarta."""
    if isinstance(raw, datetime):
        return raw.date() if raw.tzinfo is None else civil_day(raw)
    if raw is None or isinstance(raw, date):
        return raw
    if not isinstance(raw, str):
        return UNUSABLE
    text = raw.strip()
    if text in _NOTHING or text in column.empty:
        return None
    try:
        return _parsed(text, column.format)
    except ValueError:
        return UNUSABLE


def _parsed(text: str, form: str | None) -> date:
    if form is None:
        # SQLite keeps the dates that its tables declare as ISO text.
        return datetime.fromisoformat(text).date()
    if form == QUARTER:
        found = _QUARTER.fullmatch(text)
        if found is None:
            raise ValueError("not a quarter")
        return period_start(f"{found[1]}-Q{found[2]}")
    return datetime.strptime(text, form).date()  # noqa: DTZ007 - a civil date has no time zone
