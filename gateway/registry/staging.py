"""The temporary tables through which the rows of a file enter the registry, a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    false,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from gateway.advisory_locks import AdvisoryLock
from gateway.database import Database
from gateway.registry.tables import STATUS_VOCABULARY


class random_id(GenericFunction[Any]):  # noqa: N801 - named as it reads in SQL
    """A fresh random 128-bit id for every row, made by the database's own strong generator."""

    type = Uuid()
    inherit_cache = True


@compiles(random_id, "postgresql")
def _on_postgresql(_element: random_id, _compiler: Any, **_: Any) -> str:
    return "gen_random_uuid()"


@compiles(random_id, "sqlite")
def _on_sqlite(_element: random_id, _compiler: Any, **_: Any) -> str:
    return "(lower(hex(randomblob(16))))"


_temporary = MetaData()

# What the file says of a person, in the order in which `Reading.chunks` gives it.
_SAID: tuple[Column[Any], ...] = (
    Column("row_number", Integer),
    Column("source_key", Text),
    Column("dtks_id", Text),
    Column("nik", Text),
    Column("household_key", Text),
    Column("family_card_number", Text),
    Column("family_relation", Text),
    Column("full_name", Text),
    Column("birth_date", Date),
    Column("birth_place", Text),
    Column("sex", Text),
    Column("mother_name", Text),
    Column("occupation", Text),
    Column("address", Text),
    Column("hamlet", Text),
    Column("rt", Text),
    Column("rw", Text),
    Column("region_code", Text),
    Column("synthetic", Boolean),
    *[Column(name, Text) for name in STATUS_VOCABULARY],
    Column("decile", SmallInteger),
    Column("decile_said", Boolean),
    Column("period_from", Date),
    Column("effective_on", Date),
    *[Column(flag, Boolean) for flag in ("pbi", "pkh", "bpnt", "bst")],
)
STAGED_COLUMNS = tuple(column.name for column in _SAID)

staged = Table(
    "staged_people",
    _temporary,
    *_SAID,
    # What the registry adds: everybody gets an id, which the id of who is known replaces.
    Column("person_id", Uuid, server_default=random_id()),
    Column("household_id", Uuid),
    Column("is_known", Boolean, server_default=false()),
    Column("is_older", Boolean, server_default=false()),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)

_NAMES = ", ".join(STAGED_COLUMNS)
# A server tuned for small requests plans a chunk's joins badly: too little memory, too much fear of index
# reads, and a compiler that costs more than the statement.
_FOR_SETS = (
    "SET LOCAL work_mem = '64MB'; SET LOCAL random_page_cost = 1.1; SET LOCAL jit = off;"
    # Not a custom plan each time: PostgreSQL would plan the check of every foreign key of every row.
    " SET LOCAL plan_cache_mode = auto"
)
# Keys arrive in no order, so SQLite's 2 MB would be read and written over and over.
_FOR_SETS_ON_SQLITE = "PRAGMA cache_size = -64000"


def takes_lines(database: Database) -> bool:
    """Whether `filled` wants lines of COPY text rather than values."""
    return not database.is_sqlite


@contextmanager
def filled(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> Iterator[None]:
    """The staging table with the rows of a chunk in it, as `Reading.chunks` gave them; gone afterwards."""
    if connection.dialect.name == "postgresql":
        # Two imports at once take turns chunk by chunk, as SQLite's write lock makes them.
        turn = f"SELECT pg_advisory_xact_lock({AdvisoryLock.REGISTRY_IMPORT:d})"
        connection.exec_driver_sql(f"{_FOR_SETS}; {turn}")
        _temporary.create_all(connection, checkfirst=False)
        raw: Any = connection.connection.driver_connection
        with raw.cursor() as cursor, cursor.copy(f"COPY {staged.name} ({_NAMES}) FROM STDIN") as copy:
            copy.write("\n".join([line for _, _, _, line in rows]) + "\n")
        yield
        return
    connection.exec_driver_sql(_FOR_SETS_ON_SQLITE)
    # SQLite's temporary tables outlive the transaction, unless it is rolled back.
    _temporary.create_all(connection, checkfirst=False)
    marks = ", ".join("?" * len(STAGED_COLUMNS))
    cursor = connection.connection.cursor()
    cursor.executemany(f"INSERT INTO {staged.name} ({_NAMES}) VALUES ({marks})", [row[3:] for row in rows])  # noqa: S608 - our own name
    cursor.close()
    yield
    _temporary.drop_all(connection, checkfirst=False)
