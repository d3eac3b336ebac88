"""What a measure found: raw rounds, figures beside their goals, and what a reader has to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.goals import GOALS, Goal
from tests.benchmarks.harness.rounds import Raw, Round, median


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure over all rounds. It is quoted by its median; `goal` None where none was set."""

    name: str
    unit: str
    values: tuple[float, ...]
    goal: Goal | None = None

    @property
    def median(self) -> float:
        """By which the figure is quoted."""
        return median(self.values)

    def raw(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "low": min(self.values),
            "high": max(self.values),
            "goal": str(self.goal) if self.goal else None,
            "met": self.goal.met(self.median) if self.goal else None,
        }


@dataclass(frozen=True, slots=True)
class Measured:
    """One measure's outcome. Raises ValueError when a goal that is set for it was not measured."""

    name: str
    rounds: Mapping[str, Sequence[Raw]]
    figures: Sequence[Figure]
    notes: Sequence[str] = field(default=())

    def __post_init__(self) -> None:
        if missing := GOALS.get(self.name, {}).keys() - {figure.name for figure in self.figures}:
            raise ValueError(f"{self.name}: expected a figure for each of its goals, got none for {missing}")

    @classmethod
    def under_load(
        cls,
        name: str,
        rounds: Mapping[str, Sequence[Round]],
        figures: Mapping[tuple[str, str], Sequence[float]],
        *notes: str,
    ) -> Measured:
        """Of rounds under load; `figures` by name and unit."""
        raw = {contender: [one.raw() for one in ones] for contender, ones in rounds.items()}
        return cls(name, raw, figures_of(name, figures), notes)


def figures_of(measure: str, figures: Mapping[tuple[str, str], Sequence[float]]) -> list[Figure]:
    """Figures with the goals that are set for them."""
    goals = GOALS.get(measure, {})
    return [Figure(name, unit, tuple(values), goals.get(name)) for (name, unit), values in figures.items()]
