"""What differs between two versions of a programme's rule, or of the data dictionary."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.conditions import Dated, load_rules
from policies.decide import Deny, decide
from policies.dictionary import Ceiling, Text
from policies.plan import released_fields
from policies.rule_change import compare_dictionaries, compare_rules
from tests.policies.builders import (
    DICTIONARY,
    SHIPPED,
    TODAY,
    a_book,
    a_consumer,
    a_request,
    an_agreement,
    compiled,
)

PKH = load_rules(SHIPPED / "programmes", DICTIONARY)["PKH"]


def test_any_change_of_what_a_rule_asks_is_a_widening() -> None:
    first, *rest = PKH.clauses
    steps = PKH.parameters["highest_decile"]
    for other, path in (
        (replace(PKH, clauses=tuple(rest)), "clauses.alive"),
        (replace(PKH, clauses=(replace(first, value="deceased"), *rest)), "clauses.alive"),
        (replace(PKH, clauses=(replace(first, unknown_when=frozenset()), *rest)), "clauses.alive"),
        (
            replace(PKH, parameters={"highest_decile": (replace(steps[0], value=5),)}),
            "parameters.highest_decile",
        ),
        (
            replace(PKH, parameters={"highest_decile": (*steps, Dated(TODAY, 5, "decree"))}),
            "parameters.highest_decile",
        ),
    ):
        for change in (compare_rules(PKH, other), compare_rules(other, PKH)):
            assert [(item.path, item.way) for item in change.items] == [(path, "wider")]
            assert change.direction == "widening"


def test_a_rule_is_told_in_words_with_what_it_asked_before() -> None:
    steps = PKH.parameters["highest_decile"]
    (item,) = compare_rules(
        PKH, replace(PKH, parameters={"highest_decile": (replace(steps[0], value=5),)})
    ).items
    assert (
        item.words.en == "PKH: parameters.highest_decile becomes 5 since 2025-02-05 (was 4 since 2025-02-05)."
    )
    (item,) = compare_rules(PKH, replace(PKH, clauses=PKH.clauses[1:])).items
    assert (
        item.words.en
        == "PKH: clauses.alive becomes none (was life_status equals alive, unknown when unknown)."
    )
    (item,) = compare_rules(None, PKH).items
    assert (item.path, item.way, item.words.id) == (
        "rule",
        "wider",
        "PKH: aturan menjadi baru (sebelumnya tidak ada).",
    )


def test_what_only_explains_a_rule_is_neutral_and_its_order_and_version_are_no_change() -> None:
    first, *rest = PKH.clauses
    steps = PKH.parameters["highest_decile"]
    for other, path in (
        (replace(PKH, title=Text("judul", "title")), "title"),
        (replace(PKH, clauses=(replace(first, reason=Text("a", "b")), *rest)), "clauses.alive.reason"),
        (replace(PKH, clauses=(replace(first, source="another law"), *rest)), "clauses.alive.source"),
        (
            replace(PKH, parameters={"highest_decile": (replace(steps[0], source="decree"),)}),
            "parameters.highest_decile.source",
        ),
    ):
        assert [(item.path, item.way) for item in compare_rules(PKH, other).items] == [(path, "neutral")]
    moved = replace(PKH, clauses=tuple(reversed(PKH.clauses)), version=2)
    assert compare_rules(PKH, moved).direction == "unchanged"


DECILE = DICTIONARY["decile"]


@pytest.mark.parametrize(
    ("changes", "path", "way"),
    [
        ({"ceiling": Ceiling.REDUCED}, "decile.ceiling", "narrower"),
        ({"sensitivity": "personal"}, "decile.sensitivity", "wider"),
        ({"sensitivity": "public"}, "decile.sensitivity", "wider"),
        ({"type": "text"}, "decile.type", "wider"),
        ({"words": ("a",)}, "decile.words", "wider"),
        ({"source": "dukcapil"}, "decile.source", "wider"),
        ({"unit": "tenth"}, "decile.unit", "neutral"),
        ({"label": Text("a", "b")}, "decile.label", "neutral"),
    ],
)
def test_each_aspect_of_a_field_has_its_way(changes: dict[str, Any], path: str, way: str) -> None:
    after = DICTIONARY | {"decile": replace(DECILE, **changes)}
    (item,) = compare_dictionaries(DICTIONARY, after).items
    assert (item.path, item.way) == (path, way)
    (back,) = compare_dictionaries(after, DICTIONARY).items
    opposite = {"decile.ceiling": "wider", "decile.sensitivity": "narrower"}
    assert back.way == opposite.get(path, way)


def test_a_field_that_comes_is_neutral_and_one_that_goes_is_narrower() -> None:
    without = {name: field for name, field in DICTIONARY.items() if name != "decile"}
    assert [(one.path, one.way) for one in compare_dictionaries(without, DICTIONARY).items] == [
        ("decile", "neutral")
    ]
    (gone,) = compare_dictionaries(DICTIONARY, without).items
    assert (gone.path, gone.way) == ("decile", "narrower")
    assert gone.words.en == "decile: welfare decile becomes removed (was there)."
    assert compare_dictionaries(DICTIONARY, dict(DICTIONARY)).direction == "unchanged"


@given(
    st.sampled_from(["decile", "nik", "birth_date", "full_name"]),
    st.sampled_from(list(Ceiling)),
    st.sampled_from(list(Ceiling)),
)
@settings(deadline=None)
def test_a_dictionary_that_narrows_lets_no_agreement_release_more(
    name: str, before: Ceiling, after: Ceiling
) -> None:
    forms: dict[str, Any] = {"decile": "keep", "nik": "verdict", "birth_date": {"generalise": "year"}}
    agreement = an_agreement() if name == "full_name" else an_agreement(forms)
    agreement = replace(agreement, fields=agreement.fields | compiled({"full_name": "keep"}))
    old, new = (
        DICTIONARY | {name: replace(DICTIONARY[name], ceiling=ceiling)} for ceiling in (before, after)
    )
    change = compare_dictionaries(old, new)
    gained = released_fields(agreement, new).keys() - released_fields(agreement, old).keys()
    if change.direction != "widening":
        assert not gained
    answer = decide(a_book(agreement, dictionary=new), a_consumer(), a_request(), TODAY)
    left = set() if isinstance(answer, Deny) else {output.name for output in answer.plan.outputs}
    assert left == set(released_fields(agreement, new))
