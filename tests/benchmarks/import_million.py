"""A million synthetic people, made and imported into PostgreSQL through COPY; then the same file again.

.venv/bin/python -m tests.benchmarks.import_million [--count 1000000] [--format parquet|csv]
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TypeVar

from gateway.database import Database
from gateway.migrations import migrate
from gateway.registry.imports import ImportReport, import_registry
from gateway.registry.regions import load_regions
from gateway.registry.synthetic import generate_people
from tests.benchmarks.postgres import benchmark_database

_AS_OF = date(2026, 8, 1)
_SEED = 7
Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start")
    with benchmark_database() as url, tempfile.TemporaryDirectory(prefix="gapura-benchmark-") as folder:
        database = Database(url)
        migrate(database)
        load_regions(database)
        file = Path(folder) / f"people.{arguments.format}"
        count: int = arguments.count
        _timed("generate", count, lambda: generate_people(file, count, _SEED, with_personas=True))
        print(f"  {file.stat().st_size / 1e6:.0f} MB of {arguments.format}")
        for name in ("import", "import again"):
            report = _timed(name, count, lambda: import_registry(database, file, as_of=_AS_OF))
            _check(report, first=name == "import")
        database.close()
    print(f"load {os.getloadavg()[0]:.1f} at the end")


def _timed(name: str, count: int, act: Callable[[], Result]) -> Result:
    begin, cpu = time.perf_counter(), time.process_time()
    result = act()
    seconds = time.perf_counter() - begin
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name:13} {seconds:6.1f} s  {count / seconds:9,.0f} rows/s  "
        f"{time.process_time() - cpu:5.1f} s CPU beside PostgreSQL's  peak so far {peak_mb:5.0f} MB"
    )
    return result


def _check(report: ImportReport, *, first: bool) -> None:
    print(f"  {report.imported} imported, {report.unchanged} unchanged, {report.rejected} rejected")
    wrong = report.unchanged if first else report.imported
    if wrong or report.rejected:
        raise SystemExit("the counts are not what they should be")


if __name__ == "__main__":
    main()
