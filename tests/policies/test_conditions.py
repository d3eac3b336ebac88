"""Programme rules in three-valued logic: only a clause that is known to fail makes a person ineligible."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.conditions import (
    ON_DATE,
    Clause,
    Dated,
    ProgrammeRule,
    evaluate,
    evaluate_all,
    inputs,
    load_rules,
)
from policies.dictionary import Value
from tests.policies.builders import DICTIONARY, SHIPPED, SOME_TEXT, TODAY, a_rule

# One clause of each operator, each over a field of its own: what the field may say, and what of that is good.
# The worlds below are enumerated with plain booleans and know nothing of "unknown".
PROGRAMMES = ("PKH", "BPNT")
WORLDS: dict[str, tuple[str, Any, tuple[Value, ...], Callable[[Any], bool]]] = {
    "life_status": ("equals", "alive", ("alive", "deceased"), lambda word: word == "alive"),
    "residence_status": ("one_of", ("resident",), ("resident", "moved"), lambda word: word == "resident"),
    "welfare_status": (
        "none_of",
        ("not_eligible",),
        ("eligible", "not_eligible"),
        lambda word: word == "eligible",
    ),
    "decile": ("at_most", 4, (1, 4, 5, 10), lambda number: number < 5),
    "household_size": ("at_least", 3, (1, 2, 3, 9), lambda number: number > 2),
    "enrolments": ("includes_any", PROGRAMMES, ((), ("PKH",), ("BST",)), lambda held: "PKH" in held),
    "former_enrolments": (
        "includes_none",
        ("BST",),
        ((), ("PKH",), ("BST",)),
        lambda held: "BST" not in held,
    ),
    "birth_date": (
        "age_at_least",
        60,
        (date(1966, 6, 1), date(1966, 6, 2)),
        lambda day: day <= date(1966, 6, 1),
    ),
    "child_birth_date": (
        "age_at_most",
        5,
        (date(2020, 6, 2), date(2020, 6, 1)),
        lambda day: day > date(2020, 6, 1),
    ),
}
VOCABULARY = {
    "life_status": frozenset({"alive", "deceased", "unknown"}),
    "residence_status": frozenset({"resident", "moved", "unknown"}),
    "welfare_status": frozenset({"eligible", "not_eligible", "unknown"}),
    "enrolments": frozenset({"PKH", "BPNT", "BST"}),
    "former_enrolments": frozenset({"PKH", "BPNT", "BST"}),
}
# What a source may say instead of an answer.
MEANING_NOTHING: dict[str, tuple[Value, ...]] = {
    "life_status": (None, "unknown", "hidup", 7),
    "residence_status": (None, "unknown", "pindah"),
    "welfare_status": (None, "unknown", "layak", ("eligible",)),
    "decile": (None, "4", True, date(2026, 1, 1)),
    "household_size": (None, "3", ()),
    "enrolments": (None, "PKH", ("NEW",)),
    "former_enrolments": (None, ("PKH", "NEW")),
    "birth_date": (None, "1966-06-01", 60, date(2026, 6, 2)),
    "child_birth_date": (None, 5, date(2030, 1, 1)),
}


def a_clause(field: str, operator: str, value: Any, parameter: str | None = None) -> Clause:
    vocabulary = VOCABULARY.get(field, frozenset())
    return Clause(
        field, field, operator, value, parameter, vocabulary & {"unknown"}, vocabulary, SOME_TEXT, "a law"
    )


@st.composite
def rules_and_facts(draw: st.DrawFn) -> tuple[ProgrammeRule, dict[str, Value]]:
    fields = draw(st.lists(st.sampled_from(sorted(WORLDS)), min_size=1, max_size=5, unique=True))
    facts: dict[str, Value] = {}
    for field in fields:
        said = draw(st.sampled_from(WORLDS[field][2] + MEANING_NOTHING[field]))
        if said is not None or draw(st.booleans()):  # None and a missing fact are the same
            facts[field] = said
    return a_rule("PKH", *(a_clause(field, *WORLDS[field][:2]) for field in fields)), facts


def decided_over_all_worlds(fields: tuple[str, ...], facts: Mapping[str, Value]) -> str:
    """Eligible, or ineligible, in every world that the facts leave possible; else unknown."""
    possible = []
    for field in fields:
        _, _, sayings, _ = WORLDS[field]
        said = facts.get(field)
        possible.append(
            (said,) if any(said == one and type(said) is type(one) for one in sayings) else sayings
        )
    verdicts = {
        all(WORLDS[field][3](said) for field, said in zip(fields, world, strict=True))
        for world in itertools.product(*possible)
    }
    return "unknown" if len(verdicts) == 2 else "eligible" if verdicts == {True} else "ineligible"


@given(rules_and_facts())
@settings(deadline=None, max_examples=500)
def test_a_decision_is_one_that_holds_whatever_the_unknown_facts_turn_out_to_be(
    case: tuple[ProgrammeRule, dict[str, Value]],
) -> None:
    rule, facts = case
    fields = tuple(clause.field for clause in rule.clauses)
    assert evaluate(rule, facts, TODAY).decision == decided_over_all_worlds(fields, facts)


@given(rules_and_facts())
@settings(deadline=None, max_examples=300)
def test_only_a_clause_that_is_known_to_fail_makes_a_person_ineligible(
    case: tuple[ProgrammeRule, dict[str, Value]],
) -> None:
    rule, facts = case
    evaluation = evaluate(rule, facts, TODAY)
    failing = [
        clause.id
        for clause in rule.clauses
        if any(
            facts.get(clause.field) == said and type(facts.get(clause.field)) is type(said)
            for said in WORLDS[clause.field][2]
        )
        and not WORLDS[clause.field][3](facts[clause.field])
    ]
    assert [name for name, answer in evaluation.clauses.items() if answer == "no"] == failing
    assert (evaluation.decision == "ineligible") == bool(failing)


@given(rules_and_facts(), st.lists(st.integers(0, 7), max_size=6))
@settings(deadline=None)
def test_of_many_people_each_is_judged_as_alone(
    case: tuple[ProgrammeRule, dict[str, Value]], told: list[int]
) -> None:
    rule, facts = case
    people = [dict(list(facts.items())[:count]) for count in told]
    assert evaluate_all(rule, people, TODAY) == [evaluate(rule, known, TODAY) for known in people]


def test_a_rule_about_the_day_alone_judges_everybody_by_it() -> None:
    rule = a_rule("PKH", a_clause(ON_DATE, "at_most", TODAY))
    assert [one.decision for one in evaluate_all(rule, [{}, {"decile": 1}], TODAY)] == ["eligible"] * 2


def test_a_list_with_an_unknown_word_is_still_settled_by_a_known_one() -> None:
    holds = a_rule("PKH", a_clause("enrolments", "includes_any", ("PKH",)))
    free = a_rule("PKH", a_clause("enrolments", "includes_none", ("PKH",)))
    facts: dict[str, Value] = {"enrolments": ("NEW", "PKH")}
    assert evaluate(holds, facts, TODAY).decision == "eligible"
    assert evaluate(free, facts, TODAY).decision == "ineligible"


def test_a_parameter_has_the_value_that_was_in_force_on_the_day_asked_about() -> None:
    steps = (Dated(date(2025, 1, 1), 4, "decree"), Dated(date(2026, 1, 1), 5, "decree"))
    rule = ProgrammeRule(
        "PKH", 1, "0" * 64, SOME_TEXT, (a_clause("decile", "at_most", None, "limit"),), {"limit": steps}
    )
    answers = {
        day: evaluate(rule, {"decile": 5}, day).decision
        for day in (date(2024, 12, 31), date(2025, 1, 1), date(2025, 12, 31), date(2026, 1, 1))
    }
    assert list(answers.values()) == ["unknown", "ineligible", "ineligible", "eligible"]


def test_before_the_first_day_of_a_parameter_a_word_is_neither_right_nor_wrong() -> None:
    clause = a_clause("life_status", "equals", None, "state")
    steps = (Dated(TODAY, "alive", "decree"),)
    rule = ProgrammeRule("PKH", 1, "0" * 64, SOME_TEXT, (clause,), {"state": steps})
    facts: dict[str, Value] = {"life_status": "alive"}
    assert evaluate(rule, facts, TODAY).decision == "eligible"
    assert evaluate(rule, facts, date(2026, 5, 31)).decision == "unknown"


@pytest.mark.parametrize(
    ("operator", "fact", "answer"),
    [
        ("at_most", date(2026, 6, 1), "yes"),
        ("at_most", date(2026, 6, 2), "no"),
        ("at_least", date(2026, 6, 1), "yes"),
        ("at_least", date(2026, 5, 31), "no"),
        *((operator, fact, "unknown") for operator in ("at_most", "at_least") for fact in (1, "2026-06-01")),
    ],
)
def test_a_bound_holds_on_its_own_day_and_is_compared_with_days_only(
    operator: str, fact: Value, answer: str
) -> None:
    rule = a_rule("PKH", a_clause("started_on", operator, date(2026, 6, 1)))
    assert evaluate(rule, {"started_on": fact}, TODAY).clauses == {"started_on": answer}


def test_what_is_no_word_is_in_no_list_and_outside_none() -> None:
    rule = a_rule("PKH", a_clause("a", "one_of", ("x",)), a_clause("b", "none_of", ("x",)))
    assert set(evaluate(rule, {"a": 7, "b": 7}, TODAY).clauses.values()) == {"unknown"}


def test_inputs_are_the_fields_of_people_and_not_the_day() -> None:
    rule = a_rule("BST", a_clause("on_date", "at_most", date(2021, 12, 31)), a_clause("decile", "at_most", 4))
    assert inputs(rule) == {"decile"}
    assert evaluate(rule, {"decile": 1, "on_date": date(2020, 1, 1)}, TODAY).clauses["on_date"] == "no"


RULES = load_rules(SHIPPED / "programmes", DICTIONARY)
WELL: dict[str, Value] = {
    "life_status": "alive",
    "registry_status": "active",
    "identity_status": "matched",
    "welfare_status": "eligible",
    "decile": 3,
    "enrolments": (),
}


@pytest.mark.parametrize("programme", ["PBI-JK", "PKH", "BPNT"])
class TestOpenProgrammes:
    def test_whoever_meets_every_clause_is_eligible(self, programme: str) -> None:
        assert evaluate(RULES[programme], WELL, TODAY).decision == "eligible"

    def test_the_dead_are_ineligible_whatever_else_is_unknown(self, programme: str) -> None:
        assert evaluate(RULES[programme], {"life_status": "deceased"}, TODAY).decision == "ineligible"

    @pytest.mark.parametrize("status", ["unmatched", "not_checked", "duplicate", None])
    def test_an_identity_that_is_not_matched_is_unknown_and_never_a_no(
        self, programme: str, status: str | None
    ) -> None:
        evaluation = evaluate(RULES[programme], WELL | {"identity_status": status}, TODAY)
        assert evaluation.decision == "unknown"
        assert [name for name, answer in evaluation.clauses.items() if answer != "yes"] == [
            "identity_matched"
        ]

    @pytest.mark.parametrize(
        ("facts", "decision"),
        [
            ({"decile": 4}, "eligible"),
            ({"decile": 5}, "ineligible"),
            ({"decile": None}, "unknown"),
            ({"welfare_status": "unknown"}, "unknown"),
            ({"welfare_status": "not_eligible"}, "ineligible"),
            ({"registry_status": "inactive"}, "ineligible"),
            ({"life_status": "unknown"}, "unknown"),
        ],
    )
    def test_each_fact_counts_as_the_rule_says(
        self, programme: str, facts: dict[str, Value], decision: str
    ) -> None:
        assert evaluate(RULES[programme], WELL | facts, TODAY).decision == decision


def test_bst_is_closed_and_says_so_whatever_is_known_of_the_person() -> None:
    evaluation = evaluate(RULES["BST"], {}, TODAY)
    assert evaluation.decision == "ineligible"
    assert evaluation.clauses["programme_open"] == "no"
    assert evaluate(RULES["BST"], WELL, date(2021, 12, 31)).decision == "eligible"
    assert evaluate(RULES["BST"], WELL, date(2022, 1, 1)).decision == "ineligible"
    assert evaluate(RULES["BST"], WELL, date(2020, 3, 31)).decision == "ineligible"


def test_every_clause_has_a_reason_in_both_languages_and_a_source() -> None:
    for rule in RULES.values():
        for clause in rule.clauses:
            assert clause.reason.id != clause.reason.en
            assert clause.source
        assert all(dated.source for steps in rule.parameters.values() for dated in steps)
