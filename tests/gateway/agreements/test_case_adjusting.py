"""Cases that a draft makes untrue are told, and the chosen ones follow it; every other line stays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.agreements.case_adjusting import FieldDiffers, Standing, Untrue, adjusted, untrue_cases
from gateway.agreements.reading import AgreementText, case_problems
from gateway.agreements.rewriting import rewritten
from gateway.errors import BadInput
from policies.agreement import AgreementBook, parse_agreement
from policies.errors import PolicyError
from policies.library import load_policies
from policies.transforms import compile_transformation, exceeds_ceiling
from tests.gateway.agreements.bureau import SHIPPED

NAME = "dinsos-jatim-verification"
BOOK = load_policies(SHIPPED)
TEXT = (SHIPPED / "agreements" / f"{NAME}.yaml").read_bytes()
CASES = (SHIPPED / "agreements" / f"{NAME}.cases.yaml").read_bytes()


def _book(name: str, text: bytes) -> AgreementBook:
    drafted = parse_agreement(text, f"{name}.yaml", BOOK.dictionary, BOOK.programmes)
    others = [one for one in BOOK.agreements if one.id != name]
    return AgreementBook.of([*others, replace(drafted, state="active")], BOOK.dictionary, BOOK.programmes)


def _untrue(
    text: bytes, cases: bytes = CASES, name: str = NAME, before: bytes = TEXT, held: bytes = CASES
) -> tuple[Untrue, ...]:
    written, in_force = AgreementText(text, cases, "active"), AgreementText(before, held, "active")
    return untrue_cases(name, written, in_force, _book(name, before), _book(name, text))


def _numbers(untrue: tuple[Untrue, ...]) -> set[int]:
    return {one.number for one in untrue}


def test_a_case_is_told_field_by_field_as_it_says_and_as_it_would_come_out() -> None:
    first = _untrue(rewritten(TEXT, {("fields", "decile"): "drop"}))[0]
    assert first.number == 1
    assert first.fields == (
        FieldDiffers("decile", Standing("value", "3"), Standing("withheld", "dropped_by_agreement")),
    )


@pytest.mark.parametrize("spec", ["drop", "keep"])
@pytest.mark.parametrize("name", sorted(one.id for one in BOOK.agreements))
def test_whatever_field_a_draft_changes_its_cases_hold_once_they_are_adjusted(name: str, spec: str) -> None:
    folder = SHIPPED / "agreements"
    text, cases = ((folder / f"{name}{end}").read_bytes() for end in (".yaml", ".cases.yaml"))
    draft = rewritten(text, {("fields", one): spec for one in BOOK.dictionary if _suits(one, spec)})
    draft = rewritten(draft, {("fields", "sex"): "keep"})
    after = _book(name, draft)
    found = _untrue(draft, cases, name, text, cases)
    if not found:
        assert case_problems(name, cases, after) == []
        return
    kept = adjusted(cases, found, _numbers(found))
    assert case_problems(name, kept, after) == []
    assert _comments(kept) == _comments(cases)
    # And back again: what was adjusted is known by its question.
    back = _untrue(text, kept, name, text, cases)
    assert _numbers(back) == _numbers(found)
    assert case_problems(name, adjusted(kept, back, _numbers(back)), _book(name, text)) == []


def test_a_case_that_is_not_chosen_stays_to_the_letter() -> None:
    draft = rewritten(TEXT, {("fields", "sex"): "keep"})
    found = _untrue(draft)
    chosen = min(_numbers(found))
    kept = adjusted(CASES, found, {chosen})
    assert _numbers(_untrue(draft, kept)) == _numbers(found) - {chosen}
    before, after = CASES.decode().splitlines(), kept.decode().splitlines()
    assert [line for line in after if line not in before] == ["      absent: [sex]"]
    assert [line for line in before if line not in after] == []


def test_a_refusal_that_becomes_an_answer_is_written_out_whole() -> None:
    wide = rewritten(TEXT, {("scope", "regions"): "everywhere"})
    found = [one for one in _untrue(wide) if one.about_the_answer]
    assert found
    kept = adjusted(CASES, found, {one.number for one in found})
    assert not [one for one in _untrue(wide, kept) if one.about_the_answer]


def test_a_case_that_never_held_is_for_its_author_to_mend() -> None:
    wrong = CASES.replace(b"        decile: 3\n", b"        decile: 4\n")
    draft = rewritten(TEXT, {("title", "en"): "Another title"})
    assert wrong != CASES
    # Its question is one of what is in force, so that it may be put back there; a new question is not.
    assert _numbers(_untrue(draft, wrong)) == {1}
    new = wrong.replace(b"decile: 3\n    ", b"decile: 3\n    ").replace(b"2026-05-04", b"2026-05-05")
    assert _untrue(draft, new) == ()


@pytest.mark.parametrize("chosen", [set(), {999}])
def test_no_case_is_adjusted_that_is_not_among_them(chosen: set[int]) -> None:
    with pytest.raises(BadInput):
        adjusted(CASES, _untrue(rewritten(TEXT, {("fields", "sex"): "keep"})), chosen)


def _suits(field: str, spec: str) -> bool:
    try:
        made = compile_transformation(BOOK.dictionary[field], spec)
    except PolicyError:
        return False
    return not exceeds_ceiling(made, BOOK.dictionary, field)


def _comments(text: bytes) -> list[str]:
    return [line for line in text.decode().splitlines() if line.lstrip().startswith("#")]
