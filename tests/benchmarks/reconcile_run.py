"""A whole reconciliation by its command: registry rows on PostgreSQL to statuses, findings and a report.

.venv/bin/python -m tests.benchmarks.reconcile_run [--count 1000000]

The registry and the extract are invented; a seventh of the people differ. The first run writes a status for
everybody, the second, of the same extract, finds that nothing has changed.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from gateway.database import Database
from gateway.migrations import migrate
from gateway.registry.imports import import_registry
from gateway.registry.regions import load_regions
from gateway.registry.synthetic import generate_people
from tests.benchmarks.harness.processor import apart, postgres_processes
from tests.benchmarks.postgres import benchmark_database

_AS_OF = date(2026, 8, 1)
_SEED = 7


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1_000_000)
    count = parser.parse_args().count
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    with benchmark_database() as url, tempfile.TemporaryDirectory(prefix="gapura-benchmark-") as name:
        folder = Path(name)
        apart(_stock, url, folder / "people.parquet", count)
        environment = {**os.environ, "GAPURA_HOME": str(folder / "home"), "GAPURA_DATABASE_URL": url}
        extract = folder / "extract.csv"
        _gapura(environment, "simulate", "--people", str(count), "--extract", str(extract))
        for run in ("first run", "nothing changed"):
            begin, used = time.perf_counter(), _processor_s(url)
            said, peak_mib = _gapura(environment, "reconcile", "dukcapil", "--extract", str(extract))
            seconds, used = time.perf_counter() - begin, _processor_s(url) - used
            figures = re.search(r"(\d+) of \d+ people gone through.*?(\d+) statuses changed", said, re.DOTALL)
            if figures is None:
                sys.exit(f"the run did not end as it should:\n{said}")
            told = " ".join(figures[0].split())
            print(f"{run}: {seconds:.1f} s, {int(figures[1]) / seconds:,.0f} people/s; {told}")
            print(f"    {used:.1f} s of processor with the database's, {peak_mib:.0f} MiB at most")


def _stock(url: str, file: Path, count: int) -> None:
    generate_people(file, count, _SEED, with_personas=True)
    database = Database(url)
    migrate(database)
    load_regions(database)
    import_registry(database, file, as_of=_AS_OF)
    database.close()


def _gapura(environment: dict[str, str], *arguments: str) -> tuple[str, float]:
    """What a command said, and how many MiB it took at most."""
    command = [sys.executable, "-m", "gateway", *arguments]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        # Of this child alone: what made the extract takes more than what reads it.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(said)
    return said, used.ru_maxrss / 1024


def _processor_s(url: str) -> float:
    """Processor time of the children that ended and of the database, if that is of this machine."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    database = postgres_processes(url)
    return ended.ru_utime + ended.ru_stime + (database.cpu_s() if database is not None else 0.0)


if __name__ == "__main__":
    main()
