"""The hours in which Dukcapil is asked about the registry: at night, when nobody else needs its quota."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Self

from gateway.civil_day import wib

_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Night:
    """Hours of Indonesia's west (WIB), which may go past midnight; equal ends are the whole day."""

    begins: time
    ends: time

    @classmethod
    def of(cls, text: str) -> Self:
        """As settings write it, such as 20:00-05:00. Raises ValueError."""
        found = _WINDOW.fullmatch(text)
        if found is None:
            raise ValueError("expected hours such as 20:00-05:00")
        first, second, third, fourth = map(int, found.groups())
        return cls(time(first, second), time(third, fourth))

    def begins_after(self, now: datetime) -> datetime:
        """The next moment at which asking is in order: `now` itself, if it is."""
        clock = wib(now)
        if self._contains(clock.time()):
            return now
        begins = clock.replace(hour=self.begins.hour, minute=self.begins.minute, second=0, microsecond=0)
        return begins if begins > clock else begins + timedelta(days=1)

    def _contains(self, clock: time) -> bool:
        if self.begins == self.ends:
            return True
        if self.begins < self.ends:
            return self.begins <= clock < self.ends
        return clock >= self.begins or clock < self.ends
