"""1 000 people needing a source that takes 50 ms, 20 at a time: the Dukcapil connector against bare httpx.

The ideal is 1000 x 50 ms / 20 = 2.5 s. The source runs in a process of its own.

.venv/bin/python -m tests.benchmarks.outside_source [--rounds 5] [--subjects 1000] [--profile]
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

import httpx
import uvloop

from connectors.base import Connector, Record, Subject
from connectors.dukcapil.kind import DUKCAPIL
from connectors.kind import Surroundings
from connectors.quota import Grant
from connectors.transport.client import Transport
from connectors.transport.settings import SourceSettings

LATENCY_S = 0.05
CONCURRENCY = 20
PATIENCE_S = 60.0
FIELDS = frozenset({"dukcapil_person_state", "dukcapil_full_name", "dukcapil_birth_date"})
DAY = date(2026, 11, 21)


@dataclass(frozen=True)
class Round:
    """One pass over all subjects: seconds by the clock, and of this process's processor."""

    wall_s: float
    cpu_s: float


class Unlimited:
    """A ledger that grants everything and forgets it: the database is measured elsewhere."""

    async def take(self, source: str, day: date, count: int, limit: int) -> Grant:  # noqa: ARG002 - the ledger's seam
        return Grant(count, limit)

    async def give_back(self, source: str, day: date, count: int) -> None:
        """Nothing was counted."""

    async def at_most(self, source: str, day: date, remaining: int, limit: int) -> None:
        """Nothing was counted."""

    async def remaining(self, source: str, day: date, limit: int) -> int:  # noqa: ARG002 - the ledger's seam
        return limit


def main() -> None:
    arguments = _arguments()
    with _slow_source() as address:
        rounds = uvloop.run(_measured(address, arguments))
    _print(rounds, arguments)


async def _measured(address: str, arguments: argparse.Namespace) -> dict[str, list[Round]]:
    people = [_person(number) for number in range(arguments.subjects)]
    settings = SourceSettings(name="dukcapil", base_url=address, concurrency=CONCURRENCY)
    rounds: dict[str, list[Round]] = {"bare httpx": [], "connector": []}
    async with Transport(settings) as transport, httpx.AsyncClient(trust_env=False) as client:
        ways = {
            "bare httpx": lambda: _bare(client, address, people),
            "connector": lambda: _ask(_connector(transport, settings), people),
        }
        for number in range(arguments.rounds + 1):
            for name, way in ways.items():
                figure = await _timed(way)
                if number:  # the first round opens the connections
                    rounds[name].append(figure)
        if arguments.profile:
            await _profiled(ways["connector"])
    return rounds


async def _timed(way: Callable[[], Awaitable[None]]) -> Round:
    wall, cpu = time.perf_counter(), time.process_time()
    await way()
    return Round(time.perf_counter() - wall, time.process_time() - cpu)


async def _ask(connector: Connector, people: Sequence[Subject]) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    outcomes = await connector.fetch(people, FIELDS, DAY, deadline)
    if not all(isinstance(one, Record) and one.values["dukcapil_full_name"] == "match" for one in outcomes):
        sys.exit("Some answers are missing, so there is no figure.")


async def _bare(client: httpx.AsyncClient, address: str, people: Sequence[Subject]) -> None:
    slots = asyncio.Semaphore(CONCURRENCY)

    async def post(person: Subject) -> bool:
        async with slots:
            answer = await client.post(f"{address}/dukcapil/get_json/KEMENSOS/CALL", json={"NIK": person.nik})
        return bool(answer.json()["content"][0]["NIK"] == "Sesuai")

    if not all(await asyncio.gather(*map(post, people))):
        sys.exit("Some answers are missing, so there is no figure.")


async def _profiled(way: Callable[[], Awaitable[None]]) -> None:
    profile = cProfile.Profile()
    profile.enable()
    await way()
    profile.disable()
    pstats.Stats(profile).sort_stats("tottime").print_stats(25)


def _connector(transport: Transport, settings: SourceSettings) -> Connector:
    simulation = DUKCAPIL.simulation
    keys = DUKCAPIL.section.model_validate({**simulation.keys, "daily_quota": 10_000_000, "warn_at": []})
    surroundings = Surroundings(
        lambda _: transport, lambda: datetime.now(UTC), Unlimited(), on_quota_low=lambda _: None
    )
    return DUKCAPIL.configure(keys, settings, simulation.secrets)(surroundings)


def _person(number: int) -> Subject:
    known = {"full_name": "Siti Contoh", "birth_date": date(1987, 3, 4)}
    return Subject(f"357801040387{number:04}", UUID(int=number + 1), known)


@contextmanager
def _slow_source() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.benchmarks.slow_source", str(LATENCY_S)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"


def _print(rounds: dict[str, list[Round]], arguments: argparse.Namespace) -> None:
    ideal_s = arguments.subjects * LATENCY_S / CONCURRENCY
    anchor_s = statistics.median(one.wall_s for one in rounds["bare httpx"])
    print(
        f"{arguments.subjects} subjects, {LATENCY_S * 1000:.0f} ms each, {CONCURRENCY} at a time, "
        f"{arguments.rounds} rounds; load {os.getloadavg()[0]:.1f}"
    )
    print(f"{'':12} {'wall s':>7} {'spread':>12} {'to ideal':>9} {'to httpx':>9} {'cpu ms/subject':>15}")
    print(f"{'ideal':12} {ideal_s:7.2f} {'':12} {1:9.2f} {ideal_s / anchor_s:9.2f}")
    figures = {}
    for name, passes in rounds.items():
        walls = sorted(one.wall_s for one in passes)
        wall_s = statistics.median(walls)
        cpu_ms = statistics.median(one.cpu_s for one in passes) / arguments.subjects * 1000
        spread = f"{walls[0]:.2f}-{walls[-1]:.2f}"
        print(
            f"{name:12} {wall_s:7.2f} {spread:>12} {wall_s / ideal_s:9.2f} {wall_s / anchor_s:9.2f} "
            f"{cpu_ms:15.3f}"
        )
        figures[name] = {
            "wall_s": round(wall_s, 3),
            "to_ideal": round(wall_s / ideal_s, 3),
            "to_anchor": round(wall_s / anchor_s, 3),
            "cpu_ms_per_subject": round(cpu_ms, 3),
        }
    print(json.dumps({"ideal_s": ideal_s, **figures}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--subjects", type=int, default=1000)
    parser.add_argument("--profile", action="store_true", help="show where one more pass spends its time")
    return parser.parse_args()


if __name__ == "__main__":
    main()
