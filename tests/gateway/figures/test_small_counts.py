"""What is told of few people, and what could be worked out from what is told."""

from __future__ import annotations

from itertools import pairwise, product

from hypothesis import given
from hypothesis import strategies as st

from gateway.figures.classes import CLASSES, bounds, class_of
from gateway.figures.small_counts import FEWEST, kept_back, told_share

_CODES = [f"{province}.{regency:02}" for province in (11, 35) for regency in range(1, 7)]
_COUNTS = st.dictionaries(st.sampled_from(_CODES), st.one_of(st.integers(0, 7), st.integers(0, 40)))


def _province(code: str) -> str:
    return code[:2]


@given(_COUNTS)
def test_no_count_of_one_to_four_is_told(counts: dict[str, int]) -> None:
    told = counts.keys() - kept_back(counts, _province)
    assert not [code for code in told if 0 < counts[code] < FEWEST]


@given(_COUNTS)
def test_nothing_is_kept_back_in_a_province_without_a_small_count(counts: dict[str, int]) -> None:
    hidden = kept_back(counts, _province)
    small = {_province(code) for code, count in counts.items() if 0 < count < FEWEST}
    assert {_province(code) for code in hidden} == small


def _possible(counts: dict[str, int], hidden: frozenset[str], group: list[str]) -> list[dict[str, int]]:
    """Every province that would be told in the same words: same sum, same told counts, same ones hidden."""
    unknown = sorted(code for code in group if code in hidden)
    total = sum(counts[code] for code in unknown)
    found = []
    for guess in product(range(total + 1), repeat=len(unknown) - 1):
        last = total - sum(guess)
        if last < 0:
            continue
        other = {**{code: counts[code] for code in group}, **dict(zip(unknown, (*guess, last), strict=True))}
        if kept_back(other, _province) & set(group) == set(unknown):
            found.append(other)
    return found


@given(st.lists(st.integers(0, 9), min_size=2, max_size=4))
def test_the_sum_of_a_province_never_gives_away_a_small_count(numbers: list[int]) -> None:
    """Whoever knows the rule, the sum and all that is told tries every province that it could be."""
    counts = {f"35.{at:02}": number for at, number in enumerate(numbers, 1)}
    hidden = kept_back(counts, _province)
    if not hidden or sum(numbers) < FEWEST:
        return  # there is nothing to work out, or the province's own figure is not told either
    possible = _possible(counts, hidden, list(counts))
    for code in hidden:
        if 0 < counts[code] < FEWEST:
            assert len({one[code] for one in possible}) > 1


@given(st.integers(0, 20_000), st.integers(0, 20_000))
def test_a_share_tells_the_count_behind_it_only_to_within_five_people(one: int, other: int) -> None:
    part, whole = sorted((one, other))
    told = told_share(part, whole)
    if told is None:
        assert whole < 10 * FEWEST
        return
    alike = [
        count for count in range(max(0, part - 30), part + 31) if told_share(min(count, whole), whole) == told
    ]
    assert abs(told - part / whole) <= 0.05 + 1e-9
    if 0 < told < 1:
        assert len({min(count, whole) for count in alike}) >= FEWEST


def test_a_few_unmatched_of_many_are_rounded_away() -> None:
    assert told_share(2997, 3000) == told_share(3000, 3000) == 1.0
    assert told_share(49_000, 50_000) == 0.98


@given(st.lists(st.integers(0, 1000), max_size=60))
def test_classes_rise_hold_every_value_and_are_five_at_most(values: list[int]) -> None:
    limits = bounds(values)
    assert all(one <= other for one, other in pairwise(limits))
    assert len(limits) <= CLASSES + 1
    for value in values:
        shade = class_of(value, limits)
        assert limits[shade] <= value <= limits[-1]
        assert shade == len(limits) - 2 or value < limits[shade + 1]
