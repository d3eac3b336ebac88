"""Memory of a worker over many requests: its largest resident size, and whether it goes on growing."""

from __future__ import annotations

from tests.benchmarks.harness.bench import Bench, asking, question, refuse_errors, some_niks
from tests.benchmarks.harness.measured import Measured, figures_of

# What a worker takes while it meets its kinds of requests for the first time is no growth.
SETTLED_AFTER = 0.2


def measure(bench: Bench) -> Measured:
    samples: list[tuple[int, float]] = []
    answered = 0
    with bench.gateway() as gateway:
        niks = some_niks(gateway.settings.effective_database_url)
        contender = asking(bench, gateway, bodies=[question([nik]) for nik in niks])
        while answered < bench.options.requests:
            one = contender()
            refuse_errors(one, "memory")
            answered += one.answered
            samples.append((answered, contender.watched.server.largest_rss_mib()))
    rounds = {"worker": [{"answered": float(at), "rss_mib": size} for at, size in samples]}
    figures = {
        ("largest", "MiB"): [max(size for _, size in samples)],
        ("growth", "x"): [growth([size for _, size in samples])],
    }
    notes = [
        f"{answered:,} requests, {SETTLED_AFTER:.0%} of them to settle",
        f"binding: {bench.options.binding}",
    ]
    return Measured("memory", rounds, figures_of("memory", figures), notes)


def growth(sizes: list[float]) -> float:
    """The last size over the one at which it had settled."""
    return sizes[-1] / sizes[int((len(sizes) - 1) * SETTLED_AFTER)]
