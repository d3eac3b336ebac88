"""What the audit log costs: exchanges per second with it and without it, in one interleaved run.

.venv/bin/python -m tests.benchmarks.audit_log [--database postgresql|sqlite] [--rounds 5]

`off` exists here alone: a log that keeps nothing stands in for the real one. It is no setting of the product.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import statistics
import sys
import tempfile
import time
from pathlib import Path

from gateway import demo
from gateway.app import Services, build_services
from gateway.audit.entry import Entry, Sealed
from gateway.audit.log import AuditLog
from gateway.exchange import AskedSubject, Question
from gateway.oauth.consumers import Consumer
from gateway.registry.personas import PERSONAS
from gateway.settings import load_settings
from tests.benchmarks.audit_growth import benchmark_url

CALLERS = 32
EXCHANGES = 1_500
CONSUMER = Consumer("bpjs-kesehatan", "BPJS", "kesehatan", ())
BLIND = b"b" * 32


class NoLog(AuditLog):
    """Seals an entry and forgets it: the exchange without its evidence on disk."""

    async def append(self, entry: Entry) -> Sealed:
        return entry.seal(BLIND)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with benchmark_url(given.database) as url, tempfile.TemporaryDirectory() as folder:
        _compare(Path(folder), url, given.rounds)


def _compare(home: Path, url: str, rounds: int) -> None:
    """Exchanges per second with the log and without it, interleaved, the sequencer at work beside them."""
    settings = load_settings(
        {"GAPURA_HOME": str(home), "GAPURA_DATABASE_URL": url, "GAPURA_LOG_LEVEL": "ERROR"}
    )
    demo.prepare(settings, 1_000, lambda _words: lambda _share: None, lambda _: None)
    services = build_services(settings)
    rates: dict[str, list[float]] = {"off": [], "on": []}
    try:
        for number in range(rounds + 1):
            for name, log in (("off", NoLog(services.database)), ("on", AuditLog(services.database))):
                rate = asyncio.run(_exchanges(services, log))
                log.close()
                if number:  # the first round warms up
                    rates[name].append(rate)
    finally:
        services.close()
    off, on = (statistics.median(rates[name]) for name in ("off", "on"))
    print(f"exchanges/s  off {off:,.0f}  on {on:,.0f}  kept {on / off:.0%}  (medians of {rounds})")


async def _exchanges(services: Services, log: AuditLog) -> float:
    exchange = copy.copy(services.exchange)
    exchange._audit = log
    subject = AskedSubject("1", PERSONAS[0].nik, None, {})
    question = Question("eligibility", "pbi-jk-eligibility", "PBI-JK", (subject,), None, None, b"{}")
    left = iter(range(EXCHANGES))
    keeping = asyncio.create_task(services.log.sequencer.run(lambda error: sys.exit(type(error).__name__)))

    async def ask() -> None:
        for _ in left:
            said = await exchange(CONSUMER, question, services.policies.present)
            services.log.receipts.sign(said.logged)

    began = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(CALLERS)))
    took = time.perf_counter() - began
    keeping.cancel()
    return EXCHANGES / took


if __name__ == "__main__":
    main()
