"""A change in words: each clause by its place, its way, and one sentence in each language."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from policies.bounds import Limits, Scope
from policies.change import Change, compare
from policies.conditions import load_rules
from policies.dictionary import Ceiling, Text
from tests.policies.builders import (
    DICTIONARY,
    SHIPPED,
    an_agreement,
)

RULES = load_rules(SHIPPED / "programmes", DICTIONARY)


def changed(before: dict[str, Any], after: dict[str, Any]) -> Change:
    return compare(an_agreement(**before), an_agreement(**after), DICTIONARY, RULES, "BPJS")


# What an agreement says of its fields, what the next one says, and what the administrator reads.
FIELDS: list[tuple[dict[str, Any], dict[str, Any], str, str, str]] = [
    (
        {"birth_date": "keep"},
        {"birth_date": {"generalise": "year"}},
        "narrower",
        "BPJS kehilangan tanggal lahir (tinggal tahun saja).",
        "BPJS loses date of birth (kept only as year).",
    ),
    (
        {"birth_date": {"generalise": "year"}},
        {"birth_date": {"generalise": "year_month"}},
        "wider",
        "BPJS memperoleh tanggal lahir (tahun dan bulan saja; sebelumnya tahun saja).",
        "BPJS gains date of birth (only as year and month; before only as year).",
    ),
    (
        {},
        {"decile": "keep"},
        "wider",
        "BPJS memperoleh desil kesejahteraan (seutuhnya).",
        "BPJS gains welfare decile (in full).",
    ),
    (
        {"decile": "keep"},
        {"decile": "drop"},
        "narrower",
        "BPJS kehilangan desil kesejahteraan.",
        "BPJS loses welfare decile.",
    ),
    (
        {"decile": "keep"},
        {"decile": {"bucket": ["1-4", "5+"]}},
        "narrower",
        "BPJS kehilangan desil kesejahteraan (tinggal rentang 1-4, 5+ saja).",
        "BPJS loses welfare decile (kept only as a range: 1-4, 5+).",
    ),
    (
        {"full_name": "keep"},
        {"full_name": {"mask": {"show_first": 2}}},
        "narrower",
        "BPJS kehilangan nama lengkap (tinggal 2 huruf pertama saja).",
        "BPJS loses full name (kept only its first 2 characters).",
    ),
    (
        {"nik": {"mask": {"show_first": 6}}},
        {"nik": {"mask": {"show_first": 0}}},
        "narrower",
        "BPJS kehilangan nomor induk kependudukan (tinggal hanya bahwa ada isinya).",
        "BPJS loses national identity number (kept only as being there).",
    ),
    (
        {"nik": {"mask": {"show_first": 2}}},
        {"nik": {"mask": {"show_first": 6}}},
        "wider",
        "BPJS memperoleh nomor induk kependudukan (6 angka pertama saja; sebelumnya 2 angka pertama saja).",
        "BPJS gains national identity number (only its first 6 digits; before only its first 2 digits).",
    ),
    (
        {"region": {"generalise": "village"}},
        {"region": {"generalise": "regency"}},
        "narrower",
        "BPJS kehilangan kode wilayah (tinggal kabupaten/kotanya saja).",
        "BPJS loses region code (kept as only its regency or city).",
    ),
    (
        {"full_name": "verdict"},
        {"full_name": {"mask": {"show_first": 1}}},
        "wider",
        "BPJS memperoleh nama lengkap (1 huruf pertama saja; sebelumnya hasil pencocokan saja).",
        "BPJS gains full name (only its first character; before only as match or no match).",
    ),
    (
        {},
        {"nik": "pseudonym", "birth_date": {"generalise": "age_band"}},
        "wider",
        "BPJS memperoleh nomor induk kependudukan (pseudonim saja).",
        "BPJS gains national identity number (only as a pseudonym).",
    ),
    (
        {},
        {"birth_date": {"generalise": "age_band"}},
        "wider",
        "BPJS memperoleh tanggal lahir (kelompok umur 10 tahun saja).",
        "BPJS gains date of birth (only as an age band of 10 years).",
    ),
    (
        {},
        {"full_name": "drop"},
        "neutral",
        "BPJS tetap tidak menerima nama lengkap; perjanjian kini menyebutkannya.",
        "BPJS still does not receive full name; the agreement now says so.",
    ),
    (
        {"full_name": "drop"},
        {},
        "neutral",
        "BPJS tetap tidak menerima nama lengkap; perjanjian tidak lagi menyebutkannya.",
        "BPJS still does not receive full name; the agreement no longer says so.",
    ),
    (
        {"region": {"generalise": "village"}},
        {"region": {"generalise": "village"}, "address": {"generalise": "district"}},
        "neutral",
        "BPJS menerima alamat (kecamatannya saja), yang sudah diketahuinya dari elemen lain.",
        "BPJS receives street address (as only its district), which another field tells it already.",
    ),
]


@pytest.mark.parametrize(("before", "after", "way", "in_indonesian", "in_english"), FIELDS)
def test_a_field_is_told_by_its_label_and_the_form_in_which_it_leaves(
    before: dict[str, Any], after: dict[str, Any], way: str, in_indonesian: str, in_english: str
) -> None:
    common = {"pseudonym_sector": "kesehatan"}
    change = changed(
        common | {"fields": {"sex": "keep"} | before}, common | {"fields": {"sex": "keep"} | after}
    )
    item = change.items[0]
    assert item.path.startswith("fields.")
    assert (item.way, item.words) == (way, Text(in_indonesian, in_english))


# Everything else that an agreement may say otherwise.
CLAUSES: list[tuple[dict[str, Any], dict[str, Any], str, str, str]] = [
    ({}, {"title": Text("baru", "new")}, "title", "neutral", "the title becomes new (was sentence)"),
    (
        {},
        {"legal_basis": ("UU 1",)},
        "legal_basis",
        "neutral",
        "the legal basis becomes UU 1 (was UU 0/2026)",
    ),
    (
        {},
        {"documents": {"pks": "CONTOH-9", "dpia": "CONTOH-2"}},
        "documents.pks",
        "neutral",
        "the document pks becomes CONTOH-9 (was CONTOH-1)",
    ),
    (
        {},
        {"documents": {"pks": "CONTOH-1"}},
        "documents.dpia",
        "neutral",
        "the document dpia becomes none (was CONTOH-2)",
    ),
    ({}, {"consumer": "bps"}, "consumer", "wider", "the consumer becomes bps (was ministry)"),
    ({}, {"purpose": "counting"}, "purpose", "wider", "the purpose becomes counting (was checking)"),
    (
        {},
        {"valid_from": date(2026, 2, 1)},
        "valid_from",
        "narrower",
        "the first day becomes 2026-02-01 (was 2026-01-01)",
    ),
    ({}, {"valid_from": date(2025, 2, 1)}, "valid_from", "wider", "the first day becomes 2025-02-01"),
    ({}, {"valid_until": date(2026, 6, 1)}, "valid_until", "narrower", "the last day becomes 2026-06-01"),
    ({}, {"valid_until": date(2027, 6, 1)}, "valid_until", "wider", "the last day becomes 2027-06-01"),
    ({}, {"operations": ("eligibility",)}, "operations", "narrower", "BPJS loses records of people."),
    ({"operations": ("records",)}, {}, "operations", "wider", "BPJS gains questions of eligibility."),
    (
        {},
        {"programmes": ("PKH", "BPNT")},
        "programmes",
        "wider",
        "BPJS gains questions about BPNT (Non-cash food assistance).",
    ),
    (
        {"programmes": ("PKH", "BPNT")},
        {"programmes": ("BPNT",)},
        "programmes",
        "narrower",
        "BPJS loses questions about PKH (Family Hope Programme, target group).",
    ),
    (
        {"scope": Scope(frozenset({"35.78"}), None)},
        {"scope": Scope(frozenset({"35.78", "35.24", "31"}), None)},
        "scope.regions",
        "wider",
        "BPJS gains regions 31, 35.24.",
    ),
    (
        {"scope": Scope(frozenset({"35"}), None)},
        {"scope": Scope(frozenset({"35.78"}), None)},
        "scope.regions",
        "narrower",
        "BPJS loses region 35 (kept region 35.78).",
    ),
    (
        {"scope": Scope(frozenset({"35", "31"}), None)},
        {"scope": Scope(frozenset({"35"}), None)},
        "scope.regions",
        "narrower",
        "BPJS loses region 31.",
    ),
    (
        {},
        {"scope": Scope(frozenset({"35"}), None)},
        "scope.regions",
        "narrower",
        "BPJS loses the whole country (kept region 35).",
    ),
    (
        {"scope": Scope(frozenset({"35"}), None)},
        {},
        "scope.regions",
        "wider",
        "BPJS gains the whole country.",
    ),
    (
        {},
        {"scope": Scope(None, frozenset({"PKH", "BPNT"}))},
        "scope.enrolled_in",
        "narrower",
        "BPJS loses other people (kept members of BPNT or PKH).",
    ),
    ({"scope": Scope(None, frozenset({"PKH"}))}, {}, "scope.enrolled_in", "wider", "BPJS gains anyone."),
    (
        {"scope": Scope(None, frozenset({"PKH"}))},
        {"scope": Scope(None, frozenset({"PKH", "BPNT"}))},
        "scope.enrolled_in",
        "wider",
        "BPJS gains members of BPNT.",
    ),
    (
        {"scope": Scope(None, frozenset({"PKH", "BPNT"}))},
        {"scope": Scope(None, frozenset({"BPNT"}))},
        "scope.enrolled_in",
        "narrower",
        "BPJS loses members of PKH.",
    ),
    (
        {},
        {"subjects_per_request": 11},
        "subjects_per_request",
        "wider",
        "the number of persons per request becomes 11 (was 10)",
    ),
    ({}, {"subjects_per_request": 9}, "subjects_per_request", "narrower", "becomes 9 (was 10)"),
    ({}, {"pseudonym_sector": "pkh"}, "pseudonym_sector", "wider", "becomes pkh (was none)"),
    ({"pseudonym_sector": "pkh"}, {}, "pseudonym_sector", "wider", "becomes none (was pkh)"),
    ({"reasons": False}, {}, "reasons", "wider", "BPJS gains what each clause of a programme said."),
    ({}, {"reasons": False}, "reasons", "narrower", "BPJS loses what each clause of a programme said."),
    ({}, {"on_source_failure": "refuse"}, "on_source_failure", "narrower", "becomes refuse (was partial)"),
    ({"on_source_failure": "refuse"}, {}, "on_source_failure", "wider", "becomes partial (was refuse)"),
    (
        {},
        {"last_known_max_age_days": 0},
        "last_known_max_age_days",
        "wider",
        "for a source becomes 0 (was none)",
    ),
    ({"last_known_max_age_days": 0}, {}, "last_known_max_age_days", "narrower", "becomes none (was 0)"),
    (
        {"last_known_max_age_days": 7},
        {"last_known_max_age_days": 8},
        "last_known_max_age_days",
        "wider",
        "becomes 8 (was 7)",
    ),
    (
        {"last_known_max_age_days": 7},
        {"last_known_max_age_days": 6},
        "last_known_max_age_days",
        "narrower",
        "becomes 6 (was 7)",
    ),
]


@pytest.mark.parametrize(("before", "after", "path", "way", "told"), CLAUSES)
def test_every_other_clause_is_told_with_its_place_and_its_way(
    before: dict[str, Any], after: dict[str, Any], path: str, way: str, told: str
) -> None:
    (item,) = changed(before, after).items
    assert (item.path, item.way) == (path, way)
    assert told in item.words.en
    assert item.words.en.startswith("BPJS")
    assert item.words.id.startswith("BPJS")
    assert item.words.id != item.words.en
    assert item.words.en.endswith(".")


@pytest.mark.parametrize("name", ["requests_per_minute", "subjects_per_day", "new_people_per_day"])
def test_each_limit_is_wider_above_and_narrower_below(name: str) -> None:
    usual = Limits(50, 50, 50)
    for number, way in ((51, "wider"), (49, "narrower")):
        (item,) = changed({"limits": usual}, {"limits": replace(usual, **{name: number})}).items
        assert (item.path, item.way) == (f"limits.{name}", way)
        assert f"becomes {number} (was 50)." in item.words.en


def test_a_scope_that_moves_gains_and_loses() -> None:
    change = changed({"scope": Scope(frozenset({"35"}), None)}, {"scope": Scope(frozenset({"31"}), None)})
    assert [(item.way, item.words.en) for item in change.items] == [
        ("wider", "BPJS gains region 31."),
        ("narrower", "BPJS loses region 35."),
    ]


def test_only_a_change_of_which_every_clause_narrows_is_a_narrowing() -> None:
    fewer, other_title = {"subjects_per_request": 1}, {"title": Text("baru", "new")}
    assert changed({}, {}).direction == "unchanged"
    assert changed({}, fewer).direction == "narrowing"
    assert changed({}, other_title).direction == "widening"
    assert changed({}, fewer | other_title).direction == "widening"
    assert changed({}, fewer | {"valid_until": date(2030, 1, 1)}).direction == "widening"
    assert not changed({}, fewer | other_title).lets_more_out


def test_version_state_and_order_are_no_change() -> None:
    fields = {"sex": "keep", "decile": "keep"}
    change = changed(
        {"fields": fields, "programmes": ("PKH", "BPNT")},
        {
            "fields": dict(reversed(fields.items())),
            "programmes": ("BPNT", "PKH"),
            "version": 4,
            "state": "suspended",
        },
    )
    assert change.direction == "unchanged"


def test_a_first_version_opens_everything_that_it_names() -> None:
    new = an_agreement(
        {"decile": "keep", "full_name": "drop"}, scope=Scope(frozenset({"35"}), frozenset({"PKH"}))
    )
    change = compare(None, new, DICTIONARY, RULES, "BPJS")
    assert change.direction == "widening"
    assert all(item.way == "wider" for item in change.items)
    assert [item.path for item in change.items] == [
        "agreement",
        "operations",
        "operations",
        "programmes",
        "reasons",
        "fields.decile",
    ]
    assert change.items[0].words.en == (
        "BPJS gains an agreement for the purpose checking, 2026-01-01 to 2026-12-31, about members of PKH, "
        "region 35."
    )
    everywhere = compare(None, an_agreement(), DICTIONARY, RULES, "BPJS").items[0].words
    assert "tentang siapa pun, seluruh Indonesia" in everywhere.id


def test_what_a_ceiling_withholds_is_not_gained() -> None:
    """A dictionary that was narrowed after the agreement was read still wins."""
    lowered = DICTIONARY | {"decile": replace(DICTIONARY["decile"], ceiling=Ceiling.NEVER)}
    old, new = an_agreement({"sex": "keep"}), an_agreement({"sex": "keep", "decile": "keep"})
    (item,) = compare(old, new, lowered, RULES, "BPJS").items
    assert (item.path, item.way) == ("fields.decile", "neutral")
