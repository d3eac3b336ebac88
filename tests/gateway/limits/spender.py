"""The processes of the exactness tests: forked from one, they all spend as fast as they can at once."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
from collections import Counter
from multiprocessing.synchronize import Barrier

from gateway.audit.entry import SubjectHasher
from gateway.database import Database
from gateway.limits.budget import Refusal
from gateway.limits.ledger import LimitLedger
from tests.gateway.limits.world import MORNING, limited, scattered

_FORKED = multiprocessing.get_context("fork")


async def spend(
    database_url: str, first: int, requests: int, limits: dict[str, int], all_ready: Barrier
) -> Counter[str]:
    """Every request is about two people: one that all processes ask about, and one of this process's own."""
    ledger = LimitLedger(Database(database_url), SubjectHasher(b"a" * 32), lambda: MORNING)
    agreement = limited(**limits)
    shared, own = scattered(requests), scattered(requests, start=first)
    await asyncio.to_thread(all_ready.wait)
    at_once = asyncio.Semaphore(64)

    async def one(at: int) -> str:
        async with at_once:
            outcome = await ledger.spend(agreement, [shared[at], own[at]])
        return outcome.code if isinstance(outcome, Refusal) else "spent"

    codes = await asyncio.gather(*(one(at) for at in range(requests)))
    ledger.close()
    return Counter(codes)


def _live(number: int, database_url: str, requests: int, limits: dict[str, int], all_ready: Barrier) -> None:
    """Be one of the processes, whose own people begin where those of the one before it end."""
    codes = asyncio.run(spend(database_url, (1 + number) * requests, requests, limits, all_ready))
    sys.stdout.write(json.dumps(codes) + "\n")
    sys.stdout.flush()


def main(database_url: str, processes: int, requests: int, limits: dict[str, int]) -> int:
    """Let them spend, each saying its codes in a line; 0 if all came to their end."""
    all_ready = _FORKED.Barrier(processes)
    alive = [
        _FORKED.Process(target=_live, args=(number, database_url, requests, limits, all_ready))
        for number in range(processes)
    ]
    for process in alive:
        process.start()
    for process in alive:
        process.join()
    return max(abs(process.exitcode or 0) for process in alive)


if __name__ == "__main__":
    url, processes, requests, limits = sys.argv[1:]
    sys.exit(main(url, int(processes), int(requests), json.loads(limits)))
