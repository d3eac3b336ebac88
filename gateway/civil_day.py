"""The day it is in Indonesia's west, by which agreements, programme rules and deciles count."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

# Fixed on purpose: WIB has no summer time, and a minimal server may have no time-zone database.
_WIB = timezone(timedelta(hours=7), "WIB")


def civil_day(moment: datetime) -> date:
    """The civil date (WIB, UTC+7) of an aware moment."""
    return moment.astimezone(_WIB).date()
