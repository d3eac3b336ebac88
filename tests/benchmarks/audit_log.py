"""What the audit log costs: whole requests with it and without it, under the same load.

`on` is the gateway. `off` is the same gateway with a log that keeps nothing, which leaves its sequencer
nothing to do either, so what is kept counts the writing of entries and the building of the tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tests.benchmarks.harness.bench import Bench, asking, question, some_niks
from tests.benchmarks.harness.measured import Measured
from tests.benchmarks.harness.processor import Watched
from tests.benchmarks.harness.rounds import Contender, interleaved, ratios
from tests.benchmarks.harness.servers import uvicorn_server

ON, OFF = "log on", "log off"


def measure(bench: Bench) -> Measured:
    with _logged(bench) as on, _unlogged(bench) as off:
        rounds = interleaved({ON: on, OFF: off}, bench.options.rounds)
    kept = ratios(rounds, ON, OFF)
    return Measured.under_load(
        "audit",
        rounds,
        {
            ("kept with the log on", "%"): [100 * one for one in kept],
            ("processor, on to off", "x"): ratios(rounds, ON, OFF, "cost_us"),
        },
        f"binding: {bench.options.binding}",
    )


@contextmanager
def _logged(bench: Bench) -> Iterator[Contender]:
    with bench.gateway() as gateway:
        niks = some_niks(gateway.settings.effective_database_url)
        yield asking(bench, gateway, bodies=[question([nik]) for nik in niks])


@contextmanager
def _unlogged(bench: Bench) -> Iterator[Contender]:
    with bench.gateway() as gateway:
        niks = some_niks(gateway.settings.effective_database_url)
        contender = asking(bench, gateway, bodies=[question([nik]) for nik in niks])
        gateway.stop()
        settings = gateway.settings
        with uvicorn_server(
            "unlogged", port=settings.port, factory=True, environment=settings.environment()
        ) as server:
            yield replace(contender, watched=Watched(server.processes, contender.watched.database))
