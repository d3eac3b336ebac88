"""The order of revealing, against an oracle that knows no order: it applies transformations and compares.

What leaves under one is a function of what leaves under another if no two people who look the same under the
other look different under the one. A sector's key is hidden like the value itself, so the oracle has it vary.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.dictionary import Field, Value
from policies.pseudonym import derive_sector_key
from policies.regions import LEVELS
from policies.revealing import reveals_at_most
from policies.transforms import Occasion, Transformation, compile_transformation
from tests.policies.builders import a_field

KEYS = [derive_sector_key(master * 32, "pkh") for master in (b"0", b"1")]
DAYS = (date(2026, 6, 1), date(2026, 12, 31))
NO_VALUE: tuple[Value, ...] = (None, True, ("PKH",))
DIGITS = "3578014207909001"


def ranges_up_to(highest: int) -> Iterator[list[str]]:
    """Every way to write ranges of two or three numbers that end at most at `highest`."""

    def going_on(lowest: int) -> Iterator[list[str]]:
        yield []
        yield [f"{lowest}+"]
        for last in (lowest + 1, lowest + 2):
            if last <= highest:
                for rest in going_on(last + 1):
                    yield [f"{lowest}-{last}", *rest]

    for first in range(3):
        yield from (ranges for ranges in going_on(first) if ranges)


def all_but(one: str, other: str) -> list[str]:
    """Texts of every length up to 20, each with one character that differs from the first of its length."""
    return [one * at + other + one * (length - at - 1) for length in range(20) for at in range(length)] + [
        one * length for length in range(20)
    ]


TEXTS = all_but("a", "b")
IDENTIFIERS = [DIGITS[:at] + "9" + DIGITS[at + 1 :] for at in range(16)] + [DIGITS, *all_but("3", "5")]
BIRTHS = [
    date(year, month, day) for year in range(1905, 2028) for month, day in ((1, 2), (6, 1), (6, 2), (12, 31))
]
CODES = [
    code
    for province in ("35", "31")
    for code in (
        province,
        *(f"{province}.{regency}" for regency in ("01", "78")),
        *(f"{province}.01.{district}" for district in ("01", "02")),
        *(f"{province}.01.01.{village}" for village in ("1001", "1002")),
        f"{province}780110",
    )
]
PLAIN: list[Any] = ["keep", "drop", "verdict"]
# Every way to write a transformation of a type, and values that tell any two of them apart.
TYPES: dict[str, tuple[list[Any], list[Value]]] = {
    "text": ([*PLAIN, *({"mask": {"show_first": first}} for first in range(5))], [*TEXTS, 7]),
    "identifier": (
        [*PLAIN, "pseudonym", *({"mask": {"show_first": first}} for first in range(7))],
        [*IDENTIFIERS, 7],
    ),
    "date": (
        [
            *PLAIN,
            *({"generalise": part} for part in ("year", "year_month")),
            *({"generalise": {"to": "age_band", "years": years}} for years in range(5, 41)),
        ],
        [*BIRTHS, "1990-01-01"],
    ),
    "region": ([*PLAIN, *({"generalise": level} for level in LEVELS)], [*CODES, 7]),
    "number": ([*PLAIN, *({"bucket": ranges} for ranges in ranges_up_to(8))], [*range(-2, 13), "7"]),
    "word": (PLAIN, ["L", "P", 7]),
    "words": (["keep", "drop"], [("PKH",), ("BPNT",), (), "PKH"]),
    "verdict": (["verdict", "drop"], ["match", "no_match", "SARI"]),
    "image": (["drop"], [""]),
}
CLAIMS = {
    "text": (None, "", "aab", "b"),
    "identifier": (None, DIGITS, "333"),
    "date": (None, "1990-06-01", "soon"),
    "region": (None, "35.01", "3578"),
    "number": (None, "3", "-1"),
    "word": (None, "L"),
}


def compiled_for(type_: str) -> list[Transformation]:
    return [compile_transformation(a_field("thing", type_), spec) for spec in TYPES[type_][0]]


Seen = list[list[Any]]


def seen(transformation: Transformation, people: list[Value], claims: tuple[str | None, ...]) -> Seen:
    """What leaves of each person under each key: one list for each thing that the caller knows itself."""
    return [
        [
            repr(transformation.apply(value, claim, Occasion(day, key)))
            for value in (*people, *NO_VALUE)
            for key in KEYS
        ]
        for claim in claims
        for day in DAYS
    ]


def is_function_of(one: Seen, other: Seen) -> bool:
    """Whether equal things in `other` are equal in `one`, whatever the caller knows."""
    for outputs, inputs in zip(one, other, strict=True):
        told: dict[Any, Any] = {}
        if any(told.setdefault(given_, made) != made for given_, made in zip(inputs, outputs, strict=True)):
            return False
    return True


@pytest.mark.parametrize("type_", TYPES)
def test_one_reveals_at_most_what_another_does_exactly_if_it_is_a_function_of_it(type_: str) -> None:
    made = compiled_for(type_)
    sights = [seen(one, TYPES[type_][1], CLAIMS.get(type_, (None,))) for one in made]
    for (one, its_sight), (other, other_sight) in itertools.product(zip(made, sights, strict=True), repeat=2):
        expected = is_function_of(its_sight, other_sight)
        assert reveals_at_most(one, other) == expected, f"{one} within {other}"


@pytest.mark.parametrize("type_", TYPES)
def test_it_is_a_partial_order(type_: str) -> None:
    made = compiled_for(type_)
    above = {
        index: {place for place, other in enumerate(made) if reveals_at_most(one, other)}
        for index, one in enumerate(made)
    }
    for index, wider in above.items():
        assert index in wider
        for other in wider:
            assert above[other] <= wider
            assert other == index or index not in above[other]


def test_an_address_that_is_generalised_is_a_form_of_the_region_and_not_of_the_street() -> None:
    records = [{"address": street, "region": code} for street in ("Jalan 1", "Jalan 2") for code in CODES]
    places: list[tuple[Field, list[Any]]] = [
        (a_field("address", "street"), TYPES["region"][0]),
        (a_field("region", "region"), TYPES["region"][0]),
    ]
    made = [compile_transformation(field, spec) for field, specs in places for spec in specs]
    claims = (None, "Jalan 1", "35.01")

    def sight(one: Transformation) -> Seen:
        return seen(one, [record[one.reads] for record in records], claims)

    for one, other in itertools.product(made, repeat=2):
        assert reveals_at_most(one, other) == is_function_of(sight(one), sight(other)), f"{one}, {other}"


ranges = st.builds(
    lambda first, widths, is_open: spelt(first, widths, is_open=is_open),
    st.integers(0, 20),
    st.lists(st.integers(2, 9), min_size=1, max_size=6),
    st.booleans(),
)


def spelt(first: int, widths: list[int], *, is_open: bool) -> list[str]:
    edges = list(itertools.accumulate(widths, initial=first))
    spans = [f"{low}-{high - 1}" for low, high in itertools.pairwise(edges)]
    return [*spans, f"{edges[-1]}+"] if is_open else spans


@given(ranges, ranges)
@settings(deadline=None, max_examples=300)
def test_ranges_lie_within_others_exactly_if_no_class_of_the_others_is_divided(
    coarse: list[str], fine: list[str]
) -> None:
    numbers: list[Value] = list(range(-3, 110))
    one, other = (
        compile_transformation(a_field("thing", "number"), {"bucket": ranges}) for ranges in (coarse, fine)
    )
    assert reveals_at_most(one, other) == is_function_of(
        seen(one, numbers, (None,)), seen(other, numbers, (None,))
    )


@given(st.lists(st.integers(2, 9), min_size=2, max_size=6), st.booleans(), st.data(), st.integers(0, 20))
@settings(deadline=None)
def test_ranges_that_are_joined_reveal_less(
    widths: list[int], is_open: bool, data: st.DataObject, first: int
) -> None:
    at = data.draw(st.integers(0, len(widths) - 2))
    joined = [*widths[:at], widths[at] + widths[at + 1], *widths[at + 2 :]]
    finer, coarser = (
        compile_transformation(a_field("thing", "number"), {"bucket": spelt(first, each, is_open=is_open)})
        for each in (widths, joined)
    )
    assert reveals_at_most(coarser, finer)
    assert not reveals_at_most(finer, coarser)


@pytest.mark.parametrize(
    ("type_", "narrow", "wide"),
    [
        ("date", {"generalise": "year"}, {"generalise": "year_month"}),
        ("date", {"generalise": {"to": "age_band", "years": 20}}, {"generalise": "age_band"}),
        ("region", {"generalise": "regency"}, {"generalise": "district"}),
        ("region", {"generalise": "village"}, "keep"),
        ("identifier", {"mask": {"show_first": 2}}, {"mask": {"show_first": 6}}),
        ("identifier", {"mask": {"show_first": 6}}, "keep"),
        ("text", "verdict", "keep"),
        ("number", {"bucket": ["1-4", "5+"]}, {"bucket": ["1-2", "3-4", "5+"]}),
        ("text", "drop", {"mask": {"show_first": 0}}),
    ],
)
def test_what_an_administrator_would_call_narrower_is(type_: str, narrow: Any, wide: Any) -> None:
    one, other = (compile_transformation(a_field("thing", type_), spec) for spec in (narrow, wide))
    assert reveals_at_most(one, other)
    assert not reveals_at_most(other, one)


@pytest.mark.parametrize(
    ("type_", "one", "other"),
    [
        ("identifier", "pseudonym", "keep"),
        ("identifier", "pseudonym", "verdict"),
        ("date", "verdict", {"generalise": "year"}),
        ("date", {"generalise": "year"}, {"generalise": "age_band"}),
        ("text", {"mask": {"show_first": 1}}, {"mask": {"show_first": 2}}),
        ("number", {"bucket": ["1-2", "3-4"]}, {"bucket": ["1-3", "4-5"]}),
    ],
)
def test_what_says_other_things_is_neither_more_nor_less(type_: str, one: Any, other: Any) -> None:
    made = [compile_transformation(a_field("thing", type_), spec) for spec in (one, other)]
    assert not reveals_at_most(made[0], made[1])
    assert not reveals_at_most(made[1], made[0])


def test_forms_of_different_fields_tell_nothing_of_each_other() -> None:
    one, other = (compile_transformation(a_field(name), "keep") for name in ("one", "other"))
    assert not reveals_at_most(one, other)
    assert reveals_at_most(compile_transformation(a_field("one"), "drop"), other)


def test_a_short_name_shows_more_under_the_mask_that_shows_less() -> None:
    """Why masks of a text are not ordered: the wider one hides this name whole."""
    masks = [compile_transformation(a_field(), {"mask": {"show_first": first}}) for first in (1, 2)]
    assert [mask.apply("Budi", None, Occasion(DAYS[0])) for mask in masks] == ["B********", "********"]
