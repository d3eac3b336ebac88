"""Runs: submitted, watched, paused, resumed and cancelled; every one of these acts is in the audit log.

A run's row says what people want of it and how far it is. Whoever works (see `runner`) looks at it again and
again and makes its job follow; so acting on a run needs a transaction and nothing else, on any machine. MUST
NOT hold what a run compares: its row names a file, a region, an engine and counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, get_args
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select, text, update

from gateway.advisory_locks import AdvisoryLock
from gateway.database import Database
from gateway.errors import BadInput, Conflict, NotFound
from gateway.reconciliation.report import RegionsOfRun, accepted_by_rule, regions_of_run
from gateway.reconciliation.tables import reconciliation_chunks, reconciliation_runs
from gateway.registry.tables import people
from gateway.staff.acts import Act, RecordAct, record_in_audit_log
from gateway.staff.roles import Staff
from policies.regions import is_region_code

Way = Literal["extract", "live"]
Engine = Literal["duckdb", "spark"]
# `waiting` is a live run until the night, or until tomorrow's quota.
RunState = Literal["queued", "running", "waiting", "paused", "cancelled", "completed", "failed"]
# What a run with an extract is at: it reads both sides, compares them, looks for likely persons, stores.
Phase = Literal["reading", "comparing", "linking", "storing"]
UNDER_WAY: frozenset[RunState] = frozenset({"queued", "running", "waiting"})
OVER: frozenset[RunState] = frozenset({"cancelled", "completed"})
_MAY_BE: Mapping[str, frozenset[RunState]] = {
    "paused": UNDER_WAY,
    "queued": frozenset({"paused", "failed"}),
    "cancelled": UNDER_WAY | {"paused", "failed"},
}
_VERBS = {"paused": "paused", "queued": "resumed", "cancelled": "cancelled"}
_runs, _chunks = reconciliation_runs, reconciliation_chunks
# Any constant does; it only has to be the same for every process, and nobody else's.
_TAKE_TURNS = text(f"SELECT pg_advisory_xact_lock({AdvisoryLock.RECONCILIATION_SUBMITTED:d})")


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be reconciled: with an extract (a path on the machine that works) or live."""

    way: Way
    extract: str | None = None
    region: str | None = None
    engine: Engine = "duckdb"


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a run goes, in people a second, and how long the rest takes so; None where nothing tells."""

    rate_per_s: float | None
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it stands. Counts are of people; `people` is None until it is known how many there are.

    `phase` is what it is at while it runs with an extract, None otherwise. `problems` are parts of the
    extract that could not be used, `failure` is why a run stopped;
    `accepted_by_rule` counts the likely persons that a rule accepted at its end.
    """

    id: UUID
    order: Order
    state: RunState
    submitted_at: datetime
    submitted_by: str
    started_at: datetime | None
    finished_at: datetime | None
    waits_until: datetime | None
    as_of: date | None
    phase: Phase | None
    people: int | None
    checked: int
    changed: int
    opened: int
    closed: int
    accepted_by_rule: int
    counts: Mapping[str, int]
    failure: str | None
    problems: Sequence[Mapping[str, Any]]
    report: Mapping[str, Any] | None

    @property
    def is_under_way(self) -> bool:
        """Whether somebody is, or should be, at work on it."""
        return self.state in UNDER_WAY

    def progress(self, now: datetime) -> Pace:
        """Its pace since it was begun; a pause counts as slowness."""
        until = self.finished_at or now
        if self.started_at is None or not self.checked or until <= self.started_at:
            return Pace(None, None)
        rate = self.checked / (until - self.started_at).total_seconds()
        left = None if self.people is None else max(0, self.people - self.checked) / rate
        return Pace(round(rate, 1), None if left is None else round(left, 1))


class Runs:
    """The runs of one database. Blocks. Raises StoreUnavailable everywhere."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], record: RecordAct = record_in_audit_log
    ) -> None:
        self._database = database
        self._clock = clock
        self._record = record

    def submit(self, staff: Staff, order: Order, key: str | None = None) -> Run:
        """Ask for a run; the same `key` again gives the run that it made.

        Raises BadInput for an order that cannot be carried out, Conflict where the key made another one or
        where a run of the same region is under way.
        """
        _check(order)
        now = self._clock()
        run_id = uuid4()
        with self._database.unit_of_work() as connection:
            _take_turns(connection)
            if key is not None and (earlier := self._submitted(connection, key)) is not None:
                if earlier.order != order:
                    raise Conflict("This Idempotency-Key has made a run with another order: use a new key.")
                return earlier
            _refuse_second(connection)
            if order.region is not None:
                refuse_uninhabited(connection, order.region)
            connection.execute(
                _runs.insert().values(
                    id=run_id,
                    way=order.way,
                    extract=order.extract,
                    region=order.region,
                    engine=order.engine,
                    state="queued",
                    submitted_at=now,
                    submitted_by=staff.actor,
                    submission_key=key,
                    problems=[],
                )
            )
            self._record(
                connection,
                Act(
                    actor=staff.actor,
                    act="reconciliation.submitted",
                    object=object_of(run_id),
                    at=now,
                    details={"way": order.way, "region": order.region or "all", "engine": order.engine},
                ),
            )
        return self.get(run_id)

    def pause(self, staff: Staff, run_id: UUID, reason: str = "") -> Run:
        """Have a run stop after the chunk under way. Raises NotFound, Conflict."""
        return self._turn(staff, run_id, "paused", reason)

    def resume(self, staff: Staff, run_id: UUID, reason: str = "") -> Run:
        """Have a paused or failed run go on where it stopped. Raises NotFound, Conflict."""
        return self._turn(staff, run_id, "queued", reason)

    def cancel(self, staff: Staff, run_id: UUID, reason: str = "") -> Run:
        """End a run for good; what it stored stays, with its history. Raises NotFound, Conflict."""
        return self._turn(staff, run_id, "cancelled", reason)

    def get(self, run_id: UUID) -> Run:
        """One run. Raises NotFound."""
        with self._database.reading() as connection:
            row = connection.execute(select(_runs).where(_runs.c.id == run_id)).first()
            if row is None:
                raise NotFound("There is no reconciliation of this id.")
            return run_of(row, _sums(connection, [run_id]).get(run_id, _NOTHING))

    def newest(self, most: int = 50, after: UUID | None = None) -> list[Run]:
        """The newest runs, newest first, from behind the run `after` on. Raises NotFound for no such run."""
        chosen = select(_runs).order_by(_runs.c.submitted_at.desc(), _runs.c.id).limit(most)
        with self._database.reading() as connection:
            if after is not None:
                chosen = chosen.where(_behind(connection, after))
            rows = connection.execute(chosen).all()
            sums = _sums(connection, [row.id for row in rows])
        return [run_of(row, sums.get(row.id, _NOTHING)) for row in rows]

    def total(self) -> int:
        """How many runs there are."""
        with self._database.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(_runs)).scalar_one())

    def regions(self, run_id: UUID) -> RegionsOfRun:
        """The figures of a run by region, beside the run before. Raises NotFound."""
        self.get(run_id)
        with self._database.reading() as connection:
            return regions_of_run(connection, run_id)

    def in_states(self, states: frozenset[RunState]) -> list[Run]:
        """The runs in these states, the oldest first; without their counts."""
        with self._database.reading() as connection:
            chosen = select(_runs).where(_runs.c.state.in_(sorted(states)))
            return [
                run_of(row, _NOTHING) for row in connection.execute(chosen.order_by(_runs.c.submitted_at))
            ]

    def _submitted(self, connection: Connection, key: str) -> Run | None:
        row = connection.execute(select(_runs).where(_runs.c.submission_key == key)).first()
        return None if row is None else run_of(row, _sums(connection, [row.id]).get(row.id, _NOTHING))

    def _turn(self, staff: Staff, run_id: UUID, to: RunState, reason: str) -> Run:
        now = self._clock()
        with self._database.unit_of_work() as connection:
            _take_turns(connection)
            row = connection.execute(
                select(_runs.c.state).where(_runs.c.id == run_id).with_for_update()
            ).first()
            if row is None:
                raise NotFound("There is no reconciliation of this id.")
            if row.state not in _MAY_BE[to]:
                raise Conflict(f"The reconciliation is {row.state}: it cannot be {_VERBS[to]}.")
            if to == "queued":
                _refuse_second(connection, besides=run_id)
            values: dict[str, Any] = {"state": to, "waits_until": None}
            values |= {"finished_at": now} if to in OVER else {"failure": None}
            connection.execute(update(_runs).where(_runs.c.id == run_id).values(values))
            act = Act(staff.actor, f"reconciliation.{_VERBS[to]}", object_of(run_id), now, reason)
            self._record(connection, act)
        return self.get(run_id)


def object_of(run_id: UUID) -> str:
    """How an act names a run."""
    return f"reconciliation/{run_id}"


def _take_turns(connection: Connection) -> None:
    """Two who begin a run at once take turns, or neither would see the other's. SQLite has one writer."""
    if connection.dialect.name == "postgresql":
        connection.execute(_TAKE_TURNS)


def _refuse_second(connection: Connection, besides: UUID | None = None) -> None:
    """Two runs at once would wait for each other's rows, and each undo what the other says."""
    another = connection.execute(
        select(_runs.c.id)
        .where(_runs.c.state.in_([*sorted(UNDER_WAY), "paused"]), _runs.c.id.is_distinct_from(besides))
        .limit(1)
    ).scalar()
    if another is not None:
        raise Conflict(f"The reconciliation {another} is not over: let it end, or cancel it.")


def _check(order: Order) -> None:
    if order.way not in get_args(Way) or order.engine not in get_args(Engine):
        raise BadInput("way: expected extract or live; engine: expected duckdb or spark.")
    if (order.way == "extract") == (order.extract is None):
        raise BadInput("Expected either an extract or a live run: give one of the two.")
    if order.region is not None and not is_region_code(order.region):
        raise BadInput("region: expected a dotted code of Kemendagri, such as 35 or 35.78.")


def note_phase(database: Database, run_id: UUID, phase: Phase) -> None:
    """Write down what a run is at now, for whoever watches it. Raises StoreUnavailable."""
    with database.unit_of_work() as connection:
        connection.execute(update(_runs).where(_runs.c.id == run_id).values(phase=phase))


def refuse_uninhabited(connection: Connection, region: str) -> None:
    """Raise BadInput for a region in which the registry knows nobody: as good as always a slip."""
    code = people.c.region_code
    lives_there = or_(code == region, code.startswith(f"{region}.", autoescape=True))
    if connection.execute(select(people.c.id).where(lives_there).limit(1)).first() is None:
        raise BadInput(
            f"region: expected one where people of the registry live, got {region}; look at it again."
        )


def _behind(connection: Connection, run_id: UUID) -> ColumnElement[bool]:
    """Whether a run stands behind another where the newest is first. Raises NotFound."""
    when = connection.execute(select(_runs.c.submitted_at).where(_runs.c.id == run_id)).scalar()
    if when is None:
        raise NotFound("after: there is no reconciliation of this id; take the `next` of the page before.")
    at = _runs.c.submitted_at
    return or_(at < when, and_(at == when, _runs.c.id > run_id))


@dataclass(frozen=True, slots=True)
class _Sums:
    checked: int
    changed: int
    opened: int
    closed: int
    accepted_by_rule: int
    counts: Mapping[str, int]


_NOTHING = _Sums(0, 0, 0, 0, 0, {})


def _sums(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, _Sums]:
    """What the finished chunks of these runs come to: one statement, for chunks are finished meanwhile."""
    names = ("people", "changed", "opened", "closed")
    chosen = select(_chunks.c.run_id, _chunks.c.counts, *(_chunks.c[name] for name in names))
    figures: dict[UUID, Counter[str]] = {}
    counts: dict[UUID, Counter[str]] = {}
    for row in connection.execute(
        chosen.where(_chunks.c.run_id.in_(ids), _chunks.c.finished_at.is_not(None))
    ):
        figures.setdefault(row.run_id, Counter()).update({name: getattr(row, name) for name in names})
        for of_region in row.counts.values():
            counts.setdefault(row.run_id, Counter()).update(of_region)
    accepted = accepted_by_rule(connection, list(figures))
    return {
        run_id: _Sums(
            found["people"],
            found["changed"],
            found["opened"],
            found["closed"],
            accepted.get(run_id, 0),
            dict(counts.get(run_id, {})),
        )
        for run_id, found in figures.items()
    }


def run_of(row: Row[Any], sums: _Sums) -> Run:
    """The run in a row of `reconciliation_runs`."""
    return Run(
        id=row.id,
        order=Order(row.way, row.extract, row.region, row.engine),
        state=row.state,
        submitted_at=row.submitted_at,
        submitted_by=row.submitted_by,
        started_at=row.started_at,
        finished_at=row.finished_at,
        waits_until=row.waits_until,
        as_of=row.as_of,
        phase=row.phase if row.state == "running" else None,
        people=row.people,
        checked=sums.checked,
        changed=sums.changed,
        opened=sums.opened,
        closed=sums.closed,
        accepted_by_rule=sums.accepted_by_rule,
        counts=sums.counts,
        failure=row.failure,
        problems=row.problems,
        report=row.report,
    )
