"""What counting a request costs: `LimitLedger.spend` under load, beside a transaction that does nothing.

.venv/bin/python -m tests.benchmarks.limits [--rounds 5] [--requests 4000] [--at-once 32]

The anchor is a batched transaction of one statement, on the same database, interleaved. Known people were
asked about before; new ones take a row each.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import event, text

from connectors.base import Subject
from gateway.audit.entry import SubjectHasher
from gateway.batching import NaturalBatch, OneThread
from gateway.database import Database
from gateway.limits.budget import Spent
from gateway.limits.ledger import LimitLedger
from gateway.limits.tables import limit_alarms, limit_people, limit_use, limit_walks
from policies.bounds import Limits
from tests.benchmarks.postgres import benchmark_database
from tests.policies.builders import an_agreement

AGREEMENT = an_agreement(id="bench", limits=Limits(100_000_000, 300_000_000, 300_000_000))
TABLES = (limit_use, limit_people, limit_walks, limit_alarms)
LARGE = 40
Figure = tuple[float, float, float, float]
Call = Callable[[int], Awaitable[object]]


def main() -> None:
    arguments = _arguments()
    with benchmark_database() as url, tempfile.TemporaryDirectory() as folder:
        for name, database_url in (
            ("PostgreSQL", url),
            ("SQLite", f"sqlite:///{Path(folder) / 'gapura.db'}"),
        ):
            database = Database(database_url)
            limit_use.metadata.create_all(database.engine, tables=TABLES)
            _measure(name, database, arguments)
            database.close()


def _measure(name: str, database: Database, arguments: argparse.Namespace) -> None:
    now = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
    statements = [0]

    @event.listens_for(database.engine, "before_cursor_execute")
    def _count(*_: object) -> None:
        statements[0] += 1

    figures: dict[str, list[Figure]] = {}
    for number in range(arguments.rounds + 1):
        ledger = LimitLedger(database, SubjectHasher(b"a" * 32), lambda: now)
        thread = OneThread("anchor")
        anchor: NaturalBatch[int, int] = NaturalBatch(partial(thread, partial(_read, database)))
        for kind, (call, requests) in _kinds(ledger, anchor, number * 10_000_000, arguments).items():
            measured = asyncio.run(_round(call, requests, arguments.at_once, statements))
            if number:  # the first round warms up
                figures.setdefault(kind, []).append(measured)
        ledger.close()
        thread.close()
    _print(name, figures, arguments)


def _kinds(
    ledger: LimitLedger, anchor: NaturalBatch[int, int], first: int, arguments: argparse.Namespace
) -> dict[str, tuple[Call, int]]:
    """What is measured, and in how many requests. Nobody from `first` on was asked about before."""

    def spend(start: int, step: int, count: int) -> Call:
        return lambda at: ledger.spend(AGREEMENT, _people(start + at % 4_000 * step, count))

    return {
        "anchor": (anchor, arguments.requests),
        "1 subject, new": (spend(first, 1, 1), arguments.requests),
        "1 subject, known": (spend(first, 1, 1), arguments.requests),
        "1000 subjects, new": (spend(first + 1_000_000, 1_000, 1_000), LARGE),
        "1000 subjects, known": (spend(first + 1_000_000, 1_000, 1_000), LARGE),
    }


def _read(database: Database, items: Sequence[int]) -> Sequence[int]:
    with database.unit_of_work(durable=False) as connection:
        connection.execute(text("SELECT 1")).all()
    return items


def _people(start: int, count: int) -> list[Subject]:
    """Scattered over districts and birth dates, as a list of people is."""
    return [
        Subject(
            nik=f"{110000 + at * 7919 % 880000:06}{at * 31 % 28 + 1:02}{at * 17 % 12 + 1:02}"
            f"{at * 13 % 100:02}{9000 + at // 880000 % 990:04}"
        )
        for at in range(start, start + count)
    ]


async def _round(call: Call, requests: int, at_once: int, statements: list[int]) -> Figure:
    """Requests per second, median wait in ms, processor time in us per request, statements per request."""
    waits: list[float] = []
    numbers = iter(range(requests))

    async def worker() -> None:
        for at in numbers:
            began = time.perf_counter()
            outcome = await call(at)
            waits.append(time.perf_counter() - began)
            assert isinstance(outcome, Spent | int), outcome

    statements[0] = 0
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    took, used = time.perf_counter() - began, time.process_time() - cpu
    return requests / took, statistics.median(waits) * 1e3, used / requests * 1e6, statements[0] / requests


def _print(name: str, figures: dict[str, list[Figure]], arguments: argparse.Namespace) -> None:
    print(f"\n{name}: {arguments.rounds} rounds, {arguments.at_once} at once, {os.cpu_count()} cores")
    print(f"{'':28} {'req/s':>8} {'wait ms':>8} {'cpu us':>8} {'statements':>11}")
    for kind, measured in figures.items():
        rate, wait, cpu, count = (statistics.median(column) for column in zip(*measured, strict=True))
        print(f"{kind:28} {rate:8.0f} {wait:8.2f} {cpu:8.0f} {count:11.3f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=4_000)
    parser.add_argument("--at-once", type=int, default=32)
    return parser.parse_args()


if __name__ == "__main__":
    main()
