"""Durable jobs: the only module that knows DBOS. A site with another workflow engine replaces this file.

A job is a workflow whose writes are transactions of the gateway's own database: a checkpoint and what it
stands for are committed together, so a job that is killed anywhere goes on where it was, and nothing is done
twice. DBOS is imported and opened by whoever works on jobs, never by a process that only serves; its tables
are in the schema `dbos` on PostgreSQL, and in a file beside the database on SQLite.

Ids and counts alone pass through here. What a job reads and writes of people MUST NOT be an argument or a
result of a job, nor stand in an error: `transaction` lets no driver's error through, which quotes statements.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Self, TypeVar
from uuid import UUID

from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError, OperationalError

from gateway.database import Database
from gateway.errors import GapuraError, StoreUnavailable

# Part of every unfinished job: raise it only when a job's steps change their order or meaning.
APPLICATION_VERSION = "1"
# One process works at a time (see `alone`), so whoever works is this executor, and takes up what was left.
_EXECUTOR = "reconciliation"
_QUEUE = "reconciliation"
_MOST_RECOVERIES = 100_000
_SCHEMA = "dbos"

JobState = Literal["absent", "active", "stopped", "failed", "done"]
Result = TypeVar("Result")
_STATES: dict[str, JobState] = {
    "PENDING": "active",
    "ENQUEUED": "active",
    "DELAYED": "active",
    "CANCELLED": "stopped",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "stopped",
    "ERROR": "failed",
    "SUCCESS": "done",
}


class JobFailed(GapuraError):  # noqa: N818 - named for what happened, as in the tree of errors
    """A step of a job cannot be done; the message names no value."""

    code = "job_failed"


class Leaving(BaseException):
    """Ends a job's thread because its process ends; the job itself is not over. No `except` may take it."""


class Jobs:
    """The jobs of this process, which MUST be the only one that opens them. Threads are DBOS's own.

    `body` is what a job does, given its id. Use as a context manager.
    """

    def __init__(self, url: str, body: Callable[[UUID], None], *, poll_s: float = 1.0) -> None:
        self._database = Database(url)
        self._body = body
        self._poll_s = poll_s
        self._leaving = threading.Event()
        self._stopped: set[UUID] = set()
        self._at_work = _Count()

    def __enter__(self) -> Self:
        """Open the jobs; those that a dead process left go on by themselves."""
        from dbos import DBOS, SQLAlchemyDatasource  # noqa: PLC0415 - most processes never need it

        self._dbos = DBOS
        # DBOS keeps the error of a step, and a driver's error holds the rows that it was about.
        self._database.engine.hide_parameters = True
        if self._database.is_sqlite:
            _write_from_the_start(self._database)
        DBOS(
            config={
                "name": "gapura",
                "system_database_url": _system_url(self._database),
                "dbos_system_schema": _SCHEMA,
                "application_version": APPLICATION_VERSION,
                "executor_id": _EXECUTOR,
                "log_level": "CRITICAL",
                # Jobs do not speak with each other: nobody need hold a connection open to listen.
                "use_listen_notify": False,
                "notification_listener_polling_interval_sec": self._poll_s,
            }
        )
        self._datasource = SQLAlchemyDatasource.create(
            database_url="sqlite" if self._database.is_sqlite else "postgresql",
            engine=self._database.engine,
            schema=_SCHEMA,
        )

        @DBOS.workflow(name="reconcile", max_recovery_attempts=_MOST_RECOVERIES)
        def reconcile(job_id: str) -> None:
            """The workflow of every job."""
            with self._at_work:
                self._body(UUID(job_id))

        self._workflow = reconcile
        DBOS.launch()
        return self

    def __exit__(self, *_ended: object) -> None:
        """Wait for the steps under way, then let go: jobs that are not over go on when opened again."""
        self._leaving.set()
        self._at_work.wait_for_none()
        self._dbos.destroy(destroy_registry=True)
        self._database.close()

    def state(self, job_id: UUID) -> JobState:
        """How a job stands."""
        status = self._dbos.get_workflow_status(str(job_id))
        return "absent" if status is None else _STATES[status.status]

    def go_on(self, job_id: UUID) -> None:
        """Begin a job, or have it go on after its last step that was committed; nothing if it is at it."""
        self._stopped.discard(job_id)
        match self.state(job_id):
            case "absent":
                from dbos import SetWorkflowID  # noqa: PLC0415 - as above

                with SetWorkflowID(str(job_id)):
                    self._dbos.start_workflow(self._workflow, str(job_id))
            case "stopped":
                self._dbos.resume_workflow(str(job_id))
            case "failed":
                self._dbos.rewind_workflow(str(job_id), start_step=self._failed_step(job_id))
            case "active" | "done":
                pass

    def stop(self, job_id: UUID) -> None:
        """Have a job stop before its next step; `go_on` takes it up again."""
        self._stopped.add(job_id)
        self._dbos.cancel_workflow(str(job_id))

    def transaction(self, name: str, act: Callable[[Connection], Result]) -> Result:
        """Run one step of a job: what `act` writes and its result are committed together, once.

        The result is kept and given again when the job is taken up: ids and counts only. To be called
        from a job's body. Raises StoreUnavailable and JobFailed; a job that was stopped ends here.
        """

        def guarded() -> Result:
            """The step, with no error that could quote a row."""
            try:
                return act(self._datasource.sql_session().connection())
            except (OperationalError, GapuraError):
                raise  # DBOS tries again what a lock or a lost connection undid
            except Exception as error:  # noqa: BLE001 - whatever it is, its text may quote a row
                raise JobFailed(f"The step {name} failed ({type(error).__name__}).") from None

        self._refuse_when_leaving()
        # SQLite has one level; PostgreSQL's strictest would undo chunks because of requests that only read.
        level: Any = "SERIALIZABLE" if self._database.is_sqlite else "READ COMMITTED"
        try:
            return self._datasource.run_tx_step({"name": name, "isolation_level": level}, guarded)
        except DBAPIError:
            # Without its cause: the driver's text may quote the statement.
            raise StoreUnavailable("The database did not answer; the step was not done.") from None

    def wait(self, job_id: UUID, is_over: Callable[[], bool]) -> None:
        """Wait inside a job until `is_over`; ends its thread if the job is stopped or the process ends."""
        while not is_over():
            if job_id in self._stopped:
                raise Leaving
            self._leaving.wait(self._poll_s)
            self._refuse_when_leaving()

    def is_at_work(self) -> bool:
        """Whether a step of any job is under way in this process; a stopped job still ends its own."""
        return self._at_work.count > 0

    def _refuse_when_leaving(self) -> None:
        if self._leaving.is_set():
            raise Leaving

    def _failed_step(self, job_id: UUID) -> int:
        steps = self._dbos.list_workflow_steps(str(job_id))
        failed = [step["function_id"] for step in steps if step["error"] is not None]
        return min(failed, default=len(steps) + 1)


class _Count:
    """How many threads are within; can be waited for."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            self.count += 1

    def __exit__(self, *_ended: object) -> None:
        with self._changed:
            self.count -= 1
            self._changed.notify_all()

    def wait_for_none(self) -> None:
        """Return when nobody is within any more."""
        with self._changed:
            self._changed.wait_for(lambda: self.count == 0)


def _system_url(database: Database) -> str:
    url = database.engine.url
    if database.is_sqlite:
        assert url.database is not None  # noqa: S101 - a file: the gateway has no other SQLite
        file = Path(url.database)
        return f"sqlite:///{file.with_name(f'{file.stem}-jobs{file.suffix}')}"
    return url.render_as_string(hide_password=False)


def _write_from_the_start(database: Database) -> None:
    """Have every transaction of this engine take SQLite's write lock when it begins."""

    @event.listens_for(database.engine, "connect")
    def _on_connect(_connection: Any, record: Any) -> None:
        record.info["begin"] = "BEGIN IMMEDIATE"
