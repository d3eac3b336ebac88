"""Five classes for a map, each with about as many regions. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

CLASSES = 5


def bounds(values: Sequence[float]) -> list[float]:
    """Where the classes begin and the last one ends, ascending: at most CLASSES + 1 numbers.

    A value belongs to the last class that begins at or below it. Fewer values have fewer classes, equal ones
    have one; without any there are none.

    >>> bounds([0, 10, 20, 30, 40, 50])
    [0, 10, 20, 30, 40, 50]
    """
    if not values:
        return []
    ordered = sorted(values)
    cuts = [ordered[min(len(ordered) - 1, len(ordered) * at // CLASSES)] for at in range(CLASSES)]
    found = [ordered[0]]
    for cut in cuts[1:]:
        if cut > found[-1]:
            found.append(cut)
    return [*found, ordered[-1]]


def class_of(value: float, limits: Sequence[float]) -> int:
    """The class of a value, from 0, by `bounds`; values outside belong to the nearest."""
    return max((at for at, (begins, _) in enumerate(pairwise(limits)) if value >= begins), default=0)
