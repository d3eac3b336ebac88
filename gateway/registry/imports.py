"""Importing a registry file: read, check, merge, count.

The file is streamed in chunks, each a unit of work of its own. An import that dies can be run again: what
its chunks brought in is found unchanged, and the rest follows. The same file again changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select, text, update

from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.errors import BadInput
from gateway.registry.merging import KeepSettled, Merge, Merged
from gateway.registry.periods import period_start
from gateway.registry.reading import Reading, RegistryFile, open_registry_file, sha256_of
from gateway.registry.regions import RegionNames, load_regions
from gateway.registry.rejects import UNMATCHABLE, RejectFile
from gateway.registry.staging import takes_lines
from gateway.registry.tables import imports

# A chunk is one transaction. SQLite lets nobody else write meanwhile, so its chunks are short.
_CHUNK_ROWS = {"sqlite": 10_000, "postgresql": 100_000}
# An import that touches less than this leaves the planner's figures as good as they were.
_ANALYZE_FROM_ROWS = 5_000
# A table that has grown by more than this since its figures were taken misleads the planner.
_GROWTH_THAT_MISLEADS = 4

Progress = Callable[[int, int], None]
Chunk = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file's rows: `read` is the sum of the next three.

    `warnings` counts people that were taken with less than the file meant to say, by `field:what`;
    `ignored` are the headings that mean nothing to the registry. `unstated` are weighty fields for which the
    file has no column, so that all stays as it was known, each with a heading that would be understood. In
    `niks_kept` rows the file had the NIK of before one that was accepted for the person, which stayed.
    """

    read: int
    imported: int
    unchanged: int
    rejected: int
    file_format: str
    as_of: date
    warnings: Mapping[str, int] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    unstated: Mapping[str, str] = field(default_factory=dict)
    niks_kept: int = 0


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


def import_registry(
    database: Database,
    path: Path,
    *,
    period: str | None = None,
    as_of: date | None = None,
    rejects: Path | None = None,
    progress: Progress | None = None,
    clock: Callable[[], datetime] = utc_now,
    chunk_rows: int | None = None,
    keep_settled: KeepSettled | None = None,
) -> ImportReport:
    """Bring the people of a DTKS flat export or DTSEN extract, CSV or Parquet, into the registry.

    `period` is the quarter of the deciles where no column says it. `as_of` is the day the file speaks of;
    without it the day of an earlier import of the same bytes, else today in Jakarta. Faulty rows are told
    in `rejects`. `progress` gets rows done and rows in all. `chunk_rows` is the size of a unit of work;
    without it, what suits the database. `keep_settled` keeps the NIKs that staff accepted. Loads the
    regions if there are none.
    Raises FileUnusable, with nothing imported, and StoreUnavailable, with whole chunks imported.
    """
    file = open_registry_file(path)
    digest = sha256_of(path)
    today = civil_day(clock())
    if as_of is not None and as_of > today:
        raise BadInput(f"as_of: {as_of} is to come; a file speaks of today, {today}, or of a day before it")
    as_of = as_of or _earlier_day(database, digest) or today
    period_from = _period_start(period)
    load_regions(database)
    with closing(Reading(file, as_of=as_of, period_from=period_from)) as reading:
        total = reading.prepare(RegionNames.in_force(database).locate)
        import_id = _begin(database, digest, file, as_of, clock())
        size = chunk_rows or _CHUNK_ROWS[database.engine.dialect.name]
        with closing(_ahead(reading.chunks(size, as_lines=takes_lines(database)))) as chunks:
            merge = Merge(database, file.columns, as_of, keep_settled)
            report = _bring_in(database, merge, chunks, file, as_of, total, rejects, progress)
    _finish(database, import_id, report, clock())
    return report


def _bring_in(
    database: Database,
    merge: Merge,
    chunks: Iterable[Chunk],
    file: RegistryFile,
    as_of: date,
    total: int,
    rejects: Path | None,
    progress: Progress | None,
) -> ImportReport:
    read = imported = unchanged = rejected = niks_kept = 0
    figures_of = _ANALYZE_FROM_ROWS
    warnings: Counter[str] = Counter()
    with closing(RejectFile(rejects, file.columns)) as reject_file:
        for chunk in chunks:
            merged, faults = _merge_chunk(database, merge, chunk)
            reject_file.write(faults)
            read += len(chunk)
            imported += merged.imported
            unchanged += merged.unchanged
            niks_kept += merged.niks_kept
            rejected += len(faults)
            warnings.update(
                warning
                for _, problems, said, *_ in chunk
                if said and not problems
                for warning in said.split(",")
            )
            if imported >= _GROWTH_THAT_MISLEADS * figures_of:
                figures_of = imported
                _analyze(database)
            if progress is not None:
                progress(read, total)
    if imported > figures_of:
        _analyze(database)
    counts = (read, imported, unchanged, rejected)
    columns = file.columns
    return ImportReport(
        *counts, columns.file_format, as_of, dict(warnings), columns.ignored, columns.unstated, niks_kept
    )


def _merge_chunk(database: Database, merge: Merge, chunk: Chunk) -> tuple[Merged, list[tuple[int, str]]]:
    """Merge the good rows in one unit of work; the others come back with their row number and problems."""
    good = [row for row in chunk if not row[1]]
    faults = [(row[0], row[1]) for row in chunk if row[1]]
    if not good:
        return Merged(0, 0, ()), faults
    with database.unit_of_work() as connection:
        merged = merge(connection, good)
    return merged, sorted([*faults, *((row, UNMATCHABLE) for row in merged.unmatchable)])


def _ahead(chunks: Iterator[Chunk]) -> Generator[Chunk, None, None]:
    """The same chunks, each read while the one before is merged."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead") as thread:
        coming = thread.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = thread.submit(next, chunks, None)
            yield chunk


def _analyze(database: Database) -> None:
    """Refresh the planner's figures; PostgreSQL's own housekeeping would come after the import."""
    with database.unit_of_work() as connection:
        for table in ("people", "households", "household_deciles", "enrolments"):
            connection.execute(text(f"ANALYZE {table}"))


def _period_start(period: str | None) -> date | None:
    if period is None:
        return None
    try:
        return period_start(period)
    except ValueError as error:
        raise BadInput(f"--period: {error}") from None


def _earlier_day(database: Database, digest: str) -> date | None:
    earlier = select(imports.c.as_of).where(imports.c.file_sha256 == digest).order_by(imports.c.started_at)
    with database.reading() as connection:
        return connection.execute(earlier).scalars().first()


def _begin(database: Database, digest: str, file: RegistryFile, as_of: date, now: datetime) -> UUID:
    row: dict[str, Any] = {
        "id": uuid4(),
        "file_sha256": digest,
        "file_format": file.columns.file_format,
        "as_of": as_of,
        "started_at": now,
        **dict.fromkeys(("rows_read", "rows_imported", "rows_unchanged", "rows_rejected"), 0),
    }
    with database.unit_of_work() as connection:
        connection.execute(insert(imports), row)
    identifier: UUID = row["id"]
    return identifier


def _finish(database: Database, import_id: UUID, report: ImportReport, now: datetime) -> None:
    counts = {
        "rows_read": report.read,
        "rows_imported": report.imported,
        "rows_unchanged": report.unchanged,
        "rows_rejected": report.rejected,
    }
    with database.unit_of_work() as connection:
        connection.execute(update(imports).where(imports.c.id == import_id).values(finished_at=now, **counts))
