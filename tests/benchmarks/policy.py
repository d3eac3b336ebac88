"""What a decision and the release of ten fields cost per record, without anything around them.

The anchor copies ten values from dict to dict, the least that any release has to do. The decision is made
anew for each record, as for requests about one person. `decide and release` is a request under a shipped
agreement, eight of whose ten fields are kept; `mostly changed` lets the transformations work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from policies.agreement import AgreementBook
from policies.decide import ConsumerTerms, Permit, Request, decide
from policies.library import load_policies
from policies.release import release
from tests.benchmarks.harness.bench import POLICIES, Bench
from tests.benchmarks.harness.measured import Measured, figures_of
from tests.policies.builders import a_book, a_consumer, a_request, an_agreement

RECORDS = 20_000
TODAY = date(2026, 6, 1)
DINSOS = ConsumerTerms("dinsos-jatim", "dinsos-35", frozenset({"35"}))
FIELDS = (
    *("decile", "decile_period", "registry_status", "life_status", "residence_status"),
    *("identity_status", "welfare_status", "enrolments", "region", "full_name"),
)
CHANGED: Mapping[str, Any] = {
    "full_name": {"mask": {"show_first": 1}},
    "nik": {"mask": {"show_first": 6}},
    "birth_date": {"generalise": "year"},
    "region": {"generalise": "regency"},
    "address": {"generalise": "regency"},
    "decile": {"bucket": ["1-4", "5-10"]},
    "household_size": {"bucket": ["1-2", "3-5", "6+"]},
    "sex": "keep",
    "life_status": "keep",
    "enrolments": "keep",
}
PERSON: Mapping[str, Any] = {
    "nik": "3578010403879001",
    "full_name": "SITI CONTOH",
    "birth_date": date(1987, 3, 4),
    "sex": "P",
    "region": "35.78.01.1001",
    "decile": 2,
    "decile_period": "2026-Q3",
    "household_size": 4,
    "enrolments": ("PBI-JK", "PKH"),
    "registry_status": "active",
    "life_status": "alive",
    "residence_status": "resident",
    "identity_status": "matched",
    "welfare_status": "eligible",
}

Work = Callable[[], object]


def measure(bench: Bench) -> Measured:
    shipped, harder = load_policies(POLICIES), a_book(an_agreement(CHANGED))
    verification = Request("records", "regional-verification", None, FIELDS, 1)
    contenders: Mapping[str, Work] = {
        "dict copy": _copy,
        "decide and release": _work(shipped, DINSOS, verification),
        "mostly changed": _work(harder, a_consumer(), a_request()),
    }
    rounds: dict[str, list[dict[str, float | None]]] = {name: [] for name in contenders}
    for number in range(bench.options.rounds + 1):
        for name, work in contenders.items():
            took_us = _us(work)
            if number:  # the first round warms up
                rounds[name].append({"us": took_us})
    figures = {
        ("decide and release", "us"): _column(rounds["decide and release"]),
        ("the same, mostly changed", "us"): _column(rounds["mostly changed"]),
        ("dict copy", "us"): _column(rounds["dict copy"]),
    }
    return Measured("policy", rounds, figures_of("policy", figures))


def _copy() -> object:
    return {name: PERSON[name] for name in FIELDS}


def _work(book: AgreementBook, consumer: ConsumerTerms, request: Request) -> Work:
    def decide_and_release() -> object:
        verdict = decide(book, consumer, request, TODAY)
        assert isinstance(verdict, Permit), verdict
        return release(verdict.plan, PERSON, {}, {}, on_date=TODAY)

    left = decide_and_release()
    if len(getattr(left, "values", ())) != len(FIELDS):
        raise ValueError(f"expected {len(FIELDS)} fields to be released, got {left}")
    return decide_and_release


def _us(work: Work) -> float:
    """Processor time per record, in microseconds."""
    began = time.process_time()
    for _ in range(RECORDS):
        work()
    return (time.process_time() - began) / RECORDS * 1e6


def _column(rounds: Sequence[Mapping[str, float | None]]) -> list[float]:
    return [one["us"] or 0.0 for one in rounds]
