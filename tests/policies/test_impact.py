"""Replay: what another book would have made of the questions that were asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.agreement import AgreementBook
from policies.bounds import Scope
from policies.conditions import load_rules
from policies.decide import ConsumerTerms, Deny, Request, decide
from policies.impact import MOST_SAMPLES, Effect, Impact, Shape, effects, impact
from policies.library import load_policies
from tests.policies.builders import DICTIONARY, SHIPPED, TODAY, a_book, a_consumer, an_agreement

RECORDS = Shape(a_consumer(), "records", "checking", None, None, 1)
ELIGIBILITY = RECORDS._replace(operation="eligibility", programme="PKH", fields=())
RULES = load_rules(SHIPPED / "programmes", DICTIONARY)


def found(shape: Shape, before: dict[str, Any], after: dict[str, Any]) -> list[Effect]:
    books = [AgreementBook.of([an_agreement(**clauses)], DICTIONARY, RULES) for clauses in (before, after)]
    return list(effects(shape, *books, TODAY))


NAMED = RECORDS._replace(fields=("sex", "decile"))
SILENT = RECORDS._replace(unavailable=frozenset({"decile"}))


@pytest.mark.parametrize(
    ("shape", "before", "after", "told"),
    [
        (RECORDS, {}, {"subjects_per_request": 9}, []),
        (
            RECORDS._replace(subject_count=10),
            {},
            {"subjects_per_request": 9},
            [("refused", "too_many_subjects")],
        ),
        (
            RECORDS,
            {},
            {"valid_from": date(2027, 1, 1), "valid_until": date(2027, 1, 1)},
            [("refused", "agreement_not_yet_valid")],
        ),
        (RECORDS, {}, {"purpose": "counting"}, [("refused", "purpose_not_covered")]),
        (SILENT, {}, {"on_source_failure": "refuse"}, [("refused", "source_unavailable")]),
        (
            SILENT,
            {"on_source_failure": "refuse"},
            {"on_source_failure": "refuse", "fields": {"sex": "keep"}},
            [("allowed", None), ("appears", "keep")],
        ),
        (RECORDS, {}, {"on_source_failure": "refuse"}, []),
        (RECORDS, {"operations": ("eligibility",)}, {}, [("allowed", None), ("appears", "keep")]),
        (
            RECORDS,
            {"state": "suspended"},
            {"operations": ("eligibility",)},
            [("refused_otherwise", "operation_not_covered")],
        ),
        (
            RECORDS,
            {},
            {"fields": {"decile": {"bucket": ["1-4", "5+"]}}},
            [("changes", "bucket (ranges: 1-4, 5+)")],
        ),
        (RECORDS, {}, {"fields": {"sex": "keep"}}, [("appears", "keep"), ("vanishes", None)]),
        (RECORDS, {}, {"fields": {"decile": "keep", "sex": "drop"}}, []),
        (NAMED, {"fields": {"decile": "keep", "sex": "keep"}}, {}, [("vanishes", None)]),
        (NAMED._replace(fields=("decile",)), {}, {"fields": {"decile": "keep", "sex": "keep"}}, []),
        (RECORDS, {}, {"pseudonym_sector": "kesehatan"}, [("pseudonym", "kesehatan")]),
        (RECORDS, {}, {"pseudonym_sector": "pkh"}, [("refused", "sector_mismatch")]),
        (RECORDS, {}, {"reasons": False}, []),
        (ELIGIBILITY, {}, {"reasons": False}, [("reasons", "not given")]),
        (ELIGIBILITY, {"reasons": False}, {}, [("reasons", "given")]),
        (RECORDS, {}, {"scope": Scope(frozenset({"35", "31"}), None)}, [("people", "31, 35; anyone")]),
        (RECORDS, {}, {"scope": Scope(None, frozenset({"PKH"}))}, [("people", "everywhere; PKH")]),
        (
            RECORDS._replace(consumer=a_consumer("35")),
            {},
            {"scope": Scope(frozenset({"35"}), None)},
            [],
        ),
    ],
)
def test_each_way_in_which_a_question_may_go_otherwise_is_told(
    shape: Shape, before: dict[str, Any], after: dict[str, Any], told: list[tuple[str, str | None]]
) -> None:
    assert [(effect.kind, effect.after) for effect in found(shape, before, after)] == told


def test_an_effect_names_what_was_and_what_would_be() -> None:
    assert found(RECORDS, {}, {"fields": {"decile": {"bucket": ["1-4", "5+"]}}}) == [
        Effect("changes", "decile", "keep", "bucket (ranges: 1-4, 5+)")
    ]
    assert found(RECORDS, {"state": "revoked"}, {})[0] == Effect(
        "allowed", "checking", "agreement_revoked", None
    )
    assert found(RECORDS, {}, {"state": "revoked"}) == [
        Effect("refused", "checking", None, "agreement_revoked")
    ]


def test_another_rule_is_told_because_it_may_decide_otherwise() -> None:
    other = RULES | {"PKH": replace(RULES["PKH"], sha256="f" * 64)}
    books = [AgreementBook.of([an_agreement()], DICTIONARY, rules) for rules in (RULES, other)]
    assert list(effects(ELIGIBILITY, *books, TODAY)) == [Effect("rule", "PKH", RULES["PKH"].sha256, "f" * 64)]
    assert list(effects(RECORDS, *books, TODAY)) == []


def test_exchanges_are_counted_by_consumer_and_effect_with_a_few_to_look_at() -> None:
    others = ConsumerTerms("other", "pkh", frozenset())
    old = a_book(an_agreement(), an_agreement(id="others", consumer="other"))
    new = a_book(
        an_agreement({"sex": "keep"}), an_agreement(id="others", consumer="other", subjects_per_request=20)
    )
    seen = impact(
        [
            (RECORDS, 3, ["a", "b", "c"]),
            (RECORDS._replace(subject_count=2), 4, ["d", "e", "f", "g"]),
            (RECORDS, 1, ["h"]),
            (ELIGIBILITY, 10, ["i"]),
            (RECORDS._replace(consumer=others), 7, ["j"]),
        ],
        old,
        new,
        TODAY,
    )
    assert list(seen.by_consumer) == ["ministry", "other"]
    ministry, other = seen.by_consumer.values()
    assert (ministry.exchanges, ministry.affected) == (18, 8)
    assert (other.exchanges, other.affected, dict(other.effects)) == (7, 0, {})
    assert seen.affected == 8
    appears = ministry.effects[Effect("appears", "sex", None, "keep")]
    assert (appears.exchanges, appears.samples) == (8, ["a", "b", "c", "h", "d"])
    assert len(appears.samples) == MOST_SAMPLES
    assert {effect.kind for effect in ministry.effects} == {"appears", "vanishes"}


def test_no_questions_have_no_impact() -> None:
    assert impact([], a_book(), a_book(), TODAY) == Impact({})


def test_a_draft_that_begins_tomorrow_is_replayed_as_of_its_own_day() -> None:
    tomorrow = date(2026, 6, 2)
    draft = a_book(an_agreement(valid_from=tomorrow))
    assert impact([(RECORDS, 1, ["a"])], a_book(an_agreement()), draft, tomorrow).affected == 0
    assert impact([(RECORDS, 1, ["a"])], a_book(an_agreement()), draft, TODAY).affected == 1


BOOK = load_policies(SHIPPED)
AGAIN = load_policies(SHIPPED)
words = st.sampled_from([*DICTIONARY, "salary"])
shapes = st.builds(
    Shape,
    consumer=st.builds(
        ConsumerTerms,
        st.sampled_from([*BOOK.by_consumer, "stranger"]),
        st.sampled_from(["kesehatan", "pkh", "dinsos-35", "statistik", "cek-bansos"]),
        st.sampled_from([frozenset[str](), frozenset({"35.78"}), frozenset({"31"})]),
    ),
    operation=st.sampled_from(["eligibility", "records", "export"]),
    purpose=st.sampled_from([agreement.purpose for agreement in BOOK.agreements]),
    programme=st.sampled_from([None, *BOOK.programmes]),
    fields=st.none() | st.lists(words, max_size=4).map(tuple),
    subject_count=st.sampled_from([1, 2, 200, 1000, 1001]),
    unavailable=st.frozensets(words, max_size=2),
)
days = st.dates(date(2023, 6, 1), date(2029, 6, 1))


@given(st.lists(st.tuples(shapes, st.integers(1, 9), st.just(["id"])), max_size=20), days)
@settings(deadline=None, max_examples=200)
def test_replay_under_an_unchanged_book_shows_no_impact(
    asked: list[tuple[Shape, int, list[str]]], day: date
) -> None:
    seen = impact(asked, BOOK, AGAIN, day)
    assert seen.affected == 0
    assert all(not one.effects for one in seen.by_consumer.values())
    assert sum(one.exchanges for one in seen.by_consumer.values()) == sum(count for _, count, _ in asked)


@given(shapes, days, st.sampled_from(["suspended", "revoked"]))
@settings(deadline=None, max_examples=200)
def test_a_question_is_told_as_refused_exactly_if_it_was_answered(
    shape: Shape, day: date, state: Any
) -> None:
    ended = AgreementBook.of(
        [replace(agreement, state=state) for agreement in BOOK.agreements], BOOK.dictionary, BOOK.programmes
    )
    request = Request(*shape[1:6])
    answer = decide(BOOK, shape.consumer, request, day)
    answered = not isinstance(answer, Deny) and not (
        answer.plan.on_source_failure == "refuse" and shape.unavailable & answer.plan.needs
    )
    kinds = [effect.kind for effect in effects(shape, BOOK, ended, day)]
    assert (kinds == ["refused"]) == answered
    assert not {"allowed", "appears", "changes"} & set(kinds)
