"""What an answer of the API says of maintenance, for the banner of every page. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_HEADER = re.compile(r"from=@(?P<begins>\d{1,11})(?:, until=@(?P<until>\d{1,11}))?")


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A window that is announced or has begun; `until` is None where nobody said."""

    begins_at: datetime
    until: datetime | None

    @property
    def begun(self) -> bool:
        """Whether nothing can be changed now."""
        return self.begins_at <= datetime.now(UTC)


def announced(header: str) -> Maintenance | None:
    """The window of a `Gapura-Maintenance` header; None for what is none.

    >>> announced("from=@1796083200, until=@1796090400").until.isoformat()
    '2026-12-01T02:00:00+00:00'
    """
    told = _HEADER.fullmatch(header)
    if told is None:
        return None
    until = told["until"]
    return Maintenance(_moment(told["begins"]), None if until is None else _moment(until))


def _moment(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
