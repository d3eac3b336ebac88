"""What the population register hands over, read and checked partition by partition.

A partition is a file: CSV or Parquet, alone or in a folder. One that is sound is taken as a whole; of another
it is said what is wrong, and nothing of it is taken: what is wrong in one place is not to be trusted in the
next. MUST NOT let a value of a person into what it says: a defect has a file, a column, a number of rows
and what they look like. What was read lies in files of this gateway's user, and goes with their folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from ibis.backends import BaseBackend

from gateway.errors import FileUnusable
from gateway.reconciliation.extract_checks import Checked, Defect, check_partition

_MEMORY = "1GB"
_SUFFIXES = {".csv", ".parquet"}


@dataclass(frozen=True, slots=True)
class Extract:
    """The sound partitions of an extract, as Parquet files, and what is wrong with the others.

    `once` says that every NIK stands in one row of them all. `as_of` is the latest day that they speak of.
    """

    files: tuple[Path, ...]
    rows: int
    as_of: date
    once: bool
    defects: tuple[Defect, ...]

    @property
    def complete(self) -> bool:
        """Whether every partition could be read: only then is a NIK that was not found an unknown one."""
        return not self.defects

    @property
    def problems(self) -> list[dict[str, Any]]:
        """The defects as plain values, to be stored and shown."""
        return [asdict(defect) for defect in self.defects]

    def table(self, engine: BaseBackend, name: str = "extract") -> Any:
        """The rows as a table of an engine, typed as `compare` needs them."""
        return engine.read_parquet([str(file) for file in self.files], table_name=name)


def read_extract(path: Path, staging: Path) -> Extract:
    """Read a file, or all files of a folder and those below it; sound ones are typed anew into `staging`.

    Raises FileUnusable where there is nothing to read, or not one partition is sound.
    """
    partitions = _partitions(path)
    staging.mkdir(mode=0o700, parents=True, exist_ok=True)
    files: list[Path] = []
    defects: list[Defect] = []
    with duckdb.connect(config={"temp_directory": "", "memory_limit": _MEMORY, "threads": "2"}) as engine:
        engine.execute("SET preserve_insertion_order = false")
        for number, partition in enumerate(partitions):
            name = str(partition.relative_to(path)) if path.is_dir() else partition.name
            checked = check_partition(engine, partition, name)
            defects += checked.defects
            if not checked.defects:
                files.append(_staged(engine, checked, staging / f"part-{number:05}.parquet"))
        if not files:
            raise FileUnusable("no partition of the extract is sound:\n" + _told(defects))
        rows, as_of, once = _measured(engine, files)
    return Extract(tuple(files), rows, as_of, once, tuple(defects))


def _partitions(path: Path) -> Sequence[Path]:
    if not path.exists():
        raise FileUnusable(
            f"there is no {path.name}: expected a CSV or Parquet file, or a folder of such files"
        )
    if path.is_file():
        return [path]
    # Hidden files, and those that begin with an underscore, are the marks of engines that write such folders.
    found = sorted(
        file
        for file in path.rglob("*")
        if file.is_file() and file.suffix.lower() in _SUFFIXES and not file.name.startswith((".", "_"))
    )
    if not found:
        raise FileUnusable(f"{path.name} has no file that ends in .csv or .parquet: expected at least one")
    return found


def _staged(engine: duckdb.DuckDBPyConnection, checked: Checked, target: Path) -> Path:
    """The partition as a file with the columns and types of the contract; there whole, or not at all."""
    unfinished = target.with_suffix(".unfinished")
    engine.execute(f"COPY ({checked.typed}) TO '{unfinished}' (FORMAT parquet)")
    unfinished.chmod(0o600)
    unfinished.replace(target)
    return target


def _measured(engine: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> tuple[int, date, bool]:
    names = ", ".join(f"'{file}'" for file in files)
    found = engine.execute(f"SELECT count(*), max(as_of) FROM read_parquet([{names}])").fetchone()  # noqa: S608 - our own files
    repeated = engine.execute(
        f"SELECT 1 FROM read_parquet([{names}]) GROUP BY nik HAVING count(*) > 1 LIMIT 1"  # noqa: S608 - as above
    ).fetchone()
    if found is None or found[1] is None:
        raise FileUnusable("the extract has no rows: expected one for every person")
    return found[0], found[1], repeated is None


def _told(defects: Sequence[Defect]) -> str:
    return "\n".join(f"  - {defect.said.en}" for defect in defects)
