"""Alarms: that the questions of a day look like a walk through the numbers is put down once, and told.

An alarm and the administrative act that says so are written in the transaction that counts the request, and
are on disk when it ends. It names agreement, pattern and day, and nobody who was asked about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Protocol

from sqlalchemy import Connection, Date, bindparam, select, text

from gateway.database import Database, UtcDateTime, make_durable
from gateway.limits.patterns import Level, Pattern
from gateway.limits.tables import limit_alarms
from gateway.staff.acts import Act, RecordAct

_ACTOR = "gateway"
# What this process has raised, so that it does not try again with every request; a day has few.
_REMEMBERED = 1000
_RAISE = text(
    "INSERT INTO limit_alarms (agreement_id, day, pattern, level, at) "
    "VALUES (:agreement_id, :day, :pattern, :level, :at) ON CONFLICT DO NOTHING"
).bindparams(bindparam("day", type_=Date()), bindparam("at", type_=UtcDateTime()))


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
    def kind(self) -> tuple[str, date, Pattern, Level]:
        """What is raised once."""
        return self.agreement_id, self.day, self.pattern, self.level


def untold(name: str, *, level: str = "info", **fields: object) -> None:
    """Say it to nobody."""


class Alarms:
    """The alarms of all agreements."""

    def __init__(self, database: Database, record_act: RecordAct, tell: Tell) -> None:
        self._database = database
        self._record_act = record_act
        self._tell = tell
        self._raised: set[tuple[str, date, Pattern, Level]] = set()

    def raise_first(
        self, connection: Connection, found: Mapping[tuple[str, Pattern], Level], day: date, now: datetime
    ) -> Sequence[Alarm]:
        """Put down those that are the first of their kind on `day`; a refusal is an alarm as well.

        The caller gives them to `announce` when its transaction has been committed.
        """
        first = []
        for (agreement_id, pattern), reached in found.items():
            for level in (Level.ALARM, Level.REFUSAL) if reached is Level.REFUSAL else (Level.ALARM,):
                alarm = Alarm(agreement_id, day, pattern, level, now)
                if alarm.kind not in self._raised and connection.execute(_RAISE, asdict(alarm)).rowcount:
                    first.append(alarm)
        for alarm in first:
            about = f"{alarm.pattern} on {day}"
            self.record(connection, _ACTOR, f"limits.{alarm.level}", alarm.agreement_id, about, now)
        if first:
            make_durable(connection)
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

    def record(
        self, connection: Connection, actor: str, act: str, agreement_id: str, reason: str, now: datetime
    ) -> None:
        """Put an act about an agreement's limits into the audit log, within the caller's transaction."""
        self._record_act(connection, Act(actor, act, f"agreement/{agreement_id}", now, reason))

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
