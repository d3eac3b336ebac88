"""Live runs: who is asked about first, the nights and the quota, and what is kept of Dukcapil's answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from connectors.base import Outcome, Record, Subject, Unavailable
from gateway.audit.entry import SubjectHasher
from gateway.audit.tables import audit_entries
from gateway.database import Database
from gateway.reconciliation.live import Live
from gateway.reconciliation.night import Night
from gateway.reconciliation.runner import Runner
from gateway.reconciliation.runs import Order, Run, Runs
from gateway.reconciliation.tables import reconciliation_statuses
from gateway.reconciliation.working import Work
from gateway.registry.tables import people
from gateway.sources.folder import Sources
from gateway.staff.roles import INSTALLATION
from tests.gateway.reconciliation.registry import Somebody, settle

EVENING = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)  # 21.00 WIB
NIGHT = Night.of("20:00-05:00")
EVERYBODY = [Somebody(number) for number in range(12)]
HASHER = SubjectHasher(b"k" * 32)


class Clock:
    """A moment that jumps to where somebody waits for."""

    def __init__(self) -> None:
        self.now = EVENING
        self.jumps: list[datetime] = []

    def __call__(self) -> datetime:
        return self.now

    def jump(self, moment: datetime) -> None:
        self.now = moment
        self.jumps.append(moment)


class Dukcapil:
    """Answers so many calls a day; says of the n-th person what `Somebody.status` has to come to."""

    name = "dukcapil"
    provides = frozenset({"dukcapil_full_name", "dukcapil_birth_date", "dukcapil_person_state"})
    needs = frozenset[str]()
    outside = True
    many_at_once = False
    fresh_for: timedelta | None = None

    def __init__(self, clock: Clock, a_day: int) -> None:
        self.asked: list[UUID] = []
        self._clock = clock
        self._a_day = a_day
        self._made: dict[date, int] = {}

    async def fetch(
        self, subjects: Sequence[Subject], fields: frozenset[str], on_date: date, deadline: float
    ) -> Sequence[Outcome]:
        del fields, deadline
        return [self._answer(one, on_date) for one in subjects]

    async def ping(self) -> None:
        """It can always be asked."""

    async def left(self) -> int:
        day = (self._clock() + timedelta(hours=7)).date()
        return self._a_day - self._made.get(day, 0)

    def _answer(self, subject: Subject, day: date) -> Outcome:
        if self._made.get(day, 0) >= self._a_day:
            return Unavailable(self._clock(), cause="quota")
        self._made[day] = self._made.get(day, 0) + 1
        assert subject.person_id is not None
        self.asked.append(subject.person_id)
        number = next(one.number for one in EVERYBODY if one.id == subject.person_id)
        state = {1: "deceased", 3: "inactive", 4: "not_found"}.get(number % 10, "alive")
        verdicts = {"dukcapil_full_name": "match", "dukcapil_birth_date": "match"}
        if number % 10 == 5:
            verdicts["dukcapil_full_name"] = "no_match"
        return Record(subject.person_id, {**verdicts, "dukcapil_person_state": state}, day)


def runner(database: Database, folder: Path, clock: Clock, dukcapil: Dukcapil) -> Runner:
    def sources() -> Sources:
        return Sources((dukcapil,), _quotas={"dukcapil": dukcapil.left})

    def compare(_run: Run, _folder: Path) -> Any:
        raise AssertionError("nobody asked for an extract")

    live = Live(sources, database, HASHER, clock, night=NIGHT, batch_people=4)
    work = Work(database, folder, compare, live, clock)
    return Runner(database, work, Runs(database, clock), clock, look_every_s=0.02, poll_s=0.02)


def waking(runs: Runs, clock: Clock) -> Callable[[Run], bool]:
    """Lets the time come for which a run waits."""

    def watch(run: Run) -> bool:
        run = runs.get(run.id)
        if run.state == "waiting" and run.waits_until is not None and run.waits_until > clock():
            clock.jump(run.waits_until)
        return True

    return watch


def test_a_live_run_goes_on_night_after_night_within_the_quota(database: Database, tmp_path: Path) -> None:
    settle(database, EVERYBODY)
    clock = Clock()
    dukcapil, runs = Dukcapil(clock, a_day=6), Runs(database, clock)
    run = runs.submit(INSTALLATION, Order("live"))
    assert runner(database, tmp_path, clock, dukcapil)(waking(runs, clock))
    done = runs.get(run.id)
    assert (done.state, done.people, done.checked) == ("completed", 12, 12)
    assert sorted(dukcapil.asked) == sorted(one.id for one in EVERYBODY)
    # The quota's day ends at midnight WIB, and the night goes on.
    assert clock.jumps == [datetime(2026, 11, 22, 17, 0, tzinfo=UTC)]
    expected = {1: "deceased", 3: "inactive", 4: "unknown_nik", 5: "matched_with_differences", 11: "deceased"}
    with database.reading() as connection:
        known = {
            row.person_id: (row.status, row.as_of)
            for row in connection.execute(select(reconciliation_statuses))
        }
    assert {one.id: known[one.id][0] for one in EVERYBODY} == {
        one.id: expected.get(one.number, "matched") for one in EVERYBODY
    }
    assert {day for _, day in known.values()} == {date(2026, 11, 22), date(2026, 11, 23)}


def test_about_whom_dukcapil_is_asked_is_in_the_log_and_nobody_is_named(
    database: Database, tmp_path: Path
) -> None:
    settle(database, EVERYBODY)
    clock = Clock()
    runs = Runs(database, clock)
    runs.submit(INSTALLATION, Order("live"))
    runner(database, tmp_path, clock, Dukcapil(clock, a_day=100))(waking(runs, clock))
    with database.reading() as connection:
        rows = connection.execute(select(audit_entries.c.entry, audit_entries.c.subjects)).all()
    asked = [
        json.loads(row.subjects) for row in rows if json.loads(row.entry)["act"] == "reconciliation.asked"
    ]
    assert sorted(chain.from_iterable(asked)) == sorted(HASHER.person(one.id) for one in EVERYBODY)


def test_whoever_changed_comes_first_then_the_oldest_check(database: Database, tmp_path: Path) -> None:
    settle(database, EVERYBODY)
    clock = Clock()
    runs = Runs(database, clock)
    for region in ("35.78", None):
        run = runs.submit(INSTALLATION, Order("live", region=region))
        runner(database, tmp_path, clock, Dukcapil(clock, a_day=100))(waking(runs, clock))
        clock.now += timedelta(days=1)
        assert runs.get(run.id).state == "completed"
    with database.unit_of_work() as connection:
        old = EVERYBODY[7].id
        longest_ago = EVENING - timedelta(days=300)
        connection.execute(
            update(reconciliation_statuses)
            .where(reconciliation_statuses.c.person_id == old)
            .values(checked_at=longest_ago)
        )
        connection.execute(update(people).where(people.c.id == EVERYBODY[2].id).values(as_of=clock().date()))
    dukcapil = Dukcapil(clock, a_day=100)
    runs.submit(INSTALLATION, Order("live"))
    runner(database, tmp_path, clock, dukcapil)(waking(runs, clock))
    assert dukcapil.asked[:2] == [EVERYBODY[2].id, old]


def test_a_paused_live_run_stops_although_it_waits_for_tomorrow(database: Database, tmp_path: Path) -> None:
    settle(database, EVERYBODY)
    clock = Clock()
    runs, dukcapil = Runs(database, clock), Dukcapil(clock, a_day=4)
    run = runs.submit(INSTALLATION, Order("live"))

    def pause(_seen: Run) -> bool:
        if runs.get(run.id).state == "waiting":
            runs.pause(INSTALLATION, run.id)
        return True

    assert runner(database, tmp_path, clock, dukcapil)(pause)
    assert (runs.get(run.id).state, runs.get(run.id).checked) == ("paused", 4)
    runs.resume(INSTALLATION, run.id)
    assert runner(database, tmp_path, clock, dukcapil)(waking(runs, clock))
    assert (runs.get(run.id).state, runs.get(run.id).checked) == ("completed", 12)
    assert sorted(dukcapil.asked) == sorted(one.id for one in EVERYBODY)


@pytest.mark.parametrize(
    ("hours", "moment", "expected"),
    [
        ("20:00-05:00", EVENING, EVENING),
        ("20:00-05:00", EVENING + timedelta(hours=12), EVENING + timedelta(hours=23)),
        ("01:00-04:00", EVENING, EVENING + timedelta(hours=4)),
        ("00:00-00:00", EVENING, EVENING),
    ],
)
def test_the_night_begins_at_its_hour_in_western_indonesia(
    hours: str, moment: datetime, expected: datetime
) -> None:
    assert Night.of(hours).begins_after(moment) == expected


@pytest.mark.parametrize("hours", ["", "20-05", "24:00-05:00", "20:00-05:60", "20:00\u201305:00"])
def test_hours_that_are_none_are_refused(hours: str) -> None:
    with pytest.raises(ValueError, match="hours"):
        Night.of(hours)
