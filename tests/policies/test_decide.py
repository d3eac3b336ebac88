"""Decide: nothing by default, one agreement per purpose, scope only narrowed, refusals with a reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.agreement import AgreementBook
from policies.bounds import Scope
from policies.conditions import inputs, load_rules
from policies.decide import ConsumerTerms, Deny, Permit, Plan, Request, decide, in_scope
from policies.dictionary import Ceiling, Text
from policies.errors import PolicyError
from tests.policies.builders import DICTIONARY, SHIPPED, TODAY, a_book, a_consumer, a_request, an_agreement


def denied(
    book: AgreementBook,
    request: Request | None = None,
    consumer: ConsumerTerms | None = None,
    today: date = TODAY,
) -> str:
    answer = decide(book, consumer or a_consumer(), request or a_request(), today)
    assert isinstance(answer, Deny), answer
    for text in (answer.detail, answer.remedy):
        assert isinstance(text, Text)
        assert text.id != text.en
        assert text.id.endswith(".")
        assert text.en.endswith(".")
    return answer.code


def permitted(
    book: AgreementBook, request: Request | None = None, consumer: ConsumerTerms | None = None
) -> Plan:
    answer = decide(book, consumer or a_consumer(), request or a_request(), TODAY)
    assert isinstance(answer, Permit), answer
    return answer.plan


def test_a_consumer_without_an_agreement_is_refused() -> None:
    assert denied(a_book(an_agreement()), consumer=a_consumer(id_="stranger")) == "no_agreement"
    assert denied(a_book()) == "no_agreement"


def test_a_purpose_that_is_in_no_agreement_is_refused() -> None:
    assert denied(a_book(an_agreement()), a_request(purpose="marketing")) == "purpose_not_covered"


def test_a_purpose_picks_exactly_one_agreement() -> None:
    narrow = an_agreement(id="narrow", purpose="narrow", fields=None)
    wide = an_agreement({"decile": "keep", "full_name": "keep"}, id="wide", purpose="wide")
    book = a_book(narrow, wide)
    assert permitted(book, a_request(purpose="narrow")).agreement is narrow
    assert permitted(book, a_request(purpose="wide")).agreement is wide
    assert book.purposes == {"narrow", "wide"}
    assert book.agreements_of("ministry") == (narrow, wide)
    assert book.agreements_of("stranger") == ()


def test_two_agreements_of_one_consumer_for_one_purpose_are_a_mistake() -> None:
    with pytest.raises(PolicyError, match=r"second\.yaml:1: purpose: expected one agreement of ministry"):
        a_book(an_agreement(id="first"), an_agreement(id="second"))
    a_book(an_agreement(id="first"), an_agreement(id="second", consumer="other"))


def test_validity_includes_both_its_first_and_its_last_day() -> None:
    agreement = an_agreement()
    book = a_book(agreement)
    day = timedelta(days=1)
    assert denied(book, today=agreement.valid_from - day) == "agreement_not_yet_valid"
    assert denied(book, today=agreement.valid_until + day) == "agreement_expired"
    for today in (agreement.valid_from, agreement.valid_until):
        assert isinstance(decide(book, a_consumer(), a_request(), today), Permit)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("suspended", "agreement_suspended"),
        ("revoked", "agreement_revoked"),
        ("superseded", "agreement_superseded"),
        ("expired", "agreement_expired"),
        ("draft", "agreement_suspended"),
        ("", "agreement_suspended"),
    ],
)
def test_no_state_but_active_permits_anything(state: str, code: str) -> None:
    assert denied(a_book(an_agreement(state=state))) == code


def test_what_is_over_stays_over_whatever_the_day() -> None:
    days = {"before": date(2025, 12, 31), "after": date(2027, 1, 1)}
    told = {
        (state, when): denied(a_book(an_agreement(state=state)), today=day)
        for state in ("active", "suspended", "expired", "revoked", "superseded")
        for when, day in days.items()
    }
    assert {code for (_, when), code in told.items() if when == "after"} == {
        "agreement_expired",
        "agreement_revoked",
        "agreement_superseded",
    }
    assert [told[state, "before"] for state in ("active", "suspended", "expired", "revoked")] == [
        "agreement_not_yet_valid",
        "agreement_not_yet_valid",
        "agreement_expired",
        "agreement_revoked",
    ]


@pytest.mark.parametrize("over", ["expired", "revoked", "superseded"])
def test_an_agreement_that_is_over_gives_way_to_one_that_is_not(over: str) -> None:
    ended, live = an_agreement(id="ended", state=over), an_agreement(id="live")
    for book in (a_book(ended, live), a_book(live, ended)):
        assert permitted(book).agreement is live
    suspended = an_agreement(id="live", state="suspended")
    assert denied(a_book(ended, suspended)) == denied(a_book(suspended, ended)) == "agreement_suspended"
    later = an_agreement(id="later", state="revoked")
    assert denied(a_book(ended, later)) == "agreement_revoked"


def test_a_plan_says_how_old_a_last_known_answer_may_be() -> None:
    assert permitted(a_book(an_agreement())).last_known_max_age_days is None
    assert permitted(a_book(an_agreement(last_known_max_age_days=7))).last_known_max_age_days == 7


def test_today_may_be_asked_about_and_a_day_to_come_is_refused_with_the_day_that_it_is() -> None:
    book = a_book(an_agreement())
    assert permitted(book, a_request(on_date=TODAY)).outputs
    answer = decide(book, a_consumer(), a_request(on_date=TODAY + timedelta(days=1)), TODAY)
    assert isinstance(answer, Deny)
    assert answer.code == "day_not_covered"
    assert "2026-06-01" in answer.detail.id
    assert "2026-06-01" in answer.detail.en


def test_a_plan_that_was_made_while_the_agreement_was_valid_does_not_outlive_it() -> None:
    agreement = an_agreement()
    book = a_book(agreement)
    permitted(book)
    assert denied(book, today=agreement.valid_until + timedelta(days=1)) == "agreement_expired"


ELIGIBILITY = {"operation": "eligibility", "programme": "PKH"}


@pytest.mark.parametrize(
    ("changes", "request_changes", "code"),
    [
        ({"state": "suspended"}, {}, "agreement_suspended"),
        ({"pseudonym_sector": "pkh"}, {}, "sector_mismatch"),
        ({"operations": ("eligibility",)}, {}, "operation_not_covered"),
        ({"operations": ("records",)}, ELIGIBILITY, "operation_not_covered"),
        ({}, {"operation": "export"}, "operation_not_covered"),
        ({}, {"operation": ""}, "operation_not_covered"),
        ({}, ELIGIBILITY | {"programme": "BPNT"}, "programme_not_covered"),
        ({}, ELIGIBILITY | {"programme": None}, "programme_not_covered"),
        ({}, ELIGIBILITY | {"programme": "XYZ"}, "programme_not_covered"),
        ({}, {"subject_count": 11}, "too_many_subjects"),
        ({}, {"subject_count": 0}, "too_many_subjects"),
        ({}, {"fields": ("full_name", "mother_name")}, "no_field_permitted"),
        ({}, {"fields": ()}, "no_field_permitted"),
    ],
)
def test_each_clause_that_a_request_fails_has_its_own_code(
    changes: dict[str, Any], request_changes: dict[str, Any], code: str
) -> None:
    assert denied(a_book(an_agreement(**changes)), a_request(**request_changes)) == code


def test_a_question_of_eligibility_may_do_without_fields() -> None:
    plan = permitted(a_book(an_agreement()), a_request(**ELIGIBILITY, fields=()))
    assert plan.outputs == ()
    assert plan.rule is not None


def test_an_access_history_needs_its_own_operation_and_no_field_leaves_with_it() -> None:
    asked = a_request(operation="access_history")
    assert denied(a_book(an_agreement()), asked) == "operation_not_covered"
    book = a_book(an_agreement(operations=("records", "access_history")))
    for fields in (None, ("decile",), ()):
        plan = permitted(book, a_request(operation="access_history", fields=fields))
        assert (plan.outputs, plan.needs, plan.rule) == ((), frozenset(), None)


def test_a_sector_that_is_the_consumers_own_is_no_mismatch() -> None:
    assert permitted(a_book(an_agreement(pseudonym_sector="kesehatan"))).pseudonym_sector == "kesehatan"


def test_a_refusal_repeats_nothing_that_the_caller_sent() -> None:
    canary = "3578014207909001"
    book = a_book(an_agreement())
    for request in (
        a_request(purpose=canary),
        a_request(operation=canary),
        a_request(operation="eligibility", programme=canary),
        a_request(fields=(canary,)),
    ):
        assert canary not in str(decide(book, a_consumer(), request, TODAY))
    plan = permitted(book, a_request(fields=("decile", canary, "x" * 65, "salary")))
    assert [(entry.field, entry.code) for entry in plan.withheld] == [
        ("?", "unknown_field"),
        ("?", "unknown_field"),
        ("salary", "unknown_field"),
    ]


def test_without_names_every_field_of_the_agreement_leaves_but_the_dropped() -> None:
    plan = permitted(a_book(an_agreement({"decile": "keep", "full_name": "drop", "sex": "keep"})))
    assert [output.name for output in plan.outputs] == ["decile", "sex"]
    assert [(entry.field, entry.code) for entry in plan.withheld] == [("full_name", "dropped_by_agreement")]


def test_what_is_withheld_names_the_clause_and_what_to_ask_for() -> None:
    agreement = an_agreement({"decile": "keep", "full_name": "drop"})
    asked = ("decile", "full_name", "address", "mother_name", "salary", "decile")
    plan = permitted(a_book(agreement), a_request(fields=asked))
    assert [output.name for output in plan.outputs] == ["decile"]
    told = {entry.field: entry for entry in plan.withheld}
    assert {name: entry.code for name, entry in told.items()} == {
        "full_name": "dropped_by_agreement",
        "address": "not_in_agreement",
        "mother_name": "above_ceiling",
        "salary": "unknown_field",
    }
    assert "example version 3, clause `fields.full_name: drop`" in told["full_name"].clause.en
    assert "example versi 3, klausul `fields`" in told["address"].clause.id
    assert "CONTOH-1" in told["address"].ask_for.id
    assert "ceiling `never`" in told["mother_name"].clause.en


def test_a_plan_fetches_what_outputs_rule_and_scope_need_and_nothing_else() -> None:
    scoped = an_agreement(
        {"decile": "keep", "address": {"generalise": "regency"}},
        scope=Scope(frozenset({"35"}), frozenset({"PKH"})),
    )
    assert permitted(a_book(scoped)).needs == {"decile", "region", "enrolments"}
    assert permitted(a_book(an_agreement()), a_request(fields=("decile",))).needs == {"decile"}
    assert permitted(a_book(an_agreement()), consumer=a_consumer("35")).needs == {"decile", "region"}
    rules = load_rules(SHIPPED / "programmes", DICTIONARY)
    book = AgreementBook.of([an_agreement({"sex": "keep"})], DICTIONARY, rules)
    assert permitted(book, a_request(**ELIGIBILITY)).needs == {"sex"} | inputs(rules["PKH"])


def test_a_consumer_and_an_agreement_that_share_no_region_share_nothing() -> None:
    book = a_book(an_agreement(scope=Scope(frozenset({"35"}), None)))
    assert denied(book, consumer=a_consumer("31", "3")) == "no_common_region"
    assert permitted(book, consumer=a_consumer("31", "35.78")).scope.regions == {"35.78"}
    assert permitted(book, consumer=a_consumer()).scope.regions == {"35"}


codes = st.sampled_from(["31", "35", "35.78", "35.73", "35.78.01", "35.78.01.1001", "31.74.01.1001"])


@given(
    st.one_of(st.none(), st.frozensets(codes, min_size=1, max_size=3)),
    st.frozensets(codes, max_size=3),
    st.one_of(st.none(), codes, st.just("3578011001")),
    st.one_of(st.none(), st.frozensets(st.sampled_from(["PKH", "BST"]), min_size=1)),
    st.one_of(st.none(), st.lists(st.sampled_from(["PKH", "BST", "BPNT"])).map(tuple)),
)
@settings(deadline=None, max_examples=400)
def test_nobody_is_in_scope_whom_agreement_or_registration_leaves_out(
    agreed: frozenset[str] | None,
    registered: frozenset[str],
    region: str | None,
    enrolled_in: frozenset[str] | None,
    enrolments: tuple[str, ...] | None,
) -> None:
    book = a_book(an_agreement(scope=Scope(agreed, enrolled_in)))
    answer = decide(book, a_consumer(*registered), a_request(), TODAY)

    def lies(regions: frozenset[str] | None) -> bool:
        pieces = (region or "").split(".")
        return regions is None or any(pieces[: len(one.split("."))] == one.split(".") for one in regions)

    expected = (
        lies(agreed)
        and lies(registered or None)
        and (enrolled_in is None or bool(enrolled_in & set(enrolments or ())))
    )
    if isinstance(answer, Deny):
        assert answer.code == "no_common_region"
        assert not expected
        return
    assert in_scope(answer.plan, {"region": region, "enrolments": enrolments}) == expected


def test_where_scope_has_a_bound_not_knowing_means_outside() -> None:
    by_region = permitted(a_book(an_agreement(scope=Scope(frozenset({"35"}), None))))
    by_list = permitted(a_book(an_agreement(scope=Scope(None, frozenset({"PKH"})))))
    unbounded = permitted(a_book(an_agreement()))
    assert not in_scope(by_region, {})
    assert not in_scope(by_list, {})
    assert not in_scope(by_list, {"enrolments": "PKH"})
    assert in_scope(unbounded, {})


def test_a_plan_is_compiled_once_per_kind_of_request_and_the_memory_of_plans_is_bounded() -> None:
    book = a_book(an_agreement())
    assert permitted(book) is permitted(book)
    assert permitted(book) is not permitted(book, consumer=a_consumer("35"))
    kept = []
    for number in range(5000):
        decide(book, a_consumer(), a_request(fields=("decile", f"field_{number}")), TODAY)
        kept.append(len(book.plans))
    assert 0 < min(kept) <= max(kept) <= 2048


def test_a_programme_named_beside_records_changes_nothing() -> None:
    book = a_book(an_agreement())
    assert permitted(book, a_request(programme="PKH")).rule is None
    assert permitted(book, a_request(programme="PKH")) is permitted(book)


@pytest.mark.parametrize("lowered", ["address", "region"])
def test_a_ceiling_that_was_lowered_withholds_what_an_agreement_lets_out(lowered: str) -> None:
    agreement = an_agreement({"address": {"generalise": "regency"}, "decile": "keep"})
    dictionary = DICTIONARY | {lowered: replace(DICTIONARY[lowered], ceiling=Ceiling.VERDICT)}
    plan = permitted(a_book(agreement, dictionary=dictionary))
    assert [output.name for output in plan.outputs] == ["decile"]
    assert [(entry.field, entry.code) for entry in plan.withheld] == [("address", "above_ceiling")]
