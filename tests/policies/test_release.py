"""Release: nothing leaves that the plan does not name, whatever agreements, dictionaries and records say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.agreement import Agreement
from policies.decide import Permit, decide
from policies.dictionary import Ceiling, Field, Value
from policies.errors import PolicyError
from policies.plan import Plan
from policies.pseudonym import derive_sector_key
from policies.release import Released, Unknown, release, release_all
from policies.transforms import Transformation, compile_transformation
from tests.policies.builders import (
    DICTIONARY,
    TODAY,
    a_book,
    a_consumer,
    a_field,
    a_request,
    an_agreement,
    compiled,
)

KEY = derive_sector_key(b"0" * 32, "kesehatan")
SINCE = datetime(2026, 5, 31, 23, 0, tzinfo=UTC)
NOBODY: Mapping[str, Unknown] = {}

# Every value carries a mark that no released form of it may contain, unless the field is kept.
TYPES: dict[str, tuple[str, ...]] = {
    "text": ("keep", "drop", "verdict", "mask"),
    "identifier": ("keep", "drop", "verdict", "mask", "pseudonym"),
    "date": ("keep", "drop", "verdict", "generalise"),
}
SPECS: dict[tuple[str, str], Any] = {
    ("text", "mask"): {"mask": {"show_first": 1}},
    ("identifier", "mask"): {"mask": {"show_first": 6}},
    ("date", "generalise"): {"generalise": "year"},
}
LEVELS = {"keep": 3, "mask": 2, "generalise": 2, "pseudonym": 2, "verdict": 1, "drop": 0}


@st.composite
def worlds(
    draw: st.DrawFn,
) -> tuple[dict[str, Field], dict[str, str], dict[str, Value], tuple[str, ...] | None]:
    """A dictionary, the kinds that an agreement asks for, a record, and the names of a request."""
    names = draw(st.lists(st.from_regex(r"[a-z]{3,6}", fullmatch=True), min_size=1, max_size=8, unique=True))
    dictionary: dict[str, Field] = {}
    kinds: dict[str, str] = {}
    record: dict[str, Value] = {}
    for position, name in enumerate(names):
        type_ = draw(st.sampled_from(sorted(TYPES)))
        dictionary[name] = a_field(name, type_, draw(st.sampled_from(list(Ceiling))))
        if draw(st.booleans()):
            kinds[name] = draw(st.sampled_from(TYPES[type_]))
        if draw(st.integers(0, 5)):
            record[name] = {
                "text": f"value-{position:02}-of-a-text",
                "identifier": f"3578{position:02}4207909{position:03}",
                "date": date(1950 + position, 3, 4),
            }[type_]
    asked = draw(
        st.one_of(st.none(), st.lists(st.sampled_from([*names, "salary", "unheard"]), max_size=6).map(tuple))
    )
    return dictionary, kinds, record, asked


def planned(
    dictionary: Mapping[str, Field], agreement: Agreement, asked: tuple[str, ...] | None
) -> Plan | None:
    answer = decide(a_book(agreement, dictionary=dictionary), a_consumer(), a_request(fields=asked), TODAY)
    return answer.plan if isinstance(answer, Permit) else None


def forced(dictionary: Mapping[str, Field], kinds: Mapping[str, str]) -> dict[str, Transformation]:
    """What the loader would refuse, made without ceilings: decide and release must hold by themselves."""
    open_to_all = {name: a_field(name, field.type, Ceiling.FULL) for name, field in dictionary.items()}
    return {
        name: compile_transformation(open_to_all[name], SPECS.get((dictionary[name].type, kind), kind))
        for name, kind in kinds.items()
    }


def agreement_of(dictionary: Mapping[str, Field], kinds: Mapping[str, str]) -> Agreement:
    return replace(an_agreement(), fields=forced(dictionary, kinds))


def freed(plan: Plan, record: Mapping[str, Value], unknown: Mapping[str, Unknown] = NOBODY) -> Released:
    return release(plan, record, unknown, {}, on_date=TODAY, sector_key=KEY)


@given(worlds())
@settings(deadline=None, max_examples=500)
def test_nothing_leaves_that_dictionary_agreement_and_request_do_not_all_allow(
    world: tuple[dict[str, Field], dict[str, str], dict[str, Value], tuple[str, ...] | None],
) -> None:
    dictionary, kinds, record, asked = world
    allowed = {
        name
        for name, kind in kinds.items()
        if kind != "drop" and LEVELS[kind] <= dictionary[name].ceiling and (asked is None or name in asked)
    }
    plan = planned(dictionary, agreement_of(dictionary, kinds), asked)
    if plan is None:
        assert not allowed
        return
    released = freed(plan, record)
    assert set(released.values) | set(released.exceptions) == allowed
    assert not set(released.values) & set(released.exceptions)
    text = json.dumps(released.values)
    for name, value in record.items():
        if name not in allowed or kinds[name] != "keep":
            assert str(value) not in text
        else:
            assert released.values[name] == str(value)


@given(worlds(), st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=5))
@settings(deadline=None, max_examples=300)
def test_what_leaves_does_not_depend_on_anything_that_the_plan_does_not_read(
    world: tuple[dict[str, Field], dict[str, str], dict[str, Value], tuple[str, ...] | None],
    more: dict[str, str],
) -> None:
    dictionary, kinds, record, asked = world
    plan = planned(dictionary, agreement_of(dictionary, kinds), asked)
    if plan is None:
        return
    read = {output.reads for output in plan.outputs}
    least = {name: value for name, value in record.items() if name in read}
    most = record | {name: value for name, value in more.items() if name not in read}
    assert freed(plan, least) == freed(plan, most)


@given(worlds(), st.lists(st.sets(st.integers(0, 11)), max_size=5), st.data())
@settings(deadline=None)
def test_of_many_people_each_leaves_as_alone(
    world: tuple[dict[str, Field], dict[str, str], dict[str, Value], tuple[str, ...] | None],
    lacking: list[set[int]],
    data: st.DataObject,
) -> None:
    dictionary, kinds, record, asked = world
    plan = planned(dictionary, agreement_of(dictionary, kinds), asked)
    if plan is None:
        return
    names = sorted(dictionary)
    values = [
        {name: record[name] for at, name in enumerate(names) if name in record and at not in one}
        for one in lacking
    ]
    unknown = [
        dict.fromkeys(
            data.draw(st.sets(st.sampled_from(names))), Unknown(datetime(2026, 6, 1, tzinfo=UTC), None)
        )
        for _ in lacking
    ]
    claims = [data.draw(st.dictionaries(st.sampled_from(names), st.just("a claim"))) for _ in lacking]
    together = release_all(plan, values, unknown, claims, on_date=TODAY, sector_key=KEY)
    assert together == [
        release(plan, *one, on_date=TODAY, sector_key=KEY)
        for one in zip(values, unknown, claims, strict=True)
    ]


@given(st.sampled_from(["keep", "verdict", {"mask": {"show_first": 1}}]), st.booleans())
@settings(deadline=None)
def test_a_mothers_name_never_leaves_whatever_an_agreement_says(spec: Any, by_name: bool) -> None:
    unlawful = compile_transformation(a_field("mother_name"), spec)
    smuggled = replace(an_agreement(), fields={**compiled({"decile": "keep"}), "mother_name": unlawful})
    plan = planned(DICTIONARY, smuggled, ("decile", "mother_name") if by_name else None)
    assert plan is not None
    assert "mother_name" not in plan.needs
    released = freed(plan, {"decile": 1, "mother_name": "Ibu Contoh"})
    assert released == Released({"decile": 1}, {})
    assert [(entry.field, entry.code) for entry in plan.withheld] == [("mother_name", "above_ceiling")]


def test_fields_that_are_never_released_cannot_be_written_into_an_agreement() -> None:
    for field in DICTIONARY.values():
        if field.ceiling is not Ceiling.NEVER:
            continue
        for spec in ("keep", "verdict", "pseudonym", {"mask": {"show_first": 1}}, {"generalise": "year"}):
            with pytest.raises(PolicyError):
                compile_transformation(field, spec)


def test_what_dukcapil_found_leaves_as_its_own_verdict_whatever_was_claimed() -> None:
    plan = planned(DICTIONARY, an_agreement({"dukcapil_full_name": "verdict"}), None)
    assert plan is not None
    for claim in ({}, {"dukcapil_full_name": "match"}, {"dukcapil_full_name": "SARI CONTOH"}):
        for said, told in (("match", "match"), ("no_match", "no_match"), (None, "unknown")):
            released = release(plan, {"dukcapil_full_name": said}, {}, claim, on_date=TODAY)
            assert released == Released({"dukcapil_full_name": told}, {})
    assert release(plan, {}, {}, {}, on_date=TODAY) == Released({"dukcapil_full_name": "unknown"}, {})


@pytest.mark.parametrize("leaked", ["Sari Contoh", "SARI CONTOH", "MATCH", "", 1, True])
def test_an_element_that_escaped_its_connector_leaves_as_unknown(leaked: Value) -> None:
    plan = planned(DICTIONARY, an_agreement({"dukcapil_full_name": "verdict"}), None)
    assert plan is not None
    claim = {"dukcapil_full_name": "SARI CONTOH"}
    released = release(plan, {"dukcapil_full_name": leaked}, {}, claim, on_date=TODAY)
    assert released == Released({"dukcapil_full_name": "unknown"}, {})


def test_what_the_source_lacks_is_absent_and_what_it_did_not_say_is_unknown_since_when() -> None:
    plan = planned(DICTIONARY, an_agreement({"decile": "keep", "sex": "keep", "occupation": "keep"}), None)
    assert plan is not None
    unknown = {"decile": Unknown(SINCE, date(2026, 3, 31)), "occupation": Unknown(SINCE, None)}
    assert freed(plan, {"sex": None}, unknown) == Released(
        {},
        {
            "decile": {
                "state": "unknown",
                "since": "2026-05-31T23:00:00+00:00",
                "last_known_as_of": "2026-03-31",
            },
            "sex": {"state": "absent"},
            "occupation": {
                "state": "unknown",
                "since": "2026-05-31T23:00:00+00:00",
                "last_known_as_of": None,
            },
        },
    )


def test_an_old_value_is_no_answer_while_its_source_is_silent() -> None:
    plan = planned(DICTIONARY, an_agreement({"decile": "keep"}), None)
    assert plan is not None
    assert freed(plan, {"decile": 2}, {"decile": Unknown(SINCE, None)}).values == {}


def test_an_address_whose_region_is_unknown_is_unknown() -> None:
    plan = planned(DICTIONARY, an_agreement({"address": {"generalise": "village"}}), None)
    assert plan is not None
    record: dict[str, Value] = {"address": "Jalan Contoh 12", "region": "35.78.01.1001"}
    assert freed(plan, record) == Released({"address": "35.78.01.1001"}, {})
    assert freed(plan, record, {"region": Unknown(SINCE, None)}).exceptions["address"]["state"] == "unknown"


def test_values_leave_as_plain_json() -> None:
    plan = planned(
        DICTIONARY, an_agreement({"birth_date": "keep", "enrolments": "keep", "decile": "keep"}), None
    )
    assert plan is not None
    record: dict[str, Value] = {"birth_date": date(1990, 7, 2), "enrolments": ("PKH", "BPNT"), "decile": 2}
    assert freed(plan, record).values == {
        "birth_date": "1990-07-02",
        "enrolments": ["PKH", "BPNT"],
        "decile": 2,
    }
    assert freed(plan, {"enrolments": ()}).values == {"enrolments": []}


def test_two_releases_share_nothing_that_could_be_written_to() -> None:
    plan = planned(DICTIONARY, an_agreement({"decile": "keep"}), None)
    assert plan is not None
    first = freed(plan, {})
    first.exceptions["decile"]["state"] = "changed"
    first.values["more"] = 1
    assert freed(plan, {}) == Released({}, {"decile": {"state": "absent"}})
