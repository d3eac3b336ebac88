"""Lanes: connections of their own for what every request needs, one transaction at a time on each.

A procedure is written once, as a generator that yields statements and is sent their rows; it never waits and
never sees a connection. On PostgreSQL a lane drives it on the event loop itself (`gateway.pipeline`): a
thread would only fight with the loop for the interpreter, and SQLAlchemy costs more than the statement.
SQLite waits for the disk inside the call, so there it runs in a thread. Statements are the same SQLAlchemy
expressions on both, compiled once. It MUST NOT be used for what is not on the path of a request: that is
`Database`'s.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

import psycopg
from sqlalchemy import Connection
from sqlalchemy.sql.elements import ClauseElement

from gateway.batching import OneThread
from gateway.database import Database, patience
from gateway.errors import StoreUnavailable
from gateway.pipeline import Command, Pipeline, Statement, compiled
from gateway.spans import span

Result = TypeVar("Result")
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Step = tuple[ClauseElement, Parameters]
Rows = Sequence[Sequence[Any]]


class Last(tuple[Step, ...]):
    """The transaction's last statements: they travel together with its commit."""

    __slots__ = ()


# Yields statements that do not need each other's rows, is sent the rows of each, returns its result.
Procedure: TypeAlias = Generator[Sequence[Step], Sequence[Rows], Result]

_CONNECTION_GONE = "The database did not answer; nothing was changed."
# The last is a replica that is not promoted yet, or a primary that is none any more.
_OUTAGES = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction)
_BEGIN: Command = (Statement(b"BEGIN"), {})
_COMMIT: Command = (Statement(b"COMMIT"), {})
# Many times the statements of a lane; the registry's come from agreements, and go with them.
_STATEMENTS_KEPT = 1024


class Lane(Protocol):
    """Runs procedures, one at a time. Used from one event loop."""

    async def __call__(self, procedure: Procedure[Result]) -> Result:
        """Run it as one transaction, and give what it returns once that is committed.

        Raises StoreUnavailable, and whatever the procedure raises: then nothing is committed.
        """

    def close(self) -> None:
        """Give the connection back; no procedure may be under way."""


def open_lane(database: Database, name: str, *, writes: bool = True, durable: bool = True) -> Lane:
    """A lane of this database, closed with it at the latest; `durable` as in `Database.unit_of_work`."""
    lane: Lane
    if database.is_sqlite:
        lane = _SqliteLane(database, name, writes=writes)
    else:
        lane = _PostgresLane(database, name, durable=durable)
    database.before_closing(lane.close)
    return lane


def run_on(connection: Connection, procedure: Procedure[Result]) -> Result:
    """Run a procedure within the caller's transaction. Blocks."""
    try:
        steps = next(procedure)
        while True:
            steps = procedure.send([rows_of(connection, step) for step in steps])
    except StopIteration as end:
        result: Result = end.value
        return result


def rows_of(connection: Connection, step: Step) -> Rows:
    """Run one statement within the caller's transaction. Blocks."""
    statement, parameters = step
    result = connection.execute(statement, parameters)  # type: ignore[call-overload] # any executable
    return result.fetchall() if result.returns_rows else ()


class _SqliteLane:
    def __init__(self, database: Database, name: str, *, writes: bool) -> None:
        self._door = database.unit_of_work if writes else database.reading
        self._name = name
        self._thread = OneThread(name)

    async def __call__(self, procedure: Procedure[Result]) -> Result:
        with span("trip", to=self._name):
            return await self._thread(self._run, procedure)

    def _run(self, procedure: Procedure[Result]) -> Result:
        with self._door() as connection:
            return run_on(connection, procedure)

    def close(self) -> None:
        self._thread.close()


class _PostgresLane:
    def __init__(self, database: Database, name: str, *, durable: bool) -> None:
        self._name = name
        url = database.engine.url.set(drivername="postgresql")
        self._conninfo = url.render_as_string(hide_password=False)
        self._patience = patience(url)
        # A pooler refuses settings of a session and loses what is prepared in one: there, every commit waits.
        self._is_pooled = database.is_pooled
        # One plan for any number of texts in an array: planning costs more than most of these statements.
        self._settings = {"plan_cache_mode": "force_generic_plan", "timezone": "UTC"}
        if not durable:
            self._settings["synchronous_commit"] = "off"
        # By the expression's id; the expression itself is kept with it, so that the id stays its own.
        self._compiled: dict[int, tuple[ClauseElement, Statement]] = {}
        self._pipeline: Pipeline | None = None

    async def __call__(self, procedure: Procedure[Result]) -> Result:
        try:
            steps = next(procedure)
        except StopIteration as end:  # what it says without having asked needs no database
            answer: Result = end.value
            return answer
        with span("trip", to=self._name):
            return await self._travel(procedure, steps)

    async def _travel(self, procedure: Procedure[Result], steps: Sequence[Step]) -> Result:
        pipeline = await self._open()
        try:
            return await self._drive(pipeline, procedure, steps)
        except BaseException as error:
            self.close()
            if isinstance(error, _OUTAGES):
                raise StoreUnavailable(_CONNECTION_GONE) from None  # its text may quote parameters
            raise

    async def _drive(self, pipeline: Pipeline, procedure: Procedure[Result], steps: Sequence[Step]) -> Result:
        begun = False
        try:
            while True:
                last = isinstance(steps, Last)
                commands = [self._command(step) for step in steps]
                if begun:
                    rows = await pipeline.send([*commands, _COMMIT] if last else commands)
                elif last:  # the statements of one message are one transaction by themselves
                    rows = await pipeline.send(commands)
                else:
                    rows = (await pipeline.send([_BEGIN, *commands]))[1:]
                    begun = True
                steps = procedure.send(rows[: len(commands)])
                if last:
                    raise RuntimeError("a procedure went on after its last statements")
        except StopIteration as end:
            if begun and not last:
                await pipeline.send([_COMMIT])
            result: Result = end.value
            return result

    def _command(self, step: Step) -> Command:
        source, parameters = step
        known = self._compiled.get(id(source))
        if known is None:
            known = self._compiled[id(source)] = (source, compiled(source))
        return known[1], parameters  # type: ignore[return-value] # many rows of parameters are SQLite's

    async def _open(self) -> Pipeline:
        pipeline = self._pipeline
        if pipeline is None or not pipeline.is_open or len(self._compiled) > _STATEMENTS_KEPT:
            self.close()
            self._compiled.clear()
            try:
                pipeline = self._pipeline = await Pipeline.open(
                    self._conninfo,
                    settings={} if self._is_pooled else self._settings,
                    may_prepare=not self._is_pooled,
                    patience=self._patience,
                )
            except psycopg.Error:
                raise StoreUnavailable(_CONNECTION_GONE) from None
        return pipeline

    def close(self) -> None:
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None
