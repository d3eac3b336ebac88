"""A window of maintenance: when it begins, until when partners are told that it lasts, and how. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from gateway.errors import BadInput
from policies.dictionary import Text

HEADER = "Gapura-Maintenance"
# Told where the end is not known, or has passed without anybody having opened again.
_ASK_AGAIN_S = 60
LONGEST = timedelta(days=7)
_REASON_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Window:
    """An order of maintenance. `until` is None where a file was laid down that says nothing of it."""

    begins_at: datetime
    until: datetime | None
    reason: str
    ordered_by: str

    def in_force(self, now: datetime) -> bool:
        """Whether it has begun. It does not end by itself."""
        return self.begins_at <= now

    def retry_after_s(self, now: datetime) -> int:
        """After how many seconds it is worth while to ask again; a minute when it takes longer than told."""
        if self.until is None or self.until <= now:
            return _ASK_AGAIN_S
        return ceil((self.until - now).total_seconds())

    @property
    def header(self) -> str:
        """The window as a dictionary of dates (RFC 9651), for every answer from its announcement on.

        >>> from datetime import UTC
        >>> Window(datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 1, 2, tzinfo=UTC), "", "").header
        'from=@1796083200, until=@1796090400'
        """
        ends = "" if self.until is None else f", until=@{int(self.until.timestamp())}"
        return f"from=@{int(self.begins_at.timestamp())}{ends}"


def planned(
    *, begins_at: datetime | None, until: datetime, reason: str, ordered_by: str, now: datetime
) -> Window:
    """A window that makes sense; `begins_at` None means now. Raises BadInput."""
    begins_at = begins_at or now
    if begins_at.tzinfo is None or until.tzinfo is None:
        raise BadInput(
            Text(
                "Diharapkan waktu dengan zona, seperti 2026-12-01T02:00+07:00.",
                "Expected moments with their zone, such as 2026-12-01T02:00+07:00.",
            )
        )
    if not max(begins_at, now) < until <= begins_at + LONGEST:
        raise BadInput(
            Text(
                f"until: diharapkan setelah awalnya dan setelah sekarang, paling lama {LONGEST.days} hari.",
                f"until: expected after the beginning and after now, by {LONGEST.days} days at most.",
            )
        )
    if not 0 < len(reason.strip()) <= _REASON_CHARACTERS:
        raise BadInput(
            Text(
                f"Alasan: diharapkan 1 sampai {_REASON_CHARACTERS} karakter.",
                f"reason: expected 1 to {_REASON_CHARACTERS} characters.",
            )
        )
    return Window(begins_at, until, reason.strip(), ordered_by)
