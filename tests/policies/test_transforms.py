"""Transformations never widen, are the same each time, never fail, and refuse bad parameters early."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.dictionary import Ceiling, Value
from policies.errors import PolicyError
from policies.pseudonym import derive_sector_key
from policies.regions import LEVELS
from policies.transforms import Occasion, Transformation, compile_transformation
from tests.policies.builders import TODAY, a_field

KEY = derive_sector_key(b"0" * 32, "pkh")
OCCASION = Occasion(TODAY, KEY)

# Every kind over every type that it is for, with the least that it declares to disclose.
SOUND: list[tuple[str, Any, Ceiling]] = [
    ("text", "keep", Ceiling.FULL),
    ("word", "keep", Ceiling.FULL),
    ("words", "keep", Ceiling.FULL),
    ("identifier", "keep", Ceiling.FULL),
    ("number", "keep", Ceiling.FULL),
    ("date", "keep", Ceiling.FULL),
    ("region", "keep", Ceiling.FULL),
    ("street", "keep", Ceiling.FULL),
    ("text", "drop", Ceiling.NEVER),
    ("image", "drop", Ceiling.NEVER),
    ("text", "verdict", Ceiling.VERDICT),
    ("identifier", "verdict", Ceiling.VERDICT),
    ("number", "verdict", Ceiling.VERDICT),
    ("date", "verdict", Ceiling.VERDICT),
    ("text", {"mask": {"show_first": 2}}, Ceiling.REDUCED),
    ("identifier", {"mask": {"show_first": 6}}, Ceiling.REDUCED),
    ("identifier", "pseudonym", Ceiling.REDUCED),
    ("date", {"generalise": "year"}, Ceiling.REDUCED),
    ("date", {"generalise": "year_month"}, Ceiling.REDUCED),
    ("date", {"generalise": "age_band"}, Ceiling.REDUCED),
    ("date", {"generalise": {"to": "age_band", "years": 7}}, Ceiling.REDUCED),
    ("region", {"generalise": "province"}, Ceiling.REDUCED),
    ("region", {"generalise": {"to": "regency"}}, Ceiling.REDUCED),
    ("region", {"generalise": "village"}, Ceiling.FULL),
    ("street", {"generalise": "village"}, Ceiling.REDUCED),
    ("street", {"generalise": "regency"}, Ceiling.REDUCED),
    ("number", {"bucket": ["1-2", "3-4", "5+"]}, Ceiling.REDUCED),
]

values: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**17),
    st.text(max_size=40),
    st.from_regex(r"[0-9]{16}", fullmatch=True),
    st.sampled_from(["35", "35.78", "35.78.01.1001", "3578011001"]),
    st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    st.lists(st.sampled_from(["PKH", "BPNT"]), max_size=3).map(tuple),
)


def made(type_: str, spec: Any) -> Transformation:
    return compile_transformation(a_field(type_=type_), spec)


@pytest.mark.parametrize(("type_", "spec", "level"), SOUND)
def test_each_kind_declares_how_much_it_discloses(type_: str, spec: Any, level: Ceiling) -> None:
    assert made(type_, spec).level is level


@pytest.mark.parametrize(("type_", "spec", "level"), SOUND)
@pytest.mark.parametrize("ceiling", list(Ceiling))
def test_a_kind_that_discloses_more_than_the_ceiling_is_refused(
    type_: str, spec: Any, level: Ceiling, ceiling: Ceiling
) -> None:
    field = a_field(type_=type_, ceiling=ceiling)
    if level <= ceiling:
        assert compile_transformation(field, spec).level is level
        return
    with pytest.raises(PolicyError, match=f"because the ceiling of thing is {ceiling.name.lower()}"):
        compile_transformation(field, spec)


@given(st.sampled_from(SOUND), values, st.one_of(st.none(), st.text(max_size=30)))
@settings(deadline=None, max_examples=600)
def test_any_value_at_all_gives_the_same_json_each_time_and_never_an_error(
    kind: tuple[str, Any, Ceiling], value: Value, claim: str | None
) -> None:
    transformation = made(kind[0], kind[1])
    first = transformation.apply(value, claim, OCCASION)
    assert first == transformation.apply(value, claim, OCCASION)
    assert json.loads(json.dumps(first)) == first


@given(values)
@settings(deadline=None)
def test_what_is_dropped_is_nothing(value: Value) -> None:
    assert made("text", "drop").apply(value, "claim", OCCASION) is None


@given(st.sampled_from(SOUND), values)
@settings(deadline=None, max_examples=600)
def test_a_value_of_another_type_than_its_field_gives_nothing(
    kind: tuple[str, Any, Ceiling], value: Value
) -> None:
    python_type = {"number": int, "date": date, "words": tuple}.get(kind[0], str)
    released = made(kind[0], kind[1]).apply(value, None, OCCASION)
    if type(value) is not python_type:
        assert released in {None, "unknown"}


@given(st.text(min_size=1, max_size=60), st.integers(0, 4))
@settings(deadline=None)
def test_a_masked_text_shows_its_beginning_and_at_most_half_of_it_and_hides_its_length(
    text: str, shown: int
) -> None:
    released = made("text", {"mask": {"show_first": shown}}).apply(text, None, OCCASION)
    assert isinstance(released, str)
    assert released.endswith("********")
    beginning = released.removesuffix("********")
    assert text.startswith(beginning)
    assert len(beginning) in {0, shown}
    assert not beginning or 2 * len(beginning) < len(text)


def test_a_short_value_is_masked_whole() -> None:
    mask = made("text", {"mask": {"show_first": 2}})
    assert [mask.apply(name, None, OCCASION) for name in ("A", "Al", "Budi", "Sari ")] == [
        "********",
        "********",
        "********",
        "Sa********",
    ]
    assert mask.apply("", None, OCCASION) is None


def test_a_masked_identifier_never_shows_birth_date_or_serial() -> None:
    mask = made("identifier", {"mask": {"show_first": 6}})
    assert mask.apply("3578014207909001", None, OCCASION) == "357801********"
    with pytest.raises(PolicyError, match="show_first from 0 to 6"):
        made("identifier", {"mask": {"show_first": 7}})


# A class that an observer may learn, told independently of the code; two values of one class look the same.
CLASSES: list[tuple[str, Any, Callable[[Any], Any]]] = [
    ("date", {"generalise": "year"}, lambda day: day.year),
    ("date", {"generalise": "year_month"}, lambda day: (day.year, day.month)),
    ("date", {"generalise": {"to": "age_band", "years": 10}}, lambda day: min(completed_years(day) // 10, 8)),
    ("date", {"generalise": {"to": "age_band", "years": 25}}, lambda day: min(completed_years(day) // 25, 3)),
]


def completed_years(birth: date) -> int:
    """By counting birthdays that have passed. Born on 29 February, one ages on 1 March."""
    birthdays = 0
    for year in range(birth.year + 1, TODAY.year + 1):
        try:
            birthday = birth.replace(year=year)
        except ValueError:
            birthday = date(year, 3, 1)
        birthdays += birthday <= TODAY
    return birthdays


past_days = st.dates(date(1915, 1, 1), TODAY)


@given(st.sampled_from(CLASSES), past_days, past_days)
@settings(deadline=None, max_examples=400)
def test_a_generalised_date_says_its_class_and_nothing_finer(
    kind: tuple[str, Any, Callable[[Any], Any]], one: date, other: date
) -> None:
    type_, spec, class_of = kind
    apply = made(type_, spec).apply
    same_class = class_of(one) == class_of(other)
    assert (apply(one, None, OCCASION) == apply(other, None, OCCASION)) == same_class


@given(past_days, st.integers(5, 40))
@settings(deadline=None)
def test_an_age_lies_in_its_band(birth: date, years: int) -> None:
    band = made("date", {"generalise": {"to": "age_band", "years": years}}).apply(birth, None, OCCASION)
    assert isinstance(band, str)
    lowest, _, highest = band.replace("+", "-999").partition("-")
    assert int(lowest) <= completed_years(birth) <= int(highest)
    assert int(lowest) % years == 0


def test_who_is_not_yet_born_has_no_age() -> None:
    assert made("date", {"generalise": "age_band"}).apply(date(2026, 6, 2), None, OCCASION) is None
    assert made("date", {"generalise": "age_band"}).apply(TODAY, None, OCCASION) == "0-9"


def test_a_date_with_a_time_is_no_date_and_its_time_does_not_leave() -> None:
    stamped: Any = datetime(1990, 1, 1, 12, 34)  # noqa: DTZ001 - as a careless source might give it
    assert made("date", "keep").apply(stamped, None, OCCASION) is None


CODE = "35.78.01.1001"


@pytest.mark.parametrize("type_", ["region", "street"])
@pytest.mark.parametrize(("level", "left"), list(zip(LEVELS, ("35", "35.78", "35.78.01", CODE), strict=True)))
def test_a_region_is_cut_at_its_level(type_: str, level: str, left: str) -> None:
    assert made(type_, {"generalise": level}).apply(CODE, None, OCCASION) == left


def test_an_undotted_region_code_is_not_released_as_if_it_were_a_province() -> None:
    assert made("region", {"generalise": "province"}).apply("3578011001", None, OCCASION) is None


def test_an_address_is_generalised_to_its_region_and_never_read_itself() -> None:
    village = made("street", {"generalise": "village"})
    assert village.reads == "region"
    assert village.read_level is Ceiling.FULL
    assert made("street", {"generalise": "regency"}).read_level is Ceiling.REDUCED
    assert village.apply("Jalan Contoh 12", None, OCCASION) is None


@given(st.integers(-3, 30))
@settings(deadline=None)
def test_a_number_falls_into_the_range_that_holds_it(number: int) -> None:
    closed = made("number", {"bucket": ["1-2", "3-5", "6-9"]}).apply(number, None, OCCASION)
    held = {1: "1-2", 2: "1-2", 3: "3-5", 4: "3-5", 5: "3-5", 6: "6-9", 7: "6-9", 8: "6-9", 9: "6-9"}
    assert closed == held.get(number, "other")
    opened = made("number", {"bucket": ["0-4", "5+"]}).apply(number, None, OCCASION)
    assert opened == ("other" if number < 0 else "0-4" if number < 5 else "5+")


@given(st.text("abcÀ ", min_size=1, max_size=12), st.text("abcÀ ", max_size=12))
@settings(deadline=None)
def test_a_verdict_says_one_of_three_words_and_nothing_else(text: str, claim: str) -> None:
    verdict = made("text", "verdict")
    expected = "match" if text.lower().split() == claim.lower().split() else "no_match"
    assert verdict.apply(text, claim, OCCASION) == (expected if claim.strip() else "unknown")
    assert verdict.apply(text, None, OCCASION) == "unknown"
    assert verdict.apply(None, claim, OCCASION) == "unknown"


@pytest.mark.parametrize(
    ("type_", "value", "claim", "verdict"),
    [
        ("text", "Siti Aminah", "  SITI\taminah ", "match"),
        ("text", "Siti Aminah", "Siti Aminah S", "no_match"),
        ("text", "José", "JOSE\u0301", "match"),
        ("identifier", "3578010101159001", " 3578010101159001", "match"),
        ("number", 4, "4", "match"),
        ("number", 4, "5", "no_match"),
        ("date", date(1990, 7, 2), "1990-07-02", "match"),
        ("date", date(1990, 7, 2), " 1990-07-02 ", "match"),
        ("date", date(1990, 7, 2), "1990-02-07", "no_match"),
        ("date", date(1990, 7, 2), "2 Juli 1990", "unknown"),
        ("date", None, "1990-07-02", "unknown"),
    ],
)
def test_a_claim_is_compared_after_what_typists_vary(
    type_: str, value: Value, claim: str, verdict: str
) -> None:
    assert made(type_, "verdict").apply(value, claim, OCCASION) == verdict


@pytest.mark.parametrize(
    ("type_", "value"), [("text", 7), ("number", "7"), ("number", True), ("date", "7"), ("identifier", 7)]
)
def test_a_value_of_another_type_matches_no_claim_though_it_reads_the_same(type_: str, value: Value) -> None:
    assert made(type_, "verdict").apply(value, str(value), OCCASION) == "unknown"


def test_of_an_identifier_that_is_not_sixteen_digits_nothing_shows() -> None:
    mask = made("identifier", {"mask": {"show_first": 2}})
    for odd in ("35780142079090011", "3578", "35780142079090O1"):
        assert mask.apply(odd, None, OCCASION) == "********"


@given(st.from_regex(r"[0-9]{16}", fullmatch=True), st.from_regex(r"[0-9]{16}", fullmatch=True))
@settings(deadline=None)
def test_a_pseudonymised_identifier_tells_equality_within_a_sector_only(one: str, other: str) -> None:
    apply = made("identifier", "pseudonym").apply
    elsewhere = Occasion(TODAY, derive_sector_key(b"0" * 32, "statistik"))
    assert (apply(one, None, OCCASION) == apply(other, None, OCCASION)) == (one == other)
    assert apply(one, None, OCCASION) != apply(one, None, elsewhere)
    assert one not in str(apply(one, None, OCCASION))


def test_an_identifier_that_is_not_sixteen_digits_gets_no_pseudonym() -> None:
    apply = made("identifier", "pseudonym").apply
    for odd in ("", "357801", "35780101011590011", "357801010115900x", " 3578010101159001", None):
        assert apply(odd, None, OCCASION) is None


def test_a_pseudonym_without_a_sector_key_is_a_mistake_of_the_gateway_and_releases_nothing() -> None:
    with pytest.raises(ValueError, match="no sector key"):
        made("identifier", "pseudonym").apply("3578010101159001", None, Occasion(TODAY))


@pytest.mark.parametrize(
    ("type_", "spec", "told"),
    [
        ("text", "kep", "expected one of keep, drop, .* write `keep`"),
        ("text", {"keep": {"all": True}}, "expected keep without parameters"),
        ("text", {}, "expected one transformation"),
        ("text", {"keep": None, "drop": None}, "expected one transformation"),
        ("text", ["keep"], "expected one transformation"),
        ("text", "mask", "expected show_first from 0 to 4"),
        ("text", {"mask": {"show_first": 5}}, "expected show_first from 0 to 4"),
        ("text", {"mask": {"show_first": -1}}, "expected show_first from 0 to 4"),
        ("text", {"mask": {"show_first": True}}, "expected show_first from 0 to 4"),
        ("text", {"mask": {"show_last": 4}}, "expected show_first from 0 to 4"),
        ("number", {"mask": {"show_first": 1}}, "expected a text or identifier to mask"),
        ("text", {"generalise": "year"}, "expected a date, region or address"),
        ("date", "generalise", "expected one of year, year_month, age_band"),
        ("date", {"generalise": "decade"}, "expected one of year, year_month, age_band, got 'decade'"),
        ("date", {"generalise": {"to": "age_band", "years": 4}}, "bands of 5 to 40 whole years, got 4"),
        ("date", {"generalise": {"to": "age_band", "years": 41}}, "bands of 5 to 40"),
        ("date", {"generalise": {"to": "age_band", "years": "10"}}, "bands of 5 to 40"),
        ("date", {"generalise": {"to": "year", "years": 10}}, "expected only `to`"),
        ("region", {"generalise": "country"}, "expected one of province, regency"),
        ("region", {"generalise": {"to": "regency", "level": 2}}, "got 'level'"),
        ("text", {"bucket": ["1-2"]}, "expected a number to put into ranges"),
        ("number", "bucket", "expected a list of ranges"),
        ("number", {"bucket": []}, "expected a list of ranges"),
        ("number", {"bucket": ["1-1"]}, "ranges of at least two values, lowest first, got '1-1'"),
        ("number", {"bucket": ["4-2"]}, "lowest first"),
        ("number", {"bucket": ["1-2", "4-5"]}, "begin right after the one before, got '4-5'"),
        ("number", {"bucket": ["1-3", "3-5"]}, "begin right after the one before"),
        ("number", {"bucket": ["1+", "5-6"]}, "begin right after the one before"),
        ("number", {"bucket": ["one"]}, "ranges such as"),
        ("number", {"bucket": [1]}, "ranges such as"),
        ("words", "verdict", "one plain value for a verdict"),
        ("image", "verdict", "one plain value for a verdict"),
        ("text", "pseudonym", "expected an identifier to pseudonymise"),
        ("text", {"verdict": "strict"}, "expected verdict without parameters"),
    ],
)
def test_what_cannot_be_meant_is_refused_when_it_is_loaded(type_: str, spec: Any, told: str) -> None:
    with pytest.raises(PolicyError, match=told) as refused:
        made(type_, spec)
    assert ", write " in refused.value.problems[0]


def test_a_transformation_is_told_as_an_agreement_spells_it() -> None:
    assert str(made("date", "keep")) == "keep"
    assert str(made("date", {"generalise": "age_band"})) == "generalise (to: age_band; years: 10)"
    assert str(made("number", {"bucket": ["1-2", "3+"]})) == "bucket (ranges: 1-2, 3+)"
