"""The day it is in Indonesia's west, by which agreements, programme rules and deciles count."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

# Fixed on purpose: WIB has no summer time, and a minimal server may have no time-zone database.
_AHEAD = timedelta(hours=7)
_WIB = timezone(_AHEAD, "WIB")


def wib(moment: datetime) -> datetime:
    """An aware moment as the clocks of Indonesia's west show it (WIB, UTC+7)."""
    return moment.astimezone(_WIB)


def civil_day(moment: datetime) -> date:
    """The civil date (WIB, UTC+7) of an aware moment."""
    if moment.tzinfo is UTC:  # as good as always, several times in each request, and twice as fast
        return (moment + _AHEAD).date()
    return moment.astimezone(_WIB).date()


def day_ends(moment: datetime) -> datetime:
    """When the civil day (WIB) of an aware moment is over: midnight, the first moment of the next day."""
    tomorrow = civil_day(moment) + timedelta(days=1)
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=_WIB)


def day_begins(day: date) -> datetime:
    """The first moment of a civil day (WIB)."""
    return datetime(day.year, day.month, day.day, tzinfo=_WIB)
