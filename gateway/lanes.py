"""Lanes: connections of their own for what every request needs, one transaction at a time on each.

A procedure is written once, as a generator that yields statements and is sent their rows; it never waits and
never sees a connection. On PostgreSQL a lane drives it on the event loop itself, through the driver's own
pipeline: a thread would only fight with the loop for the interpreter, and SQLAlchemy costs more than the
statement. SQLite waits for the disk inside the call, so there it runs in a thread. Statements are the same
SQLAlchemy expressions on both, compiled once. It MUST NOT be used for what is not on the path of a request:
that is `Database`'s.
"""

from __future__ import annotations

import re
import select
from collections.abc import Generator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

import psycopg
from sqlalchemy import Connection
from sqlalchemy.sql.elements import ClauseElement

from gateway.batching import OneThread
from gateway.database import Database, patience
from gateway.errors import StoreUnavailable
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
_BEGIN, _COMMIT = b"BEGIN", b"COMMIT"
# Many times the statements of a lane; the registry's come from agreements, and go with them.
_TEXTS_KEPT = 1024
_PREPARES_AFTER = 5  # the driver's own default, for what is not said to be prepared at once
# As SQLAlchemy writes parameters for this driver. Binary ones need no escaping: an audit entry has hundreds
# of quotes.
_TEXT_PARAMETER = re.compile(rb"%\((\w+)\)s")


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
        self._dialect = database.engine.dialect
        # A pooler refuses settings of a session and loses what is prepared in one: there, every commit waits.
        self._is_pooled = database.is_pooled
        # One plan for any number of texts in an array: planning costs more than most of these statements.
        settings = {"plan_cache_mode": "force_generic_plan", "timezone": "UTC"}
        if not durable:
            settings["synchronous_commit"] = "off"
        self._options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._texts: dict[int, tuple[ClauseElement, bytes, Mapping[str, Any]]] = {}
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def __call__(self, procedure: Procedure[Result]) -> Result:
        try:
            steps = next(procedure)
        except StopIteration as end:  # what it says without having asked needs no database
            answer: Result = end.value
            return answer
        with span("trip", to=self._name):
            return await self._travel(procedure, steps)

    async def _travel(self, procedure: Procedure[Result], steps: Sequence[Step]) -> Result:
        connection = await self._open()
        try:
            return await self._drive(connection, procedure, steps)
        except BaseException as error:
            # Whatever state it is in: the server rolls back when its client is gone.
            self.close()
            if isinstance(error, _OUTAGES):
                raise StoreUnavailable(_CONNECTION_GONE) from None  # its text may quote parameters
            raise

    async def _drive(
        self, connection: psycopg.AsyncConnection[Any], procedure: Procedure[Result], steps: Sequence[Step]
    ) -> Result:
        begun = False
        try:
            while True:
                last = isinstance(steps, Last)
                # The statements of one message are one transaction by themselves.
                before = () if begun or last else (_BEGIN,)
                rows = await self._send(connection, steps, before, (_COMMIT,) if last and begun else ())
                begun = not last
                steps = procedure.send(rows)
                if last:
                    raise RuntimeError("a procedure went on after its last statements")
        except StopIteration as end:
            if begun:
                await self._send(connection, (), (), (_COMMIT,))
            result: Result = end.value
            return result

    async def _send(
        self,
        connection: psycopg.AsyncConnection[Any],
        steps: Sequence[Step],
        before: Sequence[bytes],
        after: Sequence[bytes],
    ) -> list[Rows]:
        cursors = [connection.cursor(binary=True) for _ in steps]
        if len(steps) == 1 and not before and not after:
            await self._execute(cursors[0], steps[0])
        else:
            async with connection.pipeline():
                for command in before:
                    await connection.execute(command)
                for cursor, step in zip(cursors, steps, strict=True):
                    await self._execute(cursor, step)
                for command in after:
                    await connection.execute(command)
        return [await cursor.fetchall() if _has_rows(cursor) else () for cursor in cursors]

    async def _execute(self, cursor: psycopg.AsyncCursor[Any], step: Step) -> None:
        statement, parameters = step
        known = self._texts.get(id(statement))
        if known is None:
            if len(self._texts) >= _TEXTS_KEPT:
                self._texts.clear()
            known = self._texts[id(statement)] = self._compiled(statement)
        _, text, constants = known
        await cursor.execute(text, {**constants, **parameters}, prepare=True)  # type: ignore[dict-item]

    def _compiled(self, statement: ClauseElement) -> tuple[ClauseElement, bytes, Mapping[str, Any]]:
        """The text and the constants in it; the statement itself, so that its id stays its own."""
        compiled: Any = statement.compile(dialect=self._dialect)
        required = {name for bind, name in compiled.bind_names.items() if bind.required}
        # Some constants are written into the text once every parameter has a value, whichever.
        whole = compiled.construct_expanded_state(dict.fromkeys(required))
        text = _TEXT_PARAMETER.sub(rb"%(\1)b", whole.statement.encode())
        constants = {name: value for name, value in whole.parameters.items() if name not in required}
        return statement, text, constants

    async def _open(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed or _has_news(self._connection):
            self.close()
            try:
                self._connection = await psycopg.AsyncConnection.connect(
                    self._conninfo,
                    autocommit=True,
                    options="" if self._is_pooled else self._options,
                    prepare_threshold=None if self._is_pooled else _PREPARES_AFTER,
                    **self._patience,
                )
            except psycopg.Error:
                raise StoreUnavailable(_CONNECTION_GONE) from None
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.pgconn.finish()
            self._connection = None


def _has_rows(cursor: psycopg.AsyncCursor[Any]) -> bool:
    """Whether the statement gives rows; the cursor's description would describe each column first."""
    return cursor.pgresult is not None and cursor.pgresult.nfields > 0


def _has_news(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Whether the server said something to an idle connection: as good as always, that it is going down."""
    return bool(select.select([connection.fileno()], [], [], 0)[0])
