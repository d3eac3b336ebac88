"""What may be done with names alone: only under an agreement with names, and between sectors only by both."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from policies.agreement import Agreement
from policies.bounds import Scope
from policies.change import compare
from policies.naming import OPEN, REKEY, TRANSLATE, NamingPlan, decide_naming
from policies.plan import Deny
from policies.translation import TranslationGrant
from tests.policies.builders import DICTIONARY, TODAY, a_book, a_consumer, an_agreement
from tests.policies.test_agreement import SOUND, loaded, problems

GRANT = TranslationGrant("pkh", "double-payments")
CLAUSE = "translation: {to_sector: pkh, purpose: double-payments}\n"


def _sender(**changes: Any) -> Agreement:
    usual: dict[str, Any] = {"pseudonym_sector": "kesehatan", "translation": GRANT}
    return an_agreement(**(usual | changes))


def _receiver(**changes: Any) -> Agreement:
    usual: dict[str, Any] = {
        "id": "receiving",
        "consumer": "pendamping",
        "purpose": "double-payments",
        "pseudonym_sector": "pkh",
    }
    return an_agreement(**(usual | changes))


def _sent(*agreements: Agreement, operation: str = TRANSLATE, count: int = 1, **asked: Any) -> Any:
    consumer = a_consumer(*asked.get("regions", ()), sector=asked.get("sector", "kesehatan"))
    purpose = asked.get("purpose", "checking")
    return decide_naming(a_book(*agreements), consumer, operation, purpose, count, asked.get("today", TODAY))


def _opened(*agreements: Agreement, purpose: str = "double-payments", today: date = TODAY) -> Any:
    consumer = a_consumer(id_="pendamping", sector="pkh")
    return decide_naming(a_book(*agreements), consumer, OPEN, purpose, 1, today)


def test_names_are_renewed_under_any_agreement_that_has_names_however_many_at_once() -> None:
    plan = _sent(_sender(translation=None), operation=REKEY, count=1000)
    assert isinstance(plan, NamingPlan)
    assert (plan.plan.outputs, plan.sector) == ((), "kesehatan")


def test_a_grant_lets_its_consumer_translate_and_the_other_side_open_and_nobody_else() -> None:
    sender, receiver = _sender(), _receiver()
    assert _sent(sender, receiver).grant == GRANT
    assert _opened(sender, receiver).from_sectors == {"kesehatan"}


@pytest.mark.parametrize(
    ("agreement", "asked", "code"),
    [
        ({"translation": None}, {}, "translation_not_granted"),
        ({"pseudonym_sector": None, "translation": None}, {}, "no_pseudonyms"),
        ({"pseudonym_sector": None, "translation": None}, {"operation": REKEY}, "no_pseudonyms"),
        ({}, {"sector": "statistik"}, "sector_mismatch"),
        ({}, {"purpose": "another"}, "purpose_not_covered"),
        ({}, {"operation": "records"}, "operation_not_covered"),
        ({}, {"count": 11}, "too_many_subjects"),
        ({}, {"operation": REKEY, "count": 1001}, "too_many_subjects"),
        ({}, {"count": 0}, "too_many_subjects"),
        ({"state": "suspended"}, {}, "agreement_suspended"),
        ({}, {"today": date(2027, 1, 1)}, "agreement_expired"),
        ({"scope": Scope(frozenset({"35"}), None)}, {"regions": ("31",)}, "no_common_region"),
        ({"consumer": "another"}, {}, "no_agreement"),
    ],
)
def test_what_no_clause_allows_is_refused(
    agreement: dict[str, Any], asked: dict[str, Any], code: str
) -> None:
    verdict = _sent(_sender(**agreement), **asked)
    assert isinstance(verdict, Deny)
    assert verdict.code == code
    assert verdict.detail.id != verdict.detail.en


@pytest.mark.parametrize(
    ("sender", "receiver", "code"),
    [
        ({"translation": None}, {}, "translation_not_granted"),
        ({"translation": TranslationGrant("statistik", "double-payments")}, {}, "translation_not_granted"),
        ({"translation": TranslationGrant("pkh", "another")}, {}, "translation_not_granted"),
        ({"state": "suspended"}, {}, "translation_not_granted"),
        ({"valid_until": date(2026, 5, 31)}, {}, "translation_not_granted"),
        ({}, {"state": "revoked"}, "agreement_revoked"),
        ({}, {"pseudonym_sector": None}, "no_pseudonyms"),
        ({}, {"purpose": "another"}, "purpose_not_covered"),
    ],
)
def test_nothing_is_opened_unless_both_agreements_say_so_now(
    sender: dict[str, Any], receiver: dict[str, Any], code: str
) -> None:
    verdict = _opened(_sender(**sender), _receiver(**receiver))
    assert isinstance(verdict, Deny)
    assert verdict.code == code


def test_the_scope_of_agreement_and_consumer_bounds_whose_names_are_translated() -> None:
    scope = Scope(frozenset({"35"}), frozenset({"PKH"}))
    plan = _sent(_sender(scope=scope), regions=("35.78", "31")).plan
    assert plan.scope == Scope(frozenset({"35.78"}), frozenset({"PKH"}))
    assert plan.needs == {"region", "enrolments"}


def test_the_clause_is_read_as_it_is_written(tmp_path: Path) -> None:
    assert loaded(tmp_path, SOUND).translation is None
    assert loaded(tmp_path, SOUND + CLAUSE).translation == GRANT


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SOUND + CLAUSE.replace("pkh", "kesehatan"), "expected another sector than pseudonym_sector"),
        (SOUND + "translation: {to_sector: pkh}\n", "expected the key 'purpose'"),
        (SOUND + CLAUSE.replace("}", ", days: 1}"), "expected one of the keys to_sector, purpose"),
        (SOUND + CLAUSE.replace("pkh", "P K H"), "expected the sector that may open it"),
        (SOUND + CLAUSE.replace("pkh", "P K H"), "write lower-case letters, digits and hyphens"),
        (
            SOUND.replace("pseudonym_sector: kesehatan", "pseudonym_sector: none").replace(
                "  family_card_number: pseudonym\n", ""
            )
            + CLAUSE,
            "expected pseudonym_sector beside translation",
        ),
    ],
)
def test_a_clause_that_says_too_little_or_too_much_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert told in problem


@pytest.mark.parametrize(
    ("before", "after", "way", "words"),
    [
        (None, GRANT, "wider", "BPJS gains the translation of pseudonyms for the sector pkh"),
        (GRANT, None, "narrower", "BPJS loses the translation of pseudonyms for the sector pkh"),
        (GRANT, TranslationGrant("statistik", "counting"), "wider", "for the sector statistik"),
        (GRANT, TranslationGrant("pkh", "counting"), "wider", "for the purpose counting"),
    ],
)
def test_another_grant_is_wider_and_none_is_narrower(
    before: TranslationGrant | None, after: TranslationGrant | None, way: str, words: str
) -> None:
    (item,) = compare(
        _sender(translation=before), _sender(translation=after), DICTIONARY, a_book().programmes, "BPJS"
    ).items
    assert (item.path, item.way) == ("translation", way)
    assert words in item.words.en
    assert item.words.id != item.words.en


def test_a_new_agreement_is_told_with_its_grant() -> None:
    items = compare(None, _sender(), DICTIONARY, a_book().programmes, "BPJS").items
    assert [item.way for item in items if item.path == "translation"] == ["wider"]
