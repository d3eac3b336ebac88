"""What a history says, to whom nothing may be told yet, and in which words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.audit.evidence import Evidence
from gateway.database import Database
from gateway.rights import acts
from gateway.rights.access import told as told_of
from gateway.rights.history import Access
from gateway.rights.wording import HEAD, HEAD_FOR_STAFF, sentence
from gateway.staff.roles import Staff
from policies.decide import Permit, decide
from policies.dictionary import Text
from policies.disclosure import DisclosureDelay
from tests.gateway.rights.logged import ANI, BUDI, NOW, Log
from tests.policies.builders import DICTIONARY, TODAY, a_book, a_consumer, a_request, an_agreement


@pytest.fixture
def log(database: Database) -> Log:
    return Log(database)


def _only(log: Log) -> Access:
    (access,) = log.histories.read([ANI]).accesses
    return access


def test_an_access_says_who_when_why_on_which_basis_and_which_fields(log: Log) -> None:
    reference = log.write((ANI, "released"), (BUDI, "not_found"))
    assert _only(log) == Access(
        reference=reference,
        at=NOW,
        by="ministry",
        name="ministry",
        operation="records",
        purpose="own-status",
        programme=None,
        agreement="example v3",
        legal_basis=("UU 0/2026",),
        fields={"decile": "keep"},
        outcome="released",
        asked=(),
    )


@pytest.mark.parametrize("outcome", ["not_found", "duplicate_identity", "invalid_identifier"])
def test_of_whom_nothing_was_told_no_field_is_listed(log: Log, outcome: str) -> None:
    log.write((ANI, outcome), (BUDI, "released"))
    assert (_only(log).fields, _only(log).outcome) == ({}, outcome)


def test_a_refusal_for_want_of_a_source_is_told_as_one(log: Log) -> None:
    log.write(ANI, outcome="refused", reason="source_unavailable")
    assert (_only(log).fields, _only(log).outcome) == ({}, "source_unavailable")


def test_an_act_of_staff_is_told_with_its_one_law_and_without_the_clerk(log: Log) -> None:
    acting = Staff("ani", "Ani", frozenset({"auditor"}), "password")
    with log.database.unit_of_work() as connection:
        acts.record(
            connection,
            acting,
            "reversal.performed",
            "reversal/1",
            "B-7",
            NOW,
            subjects=[ANI],
            legal_basis="UU 0/2026",
        )
    access = _only(log)
    assert (access.by, access.outcome, access.legal_basis) == (None, "act", ("UU 0/2026",))
    assert "ani" not in repr(access).lower().replace(ANI, "")


def test_what_is_delayed_is_not_there_until_the_delay_is_over(log: Log) -> None:
    log.write((ANI, "released"), disclosure_delay_days=30)
    log.now = NOW + timedelta(days=30) - timedelta(seconds=1)
    assert log.references(ANI) == []
    log.now += timedelta(seconds=1)
    assert len(log.references(ANI)) == 1


def test_an_intent_that_is_delayed_is_not_there_either(log: Log) -> None:
    log.write(ANI, kind="intent", disclosure_delay_days=1)
    assert log.references(ANI) == []


def test_what_an_exchange_leaves_says_how_long_its_agreement_delays_it() -> None:
    for delay, told in ((None, None), (DisclosureDelay(30, "UU 0/2026"), 30)):
        agreement = an_agreement(disclosure_delay=delay)
        plan = decide(a_book(agreement), a_consumer(), a_request(), TODAY)
        assert isinstance(plan, Permit)
        evidence = Evidence(
            exchange_id=UUID(int=1),
            consumer_id="ministry",
            operation="records",
            purpose="checking",
            programme=None,
            asked=None,
            subject_count=1,
            agreement=agreement,
            on_date=TODAY,
            request=b"{}",
            salt=b"s" * 32,
        )
        intent = evidence.intent(NOW, plan.plan, ["dukcapil"], [ANI])
        answer = evidence.answer(NOW, plan.plan, b"", [ANI], ["released"], as_of={}, unavailable=())
        assert [one.body.get("disclosure_delay_days") for one in (intent, answer)] == [told, told]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(delayed=st.lists(st.booleans(), max_size=12), limit=st.integers(1, 5))
def test_pages_are_full_and_tell_everything_once_so_that_what_is_left_out_leaves_no_gap(
    database: Database, delayed: list[bool], limit: int
) -> None:
    log = Log(database)
    whom = f"{id(delayed):032x}"[-32:]
    before = log.references(whom)
    written = [
        log.write((whom, "released"), **({"disclosure_delay_days": 9} if late else {})) for late in delayed
    ]
    expected = [one for one, late in zip(written, delayed, strict=True) if not late][::-1] + before
    read: list[Any] = []
    page = log.histories.read([whom], limit=limit)
    while True:
        read += [one.reference for one in page.accesses]
        if page.before is None:
            break
        assert len(page.accesses) == limit
        page = log.histories.read([whom], limit=limit, before=page.before)
    assert read == expected
    assert [one.reference for one in log.histories.all([whom])] == expected


def test_a_person_and_their_number_in_one_request_are_one_access_with_the_persons_outcome(log: Log) -> None:
    number = "f" * 32
    reference = log.write((number, "duplicate_identity"), (ANI, "released"))
    log.place()
    page = log.histories.read([ANI, number])
    assert [(one.reference, one.outcome) for one in page.accesses] == [(reference, "released")]


def test_a_history_says_what_it_leaves_out_and_claims_no_exchange_that_it_cannot_find(log: Log) -> None:
    def told_of_ani(head: Text) -> dict[str, str]:
        words: dict[str, str] = told_of(log.histories.read([ANI]), DICTIONARY, head=head)["words"]
        return words

    log.write(outcome="refused", reason="purpose_not_covered")
    nothing = told_of_ani(HEAD)
    log.write((ANI, "released"))
    for words in (nothing, told_of_ani(HEAD), told_of_ani(HEAD_FOR_STAFF)):
        for left_out in ("refused before anybody was looked up", "erased under", "may not be told yet"):
            assert left_out in words["en"]
        for left_out in ("ditolak sebelum", "dihapus berdasarkan perintah", "belum boleh diberitahukan"):
            assert left_out in words["id"]
    assert "in which the registry was asked about you" in HEAD.en
    assert "registri ditanya tentang Anda" in HEAD.id
    assert "in which the registry was asked about this person" in HEAD_FOR_STAFF.en
    assert "registri ditanya tentang orang ini" in HEAD_FOR_STAFF.id
    assert "on record" not in nothing["en"], "a refused question is on record too"


def test_a_sentence_tells_it_to_somebody_who_never_heard_of_an_api(log: Log) -> None:
    log.write((ANI, "eligible"), operation="eligibility", programme="PKH")
    told = sentence(_only(log), DICTIONARY)
    assert told.id == (
        "21 November 2026 pukul 10.00 WIB: ministry menanyakan kelayakan tentang PKH; dijawab layak. "
        "Paling banyak: desil kesejahteraan."
    )
    assert told.en == (
        "2026-11-21 10:00 WIB: ministry asked about eligibility on PKH; answered: eligible. "
        "At most: welfare decile."
    )
