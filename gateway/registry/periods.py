"""Quarters, the rhythm in which deciles are refreshed (Inpres 4/2025: four times a year).

Written `2026-Q3` everywhere, kept in the database as the first day of the quarter.
"""

from __future__ import annotations

import re
from datetime import date

_WRITTEN = re.compile(r"(\d{4})-Q([1-4])")
_MONTHS_OF_A_QUARTER = 3


def period_start(written: str) -> date:
    """The first day of a quarter written like `2026-Q3`; ValueError says how to write one.

    >>> period_start("2026-Q3")
    datetime.date(2026, 7, 1)
    """
    match = _WRITTEN.fullmatch(written)
    if match is None:
        raise ValueError("a period is written YEAR-Qn with n from 1 to 4, such as 2026-Q3")
    return date(int(match[1]), (int(match[2]) - 1) * _MONTHS_OF_A_QUARTER + 1, 1)


def period_of(day: date) -> str:
    """The quarter that holds `day`.

    >>> period_of(date(2026, 9, 30))
    '2026-Q3'
    """
    return f"{day.year:04d}-Q{(day.month - 1) // _MONTHS_OF_A_QUARTER + 1}"
