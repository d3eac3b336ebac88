"""What the job of a run does: compare, cut into chunks, store one chunk after another, report.

Each chunk is one transaction with its checkpoint. What stands before the first of them (reading the extract,
comparing) leaves only files, and is done again where they are gone. MUST NOT let a cause through that may
quote a row: what a run failed for is told by the words of our own errors, or by a kind.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Protocol
from uuid import UUID

import pyarrow as pa
from sqlalchemy import Connection, func, select, update

from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.errors import BadInput, GapuraError
from gateway.reconciliation.checked import FoundThing
from gateway.reconciliation.jobs import JobFailed, Jobs
from gateway.reconciliation.kinds import DUPLICATE_NIK, LIKELY_PERSON
from gateway.reconciliation.proposing import evidence_of, without_refused
from gateway.reconciliation.report import made_report
from gateway.reconciliation.results import SUMMARY, Bound, Results, Summary, things_of
from gateway.reconciliation.runs import OVER, Run, Runs, object_of
from gateway.reconciliation.statuses import Status
from gateway.reconciliation.storing import ChunkStore
from gateway.reconciliation.tables import reconciliation_chunks, reconciliation_runs
from gateway.staff.acts import Act, record_in_audit_log

# Each chunk reads the registry from end to end and touches most of its pages, so few are better than many;
# small enough that a pause is heard within seconds. SQLite's one write lock is held as long as a chunk takes,
# and whoever else waits for it gives up after half a minute.
CHUNK_PEOPLE, CHUNK_PEOPLE_ON_SQLITE = 200_000, 50_000
WORKER = "reconciliation"
_runs, _chunks = reconciliation_runs, reconciliation_chunks


class Compare(Protocol):
    """Compares the registry with an extract. See `comparing.compare_with_extract`."""

    def __call__(self, run: Run, folder: Path) -> Summary:
        """Write `results.parquet` and `things.parquet` into the folder. Raises BadInput, FileUnusable."""


class LiveRound(Protocol):
    """Goes through a live run. See `live.go_live`."""

    def __call__(self, run: Run, jobs: Jobs) -> None:
        """Ask about people until everybody is checked. Ends where the job is stopped."""


class AcceptByRule(Protocol):
    """Accepts likely persons of a run as a rule in force says. See `acceptance.accept_by_rule`."""

    def __call__(self, connection: Connection, run_id: UUID, after: str | None) -> str | None:
        """Decide on the next few behind the id `after`; the id of the last, or None where none was left."""


class Work:
    """The body of every run's job. `folder` takes the files of a run while it lasts."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        compare: Compare,
        live: LiveRound,
        clock: Callable[[], datetime],
        *,
        accept: AcceptByRule | None = None,
        chunk_people: int | None = None,
    ) -> None:
        self.jobs: Jobs | None = None
        self._database = database
        self._runs = Runs(database, clock)
        self._folder = folder
        self._compare = compare
        self._live = live
        self._clock = clock
        self._accept = accept
        usual = CHUNK_PEOPLE_ON_SQLITE if database.is_sqlite else CHUNK_PEOPLE
        self._chunk_people = chunk_people or usual
        self._store = ChunkStore()

    def __call__(self, run_id: UUID) -> None:
        """Do a run, or what is left of it. Raises JobFailed; why is then said in its row."""
        assert self.jobs is not None  # noqa: S101 - whoever opens the jobs gives them
        run = self._runs.get(run_id)
        try:
            if run.order.way == "live":
                self._live(run, self.jobs)
            else:
                self._with_extract(run, self.jobs)
            self.jobs.transaction("finish", partial(self._finish, run_id))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told without quoting it
            cause = error.detail if isinstance(error, GapuraError) else f"unforeseen: {type(error).__name__}"
            self._note_failure(run_id, cause)
            raise JobFailed(cause) from None
        self.forget_files(run_id)

    def forget_files(self, run_id: UUID) -> None:
        """Remove what a run left on disk."""
        shutil.rmtree(self._folder / str(run_id), ignore_errors=True)

    def _with_extract(self, run: Run, jobs: Jobs) -> None:
        folder = self._compared(run)
        with Results(folder) as results:
            count = jobs.transaction("plan", partial(self._plan, run.id, folder, results))
            for number in range(count):
                jobs.transaction("chunk", partial(self._chunk, run.id, number, results))
        self._accept_likely(run.id, jobs)

    def _accept_likely(self, run_id: UUID, jobs: Jobs) -> None:
        """Step by step, until no likely person is left that the rule has not been asked about."""
        accept = self._accept
        if accept is None:
            return
        last: str | None = None
        while True:
            last = jobs.transaction("accept", partial(accept, run_id=run_id, after=last))
            if last is None:
                return

    def _compared(self, run: Run) -> Path:
        """The folder with the whole results; an attempt that was cut short counts for nothing."""
        folder = self._folder / str(run.id)
        if (folder / SUMMARY).exists():
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        try:
            summary = self._compare(run, folder)
            _refuse_day_to_come(summary.as_of, civil_day(self._clock()))
            summary.write(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder

    def _plan(self, run_id: UUID, folder: Path, results: Results, connection: Connection) -> int:
        """Fix where the chunks begin; how many there are."""
        summary, bounds = Summary.of(folder), results.bounds(self._chunk_people)
        connection.execute(
            update(_runs)
            .where(_runs.c.id == run_id)
            .values(
                as_of=summary.as_of,
                people=summary.people,
                problems=list(summary.problems),
                phase="storing",
            )
        )
        rows = [
            {
                "run_id": run_id,
                "number": number,
                "first_regency": bound.regency,
                "first_person": bound.person_id,
                "people": bound.people,
            }
            for number, bound in enumerate(bounds)
        ]
        if rows:
            connection.execute(_chunks.insert(), rows)
        return len(rows)

    def _chunk(self, run_id: UUID, number: int, results: Results, connection: Connection) -> int:
        """Store one chunk; how many people it has."""
        rows = connection.execute(
            select(_chunks)
            .where(_chunks.c.run_id == run_id, _chunks.c.number.in_([number, number + 1]))
            .order_by(_chunks.c.number)
        ).all()
        bounds = [Bound(row.first_regency, row.first_person, row.people) for row in rows]
        first, behind = bounds[0], bounds[1] if len(bounds) > 1 else None
        people = results.people(first, behind)
        things = _things(results, first, behind, people)
        as_of = connection.execute(select(_runs.c.as_of).where(_runs.c.id == run_id)).scalar_one()
        now = self._clock()
        likely = results.likely(first, behind)
        if likely is not None:
            likely = without_refused(connection, likely)
            things += [
                FoundThing(person_id, regency, LIKELY_PERSON, evidence)
                for (person_id, regency), evidence in evidence_of(likely).items()
            ]
        stored = self._store(connection, run_id, as_of, now, people, things, likely)
        connection.execute(
            update(_chunks)
            .where(_chunks.c.run_id == run_id, _chunks.c.number == number)
            .values(
                people=people.num_rows,
                finished_at=now,
                counts=stored.counts,
                changed=stored.changed,
                opened=stored.opened,
                closed=stored.closed,
            )
        )
        return int(people.num_rows)

    def _finish(self, run_id: UUID, connection: Connection) -> int:
        """Report, and say that the run is completed; a run that was cancelled meanwhile stays so."""
        now = self._clock()
        row = connection.execute(select(_runs).where(_runs.c.id == run_id)).one()
        people = connection.execute(
            select(func.coalesce(func.sum(_chunks.c.people), 0)).where(_chunks.c.run_id == run_id)
        ).scalar_one()
        if row.state in OVER:
            return int(people)
        report = made_report(connection, run_id)
        connection.execute(
            update(_runs)
            .where(_runs.c.id == run_id)
            .values(state="completed", finished_at=now, report=report, waits_until=None)
        )
        details = {"people": int(people), "problems": len(row.problems)}
        act = Act(WORKER, "reconciliation.completed", object_of(run_id), now, details=details)
        record_in_audit_log(connection, act)
        return int(people)

    def _note_failure(self, run_id: UUID, cause: str) -> None:
        now = self._clock()
        with self._database.unit_of_work() as connection:
            noted = connection.execute(
                update(_runs)
                .where(_runs.c.id == run_id, _runs.c.state.not_in(sorted(OVER)))
                .values(state="failed", failure=cause, waits_until=None)
            )
            if noted.rowcount:
                act = Act(WORKER, "reconciliation.failed", object_of(run_id), now)
                record_in_audit_log(connection, act)


def _things(results: Results, first: Bound, behind: Bound | None, people: pa.Table) -> list[FoundThing]:
    """What a regency must look into, of the people of a chunk."""
    things = results.things(first, behind)
    doubled = {thing.person_id for thing in things if thing.kind == DUPLICATE_NIK}
    for thing in things_of(people):
        # Whoever shares a NIK within the registry is told so, and not a second time in other words.
        if thing.kind != Status.DUPLICATE or thing.person_id not in doubled:
            things.append(thing)
    return things


def _refuse_day_to_come(as_of: date, today: date) -> None:
    """A status of tomorrow would be given to nobody until then."""
    if as_of > today:
        raise BadInput(
            f"as_of: expected a day that has come, got {as_of}; mend the extract and submit again."
        )
