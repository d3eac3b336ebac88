"""Writing values into a policy's text: what is not written stays, byte for byte, and what is reads back."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gateway.agreements.facts import as_written
from gateway.agreements.rewriting import REMOVED, rewritten
from gateway.errors import BadInput
from tests.gateway.agreements.bureau import SHIPPED

TEXTS = sorted(path for path in SHIPPED.glob("*/*.yaml") if not path.name.endswith(".cases.yaml"))
CONTACT = (SHIPPED / "agreements" / "pkh-member-contact.yaml").read_bytes()


def _changed_lines(before: bytes, after: bytes) -> tuple[list[str], list[str]]:
    old, new = before.decode().splitlines(), after.decode().splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_a_text_into_which_nothing_is_written_stays_byte_for_byte(path: Any) -> None:
    text = path.read_bytes()
    assert rewritten(text, {}) == text


def test_a_field_changes_on_its_own_line_and_keeps_the_comment_above_it() -> None:
    after = rewritten(CONTACT, {("fields", "nik"): {"mask": {"show_first": 4}}})
    assert _changed_lines(CONTACT, after) == (
        ["  nik: {mask: {show_first: 6}}"],
        ["  nik: {mask: {show_first: 4}}"],
    )


def test_a_value_that_is_what_it_was_keeps_its_spelling() -> None:
    values = {
        ("fields", "nik"): {"mask": {"show_first": 6}},
        ("reasons",): False,
        ("operations",): ["records"],
    }
    assert rewritten(CONTACT, values) == CONTACT


def test_a_new_key_goes_below_the_last_one_and_above_what_follows() -> None:
    text = b"limits:\n  first: 1   # why\n\n# After the limits.\nrest: 2\n"
    after = rewritten(text, {("limits", "second"): 2})
    assert after == b"limits:\n  first: 1   # why\n  second: 2\n\n# After the limits.\nrest: 2\n"


def test_a_mapping_is_made_where_one_word_stood_and_a_removed_clause_is_gone() -> None:
    after = rewritten(
        b"fields: none\n\n# The end.\nlast: 1\nmore: {a: 1}\n",
        {("fields", "sex"): "keep", ("more",): REMOVED, ("absent", "too"): REMOVED},
    )
    assert as_written(after) == {"fields": {"sex": "keep"}, "last": "1"}
    assert b"# The end." in after


@pytest.mark.parametrize(
    "word", ["no", "on", "~", "2026-01-01", "35.10", "0171", "12:30:45", "1_000", "1-2", ""]
)
def test_a_word_that_yaml_would_take_for_something_else_is_quoted(word: str) -> None:
    after = rewritten(b"scope:\n  regions: everywhere\n", {("scope", "regions"): [word], ("title",): word})
    root = yaml.safe_load(after)
    assert (root["scope"]["regions"], root["title"]) == ([word], word)


def test_lists_of_a_text_that_does_not_indent_them_stay_as_they_are() -> None:
    text = b"legal_basis:\n- one\n- two\nother: 1\n"
    assert rewritten(text, {("other",): 2}) == b"legal_basis:\n- one\n- two\nother: 2\n"


@pytest.mark.parametrize("text", [b"a: [", b"- a list", b"a: 1\na: 2\n", b"\xff", b""])
def test_a_text_that_is_no_mapping_is_refused(text: bytes) -> None:
    with pytest.raises(BadInput):
        rewritten(text, {("a",): 1})


_NAMES = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30)


@settings(max_examples=40, phases=(Phase.explicit, Phase.generate), deadline=None)
@given(
    values=st.dictionaries(_NAMES, st.one_of(_WORDS, st.integers(0, 10**9), st.booleans(), st.lists(_WORDS)))
)
def test_whatever_is_written_reads_back_and_nothing_else_changes(values: dict[str, Any]) -> None:
    after = rewritten(CONTACT, {("written", name): value for name, value in values.items()})
    said, before = yaml.safe_load(after), yaml.safe_load(CONTACT)
    assert (said.pop("written", {}), said) == (values, before)
