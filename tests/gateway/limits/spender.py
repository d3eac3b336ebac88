"""One process of the exactness test: it spends as fast as it can, when it is told to, under one agreement."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

from gateway.audit.entry import SubjectHasher
from gateway.database import Database
from gateway.limits.budget import Refusal
from gateway.limits.ledger import LimitLedger
from tests.gateway.limits.world import MORNING, limited, scattered


async def spend(database_url: str, first: int, requests: int, limits: dict[str, int]) -> dict[str, int]:
    """Every request is about two people: one that all processes ask about, and one of this process's own."""
    ledger = LimitLedger(Database(database_url), SubjectHasher(b"a" * 32), lambda: MORNING)
    agreement = limited(**limits)
    shared, own = scattered(requests), scattered(requests, start=first)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    at_once = asyncio.Semaphore(64)

    async def one(at: int) -> str:
        async with at_once:
            outcome = await ledger.spend(agreement, [shared[at], own[at]])
        return outcome.code if isinstance(outcome, Refusal) else "spent"

    codes = await asyncio.gather(*(one(at) for at in range(requests)))
    ledger.close()
    return Counter(codes)


if __name__ == "__main__":
    url, first, requests, limits = sys.argv[1:]
    sys.stdout.write(json.dumps(asyncio.run(spend(url, int(first), int(requests), json.loads(limits)))))
