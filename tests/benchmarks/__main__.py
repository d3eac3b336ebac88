"""The bench: measures by name, or all of them, a table on the terminal and everything as JSON.

sh deploy/bench.sh [names] [--rounds 5] [--seconds 4] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.harness.bench import Bench, Options
from tests.benchmarks.harness.machine import commit, machine, versions
from tests.benchmarks.harness.report import FORMAT, as_text, written
from tests.benchmarks.harness.rounds import Spoiled
from tests.benchmarks.measures import MEASURES, measure_named
from tests.benchmarks.postgres import benchmark_server
from tests.living import drop_stocks

_RESULTS = Path(".gapura") / "benchmarks"


def main() -> None:
    given = _arguments()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: sh deploy/bench.sh installs it, or sudo apt-get install wrk")
    options = Options(**{one.name: getattr(given, one.name) for one in fields(Options)})
    with _bench(options) as bench:
        result = {
            "format": FORMAT,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": commit(),
            "machine": machine(),
            "versions": versions(bench.server_url),
            "options": asdict(options),
            "measures": {},
        }
        print(json.dumps({name: result[name] for name in ("commit", "machine", "versions")}, indent=1))
        spoiled = _run(bench, given.names or list(MEASURES), result, given.json or _fresh_file(result))
    if spoiled:
        sys.exit("\n".join(["Some measures gave no figure:", *spoiled]))


def _run(bench: Bench, names: list[str], result: dict[str, Any], file: Path) -> list[str]:
    """Take the measures one after another; what each found is written at once. Gives what went wrong."""
    spoiled: list[str] = []
    file.parent.mkdir(parents=True, exist_ok=True)
    for name in names:
        began, load = time.monotonic(), os.getloadavg()[0]
        try:
            measured = measure_named(name)(bench)
        except Spoiled as reason:
            spoiled.append(f"{name}: {reason}")
            continue
        took_s = round(time.monotonic() - began, 1)
        result["measures"][name] = {**written(measured), "took_s": took_s, "load_before": round(load, 2)}
        file.write_text(json.dumps(result, indent=1), encoding="utf-8")
        print(as_text(measured), flush=True)
    print(f"\nWritten to {file}")
    return spoiled


@contextmanager
def _bench(options: Options) -> Iterator[Bench]:
    with (
        benchmark_server() as server_url,
        tempfile.TemporaryDirectory(prefix="gapura-benchmark-") as folder,
    ):
        try:
            yield Bench(options, server_url, Path(folder))
        finally:
            drop_stocks()


def _fresh_file(result: dict[str, Any]) -> Path:
    moment = result["at"].replace(":", "").partition("+")[0]
    return _RESULTS / f"{moment}-{result['commit']}.json"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="sh deploy/bench.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="name", help=f"any of {', '.join(MEASURES)}; default all")
    parser.add_argument("--json", type=Path, help=f"where to write everything; default in {_RESULTS}")
    default = Options()
    for name, words in (
        ("rounds", "rounds that count, after one that warms up"),
        ("seconds", "length of a round"),
        ("people", "synthetic people in the registry"),
        ("many-people", "people in the grown registry"),
        ("many-agreements", "agreements in force in the grown store"),
        ("requests", "requests of the memory measure"),
        ("minutes", "length of the soak"),
    ):
        value = getattr(default, name.replace("-", "_"))
        parser.add_argument(f"--{name}", type=int, default=value, help=f"{words}; default {value:,}")
    parser.add_argument(
        "--binding",
        choices=("mtls", "dpop"),
        default=default.binding,
        help="how tokens are bound in measures that are not about one way; default %(default)s",
    )
    parser.add_argument("--log-level", default=default.log_level, help="of the gateway; default %(default)s")
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in MEASURES]:
        parser.error(f"no measure is named {', '.join(unknown)}; there are {', '.join(MEASURES)}")
    return given


if __name__ == "__main__":
    main()
