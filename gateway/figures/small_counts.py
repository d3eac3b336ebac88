"""Disclosure control: which counts are kept back, and how far a share is rounded. Pure.

A figure about few people is a figure about somebody. Two rules, said once for every figure that leaves the
gateway by region: a count below `FEWEST` is kept back, together with as many others of its province as it
takes that the province's own figure does not tell it; and a share is rounded so far that one step of it
stands for at least `FEWEST` people. MUST NOT be left to whoever shows the figures: pages get what is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping

# Below this a count is kept back. Zero is told: it is about nobody.
FEWEST = 5
# What a share may be rounded to: readable steps, the finest first.
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)


def kept_back(counts: Mapping[str, int], group_of: Callable[[str], Hashable]) -> frozenset[str]:
    """The keys whose counts are not told, where the sum of each group is known to the reader.

    Those of 1 to FEWEST - 1; and the next larger ones too, until the sum leaves open of each that is kept
    back whether it is FEWEST or more. Where all of a group would not do, its zeros are kept back as well.

    >>> sorted(kept_back({"35.01": 3, "35.02": 7, "35.03": 90}, lambda code: code[:2]))
    ['35.01', '35.02']
    """
    groups: defaultdict[Hashable, list[str]] = defaultdict(list)
    for key in sorted(counts, key=lambda key: (counts[key], key)):
        groups[group_of(key)].append(key)
    return frozenset().union(*(_kept_back_of(keys, counts) for keys in groups.values()))


def _kept_back_of(group: list[str], counts: Mapping[str, int]) -> frozenset[str]:
    """Of one group's keys, the smallest count first, those to keep back."""
    keys = [key for key in group if counts[key] > 0]
    hidden = sum(1 for key in keys if counts[key] < FEWEST)
    if not hidden or len(group) == 1:
        return frozenset(keys[:hidden])
    while hidden <= len(keys):
        together = sum(counts[key] for key in keys[:hidden])
        # The others of them are at least 1 each: this is as large as one of them may be.
        if hidden > 1 and together - (hidden - 1) >= FEWEST:
            return frozenset(keys[:hidden])
        hidden += 1
    return frozenset(group)


def told_share(part: int, whole: int) -> float | None:
    """The share of `part` in `whole`, 0 to 1, rounded to steps of at least FEWEST people.

    None where even the coarsest step stands for fewer: of so few people no share is told.

    >>> told_share(2997, 3000), told_share(47, 60), told_share(9, 10)
    (1.0, 0.8, None)
    """
    for step in _STEPS:
        if step * whole >= FEWEST:
            steps = round(1 / step)
            return round(part * steps / whole) / steps
    return None
