"""One connection to PostgreSQL on which many statements travel as one message, driven by the event loop.

Beneath the driver's cursors, on its own libpq: each statement is prepared once, the statements of a message
leave with one write, and their answers are taken in as they arrive, without a task being woken for each.
Cursors, adaptation and waiting cost more than most statements of a request. It MUST NOT be used for anything
but `gateway.lanes`, and never says what was sent when something fails.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import psycopg
from psycopg import pq
from psycopg.adapt import Transformer
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql.elements import ClauseElement

from gateway.wire_values import Encode, encoder

_Rows = Sequence[Sequence[Any]]

_DIALECT = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call] # untyped upstream
_BINARY = pq.Format.BINARY
_OF_THE_MESSAGE = pq.ExecStatus.PIPELINE_SYNC
_FAILED = pq.ExecStatus.FATAL_ERROR
_SKIPPED = pq.ExecStatus.PIPELINE_ABORTED


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """A statement as the server takes it, its parameters in order, and those whose value never changes."""

    text: bytes
    names: tuple[str, ...] = ()
    constants: Mapping[str, Any] = field(default_factory=dict)


def compiled(source: ClauseElement) -> Statement:
    """The statement of a SQLAlchemy expression."""
    compiling: Any = source.compile(dialect=_DIALECT)
    required = {name for bind, name in compiling.bind_names.items() if bind.required}
    # Some constants are written into the text once every parameter has a value, whichever.
    whole = compiling.construct_expanded_state(dict.fromkeys(required))
    names = tuple(whole.positiontup or ())
    constants = {name: whole.parameters[name] for name in names if name not in required}
    return Statement(str(whole.statement).encode(), names, constants)


Command = tuple[Statement, Mapping[str, Any]]


@dataclass(slots=True)
class _Prepared:
    """A statement that the server knows under `name`; `read` knows its columns once it has seen some."""

    name: bytes
    encoders: tuple[tuple[str, Encode], ...]
    type_ids: tuple[int, ...]
    constants: Mapping[str, Any]
    formats: tuple[pq.Format, ...]
    read: Any  # the driver's Transformer, for which it has two classes
    knows_columns: bool = False

    def values(self, parameters: Mapping[str, Any]) -> list[bytes | None]:
        """The parameters in order, as the wire has them. Raises KeyError for one that is missing."""
        encoded: list[bytes | None] = []
        for name, encode in self.encoders:
            value = parameters[name] if name in parameters else self.constants[name]
            encoded.append(None if value is None else encode(value))
        return encoded

    def rows(self, result: Any) -> _Rows:
        """What the statement gave; nothing for one that gives no rows."""
        if not result.nfields:
            return ()
        self.read.set_pgresult(result, set_loaders=not self.knows_columns, format=_BINARY)
        self.knows_columns = True
        rows: _Rows = self.read.load_rows(0, result.ntuples, tuple)
        return rows


class Pipeline:
    """One connection, one message at a time. Used from one event loop.

    After any exception it is closed: whatever state it was in, the server rolls back when its client is gone.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any], *, may_prepare: bool) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._may_prepare = may_prepare
        self._known: dict[Statement, _Prepared] = {}
        self._numbers = count(1)
        self._loop = asyncio.get_running_loop()
        self._arrived: list[Any] = []
        self._whole: asyncio.Future[list[Any]] | None = None
        self._ended = False
        self._pgconn.enter_pipeline_mode()
        self._socket = self._pgconn.socket
        self._loop.add_reader(self._socket, self._take_in)

    @classmethod
    async def open(
        cls, conninfo: str, *, settings: Mapping[str, str], may_prepare: bool, patience: Mapping[str, Any]
    ) -> Pipeline:
        """Connect, with these settings of the session. Raises psycopg.Error."""
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        connection = await psycopg.AsyncConnection.connect(
            conninfo, autocommit=True, options=options, **patience
        )
        return cls(connection, may_prepare=may_prepare)

    @property
    def is_open(self) -> bool:
        """Whether it can be used from the event loop that runs now.

        What a server says unasked is as good as always that it is going down.
        """
        if self._ended or select.select([self._socket], [], [], 0)[0]:
            return False
        return self._loop is asyncio.get_running_loop()

    async def send(self, commands: Sequence[Command]) -> list[_Rows]:
        """Send all of them as one message, and give the rows of each.

        Alone they are one transaction. Raises psycopg.Error: then none of them counts, unless a BEGIN went
        before.
        """
        known = self._known
        if unknown := [statement for statement, _ in commands if statement not in known]:
            await self._prepare(dict.fromkeys(unknown))
        prepared = [known[statement] for statement, _ in commands]
        for (statement, parameters), one in zip(commands, prepared, strict=True):
            values = one.values(parameters)
            if self._may_prepare:
                self._pgconn.send_query_prepared(one.name, values, one.formats, _BINARY)
            else:
                self._pgconn.send_query_params(statement.text, values, one.type_ids, one.formats, _BINARY)
        results = await self._answers()
        return [one.rows(result) for one, result in zip(prepared, results, strict=True)]

    def close(self) -> None:
        """End the connection; the server rolls back what was not committed."""
        if self._ended:
            return
        self._ended = True
        if not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        self._pgconn.finish()

    async def _prepare(self, statements: Mapping[Statement, None]) -> None:
        """Have the server read them, and learn which types it expects."""
        names = [b"s%d" % next(self._numbers) if self._may_prepare else b"" for _ in statements]
        for statement, name in zip(statements, names, strict=True):
            self._pgconn.send_prepare(name, statement.text)
            self._pgconn.send_describe_prepared(name)
        described = (await self._answers())[1::2]
        for statement, name, result in zip(statements, names, described, strict=True):
            type_ids = tuple(result.param_type(at) for at in range(result.nparams))
            self._known[statement] = _Prepared(
                name,
                tuple(zip(statement.names, map(encoder, type_ids), strict=True)),
                type_ids,
                statement.constants,
                (_BINARY,) * len(type_ids),
                Transformer(self._connection),
            )

    async def _answers(self) -> list[Any]:
        """End the message; the result of each thing in it, once all are there. Raises psycopg.Error."""
        self._whole = self._loop.create_future()
        try:
            self._pgconn.pipeline_sync()
            if self._pgconn.flush():
                self._loop.add_writer(self._socket, self._give_out)
            results = await self._whole
        finally:
            self._whole = None
        for result in results:
            if result.status in (_FAILED, _SKIPPED):
                raise psycopg.errors.error_from_result(result)
        return results

    def _give_out(self) -> None:
        """What the socket did not take at once."""
        try:
            if not self._pgconn.flush():
                self._loop.remove_writer(self._socket)
        except psycopg.Error as error:
            self._fail(error)

    def _take_in(self) -> None:
        """What has come; whoever waits is woken when it is whole. To say something unasked is to go down."""
        if self._whole is None:
            self.close()
            return
        try:
            self._pgconn.consume_input()
            while not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is None:  # the end of what one statement gave
                    continue
                if result.status == _OF_THE_MESSAGE:
                    results, self._arrived = self._arrived, []
                    if not self._whole.done():
                        self._whole.set_result(results)
                    return
                self._arrived.append(result)
        except psycopg.Error as error:
            self._fail(error)

    def _fail(self, error: psycopg.Error) -> None:
        waiting = self._whole
        self.close()
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)
