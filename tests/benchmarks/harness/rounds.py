"""What one round measured, and rounds of several contenders taken in turn.

Every round of the run begins with another contender, so that none always follows the same neighbour.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Raw = Mapping[str, float | None]


class Spoiled(Exception):  # noqa: N818 - says what happened to the round
    """A request failed, so the round says nothing about speed."""


@dataclass(frozen=True, slots=True)
class Round:
    """One contender under load for a few seconds. Processor time is per answer, in microseconds."""

    answered: int
    per_second: float
    p50_ms: float
    p99_ms: float
    server_us: float
    database_us: float | None
    errors: int = 0

    @property
    def cost_us(self) -> float:
        """Processor time of server and database together."""
        return self.server_us + (self.database_us or 0.0)

    def raw(self) -> Raw:
        """As it is written to JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


Contender = Callable[[], Round]


def interleaved(contenders: Mapping[str, Contender], rounds: int) -> dict[str, list[Round]]:
    """This many rounds of every contender, in turn, after one that warms up. Raises Spoiled."""
    measured: dict[str, list[Round]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds + 1):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            one = contenders[name]()
            if one.errors:
                raise Spoiled(f"{name}: {one.errors} of {one.answered} requests failed")
            if number:
                measured[name].append(one)
    return measured


def ratios(
    rounds: Mapping[str, Sequence[Round]], name: str, anchor: str, of: str = "per_second"
) -> list[float]:
    """A contender's figure over its anchor's, round by round."""
    return [
        float(getattr(one, of)) / float(getattr(other, of))
        for one, other in zip(rounds[name], rounds[anchor], strict=True)
    ]


def each(rounds: Sequence[Round], of: str) -> list[float]:
    """One figure of every round."""
    return [float(getattr(one, of)) for one in rounds]


def median(values: Sequence[float]) -> float:
    """The middle one, by which a run is quoted."""
    return statistics.median(values)
