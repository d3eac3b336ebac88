"""The field matrix offers exactly what the reader of agreements accepts, and writes what was chosen."""

from __future__ import annotations

import dataclasses

import pytest

from gateway.agreements.matrix import RELEASES, Chosen, Row, edits, groups_of, matrix, spec_of
from gateway.agreements.rewriting import rewritten
from gateway.agreements.terms import edits as edits_of_terms
from gateway.agreements.terms import terms_of
from policies.agreement import Agreement, parse_agreement
from policies.errors import PolicyError
from policies.library import load_policies
from tests.gateway.agreements.bureau import SHIPPED, agreement_text

BOOK = load_policies(SHIPPED)
DICTIONARY_TEXT = (SHIPPED / "fields.yaml").read_bytes()
NAME = "dinsos-jatim-verification"
TEXT = agreement_text(name=NAME, version=2)


def _rows(text: bytes = TEXT) -> dict[str, Row]:
    return {row.field.name: row for row in matrix(BOOK.dictionary, DICTIONARY_TEXT, text, None)}


def _parsed(text: bytes) -> Agreement:
    return parse_agreement(text, f"{NAME}.yaml", BOOK.dictionary, BOOK.programmes)


def _accepted(field: str, choice: Chosen) -> bool:
    text = rewritten(TEXT, {("fields", field): spec_of(choice, BOOK.dictionary[field].type)})
    try:
        _parsed(text)
    except PolicyError:
        return False
    return True


def _forms(row: Row, release: str) -> list[Chosen]:
    """Forms of a release: one for each level, class, number of characters."""
    option = next(one for one in row.options if one.release == release)
    if release == "generalise":
        ranges = ("1-2", "3-4", "5+") if row.field.type == "number" else None
        return [Chosen("generalise", to=to, ranges=ranges) for to in option.to or ("year", "regency")]
    if release == "mask":
        return [Chosen("mask", show_first=shown) for shown in range((option.most_shown or 0) + 1)]
    return [Chosen(release)]  # type: ignore[arg-type]


@pytest.mark.parametrize("release", RELEASES)
def test_what_is_offered_is_what_the_reader_accepts(release: str) -> None:
    for name, row in _rows().items():
        option = next(one for one in row.options if one.release == release)
        for form in _forms(row, release):
            assert _accepted(name, form) == (option.why_not is None), (name, form)


def test_what_exceeds_a_ceiling_says_so_and_what_does_not_suit_says_something_else() -> None:
    rows = _rows()
    full = {option.release: option for option in rows["nik"].options}["full"]
    assert full.above
    assert full.why_not is not None
    assert "batas kamus" in full.why_not.id
    years = {option.release: option for option in rows["full_name"].options}["generalise"]
    assert not years.above
    assert years.why_not is not None
    assert all(option.why_not for option in rows["photo"].options if option.release != "none")


def test_choices_write_only_what_differs_and_leave_unnamed_fields_unnamed() -> None:
    rows = _rows()
    same = {name: row.chosen for name, row in rows.items() if row.chosen is not None}
    assert dict(edits(list(rows.values()), same, {})) == {}
    chosen = same | {"birth_date": Chosen("generalise", to="age_band", years=5), "decile": Chosen("none")}
    assert dict(edits(list(rows.values()), chosen, {"sex": ""})) == {
        ("fields", "birth_date"): {"generalise": {"to": "age_band", "years": 5}},
        ("fields", "decile"): "drop",
    }


def test_a_field_rests_on_one_basis_until_it_rests_on_all_of_them_again() -> None:
    basis = "UU 23/2014 (urusan sosial sebagai urusan konkuren daerah)"
    rows = _rows()
    written = rewritten(TEXT, dict(edits(list(rows.values()), {}, {"decile": basis, "region": ""})))
    assert _parsed(written).field_basis == {"decile": basis}
    rows = _rows(written)
    assert rows["decile"].basis == basis
    assert dict(edits(list(rows.values()), {}, {"decile": basis})) == {}
    again = rewritten(written, dict(edits(list(rows.values()), {}, {"decile": ""})))
    assert again == TEXT


def test_what_a_draft_says_wrongly_is_told_and_not_chosen() -> None:
    row = _rows(rewritten(TEXT, {("fields", "nik"): "keep"}))["nik"]
    assert row.chosen is None
    assert row.problem is not None
    assert "ceiling" in row.problem
    assert not _rows(b"not: [a mapping")["nik"].named


def test_every_field_stands_under_the_heading_of_the_dictionary() -> None:
    groups = groups_of(DICTIONARY_TEXT)
    assert groups.keys() == BOOK.dictionary.keys()
    assert (groups["nik"], groups["photo"], groups["bpjs_class"]) == ("Identity", "Never", "BPJS Kesehatan")
    assert groups_of(b"sex:\n  type: word\n") == {"sex": ""}


@pytest.mark.parametrize(
    "path", sorted((SHIPPED / "agreements").glob("*[!s].yaml")), ids=lambda path: path.stem
)
def test_terms_that_are_read_and_written_back_change_nothing(path: object) -> None:
    text = (SHIPPED / "agreements" / getattr(path, "name")).read_bytes()  # noqa: B009
    terms = terms_of(text)
    given = {
        name: value
        for name, value in dataclasses.asdict(terms).items()
        if name not in {"everywhere", "anyone", "disclosure_delay", "translation", "regions", "enrolled_in"}
    }
    given |= {
        "regions": "everywhere" if terms.everywhere else terms.regions,
        "enrolled_in": "anyone" if terms.anyone else terms.enrolled_in,
        "last_known_max_age_days": terms.last_known_max_age_days or "none",
    }
    assert rewritten(text, dict(edits_of_terms(given))) == text
