"""What a consumer reads of how its agreement stands: what was withdrawn, since when it is suspended."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from gateway.agreements.live import LivePolicies
from gateway.agreements.reading import PolicyReader
from gateway.agreements.rows import texts_in_force
from gateway.api.agreements import terms_in_full
from gateway.civil_day import civil_day, wib
from policies.agreement import Agreement, AgreementBook, Suspension
from policies.decide import ConsumerTerms, Deny, Permit, Request, decide
from policies.disclosure import DisclosureDelay
from tests.gateway.agreements.bureau import (
    ANI,
    MORNING,
    NAME,
    ODA,
    OKA,
    OKI,
    Bureau,
    agreement_text,
    cases_text,
    narrower,
)
from tests.policies.builders import TODAY, a_book, an_agreement

PBI = ("agreement", NAME)
BPJS = ConsumerTerms("bpjs-kesehatan", "kesehatan", frozenset())


def _book(bureau: Bureau) -> AgreementBook:
    """As a process that decides requests reads it."""
    return LivePolicies(bureau.database).present


def _answer(book: AgreementBook, *fields: str) -> Permit | Deny:
    request = Request("eligibility", "pbi-jk-eligibility", "PBI-JK", fields or None, 1)
    return decide(book, BPJS, request, civil_day(MORNING))


def _codes(book: AgreementBook, *fields: str) -> dict[str, str]:
    answer = _answer(book, *fields)
    assert isinstance(answer, Permit)
    return {entry.field: entry.code for entry in answer.plan.withheld}


def _own(book: AgreementBook) -> Agreement:
    return next(one for one in book.agreements if one.id == NAME)


def _activate(bureau: Bureau, texts: tuple[bytes, bytes]) -> None:
    """A version into force by as many people as it takes."""
    number = bureau.draft(texts).version
    bureau.store.act(*PBI, number, "submit", ANI)
    bureau.store.act(*PBI, number, "approve", OKA)
    bureau.store.act(*PBI, number, "activate", ANI)


def test_a_field_that_was_withdrawn_is_told_as_narrowed_until_another_version_comes(bureau: Bureau) -> None:
    assert _codes(_book(bureau), "birth_date", "mother_name") == {"mother_name": "above_ceiling"}
    bureau.draft(narrower())
    bureau.store.act(*PBI, 2, "activate", ANI)
    assert _codes(_book(bureau), "birth_date", "mother_name") == {
        "birth_date": "narrowed",
        "mother_name": "above_ceiling",
    }
    assert _codes(_book(bureau))["birth_date"] == "narrowed"
    text, cases = narrower(version=3)
    _activate(bureau, (text.replace(b"subjects_per_day:", b"# again\n  subjects_per_day:"), cases))
    assert _codes(_book(bureau), "birth_date") == {"birth_date": "not_in_agreement"}


def test_the_cases_of_a_narrowing_hold_before_and_after_it_counts(bureau: Bureau) -> None:
    draft = bureau.draft(narrower())
    assert bureau.store.judge(draft).problems == []
    bureau.store.act(*PBI, 2, "activate", ANI)
    assert bureau.store.judge(bureau.in_force()).problems == []


def test_what_was_revoked_in_between_is_the_version_before(bureau: Bureau) -> None:
    bureau.draft(narrower())
    bureau.store.act(*PBI, 2, "activate", ANI)
    bureau.store.act(*PBI, 2, "revoke", ODA, reason="ended")
    _activate(bureau, narrower(version=3))
    assert _own(_book(bureau)).withdrawn == {}


def test_a_version_before_that_cannot_be_read_any_more_tells_nothing(bureau: Bureau) -> None:
    bureau.draft(narrower())
    bureau.store.act(*PBI, 2, "activate", ANI)
    unreadable = re.sub(rb"(?m)^purpose: .*$", b"purpose: [no, word]", bureau.store.get(*PBI, 1).text)
    book = bureau.store.book()
    assert _own(book).withdrawn == {"birth_date": 1}
    with bureau.database.reading() as connection:
        texts = texts_in_force(connection)
    damaged = texts.with_agreement(NAME, replace(texts.agreements[NAME], before=unreadable))
    assert _own(PolicyReader().book(damaged)).withdrawn == {}


def test_a_suspension_says_since_when_and_by_which_letter_until_it_is_over(bureau: Bureau) -> None:
    done = bureau.store.act(*PBI, 1, "suspend", OKA, reason="surat 12/PDK/2026")
    known = _own(_book(bureau)).suspension
    assert known is not None
    assert (known.since, known.reference) == (done.changed_at, "surat 12/PDK/2026")
    refused = _answer(_book(bureau))
    assert isinstance(refused, Deny)
    assert refused.code == "agreement_suspended"
    assert "suspended since 2026-11-21 10:" in refused.detail.en  # WIB, as a letter counts
    assert "(surat 12/PDK/2026)" in refused.detail.id
    bureau.store.act(*PBI, 1, "resume", OKI, reason="answered")
    assert _own(_book(bureau)).suspension is None


def test_the_terms_tell_a_suspension_and_how_long_people_wait_to_read_of_a_question() -> None:
    suspension = Suspension(wib(MORNING), "surat 12/PDK/2026")
    delay = DisclosureDelay(30, "KUHAP art. 1")
    held = an_agreement(state="suspended", suspension=suspension, disclosure_delay=delay)
    terms = terms_in_full(a_book(held), held, TODAY)
    assert terms.standing == "suspended"
    assert terms.suspension is not None
    assert (terms.suspension.since, terms.suspension.reference) == (wib(MORNING), "surat 12/PDK/2026")
    assert terms.disclosure_delay is not None
    assert (terms.disclosure_delay.days, terms.disclosure_delay.legal_basis) == (30, "KUHAP art. 1")
    # Once its last day is over that is how it stands, and there is nothing to resume.
    over = terms_in_full(a_book(held), held, held.valid_until + timedelta(days=1))
    assert (over.standing, over.suspension) == ("expired", None)
    plain = an_agreement()
    terms = terms_in_full(a_book(plain), plain, TODAY)
    assert (terms.suspension, terms.disclosure_delay) == (None, None)


def test_what_never_counted_is_no_version_before(bureau: Bureau) -> None:
    bureau.draft((agreement_text(version=2), cases_text()))
    bureau.store.act(*PBI, 2, "discard", ANI, reason="a mistake")
    bureau.draft(narrower(version=3))
    bureau.store.act(*PBI, 3, "activate", ANI)
    assert _own(_book(bureau)).withdrawn == {"birth_date": 1}
