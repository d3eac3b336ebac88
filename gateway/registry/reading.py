"""Reading a registry file: what is in it as a whole, then its rows in chunks. DuckDB does both.

The file is read more than once. The first passes find whatever would make the file as a whole unusable,
and what can only be known from all rows (keys that occur twice, families with two deciles, the places
named), so that nothing is written before the file is known to be readable to its end. MUST NOT let a
value of the file into a message: DuckDB's own errors quote the row, so they are never passed on. MUST NOT
spill to disk: a process that is killed would leave people's data lying there.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from gateway.errors import FileUnusable
from gateway.registry.columns import FIELDS, FileColumns, recognise
from gateway.registry.staging import STAGED_COLUMNS

_CLEANING = Path(__file__).with_name("cleaning.sql")
_DELIMITERS = ",;\t|"
_PLACE_FIELDS = ("province", "regency", "district", "village", "region_code")
# Fields too many in a row are told as that row's fault up to here, as the file's beyond.
_SURPLUS_COLUMNS = 12
# What reading in chunks takes. A CSV reader keeps what it has read until it is told to be modest.
_MEMORY_MB = 1_000
# What the survey takes on top, per byte of the file: some 100 bytes a row, of 300 in CSV and 30 in Parquet.
_SURVEY_PER_BYTE = {True: 0.4, False: 4.0}
# DuckDB must build its joins on the small tables; of a CSV it cannot know that it is the great one.
_JOIN_AS_WRITTEN = "SET disabled_optimizers = 'join_order,build_side_probe_side'"
_NOT_IN_ANY_FILE = "\x01"
_SNIFFED_BYTES = 1 << 16
_HASHED_AT_ONCE = 1 << 20
_LINE = re.compile(r"Line: (\d+)")

Locate = Callable[[Sequence[str], str], str | None]


@dataclass(frozen=True, slots=True)
class RegistryFile:
    """A file whose columns are known; `delimiter` is empty for Parquet."""

    path: Path
    columns: FileColumns
    width: int
    delimiter: str


def open_registry_file(path: Path) -> RegistryFile:
    """Recognise the file by its extension and headings. Raises FileUnusable, naming what was found."""
    if not path.is_file():
        raise FileUnusable(f"{path}: there is no such file")
    if path.stat().st_size == 0:
        raise FileUnusable(f"{path}: the file is empty")
    match path.suffix.lower():
        case ".csv":
            delimiter, headings = _csv_headings(path)
        case ".parquet":
            delimiter, headings = "", _parquet_headings(path)
        case other:
            raise FileUnusable(
                f"{path}: the extension says the format; expected .csv or .parquet, got {other!r}"
            )
    return RegistryFile(path, recognise(path.name, headings), len(headings), delimiter)


def _csv_headings(path: Path) -> tuple[str, list[str]]:
    with path.open("rb") as file:
        start = file.read(_SNIFFED_BYTES)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileUnusable(f"{path}: the text is UTF-16; save it as CSV UTF-8")
    if start.startswith((b"PK", b"PAR1", b"\xd0\xcf")):
        raise FileUnusable(f"{path}: the extension says CSV, but it is a spreadsheet or Parquet file")
    line = start.split(b"\n", 1)[0].rstrip(b"\r")
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileUnusable(f"{path}: the headings are not UTF-8; save the file as CSV UTF-8") from error
    delimiter = max(_DELIMITERS, key=text.count)
    return delimiter, next(csv.reader([text], delimiter=delimiter), [])


def _parquet_headings(path: Path) -> list[str]:
    try:
        described = duckdb.execute(
            "SELECT column_name FROM (DESCRIBE FROM read_parquet($1))", [os.fspath(path)]
        )
        return [name for (name,) in described.fetchall()]
    except duckdb.Error:
        raise FileUnusable(f"{path}: not a whole Parquet file; it may be cut short: fetch it again") from None


def sha256_of(path: Path) -> str:
    """The hash of the file's bytes, as hexadecimal text."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_HASHED_AT_ONCE):
            digest.update(block)
    return digest.hexdigest()


# Fewer may end in 0 by chance.
_NIKS_THAT_TELL = 20


class Reading:
    """One import's view of one file. `prepare` first, then `chunks` once."""

    def __init__(self, file: RegistryFile, *, as_of: date, period_from: date | None) -> None:
        self._file = file
        self._duckdb = duckdb.connect(config={"temp_directory": ""})
        self._duckdb.execute(f"SET enable_progress_bar = false; {_JOIN_AS_WRITTEN}")
        per_byte = _SURVEY_PER_BYTE[bool(file.delimiter)]
        self._allow_memory(_MEMORY_MB + int(file.path.stat().st_size * per_byte / 1e6))
        self._set("as_of", as_of)
        self._set("default_period", period_from)
        self._set("has_person_key", file.columns.file_format == "dtks")
        self._set("has_decile", "decile" in file.columns.position)

    def close(self) -> None:
        """Let go of the file."""
        self._duckdb.close()

    def prepare(self, locate: Locate) -> int:
        """Read the file to its end and keep what only the whole can tell; the number of its rows.

        Raises FileUnusable when the file cannot be read to its end, has no rows, gives deciles without a
        period, or has most of its rows shifted.
        """
        run = self._duckdb.execute
        place = ", ".join(f"{name} VARCHAR" for name in _PLACE_FIELDS)
        run(self._raw_view())
        run("CREATE TEMP TABLE repeated (key VARCHAR, first_row BIGINT)")
        run("CREATE TEMP TABLE disagreeing (household VARCHAR)")
        run(f"CREATE TEMP TABLE places ({place}, region VARCHAR)")
        run(_CLEANING.read_text(encoding="utf-8"))
        try:
            # Hashes, for they take an eighth of the room; what they find is looked at again.
            run("CREATE TEMP TABLE survey AS SELECT row, key, family, decile, shifted, rounded FROM surveyed")
            rows = self._judge_as_a_whole()
            self._find_repetitions()
            self._find_places(locate)
        except duckdb.Error as error:
            raise _named(self._file, error) from None
        run("DROP TABLE survey")
        self._allow_memory(_MEMORY_MB)
        return rows

    def _find_repetitions(self) -> None:
        """Keep the keys that several rows claim, and the families of which two deciles are said."""
        run = self._duckdb.execute
        run(
            "CREATE TEMP TABLE suspects AS SELECT key FROM survey"
            " WHERE key IS NOT NULL GROUP BY key HAVING count(*) > 1"
        )
        if self._one("SELECT count(*) FROM suspects")[0]:
            run(
                "INSERT INTO repeated SELECT source_key, min(row) FROM surveyed"
                " WHERE key IN (FROM suspects) GROUP BY source_key HAVING count(*) > 1"
            )
        run(
            "CREATE TEMP TABLE suspect_families AS SELECT family FROM survey"
            " WHERE family IS NOT NULL GROUP BY family HAVING min(decile) <> max(decile)"
        )
        if self._one("SELECT count(*) FROM suspect_families")[0]:
            run(
                "INSERT INTO disagreeing SELECT household FROM surveyed"
                " WHERE family IN (FROM suspect_families)"
                " GROUP BY household HAVING min(decile) <> max(decile)"
            )

    def _judge_as_a_whole(self) -> int:
        """The number of rows, if they are those of a usable file."""
        rows, shifted, deciles, niks, rounded = self._one(
            "SELECT count(*), count(*) FILTER (shifted), count(decile), count(rounded),"
            " count(*) FILTER (rounded) FROM survey"
        )
        if not rows:
            raise FileUnusable(f"{self._file.path}: there are headings, but no rows")
        if shifted * 2 > rows:
            raise FileUnusable(
                f"{self._file.path}: the columns are shifted: in {shifted} of {rows} rows the values are not "
                "what the headings say. Nothing was imported; mend the headings or the columns."
            )
        if niks >= _NIKS_THAT_TELL and rounded * 2 > niks:
            raise FileUnusable(
                f"{self._file.path}: {rounded} of {niks} NIKs end in 0, where one in ten would: a "
                "spreadsheet has kept 15 of their 16 digits. Nothing was imported; export again with NIK "
                "as text."
            )
        if deciles and "period" not in self._file.columns.position and self._lacks_default_period():
            raise FileUnusable(
                f"{self._file.path}: there are deciles (column {self._file.columns.heading['decile']}) but "
                "no column says of which quarter; give --period, such as 2026-Q3"
            )
        return int(rows)

    def _find_places(self, locate: Locate) -> None:
        """Give every place that the file names its region; each is looked up once."""
        named = self._duckdb.execute(
            "SELECT DISTINCT province, regency, district, village, region_code FROM surveyed"
        ).fetchall()
        columns = [list(column) for column in zip(*named, strict=True)]
        regions = [locate(names, code) for *names, code in named]
        lists = ", ".join(f"unnest(${at}::VARCHAR[])" for at in range(1, len(columns) + 2))
        self._duckdb.execute(f"INSERT INTO places SELECT {lists}", [*columns, regions])

    def _lacks_default_period(self) -> bool:
        return bool(self._one("SELECT getvariable('default_period') IS NULL")[0])

    def _one(self, query: str) -> tuple[Any, ...]:
        row = self._duckdb.execute(query).fetchone()
        return () if row is None else row

    def chunks(self, size: int, *, as_lines: bool) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of the file in order, `size` at a time: row number, problems, warnings, and the row.

        The row is one line of PostgreSQL's COPY text format with `as_lines`, else one text per staged
        column. Raises FileUnusable if the file changed since `prepare`.
        """
        content = _copy_line() if as_lines else ", ".join(f"{name}::VARCHAR" for name in STAGED_COLUMNS)
        try:
            rows = self._duckdb.execute(
                f"SELECT row_number, problems, warnings, {content} FROM cleaned"  # noqa: S608 - our own names
            )
            while chunk := rows.fetchmany(size):
                yield chunk
        except duckdb.Error as error:
            raise _named(self._file, error) from None

    def _raw_view(self) -> str:
        """The file as text, with our names for its columns, and whether a row has them all."""
        names = [f"c{at}" for at in range(self._file.width)]
        path = os.fspath(self._file.path).replace("'", "''")
        if self._file.delimiter:
            columns = ", ".join(f"'{name}': 'VARCHAR'" for name in [*names, *_surplus()])
            # An empty value is empty text and only one that is not there is NULL: so `short` can be told.
            source = (
                f"read_csv('{path}', columns={{{columns}}}, auto_detect=false, header=false, skip=1,"
                f" delim='{self._file.delimiter}', quote='\"', escape='\"', null_padding=true,"
                f" nullstr='{_NOT_IN_ANY_FILE}', parallel=false)"
            )
            shape = f"{names[-1]} IS NULL AS short, {_surplus()[0]} IS NOT NULL AS long"
        else:
            source = f"read_parquet('{path}') AS file({', '.join(names)})"
            shape = "false AS short, false AS long"
        at = self._file.columns.position
        fields = ", ".join(
            f"{names[at[field]]}::VARCHAR AS {field}" if field in at else f"NULL::VARCHAR AS {field}"
            for field in FIELDS
        )
        row = "row_number() OVER () AS row"
        return f"CREATE TEMP VIEW raw AS SELECT {row}, {shape}, {fields} FROM {source}"  # noqa: S608 - our own names

    def _allow_memory(self, megabytes: int) -> None:
        self._duckdb.execute(f"SET memory_limit = '{megabytes}MB'")

    def _set(self, name: str, value: object) -> None:
        self._duckdb.execute(f"SET VARIABLE {name} = $1", [value])


def _surplus() -> list[str]:
    return [f"surplus{at}" for at in range(_SURPLUS_COLUMNS)]


def _copy_line() -> str:
    """One line of PostgreSQL's COPY text format; cleaning has left no control characters to escape."""
    values = (f"coalesce(replace({name}::VARCHAR, '\\', '\\\\'), '\\N')" for name in STAGED_COLUMNS)
    return f"concat_ws('\t', {', '.join(values)})"


def _named(file: RegistryFile, error: duckdb.Error) -> FileUnusable:
    """Say in our words why the file cannot be read; DuckDB's own would quote its rows."""
    if isinstance(error, duckdb.OutOfMemoryException):
        return FileUnusable(f"{file.path}: too many rows for the memory of this machine; split the file")
    text = str(error)
    found = _LINE.search(text)
    line = f" at line {found[1]}" if found else ""
    if "utf-8" in text or "unicode" in text:
        return FileUnusable(f"{file.path}: not UTF-8{line}; save the file as CSV UTF-8")
    if "Expected Number of Columns" in text:
        return FileUnusable(
            f"{file.path}: far more values than the {file.width} headings{line}; is the delimiter "
            f"{file.delimiter!r} used inside values without quotation marks?"
        )
    if "Maximum line size" in text:
        return FileUnusable(f"{file.path}: a row{line} never ends; is a quotation mark left open?")
    return FileUnusable(f"{file.path}: cannot be read to its end{line}; it may be cut short: fetch it again")
