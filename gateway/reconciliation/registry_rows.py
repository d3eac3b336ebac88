"""The registry's people as a file that an engine can compare: Parquet, in the order of the database.

They stream from the database through Arrow into DuckDB's writer, so memory does not grow with the registry.
A file for each regency would: its writers keep rows of all of them, half a gigabyte for a million people.
The file holds people: it MUST lie in a folder that only the gateway's user can enter, and be removed when
the run is over; whoever calls this sees to both.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pyarrow import csv
from sqlalchemy import Select, or_, select

from gateway.database import Database
from gateway.registry.tables import households, living_within, people

# Where the regency of a person is not known.
NOWHERE = "-"
_ROWS_AT_ONCE = 50_000
_ROWS_JOINED = 1_000
_MEMORY = "400MB"
_COLUMNS = {
    "person_id": people.c.id,
    "nik": people.c.nik,
    "family_card_number": households.c.family_card_number,
    "full_name": people.c.full_name,
    "birth_date": people.c.birth_date,
    "birth_place": people.c.birth_place,
    "sex": people.c.sex,
    "mother_name": people.c.mother_name,
    "region_code": people.c.region_code,
    "registry_status": people.c.registry_status,
    "life_status": people.c.life_status,
    "household_id": people.c.household_id,
    "synthetic": people.c.synthetic,
}
_TEXTS = pa.schema([(name, pa.string()) for name in _COLUMNS])
# What is not a text in the files; both databases hand over texts of them.
_CASTS = {
    "person_id": "CAST(CAST(person_id AS UUID) AS VARCHAR)",
    "household_id": "CAST(CAST(household_id AS UUID) AS VARCHAR)",
    "birth_date": "CAST(birth_date AS DATE)",
    "synthetic": "synthetic IN ('t', '1', 'true')",
}


def export_registry(database: Database, file: Path, region: str | None = None) -> int:
    """Write everybody of the registry, or of a region, to a Parquet file; how many.

    With a region come those elsewhere who hold a NIK of its people: whether one is held twice is a question
    to the whole country. Raises StoreUnavailable. A file that is there already is overwritten.
    """
    statement = _everybody(region)
    names = ", ".join(f"{_CASTS.get(name, name)} AS {name}" for name in _COLUMNS)
    with database.reading() as connection, duckdb.connect(config={"temp_directory": ""}) as engine:
        engine.execute(f"SET memory_limit = '{_MEMORY}'; SET preserve_insertion_order = false")
        engine.execute("SET threads = 1")  # the database is what it waits for
        engine.register("rows", _streamed(connection, statement))
        written = engine.execute(
            f"COPY (SELECT {names} FROM rows) TO '{file}' (FORMAT parquet)"  # noqa: S608 - our own names
        ).fetchone()
    return int(written[0]) if written else 0


def _everybody(region: str | None) -> Select[Any]:
    statement = select(*(column.label(name) for name, column in _COLUMNS.items())).select_from(
        people.outerjoin(households, households.c.id == people.c.household_id)
    )
    if region is None:
        return statement
    theirs = select(people.c.nik).where(living_within(region), people.c.nik.is_not(None))
    return statement.where(or_(living_within(region), people.c.nik.in_(theirs)))


def _streamed(connection: Any, statement: Select[Any]) -> pa.RecordBatchReader:
    """The rows as texts, batch by batch."""
    if connection.dialect.name == "postgresql":
        return _copied(connection, statement)
    compiled = statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    cursor = connection.connection.cursor()
    cursor.execute(str(compiled))

    def batches() -> Iterator[pa.RecordBatch]:
        """The rows, some at a time, column by column."""
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            columns = [
                pa.array([None if value is None else str(value) for value in column], pa.string())
                for column in zip(*rows, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=_TEXTS)

    return pa.RecordBatchReader.from_batches(_TEXTS, batches())


def _copied(connection: Any, statement: Select[Any]) -> pa.RecordBatchReader:
    """PostgreSQL's COPY, read as CSV: a row never becomes a Python object."""
    compiled = statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    # The driver takes no parameters in a COPY; the region is a checked code and holds no percent sign.
    query = str(compiled).replace("%%", "%")
    cursor = connection.connection.cursor()
    copy = cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv)")
    return csv.open_csv(
        _CopyReader(copy),
        read_options=csv.ReadOptions(column_names=list(_COLUMNS), block_size=1 << 22, use_threads=False),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=_TEXTS, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )


class _CopyReader(io.RawIOBase):
    """A COPY of the driver as a file to read from. The driver hands over row by row; Arrow wants blocks."""

    def __init__(self, copy: Any) -> None:
        self._opened = copy
        self._rows = iter(copy.__enter__())
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer to its end, unless there are no more rows; 0 at the end."""
        taken = 0
        while taken < len(buffer):
            if not self._rest:
                self._rest = memoryview(b"".join(islice(self._rows, _ROWS_JOINED)))
                if not self._rest:
                    break
            part = self._rest[: len(buffer) - taken]
            buffer[taken : taken + len(part)] = part
            self._rest = self._rest[len(part) :]
            taken += len(part)
        return taken

    def close(self) -> None:
        """Let the COPY end."""
        if not self.closed:
            self._opened.__exit__(None, None, None)
        super().close()
