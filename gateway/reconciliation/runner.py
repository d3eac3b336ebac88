"""Whoever works on runs: one process at a time, which makes every run's job follow what people want of it.

It looks at the rows of runs again and again: a queued run's job begins or goes on, a paused one's stops after
the chunk under way, a cancelled one's files are removed. A process that dies leaves rows and jobs as they
are; the next one goes on with them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, update

from gateway.database import Database
from gateway.reconciliation.alone import alone
from gateway.reconciliation.jobs import Jobs
from gateway.reconciliation.runs import OVER, UNDER_WAY, Run, Runs, RunState
from gateway.reconciliation.tables import reconciliation_runs
from gateway.reconciliation.working import Work

_LOOK_EVERY_S = 0.5
_runs = reconciliation_runs

# Hears of a run as it stands; says whether to go on watching.
Watch = Callable[[Run], bool]


class Runner:
    """Works on the runs of one database until none is under way."""

    def __init__(
        self,
        database: Database,
        work: Work,
        runs: Runs,
        clock: Callable[[], datetime],
        *,
        look_every_s: float = _LOOK_EVERY_S,
        poll_s: float = 1.0,
    ) -> None:
        self._database = database
        self._work = work
        self._runs = runs
        self._clock = clock
        self._look_every_s = look_every_s
        self._poll_s = poll_s
        self._told: dict[UUID, RunState] = {}

    def __call__(self, watch: Watch = lambda _run: True) -> bool:
        """Work until no run is under way, or `watch` has seen enough; False where another process works.

        Raises StoreUnavailable when the database is gone: another process may then be the one that works.
        """
        with alone(self._database) as still_alone:
            if still_alone is None:
                return False
            url = self._database.session_engine.url.render_as_string(hide_password=False)
            with Jobs(url, self._work, poll_s=self._poll_s) as jobs:
                self._work.jobs = jobs
                while self._look(jobs, watch) or jobs.is_at_work():
                    still_alone()
                    time.sleep(self._look_every_s)
            for run_id in self._told:
                if self._runs.get(run_id).state in OVER:
                    self._work.forget_files(run_id)
        return True

    def _look(self, jobs: Jobs, watch: Watch) -> bool:
        """Look once at every run; whether there is anything to go on for."""
        under_way = self._runs.in_states(UNDER_WAY)
        known = [self._runs.get(run_id) for run_id in self._told.keys() - {run.id for run in under_way}]
        go_on = bool(under_way)
        for run in (*under_way, *known):
            self._follow(jobs, run)
            go_on = watch(run) and go_on
        return go_on

    def _follow(self, jobs: Jobs, run: Run) -> None:
        """Make the job of a run follow its row."""
        state = jobs.state(run.id)
        if run.state == "queued":
            # First the row: what the job itself writes there comes after it.
            self._begun(run.id)
            jobs.go_on(run.id)
        elif run.is_under_way and run.id not in self._told:
            jobs.go_on(run.id)  # left by a process that died before the job was begun, or after
        elif run.state in {"paused", "cancelled"} and state == "active":
            jobs.stop(run.id)
        self._told[run.id] = run.state

    def _begun(self, run_id: UUID) -> None:
        with self._database.unit_of_work() as connection:
            connection.execute(
                update(_runs)
                .where(_runs.c.id == run_id, _runs.c.state == "queued")
                .values(state="running", started_at=func.coalesce(_runs.c.started_at, self._clock()))
            )
