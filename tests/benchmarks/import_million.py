"""A million synthetic people, made and imported into PostgreSQL through COPY; then the same file again.

.venv/bin/python -m tests.benchmarks.import_million [--count 1000000] [--format parquet|csv]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import psutil
from sqlalchemy import text

from gateway.database import Database
from gateway.migrations import migrate
from gateway.registry.imports import ImportReport, import_registry
from gateway.registry.regions import load_regions
from tests.benchmarks.postgres import benchmark_database

_AS_OF = date(2026, 8, 1)
_SEED = 7


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    with benchmark_database() as url, tempfile.TemporaryDirectory(prefix="gapura-benchmark-") as folder:
        file = Path(folder) / f"people.{arguments.format}"
        _generate(file, arguments.count)
        database = Database(url)
        migrate(database)
        load_regions(database)
        first = _import(database, file, "import")
        again = _import(database, file, "import again")
        database.close()
    if (first.imported, again.unchanged, again.imported) != (first.read, first.read, 0):
        sys.exit("the counts are not what they should be")


def _generate(file: Path, count: int) -> None:
    """In a process of its own, so that its memory and the import's can be told apart."""
    command = [sys.executable, "-m", "gateway", "people", "generate", str(file), "--personas"]
    begin = time.perf_counter()
    subprocess.run(
        [*command, "--count", str(count), "--seed", str(_SEED)], check=True, stdout=subprocess.DEVNULL
    )
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = used.ru_utime + used.ru_stime
    _tell("generate", time.perf_counter() - begin, count, f"{cpu_s:.0f} s CPU", used.ru_maxrss)
    print(f"  {file.stat().st_size / 1e6:.0f} MB of {file.suffix[1:]}")


def _import(database: Database, file: Path, name: str) -> ImportReport:
    begin, here, there = time.perf_counter(), time.process_time(), _backend_cpu_s(database)
    report = import_registry(database, file, as_of=_AS_OF)
    seconds = time.perf_counter() - begin
    cpu = (
        f"{time.process_time() - here:.0f} + {_backend_cpu_s(database) - there:.0f} s CPU (here + PostgreSQL)"
    )
    _tell(name, seconds, report.read, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    print(f"  {report.imported} imported, {report.unchanged} unchanged, {report.rejected} rejected")
    return report


def _backend_cpu_s(database: Database) -> float:
    """CPU seconds of the server processes that serve this database; 0 when they run on another machine."""
    query = text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
    with database.reading() as connection:
        pids: list[int] = list(connection.execute(query).scalars())
    return sum(_cpu_s(pid) for pid in pids if psutil.pid_exists(pid))


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _tell(name: str, seconds: float, rows: int, cpu: str, peak_kb: int) -> None:
    rate, load = rows / seconds, os.getloadavg()[0]
    print(
        f"{name:13}{seconds:6.1f} s {rate:9,.0f} rows/s  {cpu}, peak {peak_kb / 1024:.0f} MB, load {load:.1f}"
    )


if __name__ == "__main__":
    main()
