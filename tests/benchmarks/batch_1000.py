"""A thousand subjects per request, each of them audited: people per second, and per core of the application.

Two connections: while one answer is made, the next request waits already. Per core of the application counts
the server's own processor time alone, end to end counts the clock, with PostgreSQL and the load beside it.
"""

from __future__ import annotations

import random

from tests.benchmarks.harness.bench import PEOPLE_ASKED, Bench, asking, question, some_niks
from tests.benchmarks.harness.measured import Measured
from tests.benchmarks.harness.rounds import interleaved

SUBJECTS = 1_000
CONNECTIONS = 2
BATCHES = 20
PER_SECOND = 250


def measure(bench: Bench) -> Measured:
    with bench.gateway() as gateway:
        niks = some_niks(gateway.settings.effective_database_url, 2 * PEOPLE_ASKED)
        chance = random.Random(1)  # noqa: S311 - the same batches every time
        subjects = min(SUBJECTS, len(niks))
        bodies = [question(chance.sample(niks, subjects)) for _ in range(BATCHES)]
        contender = asking(bench, gateway, bodies=bodies, connections=CONNECTIONS, per_second=PER_SECOND)
        rounds = interleaved({"1 000 subjects": contender}, bench.options.rounds)
    batches = rounds["1 000 subjects"]
    return Measured.under_load(
        "batch-1000",
        rounds,
        {
            ("people per application core", "/s"): [1e6 / (one.server_us / subjects) for one in batches],
            ("people end to end", "/s"): [one.per_second * subjects for one in batches],
            ("processor of the server, per person", "us"): [one.server_us / subjects for one in batches],
            ("processor of the database, per person", "us"): [
                (one.database_us or 0) / subjects for one in batches
            ],
        },
    )
