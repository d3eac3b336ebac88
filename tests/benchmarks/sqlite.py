"""One subject on the embedded database, every duty on, against bare FastAPI JSON."""

from __future__ import annotations

from tests.benchmarks.harness.bench import PATH, Bench, asking, question, some_niks
from tests.benchmarks.harness.measured import Measured
from tests.benchmarks.harness.one_subject import BARE, bare
from tests.benchmarks.harness.rounds import each, interleaved, ratios


def measure(bench: Bench) -> Measured:
    with bench.gateway(sqlite=True) as gateway, bare(bench) as anchor:
        niks = some_niks(gateway.settings.effective_database_url)
        contender = asking(bench, gateway, bodies=[question([nik]) for nik in niks])
        rounds = interleaved({BARE: anchor, PATH: contender}, bench.options.rounds)
    return Measured.under_load(
        "sqlite",
        rounds,
        {
            ("to bare FastAPI JSON", "x"): ratios(rounds, PATH, BARE),
            ("p99", "ms"): each(rounds[PATH], "p99_ms"),
        },
        f"binding: {bench.options.binding}",
    )
