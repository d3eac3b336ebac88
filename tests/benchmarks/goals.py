"""The goals, beside which every run prints what it measured. Nothing fails by missing one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound that a figure should keep, in the figure's own unit."""

    bound: float
    at_most: bool = False

    def met(self, value: float) -> bool:
        """Whether the figure keeps it."""
        return value <= self.bound if self.at_most else value >= self.bound

    def __str__(self) -> str:
        return f"{'<=' if self.at_most else '>='} {self.bound:,g}"


def at_least(bound: float) -> Goal:
    """More is better."""
    return Goal(bound)


def at_most(bound: float) -> Goal:
    """Less is better."""
    return Goal(bound, at_most=True)


# By measure, then by the figure's name as the measure gives it.
GOALS: Mapping[str, Mapping[str, Goal]] = {
    "eligibility-mtls": {
        "to bare FastAPI JSON": at_least(1.0),
        "p99": at_most(10),
        "to the naive gateway": at_least(18),
    },
    "eligibility-dpop": {"to bare FastAPI JSON": at_least(0.5)},
    "batch-1000": {
        "people per application core": at_least(150_000),
        "people end to end": at_least(100_000),
    },
    "policy": {"decide and release": at_most(3)},
    "audit": {"kept with the log on": at_least(85)},
    "tokens": {"to oidc-provider": at_least(1.0)},
    "sqlite": {"to bare FastAPI JSON": at_least(0.6)},
    "growth": {"cost, many people": at_most(1.1), "cost, many agreements": at_most(1.1)},
    "memory": {"largest": at_most(200), "growth": at_most(1.05)},
    "two-workers": {"2 workers to 1": at_least(1.6)},
    "soak": {
        "errors": at_most(0),
        "audit gap": at_most(0),
        "memory growth": at_most(1.05),
        "p99, last to first third": at_most(1.25),
    },
}
