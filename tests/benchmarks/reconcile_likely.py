"""Likely persons for those whose NIK proves nobody: accuracy per defect and status, time and memory.

.venv/bin/python -m tests.benchmarks.reconcile_likely [--rest 60000] [--seed 31337] [--threads 2]

The anchor is a plain Splink model on the same rows, in a process of its own, as is ours. The default seed
is one that no model, rate or threshold was tuned on.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import ibis

from gateway.reconciliation.linking.candidates import candidates
from gateway.reconciliation.linking.model import shipped_model
from tests.benchmarks.field_people import UNSEEN_SEED, draw_field_people
from tests.benchmarks.link_accuracy import accuracy, by_defect, by_state, read_sides
from tests.benchmarks.plain_splink import plain_links

# Of a hundred people of the drawn population, so many rows of the registry no NIK confirms.
_REST_SHARE = 0.6
_MEMORY = "1500MB"
_GOALS = "goals: F1 >= 0.950, absent matched < 0.120, wrong no < 6.0 per 1000, true among ten >= 0.970"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rest", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=UNSEEN_SEED)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--part", choices=("draw", "plain", "ours"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        _run_part(arguments)
        return
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    with tempfile.TemporaryDirectory(prefix="gapura-benchmark-") as folder:
        for part in ("draw", "plain", "ours"):
            command = [sys.executable, "-m", "tests.benchmarks.reconcile_likely", "--part", part]
            options = {
                "folder": folder,
                "rest": arguments.rest,
                "seed": arguments.seed,
                "threads": arguments.threads,
            }
            subprocess.run(
                [*command, *(str(word) for name, value in options.items() for word in (f"--{name}", value))],
                check=True,
            )
        _report(Path(folder))


def _run_part(arguments: argparse.Namespace) -> None:
    backend = ibis.duckdb.connect(
        threads=arguments.threads, memory_limit=_MEMORY, temp_directory=str(arguments.folder / "spill")
    )
    begin = time.perf_counter()
    if arguments.part == "draw":
        people = draw_field_people(int(arguments.rest / _REST_SHARE), arguments.seed, backend)
        registry, extract = people.remainder()
        for name, table in (("registry", registry), ("extract", extract), ("truth", people.truth)):
            backend.to_parquet(table, arguments.folder / f"{name}.parquet")
    else:
        registry, extract = read_sides(arguments.folder, backend)
        if arguments.part == "plain":
            found = plain_links(registry, extract, backend)
        else:
            found = candidates(registry, extract, shipped_model(), backend, name="likely")
        backend.to_parquet(found, arguments.folder / f"{arguments.part}.parquet")
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cpu, load = time.process_time(), os.getloadavg()[0]
    print(f"{arguments.part:6}{seconds:7.1f} s ({cpu:.1f} s CPU), peak {peak:.0f} MiB, load {load:.1f}")


def _report(folder: Path) -> None:
    connection = duckdb.connect()
    for name in ("registry", "extract", "truth", "plain", "ours"):
        connection.execute(f"CREATE VIEW {name} AS FROM '{folder / name}.parquet'")
    for name in ("registry", "extract"):
        print(f"{name}: {connection.execute(f'SELECT count(*) FROM {name}').fetchall()[0][0]:,} rows")  # noqa: S608 - our own names
    print(f"{'':8}{'F1':>7}{'precis.':>9}{'recall':>8}{'absent':>8}{'wrong no':>10}{'in ten':>8}")
    for name in ("plain", "ours"):
        print(f"{name:8}{accuracy(connection, name)}")
    print(_GOALS)
    for title, lines in (("defect", by_defect(connection)), ("status", by_state(connection))):
        print(f"\n{title:22}{'rows':>9}   {'plain: prec., recall':22}ours: prec., recall, to review")
        for line in lines:
            print(line)


if __name__ == "__main__":
    main()
