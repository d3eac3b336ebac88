"""Region codes of Kemendagri, dotted: 35 (province), 35.78 (regency), 35.78.01 (district), 35.78.01.1001.

A code covers itself and everything below it. Comparing goes by whole pieces, never by characters:
"35" covers "35.78" and not "351".
"""

from __future__ import annotations

import re

LEVELS = ("province", "regency", "district", "village")

_CODE = re.compile(r"[0-9]{2}(\.[0-9]{2}(\.[0-9]{2}(\.[0-9]{4})?)?)?", re.ASCII)
_WIDTHS = (2, 5, 8, 13)


def is_region_code(text: object) -> bool:
    """Whether this is a dotted code of any level. Says nothing on whether such a place exists."""
    return type(text) is str and _CODE.fullmatch(text) is not None


def at_level(code: str, level: str) -> str:
    """The part of a code down to a level; a code that is coarser already stays as it is.

    >>> at_level("35.78.01.1001", "regency")
    '35.78'
    """
    return code[: _WIDTHS[LEVELS.index(level)]]


def covered(code: object, regions: frozenset[str]) -> bool:
    """Whether a region or one above it is among `regions`. What is no code is covered by nothing."""
    if type(code) is not str or not is_region_code(code):
        return False
    return any(code[:width] in regions for width in _WIDTHS)


def intersection(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """What both cover; None means the whole country. An empty set means that they share nothing."""
    if one is None or other is None:
        return other if one is None else one
    return frozenset(code for code in one if covered(code, other)) | frozenset(
        code for code in other if covered(code, one)
    )
