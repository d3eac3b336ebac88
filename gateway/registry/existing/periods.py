"""What held on a day, of rows that each hold for a while: pure. What is unsure that day is not said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from connectors.base import Value


@dataclass(frozen=True, slots=True)
class Period:
    """What one row says from `starts_on` until the day before `ends_on` (None: it still holds).

    `unsure` says that its words, `unsure_until` that its end could not be read; a first day that could not be
    read, or is not there, is None.
    """

    says: Value
    starts_on: date | None
    ends_on: date | None = None
    as_of: date | None = None
    unsure: bool = False
    unsure_until: bool = False

    def may_hold_on(self, day: date) -> bool:
        """Whether the row holds on `day`, or may for all that could be read."""
        begun = self.starts_on is None or self.starts_on <= day
        return begun and (self.ends_on is None or self.ends_on > day)

    @property
    def when_is_unsure(self) -> bool:
        """Whether it is not certain from when until when the row holds."""
        return self.starts_on is None or self.unsure_until


def programmes_on(periods: Sequence[Period], day: date) -> tuple[str, ...] | None:
    """The programmes of one person on `day`, in order; None where a row that may count cannot be read.

    >>> programmes_on([Period("PKH", date(2026, 1, 1)), Period("BST", date(2021, 1, 1), date(2022, 1, 1))],
    ...               date(2026, 8, 1))
    ('PKH',)
    """
    holding = [period for period in periods if period.may_hold_on(day)]
    if any(period.unsure or period.when_is_unsure for period in holding):
        return None
    return tuple(sorted({period.says for period in holding if isinstance(period.says, str)}))


def ranking_on(periods: Sequence[Period], day: date) -> Period | None:
    """The row that ranks a family on `day`: the last to begin of those that hold; None where unsure."""
    holding = [period for period in periods if period.may_hold_on(day)]
    if not holding or any(period.when_is_unsure for period in holding):
        return None
    return max(holding, key=lambda period: period.starts_on or date.min)
