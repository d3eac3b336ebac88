"""What a long audit log costs: appending, integrating, signing and proving at 1 000 and at a million entries.

.venv/bin/python -m tests.benchmarks.audit_growth [--database postgresql|sqlite] [--entries 1000000]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from gateway.audit.entry import Sealed
from gateway.audit.ledger import Ledger
from gateway.audit.log import add_entries
from gateway.audit.sequencer import Sequencer
from gateway.audit.signing import Receipts, log_key
from gateway.database import Database
from gateway.migrations import migrate
from tests.benchmarks.postgres import benchmark_database
from tests.gateway.audit.logs import ORIGIN, outcome

BLIND = b"b" * 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--entries", type=int, default=1_000_000)
    given = parser.parse_args()
    with benchmark_url(given.database) as url:
        _grow(url, given.entries)


@contextmanager
def benchmark_url(kind: str) -> Iterator[str]:
    """URL of an empty database of this kind, gone afterwards."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/gapura.db"
        return
    with benchmark_database() as url:
        yield url


def _grow(url: str, entries: int) -> None:
    """Appending, integrating, signing and proving at 1 000 entries and at many."""
    database = Database(url)
    migrate(database)
    sequencer = Sequencer(database, log_key(ORIGIN, b"s" * 32), lambda: datetime.now(UTC))
    figures = {}
    size = 0
    for target in (1_000, entries):
        rate = _fill(database, sequencer, target - size)
        size = target
        figures[size] = _costs(database, sequencer, size) | {"integrated/s while filling": rate}
        size += 640
    for at, figure in figures.items():
        words = "  ".join(f"{name} {value:,.2f}" for name, value in figure.items())
        print(f"{at:>9,} entries: {words}")
    receipts, sealed = Receipts(ORIGIN, b"r" * 32), outcome(1).seal(BLIND)
    began = time.perf_counter()
    for _ in range(2_000):
        receipts.sign(sealed)
    print(f"a receipt: {(time.perf_counter() - began) / 2_000 * 1e6:.0f} us")
    database.close()


def _fill(database: Database, sequencer: Sequencer, count: int) -> float:
    """Add entries in big commits; gives how many per second were integrated afterwards."""
    for start in range(0, count, 5_000):
        batch = [_fresh() for _ in range(min(5_000, count - start))]
        with database.unit_of_work() as connection:
            add_entries(connection, batch)
    began = time.perf_counter()
    while sequencer.integrate():
        pass
    took = time.perf_counter() - began
    sequencer.sign()
    return count / took


def _costs(database: Database, sequencer: Sequencer, size: int) -> dict[str, float]:
    """Milliseconds, medians of ten: a commit of 64 entries, their integration, a checkpoint, a proof."""
    ledger = Ledger(database)
    costs: dict[str, list[float]] = {"append 64 ms": [], "integrate 64 ms": [], "sign ms": [], "prove ms": []}
    for number in range(10):
        batch = [_fresh() for _ in range(64)]
        moments = [time.perf_counter()]
        with database.unit_of_work() as connection:
            add_entries(connection, batch)
        moments.append(time.perf_counter())
        sequencer.integrate()
        moments.append(time.perf_counter())
        sequencer.sign()
        moments.append(time.perf_counter())
        ledger.proof(size // 11 * number)
        moments.append(time.perf_counter())
        for name, began, ended in zip(costs, moments, moments[1:], strict=False):
            costs[name].append((ended - began) * 1e3)
    return {name: statistics.median(values) for name, values in costs.items()}


def _fresh() -> Sealed:
    return replace(outcome(1), exchange_id=uuid4()).seal(BLIND)


if __name__ == "__main__":
    main()
