"""The measures that can be asked for by name, in the order in which a whole run takes them.

A measure is a module with `measure(bench)`, which prepares what it needs, starts it, and ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from tests.benchmarks.harness.bench import Bench
from tests.benchmarks.harness.measured import Measured

MEASURES: Mapping[str, str] = {
    "eligibility-mtls": "eligibility_mtls",
    "eligibility-dpop": "eligibility_dpop",
    "batch-1000": "batch_1000",
    "policy": "policy",
    "audit": "audit_log",
    "tokens": "tokens",
    "sqlite": "sqlite",
    "two-workers": "two_workers",
    "memory": "memory",
    "growth": "growth",
    "soak": "soak",
    "size": "size",
}


def measure_named(name: str) -> Callable[[Bench], Measured]:
    """The measure of this name. Raises KeyError for a name that none has."""
    found: Callable[[Bench], Measured] = import_module(f"tests.benchmarks.{MEASURES[name]}").measure
    return found
