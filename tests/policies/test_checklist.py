"""The documents that an agreement needs before it takes effect, and the law that asks for each."""

from __future__ import annotations

from typing import Any

import pytest

from policies.agreement import DOCUMENT_KINDS
from policies.bounds import Limits, Scope
from policies.checklist import LARGE_SCALE_SUBJECTS_PER_DAY, missing_documents
from policies.library import load_policies
from tests.policies.builders import DICTIONARY, SHIPPED, an_agreement

ALL = {kind: f"CONTOH-{kind}" for kind in DOCUMENT_KINDS}
BUT_DPIA = {kind: number for kind, number in ALL.items() if kind != "dpia"}
# An agreement of no high risk: no decision, no specific data, no verdict, one province.
HARMLESS: dict[str, Any] = {
    "fields": {"sex": "keep", "decile": "drop", "full_name": "drop"},
    "operations": ("records",),
    "programmes": (),
    "scope": Scope(frozenset({"35"}), None),
    "documents": BUT_DPIA,
}
LARGE = LARGE_SCALE_SUBJECTS_PER_DAY


def why_an_assessment(**changes: Any) -> str | None:
    missing = missing_documents(an_agreement(**(HARMLESS | changes)), DICTIONARY)
    assert [one.kind for one in missing] in ([], ["dpia"])
    return missing[0].why.en if missing else None


@pytest.mark.parametrize("kind", [kind for kind in DOCUMENT_KINDS if kind != "dpia"])
def test_five_documents_are_asked_of_every_agreement(kind: str) -> None:
    documents = {name: number for name, number in BUT_DPIA.items() if name != kind}
    (missing,) = missing_documents(an_agreement(**(HARMLESS | {"documents": documents})), DICTIONARY)
    assert missing.kind == kind
    assert missing.why.id != missing.why.en
    assert "Dukcapil" in missing.why.en or "Permendagri 102/2019" in missing.why.en


def test_they_are_told_all_at_once_in_the_order_in_which_they_are_signed() -> None:
    missing = missing_documents(an_agreement(documents={}), DICTIONARY)
    assert tuple(one.kind for one in missing) == DOCUMENT_KINDS


def test_without_high_risk_no_assessment_is_asked_for() -> None:
    assert why_an_assessment() is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"operations": ("eligibility",), "programmes": ("PKH",), "fields": {}},
            "letters a and d, automated",
        ),
        ({"fields": {"decile": {"bucket": ["1-4", "5+"]}}}, "letter b, specific data (decile)"),
        ({"fields": {"full_name": "verdict"}}, "letter e, matching of data (full_name)"),
        ({"fields": {"dukcapil_person_state": "keep"}}, "letter e, matching of data (dukcapil_person_state)"),
        (
            {"scope": Scope(None, None), "limits": Limits(1, LARGE + 1, 1)},
            f"letter c, large scale (the whole country, up to {LARGE + 1} persons per day)",
        ),
    ],
)
def test_each_high_risk_asks_for_an_assessment_and_names_the_letter_of_the_law(
    changes: dict[str, Any], told: str
) -> None:
    why = why_an_assessment(**changes)
    assert why is not None
    assert why.startswith("An impact assessment (DPIA), UU 27/2022 art. 34 (2): ")
    assert told in why
    assert why.count("letter") == 1
    assert missing_documents(an_agreement(**(HARMLESS | changes | {"documents": ALL})), DICTIONARY) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": Scope(None, None), "limits": Limits(1, LARGE, 1)},
        {"limits": Limits(1, LARGE + 1, 1)},
        {"fields": {"sex": "keep", "dukcapil_person_state": "drop", "full_name": "drop"}},
    ],
)
def test_what_is_not_yet_large_or_does_not_leave_is_no_high_risk(changes: dict[str, Any]) -> None:
    assert why_an_assessment(**changes) is None


def test_several_risks_are_told_in_one_sentence_of_each_language() -> None:
    (missing,) = missing_documents(an_agreement(documents=BUT_DPIA), DICTIONARY)
    assert missing.why.en.count("letter") == 3
    assert missing.why.id.count("huruf") == 3
    assert missing.why.en.endswith(".")


def test_no_shipped_agreement_lacks_a_document() -> None:
    book = load_policies(SHIPPED)
    assert [missing_documents(agreement, book.dictionary) for agreement in book.agreements] == [()] * len(
        book.agreements
    )
