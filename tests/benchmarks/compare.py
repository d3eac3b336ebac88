"""Two results of the bench side by side: what changed, and whether by more than the rounds differ.

.venv/bin/python -m tests.benchmarks.compare BEFORE.json AFTER.json

`differs` stands where the ranges of the two runs do not touch and the medians are more than a tenth apart:
anything less happens by itself on a machine that is not idle.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.harness.report import FORMAT, aligned, number

MEANINGFUL = 0.1
_GROUND = ("machine", "versions", "options")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    given = parser.parse_args()
    print("\n".join(comparison(read_result(given.before), read_result(given.after))))


def read_result(file: Path) -> dict[str, Any]:
    """What the bench wrote. Ends the process with a sentence when the file holds something else."""
    try:
        result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        sys.exit(f"{file}: expected a result of the bench, got {error}")
    if result.get("format") != FORMAT:
        sys.exit(f"{file}: expected a result of format {FORMAT}, got {result.get('format')!r}")
    return result


def comparison(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The lines of a table over all figures that both have, below what else was different."""
    lines = [("", before["commit"], after["commit"], "after / before", "")]
    for name in before["measures"].keys() & after["measures"].keys():
        lines += _figures(name, before["measures"][name], after["measures"][name])
    return [*_other_ground(before, after), *aligned([lines[0], *sorted(lines[1:])])]


def _figures(name: str, before: Any, after: Any) -> Iterator[tuple[str, ...]]:
    earlier = {figure["name"]: figure for figure in before["figures"]}
    for figure in after["figures"]:
        if (other := earlier.get(figure["name"])) is None:
            continue
        share = figure["median"] / other["median"] if other["median"] else 1.0
        yield (
            f"{name}: {figure['name']}",
            f"{number(other['median'])} {other['unit']}",
            f"{number(figure['median'])} {figure['unit']}",
            number(share),
            "differs" if _differs(other, figure) else "",
        )


def _differs(before: Mapping[str, float], after: Mapping[str, float]) -> bool:
    apart = after["low"] > before["high"] or after["high"] < before["low"]
    return apart and abs(after["median"] - before["median"]) > MEANINGFUL * abs(before["median"])


def _other_ground(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """What makes the two runs hard to compare."""
    for part in _GROUND:
        for name in sorted(before[part].keys() | after[part].keys()):
            old, new = before[part].get(name), after[part].get(name)
            if old != new and name != "load_before":
                yield f"   other {part}: {name} was {old}, is {new}"


if __name__ == "__main__":
    main()
