"""What is under way or comes up: reconciliations, alarms of today, agreements that are about to end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, func, select

from gateway.agreements.listing import Wanted, page_of
from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.limits.tables import limit_alarms
from gateway.reconciliation.runs import UNDER_WAY
from gateway.reconciliation.tables import reconciliation_chunks, reconciliation_runs
from gateway.vitals.figures import Figure

ENDING_WITHIN_DAYS = (7, 30)
_runs, _chunks = reconciliation_runs.c, reconciliation_chunks.c
_AHEAD = (
    select(_runs.id, _runs.submitted_at, _runs.started_at, _runs.waits_until, _runs.people)
    .where(_runs.state.in_(sorted(UNDER_WAY)))
    .order_by(_runs.submitted_at)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class RunStanding:
    """The reconciliation that is under way: which share is done, and since when it got no further, seconds.

    One that waits for the night or for tomorrow's quota does not stand still.
    """

    progress: float
    still_s: float


@dataclass(frozen=True, slots=True)
class WorkStanding:
    """What is under way; `alarms` counts agreements by pattern and level, `runs` reconciliations by state."""

    alarms: Mapping[tuple[str, str], int]
    runs: Mapping[str, int]
    running: RunStanding | None


def work_standing(connection: Connection, now: datetime) -> WorkStanding:
    """What is under way now; alarms of this day in Indonesia (WIB)."""
    table = limit_alarms.c
    alarms = connection.execute(
        select(table.pattern, table.level, func.count())
        .where(table.day >= civil_day(now))
        .group_by(table.pattern, table.level)
    )
    runs = connection.execute(select(_runs.state, func.count()).group_by(_runs.state))
    return WorkStanding(
        alarms={(pattern, level): count for pattern, level, count in alarms},
        runs={state: int(count) for state, count in runs},
        running=_running(connection, now),
    )


def agreements_ending(database: Database, today: date) -> dict[int, int]:
    """How many active agreements end within so many days from today on. Raises StoreUnavailable."""
    return {days: _ending(database, today, days) for days in ENDING_WITHIN_DAYS}


def work_figures(standing: WorkStanding) -> Iterator[Figure]:
    """The same as figures."""
    for (pattern, level), count in standing.alarms.items():
        yield Figure("gapura_limit_alarms", count, {"pattern": pattern, "level": level})
    for state, count in standing.runs.items():
        yield Figure("gapura_reconciliation_runs", count, {"state": state})
    if standing.running is not None:
        yield Figure("gapura_reconciliation_progress_ratio", standing.running.progress)
        yield Figure("gapura_reconciliation_still_seconds", standing.running.still_s)


def _running(connection: Connection, now: datetime) -> RunStanding | None:
    run = connection.execute(_AHEAD).first()
    if run is None:
        return None
    done = connection.execute(
        select(func.sum(_chunks.people).label("people"), func.max(_chunks.finished_at).label("last")).where(
            _chunks.run_id == run.id, _chunks.finished_at.is_not(None)
        )
    ).one()
    moments = (run.submitted_at, run.started_at, run.waits_until, done.last)
    last = max(moment for moment in moments if moment is not None)
    share = (done.people or 0) / run.people if run.people else 0.0
    return RunStanding(share, max(0.0, (now - last).total_seconds()))


def _ending(database: Database, today: date, days: int) -> int:
    ends_by = today + timedelta(days=days)
    _, total = page_of(database, Wanted(kind="agreement", standing="active", ends_by=ends_by), today, 1, 1)
    return total
