"""The table that a reader sees, and the JSON that `tests.benchmarks.compare` reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.benchmarks.harness.measured import Figure, Measured
from tests.benchmarks.harness.rounds import Raw, median

FORMAT = 1
_COLUMNS = {
    "per_second": "per s",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "server_us": "server us",
    "database_us": "database us",
    "us": "us",
    "rss_mib": "RSS MiB",
}


def written(one: Measured) -> dict[str, Any]:
    """One measure for the JSON."""
    return {
        "figures": [figure.raw() for figure in one.figures],
        "rounds": {name: list(rounds) for name, rounds in one.rounds.items()},
        "notes": list(one.notes),
    }


def as_text(one: Measured) -> str:
    """One measure for a terminal: what each contender did, then the figures beside their goals."""
    parts = [f"\n== {one.name}", *_contenders(one.rounds), *figures_table(one.figures)]
    return "\n".join([*parts, *(f"   {note}" for note in one.notes)])


def figures_table(figures: Iterable[Figure]) -> list[str]:
    """A line per figure: median, range over the rounds, goal."""
    lines = [("", "median", "lowest - highest", "goal", "")]
    for figure in figures:
        low, high = min(figure.values), max(figure.values)
        verdict = "" if figure.goal is None else "met" if figure.goal.met(figure.median) else "NOT MET"
        goal = "" if figure.goal is None else f"{figure.goal} {figure.unit}"
        spread = f"{number(low)} - {number(high)}"
        lines.append((figure.name, f"{number(figure.median)} {figure.unit}", spread, goal, verdict))
    return aligned(lines)


def _contenders(rounds: Mapping[str, Sequence[Raw]]) -> list[str]:
    """A line per contender: medians over the rounds, and the range of answers per second."""
    keys = [key for key in _COLUMNS if any(key in one for ones in rounds.values() for one in ones)]
    lines = [("", *(_COLUMNS[key] for key in keys), "rounds")]
    for name, ones in rounds.items():
        cells = [_median_of(ones, key) for key in keys]
        first = [value for one in ones if (value := one.get(keys[0])) is not None]
        spread = f"{number(min(first))} - {number(max(first))}" if first else ""
        lines.append((name, *cells, spread))
    return aligned(lines) if keys else []


def _median_of(ones: Sequence[Raw], key: str) -> str:
    values = [value for one in ones if (value := one.get(key)) is not None]
    return number(median(values)) if values else "-"


def number(value: float) -> str:
    """With as many digits as mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Columns of one width each, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "   "
        + "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
