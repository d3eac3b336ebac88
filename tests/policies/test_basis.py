"""The clause `field_basis`: on which of its legal bases an agreement releases a field."""

from __future__ import annotations

import pytest

from policies.agreement import Agreement, parse_agreement
from policies.change import compare
from policies.errors import PolicyError
from policies.library import load_policies
from tests.gateway.agreements.bureau import SHIPPED, agreement_text

BOOK = load_policies(SHIPPED)
BASIS = "UU 27/2022 pasal 20 ayat (2) huruf e (tugas publik)"


def _agreement(clause: str) -> Agreement:
    text = agreement_text(name="pkh-member-contact") + clause.encode()
    return parse_agreement(text, "pkh-member-contact.yaml", BOOK.dictionary, BOOK.programmes)


def test_a_field_names_the_one_basis_on_which_it_rests() -> None:
    assert _agreement("").field_basis == {}
    assert _agreement(f"field_basis:\n  birth_date: {BASIS}\n").field_basis == {"birth_date": BASIS}


@pytest.mark.parametrize(
    ("clause", "said"),
    [
        ("field_basis:\n  birth_date: UU 1/1945\n", "one of the legal bases of this agreement"),
        (f"field_basis:\n  sex: {BASIS}\n", "a field of the clause `fields`"),
        ("field_basis: {}\n", "one line per field"),
    ],
)
def test_a_basis_that_nobody_signed_or_of_no_field_is_refused_with_its_line(clause: str, said: str) -> None:
    with pytest.raises(PolicyError) as refused:
        _agreement(clause)
    assert said in refused.value.problems[0]
    assert refused.value.problems[0].startswith("pkh-member-contact.yaml:5")


def test_another_basis_of_a_field_is_told_and_lets_nothing_out() -> None:
    change = compare(
        _agreement(""), _agreement(f"field_basis:\n  rt: {BASIS}\n"), BOOK.dictionary, BOOK.programmes, "PKH"
    )
    (item,) = change.items
    assert (item.path, item.way, change.lets_more_out) == ("field_basis.rt", "neutral", False)
    assert item.words.id == f"PKH: dasar hukum RT menjadi {BASIS} (sebelumnya semua dasar hukum perjanjian)."
