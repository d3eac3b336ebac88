"""Age in completed years, the same for a condition of a programme and for an age band."""

from __future__ import annotations

from datetime import date


def age_on(birth_date: date, on_date: date) -> int | None:
    """Completed years of life on a day; None before birth. Born on 29 February, one ages on 1 March."""
    if birth_date > on_date:
        return None
    before_birthday = (on_date.month, on_date.day) < (birth_date.month, birth_date.day)
    return on_date.year - birth_date.year - before_birthday
