"""Builders of policies for tests: sound by default, so that a test names only what it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from policies.agreement import Agreement, AgreementBook
from policies.bounds import Limits, Scope
from policies.conditions import Clause, ProgrammeRule
from policies.decide import ConsumerTerms, Request
from policies.dictionary import Ceiling, Field, Text, load_dictionary
from policies.transforms import Transformation, compile_transformation

SHIPPED = Path(__file__).parents[2] / "policies"
DICTIONARY = load_dictionary(SHIPPED / "fields.yaml")
TODAY = date(2026, 6, 1)
SOME_TEXT = Text("kalimat", "sentence")


def a_field(
    name: str = "thing", type_: str = "text", ceiling: Ceiling = Ceiling.FULL, words: tuple[str, ...] = ()
) -> Field:
    return Field(name, SOME_TEXT, type_, None, "personal", "dtks", ceiling, words)


def a_rule(programme: str = "PKH", *clauses: Clause) -> ProgrammeRule:
    return ProgrammeRule(programme, 1, "0" * 64, SOME_TEXT, clauses, {})


def compiled(
    fields: Mapping[str, Any], dictionary: Mapping[str, Field] = DICTIONARY
) -> dict[str, Transformation]:
    return {name: compile_transformation(dictionary[name], spec) for name, spec in fields.items()}


def an_agreement(fields: Mapping[str, Any] | None = None, **changes: Any) -> Agreement:
    """An agreement that permits everything to `ministry` but what the test changes."""
    chosen: dict[str, Any] = {
        "id": "example",
        "version": 3,
        "state": "active",
        "consumer": "ministry",
        "title": SOME_TEXT,
        "purpose": "checking",
        "legal_basis": ("UU 0/2026",),
        "documents": {"pks": "CONTOH-1", "dpia": "CONTOH-2"},
        "valid_from": date(2026, 1, 1),
        "valid_until": date(2026, 12, 31),
        "operations": ("eligibility", "records"),
        "programmes": ("PKH",),
        "scope": Scope(None, None),
        "limits": Limits(100_000, 300_000_000, 300_000_000),
        "pseudonym_sector": None,
        "reasons": True,
        "fields": compiled({"decile": "keep"} if fields is None else fields),
        "on_source_failure": "partial",
        "last_known_max_age_days": None,
        "subjects_per_request": 10,
    }
    chosen |= changes
    marks = repr(sorted((key, str(value)) for key, value in chosen.items()))
    return Agreement(sha256=hashlib.sha256(marks.encode()).hexdigest(), **chosen)


def a_book(*agreements: Agreement, dictionary: Mapping[str, Field] = DICTIONARY) -> AgreementBook:
    rules = {programme: a_rule(programme) for programme in ("PKH", "PBI-JK", "BPNT", "BST")}
    return AgreementBook.of(agreements, dictionary, rules)


def a_consumer(*regions: str, id_: str = "ministry", sector: str = "kesehatan") -> ConsumerTerms:
    return ConsumerTerms(id_, sector, frozenset(regions))


def a_request(**changes: Any) -> Request:
    usual: dict[str, Any] = {
        "operation": "records",
        "purpose": "checking",
        "programme": None,
        "fields": None,
        "subject_count": 1,
    }
    return Request(**(usual | changes))
