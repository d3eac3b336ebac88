"""What a second worker adds: one and two workers of the gateway, beside one and two of bare FastAPI.

A machine whose cores also run the load and the database has nothing to give to a second worker: the
figure of bare FastAPI, which asks no database, says what was possible at best. Where there are four cores or
more, the servers have two to themselves.
"""

from __future__ import annotations

from contextlib import ExitStack

from tests.benchmarks.harness.bench import Bench, asking, question, some_niks
from tests.benchmarks.harness.measured import Measured
from tests.benchmarks.harness.one_subject import bare
from tests.benchmarks.harness.pinning import Pins, pinned
from tests.benchmarks.harness.rounds import Contender, interleaved, ratios

CONNECTIONS = 64
WORKERS = (1, 2)


def measure(bench: Bench) -> Measured:
    with ExitStack() as stack:
        contenders: dict[str, Contender] = {}
        pins = stack.enter_context(pinned(max(WORKERS)))
        for workers in WORKERS:
            contenders[f"gateway, {workers}"] = _gateway(stack, bench, workers, pins)
            server = stack.enter_context(bare(bench, workers=workers, connections=CONNECTIONS, pins=pins))
            contenders[f"bare FastAPI, {workers}"] = server
        rounds = interleaved(contenders, bench.options.rounds)
    return Measured.under_load(
        "two-workers",
        rounds,
        {
            ("2 workers to 1", "x"): ratios(rounds, "gateway, 2", "gateway, 1"),
            ("2 workers to 1, bare FastAPI", "x"): ratios(rounds, "bare FastAPI, 2", "bare FastAPI, 1"),
        },
        str(pins),
        f"{CONNECTIONS} connections; binding: {bench.options.binding}",
    )


def _gateway(stack: ExitStack, bench: Bench, workers: int, pins: Pins) -> Contender:
    gateway = stack.enter_context(bench.gateway(workers=workers))
    niks = some_niks(gateway.settings.effective_database_url)
    contender = asking(bench, gateway, bodies=[question([nik]) for nik in niks], connections=CONNECTIONS)
    pins.apply(contender.watched)
    return contender
