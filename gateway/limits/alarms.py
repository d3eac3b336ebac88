"""Alarms: that the questions of a day look like a walk through the numbers is put down once, and told.

An alarm and the administrative act that says so are written in the transaction that counts the request, and
are on disk when it ends. It names agreement, pattern and day, and nobody who was asked about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Protocol

from sqlalchemy import Date, bindparam, select, text

from gateway.database import Database, UtcDateTime
from gateway.lanes import Procedure
from gateway.limits.patterns import Level, Pattern
from gateway.limits.tables import limit_alarms
from gateway.staff.acts import Act, WriteAct

_ACTOR = "gateway"
# What this process has raised, so that it does not try again with every request; a day has few.
_REMEMBERED = 1000
_RAISE = text(
    "INSERT INTO limit_alarms (agreement_id, day, pattern, level, at) "
    "VALUES (:agreement_id, :day, :pattern, :level, :at) ON CONFLICT DO NOTHING RETURNING day"
).bindparams(bindparam("day", type_=Date()), bindparam("at", type_=UtcDateTime()))

# Counting need not be on disk, an alarm must.
_ON_DISK = text("SET LOCAL synchronous_commit TO ON")


class Tell(Protocol):
    """Says that something happened, as `gateway.telemetry.Telemetry.event` does."""

    def __call__(self, name: str, *, level: str = "info", **fields: object) -> None:
        """Say it. MUST NOT raise."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """What a day's questions under one agreement looked like, how far, and when that was first seen."""

    agreement_id: str
    day: date
    pattern: Pattern
    level: Level
    at: datetime

    @property
    def columns(self) -> dict[str, object]:
        """As its table holds it."""
        return {**asdict(self), "pattern": self.pattern.value, "level": self.level.value}

    @property
    def kind(self) -> tuple[str, date, Pattern, Level]:
        """What is raised once."""
        return self.agreement_id, self.day, self.pattern, self.level


def untold(name: str, *, level: str = "info", **fields: object) -> None:
    """Say it to nobody."""


class Alarms:
    """The alarms of all agreements."""

    def __init__(self, database: Database, write_act: WriteAct, tell: Tell) -> None:
        self._database = database
        self._write_act = write_act
        self._tell = tell
        self._raised: set[tuple[str, date, Pattern, Level]] = set()

    def raise_first(
        self, found: Mapping[tuple[str, Pattern], Level], day: date, now: datetime
    ) -> Procedure[Sequence[Alarm]]:
        """Put down those that are the first of their kind on `day`; a refusal is an alarm as well.

        The caller gives them to `announce` when its transaction has been committed.
        """
        reached = [
            Alarm(agreement_id, day, pattern, level, now)
            for (agreement_id, pattern), highest in found.items()
            for level in ((Level.ALARM, Level.REFUSAL) if highest is Level.REFUSAL else (Level.ALARM,))
        ]
        unknown = [alarm for alarm in reached if alarm.kind not in self._raised]
        if not unknown:
            return ()
        written = yield [(_RAISE, alarm.columns) for alarm in unknown]
        first = [alarm for alarm, rows in zip(unknown, written, strict=True) if rows]
        for alarm in first:
            about = f"{alarm.pattern} on {day}"
            yield from self.record(_ACTOR, f"limits.{alarm.level}", alarm.agreement_id, about, now)
        if first and not self._database.is_sqlite:
            yield [(_ON_DISK, {})]
        return first

    def announce(self, raised: Sequence[Alarm]) -> None:
        """Tell of alarms that are committed."""
        if len(self._raised) > _REMEMBERED:
            self._raised.clear()
        for alarm in raised:
            self._raised.add(alarm.kind)
            self._tell(
                "limits:alarm",
                level="warning",
                agreement_id=alarm.agreement_id,
                pattern=alarm.pattern.value,
                reached=alarm.level.value,
            )

    def record(self, actor: str, act: str, agreement_id: str, reason: str, now: datetime) -> Procedure[None]:
        """Put an act about an agreement's limits into the audit log, within the same transaction."""
        return self._write_act(Act(actor, act, f"agreement/{agreement_id}", now, reason))

    def since(self, ids: Sequence[str], day: date) -> Sequence[Alarm]:
        """The alarms of these agreements from `day` on, oldest first. Blocks. Raises StoreUnavailable."""
        statement = (
            select(limit_alarms)
            .where(self._database.one_of(limit_alarms.c.agreement_id, "ids"), limit_alarms.c.day >= day)
            .order_by(limit_alarms.c.at, limit_alarms.c.agreement_id, limit_alarms.c.pattern)
        )
        with self._database.reading() as connection:
            return [
                Alarm(row.agreement_id, row.day, Pattern(row.pattern), Level(row.level), row.at)
                for row in connection.execute(statement, {"ids": [*ids]})
            ]
