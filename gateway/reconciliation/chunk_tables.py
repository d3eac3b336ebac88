"""The temporary tables through which a chunk of results enters the database, within its transaction.

What was said of each person comes in as Arrow's columns and goes on as one text (COPY) on PostgreSQL. What
differs from what is known already is worked out once, so that whoever is as before costs a look and no more.
MUST NOT commit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from sqlalchemy import JSON, Boolean, Column, Connection, Date, MetaData, String, Table, Uuid

from gateway.reconciliation.checked import FoundThing
from gateway.registry.bulk import append_rows

_temporary = MetaData()
_IS_TEMPORARY: dict[str, Any] = {"prefixes": ["TEMPORARY"], "postgresql_on_commit": "DROP"}
checked = Table(
    "checked_people",
    _temporary,
    Column("person_id", Uuid, primary_key=True),
    Column("status", String),
    Column("verdicts", String),
    Column("state_since", Date),
    Column("moved_to", String),
    **_IS_TEMPORARY,
)
found = Table(
    "found_things",
    _temporary,
    Column("person_id", Uuid),
    Column("kind", String),
    Column("evidence", JSON),
    Column("region", String),
    **_IS_TEMPORARY,
)
# Those of the checked people of whom something is to be written down, with what was known until now.
differing = Table(
    "differing_people",
    _temporary,
    Column("person_id", Uuid),
    Column("status", String),
    Column("verdicts", String),
    Column("state_since", Date),
    Column("moved_to", String),
    Column("before", String),  # empty: never checked before
    Column("is_change", Boolean),  # their status was another, and nothing is known of a later day
    Column("identity_before", String),
    Column("life_before", String),
    Column("residence_before", String),
    **_IS_TEMPORARY,
)
CHECKED_COLUMNS = [column.name for column in checked.columns]
_FOUND_COLUMNS = [column.name for column in found.columns]
# A server tuned for small requests gives a chunk's joins too little memory, and compiles for longer than they
# run. What it thinks of reading by index stays: a chunk is a good part of a table, read best from end to end.
_FOR_SETS = "SET LOCAL work_mem = '64MB'; SET LOCAL jit = off"


@contextmanager
def staged(connection: Connection, people: pa.Table, things: Sequence[FoundThing]) -> Iterator[None]:
    """The tables with these rows of `CHECKED` and these things in them; gone afterwards."""
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite:
        connection.exec_driver_sql(_FOR_SETS)
    _temporary.create_all(connection, checkfirst=False)
    rows = people.select(CHECKED_COLUMNS)
    (_insert_on_sqlite if is_sqlite else _copy)(connection, rows)
    append_rows(connection, found, _FOUND_COLUMNS, [_found_row(one, is_sqlite=is_sqlite) for one in things])
    if not is_sqlite:
        connection.exec_driver_sql("ANALYZE checked_people; ANALYZE found_things")
    yield
    if is_sqlite:
        _temporary.drop_all(connection, checkfirst=False)


def _copy(connection: Connection, rows: pa.Table) -> None:
    text = pa.BufferOutputStream()
    # Arrow quotes every text and no null, as COPY reads them.
    csv.write_csv(rows, text, csv.WriteOptions(include_header=False))
    raw: Any = connection.connection.driver_connection
    names = ", ".join(CHECKED_COLUMNS)
    with (
        raw.cursor() as cursor,
        cursor.copy(f"COPY {checked.name} ({names}) FROM STDIN (FORMAT csv)") as copy,
    ):
        copy.write(memoryview(text.getvalue()))


def _insert_on_sqlite(connection: Connection, rows: pa.Table) -> None:
    """As texts: SQLite's ids have no dashes."""
    texts = [pc.cast(column, pa.string()) for column in rows.columns]
    texts[0] = pc.replace_substring(texts[0], "-", "")
    columns = (column.to_pylist() for column in texts)
    append_rows(connection, checked, CHECKED_COLUMNS, list(zip(*columns, strict=True)))


def _found_row(one: FoundThing, *, is_sqlite: bool) -> tuple[Any, ...]:
    person_id = one.person_id.hex if is_sqlite else str(one.person_id)
    return person_id, one.kind, json.dumps(dict(one.evidence), sort_keys=True), one.regency
