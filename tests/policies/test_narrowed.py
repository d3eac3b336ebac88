"""What a version no longer releases of what the one before it did is withheld under a code of its own."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from policies.agreement import Agreement
from policies.dictionary import Ceiling
from policies.plan import Plan, Withheld, compile_plan, withdrawn_fields, withheld_by_text
from tests.policies.builders import DICTIONARY, a_field, an_agreement

FORMS = st.sampled_from(["keep", "drop"])
CLAUSES = st.dictionaries(
    st.sampled_from(["sex", "decile", "full_name", "household_size"]), FORMS, min_size=1
)


def _after(before: dict[str, Any], now: dict[str, Any], **changes: Any) -> Agreement:
    """Version 4, in whose place version 3 with the clauses `before` was."""
    old, new = an_agreement(before), an_agreement(now, version=4, **changes)
    return an_agreement(now, version=4, withdrawn=withdrawn_fields(old, new, DICTIONARY), **changes)


def _plan(agreement: Agreement, *asked: str) -> Plan:
    return compile_plan(agreement, DICTIONARY, asked or None, None, None)


def _codes(plan: Plan) -> dict[str, str]:
    return {entry.field: entry.code for entry in plan.withheld}


@given(before=CLAUSES, now=CLAUSES)
def test_narrowed_is_what_left_before_and_no_longer_does(before: dict[str, str], now: dict[str, str]) -> None:
    left = {name for name, form in before.items() if form == "keep"}
    leaves = {name for name, form in now.items() if form == "keep"}
    for asked in ((), tuple({**before, **now})):
        plan = _plan(_after(before, now), *asked)
        assert {output.name for output in plan.outputs} == leaves
        narrowed = {field for field, code in _codes(plan).items() if code == "narrowed"}
        assert narrowed == left - leaves


def test_the_clause_names_both_versions_and_whom_to_ask() -> None:
    plan = _plan(_after({"sex": "keep"}, {"decile": "keep"}), "sex")
    (withheld,) = plan.withheld
    assert (withheld.code, withheld.by_text) == ("narrowed", "not_in_agreement")
    assert "Agreement example version 4, clause `fields`, withdrew" in withheld.clause.en
    assert "which version 3 still released" in withheld.clause.en
    assert "CONTOH-1" in withheld.ask_for.en


def test_a_ceiling_and_a_name_that_nobody_knows_are_told_as_such() -> None:
    agreement = an_agreement({"decile": "keep"}, withdrawn={"sex": 3, "telepathy": 3})
    closed = DICTIONARY | {"sex": a_field("sex", ceiling=Ceiling.NEVER)}
    plan = compile_plan(agreement, closed, ("sex", "telepathy"), None, None)
    assert _codes(plan) == {"sex": "above_ceiling", "telepathy": "unknown_field"}


def test_what_another_consumer_or_purpose_got_is_nobody_elses_business() -> None:
    for change in ({"consumer": "bps"}, {"purpose": "counting"}):
        agreement = _after({"sex": "keep"}, {"decile": "keep"}, **change)
        assert _codes(_plan(agreement, "sex")) == {"sex": "not_in_agreement"}


def test_a_case_says_what_the_text_says_whatever_the_one_before_said() -> None:
    before = {"sex": "keep", "full_name": "keep"}
    agreement = _after(before, {"decile": "keep", "full_name": "drop"})
    everything, named = _plan(agreement), _plan(agreement, "sex", "full_name")
    assert _codes(everything) == {"full_name": "narrowed", "sex": "narrowed"}
    assert withheld_by_text(everything, None) == {"full_name": "dropped_by_agreement"}
    expected = {"sex": "not_in_agreement", "full_name": "dropped_by_agreement"}
    assert withheld_by_text(named, ("sex", "full_name")) == expected


def test_what_is_withheld_is_by_default_not_narrowed() -> None:
    (withheld,) = _plan(an_agreement({"decile": "keep"}), "sex").withheld
    assert isinstance(withheld, Withheld)
    assert (withheld.code, withheld.narrowed) == ("not_in_agreement", False)
