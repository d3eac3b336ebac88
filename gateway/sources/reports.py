"""How each source fares, told by every serving process to the database and read by `gapura sources`.

A breaker and its causes live in the process that meets the source; an operator asks from another one.
A report holds counts, times and a cause of `connectors/transport/failures.py`, never content or a
personal value.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from connectors.transport.observed import SourceState
from gateway.database import Database
from gateway.sources.tables import source_reports

# Reports are due every few seconds; a process that has been silent for this long no longer counts.
FRESH_FOR = timedelta(seconds=60)
_KEPT_FOR = timedelta(hours=1)
_TIMES = ("last_success", "last_failure", "unavailable_since")
# A healthy breaker first: of several processes the worst is shown.
_PHASES = ("closed", "half_open", "open")
_FIELDS = {one.name for one in fields(SourceState)}


@dataclass(frozen=True, slots=True)
class SourceOverview:
    """One source over all processes that reported lately: the worst breaker, the newest success and failure.

    `reachable` is what the process knows that heard from the source last.
    """

    name: str
    processes: int
    reachable: bool | None
    breaker: str
    latency_s: float | None
    last_success: datetime | None
    last_failure: datetime | None
    last_cause: str | None
    unavailable_since: datetime | None

    @property
    def recovered(self) -> bool:
        """Whether any process was answered after the last failure of all of them."""
        failure, success = self.last_failure, self.last_success
        return failure is not None and success is not None and success > failure


def report_states(database: Database, states: Sequence[SourceState], *, process: str, now: datetime) -> None:
    """Replace what `process` last reported. Blocks; raises StoreUnavailable."""
    insert: Any = (sqlite if database.is_sqlite else postgresql).insert
    statement = insert(source_reports)
    statement = statement.on_conflict_do_update(
        index_elements=["source", "process"],
        set_={name: statement.excluded[name] for name in ("reported_at", "state")},
    )
    rows = [
        {"source": state.name, "process": process, "reported_at": now, "state": _written(state)}
        for state in states
    ]
    with database.unit_of_work(durable=False) as connection:
        connection.execute(delete(source_reports).where(source_reports.c.reported_at < now - _KEPT_FOR))
        if rows:
            connection.execute(statement, rows)


def overviews(database: Database, now: datetime) -> list[SourceOverview]:
    """Every source of which a process reported within FRESH_FOR, by name. Raises StoreUnavailable."""
    fresh = select(source_reports.c.state).where(source_reports.c.reported_at >= now - FRESH_FOR)
    states: defaultdict[str, list[SourceState]] = defaultdict(list)
    with database.reading() as connection:
        for content in connection.execute(fresh).scalars():
            if content.keys() == _FIELDS:  # while a new version is rolled out, the other one's is not read
                state = _read(content)
                states[state.name].append(state)
    return [overview(states[name]) for name in sorted(states)]


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """What one serving process last told of a source, and when."""

    process: str
    reported_at: datetime
    state: SourceState


def reports_of(database: Database, name: str, now: datetime) -> list[ProcessReport]:
    """What each process that reported within FRESH_FOR knows of a source. Raises StoreUnavailable."""
    fresh = (
        select(source_reports)
        .where(source_reports.c.source == name, source_reports.c.reported_at >= now - FRESH_FOR)
        .order_by(source_reports.c.process)
    )
    with database.reading() as connection:
        rows = connection.execute(fresh).all()
    return [
        ProcessReport(row.process, row.reported_at, _read(row.state))
        for row in rows
        if row.state.keys() == _FIELDS
    ]


def overview(states: Sequence[SourceState]) -> SourceOverview:
    """What several processes (at least one) know of one source."""
    failures = [state for state in states if state.last_failure is not None]
    latest_failure = max(failures, key=attrgetter("last_failure"), default=None)
    asked = [state for state in states if state.reachable is not None]
    newest = max(asked, key=_heard_at, default=None)
    latencies = [state.latency_s for state in states if state.latency_s is not None]
    down_since = [state.unavailable_since for state in states if state.unavailable_since is not None]
    return SourceOverview(
        name=states[0].name,
        processes=len(states),
        reachable=newest.reachable if newest else None,
        breaker=max((state.breaker for state in states), key=_PHASES.index),
        latency_s=sum(latencies) / len(latencies) if latencies else None,
        last_success=_newest(state.last_success for state in states),
        last_failure=latest_failure.last_failure if latest_failure else None,
        last_cause=latest_failure.last_cause if latest_failure else None,
        unavailable_since=min(down_since, default=None),
    )


def _heard_at(state: SourceState) -> datetime:
    moment = _newest((state.last_success, state.last_failure))
    assert moment is not None  # noqa: S101 - who was reached or not was asked
    return moment


def _newest(moments: Iterable[datetime | None]) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)


def _written(state: SourceState) -> dict[str, Any]:
    content = asdict(state)
    return content | {name: content[name] and content[name].isoformat() for name in _TIMES}


def _read(content: dict[str, Any]) -> SourceState:
    moments = {name: content[name] and datetime.fromisoformat(content[name]) for name in _TIMES}
    return SourceState(**content | moments)
