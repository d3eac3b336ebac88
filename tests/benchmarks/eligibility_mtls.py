"""`/v1/eligibility`, one subject, the token bound to a TLS client certificate: the cheap binding."""

from __future__ import annotations

from tests.benchmarks.harness.bench import Bench
from tests.benchmarks.harness.measured import Measured
from tests.benchmarks.harness.one_subject import measure_binding


def measure(bench: Bench) -> Measured:
    return measure_binding("eligibility-mtls", bench, "mtls")
