"""When reconciliations begin by themselves, and in which hours Dukcapil is asked: `[reconciliation]`.

A section of `sources.toml`: `hours`, and for runs that nobody has to ask for `cron` (in the time of
Indonesia's west) with either `live = true` or `extract`, a path in which a new delivery is put before the
moment comes, and `region`. Each moment makes one run, however many processes notice it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.civil_day import wib
from gateway.errors import Conflict, SettingsInvalid
from gateway.reconciliation.night import Night
from gateway.reconciliation.runs import Order, Run, Runs
from gateway.sources.configured import RECONCILIATION
from gateway.staff.roles import Staff

SCHEDULE = Staff("schedule", "Schedule", frozenset(), "console")
_HOURS = "20:00-05:00"
_KEYS = frozenset({"hours", "cron", "live", "extract", "region"})
# A moment is made up for as long as this, by the first process that notices it.
_MADE_UP_FOR = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Schedule:
    """What the section says; without `cron` nothing begins by itself."""

    night: Night
    cron: str | None = None
    order: Order | None = None


def read_schedule(path: Path | None) -> Schedule:
    """The section of the file; a file without it, or no file, gives the usual hours and no run.

    Raises SettingsInvalid with every problem.
    """
    from croniter import croniter  # noqa: PLC0415 - most gateways have no schedule

    section: Mapping[str, Any] = {}
    if path is not None:
        try:
            section = tomllib.loads(path.read_text(encoding="utf-8")).get(RECONCILIATION, {})
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsInvalid([f"{path}: cannot be read as TOML: {type(error).__name__}"]) from None
    problems = [
        f"[{RECONCILIATION}] {name} is not one of {', '.join(sorted(_KEYS))}"
        for name in section.keys() - _KEYS
    ]
    night = Night.of(_HOURS)
    try:
        night = Night.of(str(section.get("hours", _HOURS)))
    except ValueError as error:
        problems.append(f"[{RECONCILIATION}] hours: {error}")
    cron = section.get("cron")
    if cron is not None and not (isinstance(cron, str) and croniter.is_valid(cron)):
        problems.append(f'[{RECONCILIATION}] cron: expected an expression such as "0 20 * * *"')
    extract, live = section.get("extract"), section.get("live", False)
    if cron is not None and (extract is None) is not (live is True):
        problems.append(f"[{RECONCILIATION}] cron: expected either live = true, or extract, beside it")
    if problems:
        raise SettingsInvalid([f"{path}: {problem}" for problem in problems])
    if cron is None:
        return Schedule(night)
    return Schedule(night, cron, Order("live" if live else "extract", extract, section.get("region")))


def submit_due(schedule: Schedule, runs: Runs, clock: Callable[[], datetime]) -> Run | None:
    """The run of the last moment of the schedule, made now if it has not been; None where none is due.

    A moment at which another run is under way is passed over. Raises StoreUnavailable.
    """
    if schedule.cron is None or schedule.order is None:
        return None
    from croniter import croniter  # noqa: PLC0415 - as above

    now = clock()
    moment: datetime = croniter(schedule.cron, wib(now)).get_prev(datetime)
    if now - moment > _MADE_UP_FOR:
        return None
    try:
        return runs.submit(SCHEDULE, schedule.order, key=f"schedule {schedule.cron} {moment.isoformat()}")
    except Conflict:
        return None
