"""The database: one engine, one way to read, one way to write. It and `gateway.lanes` alone commit.

The same schema and statements serve SQLite (embedded default) and PostgreSQL. Callers get a SQLAlchemy
Core connection inside a `with`; they MUST NOT commit, roll back or open connections of their own.
No ORM: rows are read in batches, and identity maps would cost more than the query.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    Text,
    TypeDecorator,
    any_,
    bindparam,
    create_engine,
    event,
    func,
    select,
    text,
)
from sqlalchemy import exc as sqlalchemy_exc
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.sql.expression import ColumnElement
from sqlalchemy.types import TypeEngine

from gateway.errors import StoreUnavailable, TextUnusable
from gateway.spans import span

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Longer than the longest import chunk holds SQLite's single write lock.
_SQLITE_BUSY_TIMEOUT_S = 30
# Of a replica that is not promoted yet, or of a primary that is none any more.
_READ_ONLY_SQLSTATE = "25006"
# How psycopg says it, before anything is sent; SQLite keeps such texts.
_ZERO_IN_TEXT = "NUL (0x00)"
# What libpq does where the URL does not say otherwise. A machine that lost its power says nothing more:
# without these, whoever waits for its answer would wait for a quarter of an hour.
_PATIENCE: Mapping[str, int] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
}


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, always aware and always UTC on the way out; a naive one is refused on the way in."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse a naive moment, store the rest in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without time zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give an aware moment: SQLite forgets the zone, which is always UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class _TextList(TypeDecorator[Sequence[str]]):
    """Many texts as one parameter: an array for PostgreSQL, a JSON list for SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the wire type."""
        return dialect.type_descriptor(ARRAY(Text()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:
        """Write the list as the dialect wants it."""
        values = list(value or ())
        return values if dialect.name == "postgresql" else json.dumps(values)


class Database:
    """One engine and its two doors: `reading` and `unit_of_work`.

    Thread-safe. SQLite allows one writer at a time: writers of this process queue on a lock, because
    SQLite's own busy handler sleeps in growing steps where a lock wakes at once; other processes meet
    the busy timeout.
    """

    def __init__(self, url: str, *, pool_size: int = 5, direct_url: str = "") -> None:
        """`direct_url` leads past the pooler, in transaction mode, to which `url` then leads."""
        parsed = _with_driver(url)
        # A pooler gives every transaction another session: nothing may be left in one, prepared or set.
        self.is_pooled = bool(direct_url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self._write_lock = threading.Lock() if self.is_sqlite else None
        self._to_close: list[Callable[[], None]] = []
        if self.is_sqlite:
            self.engine = create_engine(
                parsed, connect_args={"timeout": _SQLITE_BUSY_TIMEOUT_S, "check_same_thread": False}
            )
            _prepare_sqlite(self.engine)
        else:
            self.engine = _postgres_engine(parsed, pool_size, may_prepare=not self.is_pooled)
        # For what lasts as long as its session, such as a lock; connects when it is first used.
        self.session_engine = (
            _postgres_engine(_with_driver(direct_url), pool_size) if self.is_pooled else self.engine
        )

    def is_missing(self) -> bool:
        """Whether the database is an SQLite file that does not exist: opening it would make an empty one."""
        name = self.engine.url.database
        return self.is_sqlite and name is not None and not Path(name).exists()

    def one_of(self, column: ColumnElement[str], parameter: str) -> ColumnElement[bool]:
        """`column` equals one of the texts bound to `parameter`, sent as ONE parameter.

        SQLAlchemy's `in_` writes a parameter per value: every batch size would be another statement to
        parse and prepare, and SQLite stops at 32 766 of them.
        """
        many = bindparam(parameter, type_=_TextList())
        if self.is_sqlite:
            return column.in_(select(func.json_each(many).table_valued("value").c.value))
        return column == any_(many)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reads; whatever is written through it is rolled back.

        Raises StoreUnavailable when the database cannot be reached.
        """
        with span("trip", to="reading"), _outages_named(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def unit_of_work(self, *, durable: bool = True) -> Iterator[Connection]:
        """A transaction that is committed when the block ends and rolled back when it raises.

        With `durable` (the default) the commit is on disk when this returns. Without it PostgreSQL may
        lose the last commits at a power cut (never at a process's death), in exchange for not waiting:
        meant for replay marks, which live for two minutes. Raises StoreUnavailable.
        """
        with span("trip", to="unit of work"), _outages_named():
            if self._write_lock is None:
                with self.engine.begin() as connection:
                    if not durable:
                        connection.execute(text("SET LOCAL synchronous_commit TO OFF"))
                    _accompany(connection, durable=durable)
                    yield connection
                return
            with self._write_lock, self.engine.connect() as connection:
                # A transaction that begins by reading and then writes can fail at once with "locked",
                # whatever the timeout: take SQLite's write lock at the start.
                connection.info["begin"] = "BEGIN IMMEDIATE"
                try:
                    with connection.begin():
                        _accompany(connection, durable=durable)
                        yield connection
                finally:
                    connection.info.pop("begin", None)

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """A session of one's own, past any pooler, where each statement counts by itself; ended afterwards.

        For what PostgreSQL does outside transactions alone. Raises StoreUnavailable.
        """
        engine = self.session_engine.execution_options(isolation_level="AUTOCOMMIT")
        with _outages_named(), engine.connect() as connection:
            try:
                yield connection
            finally:
                # Given back to the pool as it is, it would keep its locks and settings.
                connection.invalidate()

    def before_closing(self, close: Callable[[], None]) -> None:
        """Have `close` called when this database is closed: by whoever may be using it just then."""
        self._to_close.append(close)

    def close(self) -> None:
        """Close every connection; the object must not be used afterwards."""
        for close in self._to_close:
            close()
        self.engine.dispose()
        self.session_engine.dispose()


_companion: ContextVar[Callable[[Connection], None] | None] = ContextVar("companion", default=None)


@contextmanager
def accompanied_by(write: Callable[[Connection], None]) -> Iterator[None]:
    """Have `write` called first in each durable unit of work of this context and of threads that it calls.

    What it writes is committed with the rest or not at all; what it raises, the unit of work raises.
    """
    token = _companion.set(write)
    try:
        yield
    finally:
        _companion.reset(token)


def _accompany(connection: Connection, *, durable: bool) -> None:
    write = _companion.get()
    if durable and write is not None:
        write(connection)


def patience(url: URL) -> dict[str, Any]:
    """How long a connection to PostgreSQL waits for a machine that may be gone, as libpq's parameters."""
    return {name: value for name, value in _PATIENCE.items() if name not in url.query}


def _with_driver(url: str) -> URL:
    parsed = make_url(url)
    if parsed.drivername in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _postgres_engine(url: URL, pool_size: int, *, may_prepare: bool = True) -> Engine:
    connecting = patience(url)
    if not may_prepare:
        connecting["prepare_threshold"] = None
    engine = create_engine(
        url, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True, connect_args=connecting
    )
    event.listen(engine, "handle_error", _leave_a_replica)
    return engine


def _leave_a_replica(context: ExceptionContext) -> None:
    """Give up a connection to a server that takes no writes: the primary is, or will be, another."""
    if _is_read_only(context.original_exception):
        context.is_disconnect = True


def _is_read_only(error: BaseException | None) -> bool:
    return getattr(error, "sqlstate", None) == _READ_ONLY_SQLSTATE


def _prepare_sqlite(engine: Engine) -> None:
    """Set the pragmas that durability and several processes need, and let SQLAlchemy say BEGIN."""

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        # The sqlite3 module would otherwise begin transactions by itself, and late.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # NORMAL may lose acknowledged commits at a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.info.get("begin", "BEGIN"))


@contextmanager
def _outages_named() -> Iterator[None]:
    """Turn the driver's ways of saying "no database" into StoreUnavailable, and "no such text" into its own.

    The driver's text is dropped on purpose: it may quote the statement with its parameters.
    """
    try:
        yield
    except (
        sqlalchemy_exc.OperationalError,
        sqlalchemy_exc.InterfaceError,
        sqlalchemy_exc.TimeoutError,
    ) as error:
        raise StoreUnavailable("The database did not answer; nothing was changed.") from error
    except sqlalchemy_exc.DataError as error:
        if _ZERO_IN_TEXT not in str(error.orig):
            raise
        raise TextUnusable("A text has a zero byte in it; nothing was changed.") from None
    except sqlalchemy_exc.InternalError as error:
        if not _is_read_only(error.orig):
            raise
        raise StoreUnavailable("The database takes no writes now; nothing was changed.") from error
