"""A long time at full load: memory, errors, latency by the minute, and whether the log has every answer.

The gap is between what the gateway counted as answered and the entries in its log; load ends in the middle of
some requests, so wrk itself counts a few fewer. Rounds are short because tokens and proofs age; between two
of them the gateway rests for as long as it takes to write new requests.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

import httpx
from sqlalchemy import create_engine, func, make_url, select

from gateway.audit.tables import audit_entries, audit_leaves
from tests.benchmarks.harness.bench import Bench, asking, question, some_niks
from tests.benchmarks.harness.callers import CONSUMER
from tests.benchmarks.harness.measured import Measured, figures_of
from tests.benchmarks.harness.rounds import Raw, Round, median
from tests.benchmarks.memory import growth
from tests.living import LivingGateway

MINUTE_S = 60
SETTLING_S = 120
# Subjects by outcome; here every answer has one subject.
_ANSWERED = re.compile(r'^gapura_outcomes_total\{operation="eligibility",.*\} (\S+)$', re.MULTILINE)


def measure(bench: Bench) -> Measured:
    minutes: list[Raw] = []
    errors = answered = 0
    with bench.gateway() as gateway:
        niks = some_niks(gateway.settings.effective_database_url)
        contender = asking(bench, gateway, bodies=[question([nik]) for nik in niks])
        for _ in range(bench.options.minutes):
            rounds: list[Round] = []
            minute_ends = time.monotonic() + MINUTE_S
            while time.monotonic() < minute_ends:
                rounds.append(contender())
            errors += sum(one.errors for one in rounds)
            answered += sum(one.answered for one in rounds)
            minutes.append(_minute(rounds, contender.watched.server.largest_rss_mib()))
        counted, logged, placed = _settled(gateway)
    sizes = [one["rss_mib"] or 0.0 for one in minutes]
    figures = {
        ("errors", ""): [errors],
        ("audit gap", "answers"): [abs(counted - logged) + max(0, answered - errors - logged)],
        ("memory growth", "x"): [growth(sizes)],
        ("p99, last to first third", "x"): [_drift(minutes)],
    }
    notes = (
        f"{answered:,} answers counted by wrk, {counted:,} by the gateway",
        f"{logged:,} entries in the log, {placed:,} of them in its tree within {SETTLING_S} s",
        f"binding: {bench.options.binding}",
    )
    return Measured("soak", {"each minute": minutes}, figures_of("soak", figures), notes)


def _minute(rounds: Sequence[Round], rss_mib: float) -> Raw:
    return {
        "per_second": median([one.per_second for one in rounds]),
        "p50_ms": median([one.p50_ms for one in rounds]),
        "p99_ms": median([one.p99_ms for one in rounds]),
        "server_us": median([one.server_us for one in rounds]),
        "database_us": median([one.database_us or 0.0 for one in rounds]),
        "errors": sum(one.errors for one in rounds),
        "rss_mib": rss_mib,
    }


def _drift(minutes: Sequence[Raw]) -> float:
    """The p99 of the last third of the time over that of the first."""
    p99s = [one["p99_ms"] or 0.0 for one in minutes]
    third = max(1, len(p99s) // 3)
    return median(p99s[-third:]) / median(p99s[:third])


def _settled(gateway: LivingGateway) -> tuple[int, int, int]:
    """Answers counted by the gateway, entries in its log, and those that have their place in its tree.

    Asked when nothing more is under way, and the tree has come as far as the log, or had its time.
    """
    engine = create_engine(make_url(gateway.settings.effective_database_url))
    entries = select(func.count()).where(audit_entries.c.consumer_id == CONSUMER)
    leaves = select(func.count()).where(
        audit_leaves.c.sequence.in_(
            select(audit_entries.c.sequence).where(audit_entries.c.consumer_id == CONSUMER)
        )
    )
    waited_until = time.monotonic() + SETTLING_S
    time.sleep(1)  # the requests that load left in the middle
    while True:
        with engine.connect() as connection:
            logged, placed = (connection.execute(count).scalar_one() for count in (entries, leaves))
        if placed == logged or time.monotonic() > waited_until:
            break
        time.sleep(1)
    engine.dispose()
    said = httpx.get(f"{gateway.url}/metrics", trust_env=False, timeout=30).raise_for_status().text
    return round(sum(map(float, _ANSWERED.findall(said)))), logged, placed
