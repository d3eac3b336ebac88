"""Dotted Kemendagri codes, their levels, and editions of the country: what a region is without its border.

Apart from areas.py so that whoever only reads names and codes needs no geometry library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

Level = Literal["province", "regency", "district", "village"]

LEVELS: tuple[Level, ...] = ("province", "regency", "district", "village")
# Regencies count to 69, cities from 71. A last block begins with 1 (kelurahan), 2 (desa) or 3 (desa adat):
# islands (4) are no villages.
_BLOCKS = (
    "[1-9][0-9]",
    r"\.(?:0[1-9]|[1-6][0-9]|7[1-9]|[89][0-9])",
    r"\.(?:0[1-9]|[1-9][0-9])",
    r"\.[123][0-9]{3}",
)
_CODES = {level: re.compile("".join(_BLOCKS[: depth + 1])) for depth, level in enumerate(LEVELS)}
WIDTHS: Mapping[Level, int] = {"province": 2, "regency": 5, "district": 8, "village": 13}


@dataclass(frozen=True, slots=True)
class Edition:
    """One state of the country's areas, and the days on which it holds, both inclusive."""

    name: str
    valid_from: date
    valid_until: date | None = None


def is_code(text: object, level: Level) -> bool:
    """Whether this is a dotted Kemendagri code of that level. Says nothing on whether such an area exists."""
    return type(text) is str and _CODES[level].fullmatch(text) is not None


def level_of(code: str) -> Level:
    """The level of a code. Raises ValueError for what is no code."""
    for level in LEVELS:
        if is_code(code, level):
            return level
    raise ValueError("not a dotted Kemendagri code, such as 35.78.01.1001")


def edition_on(editions: Iterable[Edition], day: date) -> Edition | None:
    """The edition in force on a day; of several, the one that came last."""
    in_force = [one for one in editions if one.valid_from <= day <= (one.valid_until or date.max)]
    return max(in_force, key=lambda one: one.valid_from, default=None)


def ancestry(code: str) -> tuple[tuple[Level, str], ...]:
    """A code and all that it lies in, each with its level, from the province down.

    >>> [code for _, code in ancestry("35.78.08")]
    ['35', '35.78', '35.78.08']
    """
    return tuple((level, code[: WIDTHS[level]]) for level in LEVELS if WIDTHS[level] <= len(code))
