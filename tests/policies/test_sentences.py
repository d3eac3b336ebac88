"""Every sentence that the policies say, kept in one file for whoever words them to read.

`sentences.txt` is what authors, consumers and administrators are told: refusals, what is withheld and why,
the checklist, changes, and a message for each kind of mistake. A changed sentence shows as a changed line.
After changing one on purpose write the file anew with `python -m tests.policies.test_sentences`, and read it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from policies import refusals
from policies.agreement import DOCUMENT_KINDS, Suspension, parse_agreement
from policies.bounds import Limits, Scope
from policies.change import compare
from policies.checklist import missing_documents
from policies.conditions import Dated, load_rules, parse_programme
from policies.decide import Permit, decide
from policies.dictionary import Ceiling, Text, parse_dictionary
from policies.errors import PolicyError
from policies.impact import Shape, effects
from policies.plan import Deny, compile_plan
from policies.rule_change import compare_dictionaries, compare_rules
from policies.transforms import compile_transformation
from tests.policies import test_agreement, test_dictionary, test_rule_texts
from tests.policies.builders import (
    DICTIONARY,
    SHIPPED,
    TODAY,
    a_book,
    a_consumer,
    a_field,
    a_request,
    an_agreement,
)
from tests.policies.test_mistakes import HURRIED

FILE = Path(__file__).with_name("sentences.txt")
RULES = load_rules(SHIPPED / "programmes", DICTIONARY)
PKH = RULES["PKH"]
SUSPENDED_AT = datetime(2026, 6, 1, 9, 30, tzinfo=timezone(timedelta(hours=7)))


def both(text: Text) -> Iterator[str]:
    yield f"  id: {text.id}"
    yield f"  en: {text.en}"


def refused() -> Iterator[str]:
    agreement = an_agreement(
        programmes=("PKH", "BPNT"), fields={"sex": "keep", "nik": "drop", "decile": "keep"}
    )
    denials: list[Deny] = [
        refusals.no_agreement(),
        refusals.purpose_not_covered(["checking", "counting"]),
        refusals.day_to_come(TODAY),
        *(refuse(agreement) for refuse in refusals.OF_STANDING.values()),
        refusals.suspended(replace(agreement, suspension=Suspension(SUSPENDED_AT, "surat 12/PDK/2026"))),
        refusals.sector_mismatch(agreement),
        refusals.operation_not_covered(agreement),
        refusals.programme_not_covered(agreement),
        refusals.too_many_subjects(agreement),
        refusals.no_common_region(agreement),
        refusals.finding_not_covered(agreement),
        refusals.no_field_permitted(agreement),
        refusals.no_field_permitted(replace(agreement, documents={})),
    ]
    for denial in denials:
        yield f"refused: {denial.code}"
        yield from both(denial.detail)
        yield from both(denial.remedy)


def withheld() -> Iterator[str]:
    request = a_request(fields=("decile", "full_name", "address", "mother_name", "salary", "3578"))
    answer = decide(
        a_book(an_agreement({"decile": "keep", "full_name": "drop"})), a_consumer(), request, TODAY
    )
    assert isinstance(answer, Permit)
    narrowed = compile_plan(
        an_agreement({"decile": "keep", "full_name": "drop"}, withdrawn={"full_name": 2, "sex": 2}),
        *(DICTIONARY, None, None, None),
    )
    for entry in (*answer.plan.withheld, *narrowed.withheld):
        yield f"withheld: {entry.field}, {entry.code}"
        yield from both(entry.clause)
        yield from both(entry.ask_for)


def lacking() -> Iterator[str]:
    agreement = an_agreement(
        {"decile": "keep", "enrolments": "keep", "full_name": "verdict", "dukcapil_person_state": "keep"},
        documents={},
    )
    for missing in missing_documents(agreement, DICTIONARY):
        yield f"lacking: {missing.kind}"
        yield from both(missing.why)
    assert len(missing_documents(agreement, DICTIONARY)) == len(DOCUMENT_KINDS)


FIELDS_BEFORE: dict[str, Any] = {
    "nik": "pseudonym",
    "full_name": "keep",
    "birth_date": "keep",
    "decile": {"bucket": ["1-2", "3-4", "5+"]},
    "region": {"generalise": "district"},
    "sex": "drop",
    "occupation": {"mask": {"show_first": 1}},
    "birth_place": {"mask": {"show_first": 0}},
    "household_size": "keep",
}
FIELDS_AFTER: dict[str, Any] = {
    "nik": {"mask": {"show_first": 6}},
    "full_name": "verdict",
    "birth_date": {"generalise": {"to": "age_band", "years": 5}},
    "decile": {"bucket": ["1-4", "5+"]},
    "region": {"generalise": "province"},
    "address": {"generalise": "district"},
    "family_relation": "drop",
    "occupation": {"mask": {"show_first": 0}},
    "birth_place": "drop",
    "rt": "keep",
}


def changed() -> Iterator[str]:
    scopes = [
        Scope(frozenset({"35", "31.74"}), frozenset({"PKH", "BST"})),
        Scope(frozenset({"35.78", "32", "33"}), frozenset({"PKH", "BPNT", "PBI-JK"})),
    ]
    old = an_agreement(FIELDS_BEFORE, scope=scopes[0], pseudonym_sector="kesehatan", documents={"pks": "1"})
    new = an_agreement(
        FIELDS_AFTER,
        scope=scopes[1],
        consumer="bps",
        purpose="counting",
        title=Text("judul", "title"),
        legal_basis=("UU 1", "UU 2"),
        documents={"pks": "2", "mou": "3"},
        valid_from=TODAY,
        valid_until=TODAY,
        operations=("eligibility",),
        programmes=("BPNT", "XYZ"),
        subjects_per_request=1,
        limits=Limits(1, 2, 3),
        reasons=False,
        on_source_failure="refuse",
        last_known_max_age_days=7,
    )
    anywhere = an_agreement(FIELDS_BEFORE, pseudonym_sector="kesehatan", documents={"pks": "1"})
    for title, one, other in (
        ("new version", old, new),
        ("version before", new, old),
        ("bounded", anywhere, old),
        ("unbounded", old, anywhere),
        ("first version", None, anywhere),
        ("first version, bounded", None, new),
    ):
        for item in compare(one, other, DICTIONARY, RULES, "BPJS").items:
            yield f"{title}: {item.path}, {item.way}"
            yield from both(item.words)


def rules_changed() -> Iterator[str]:
    alive, registry, matched, *rest = PKH.clauses
    steps = PKH.parameters["highest_decile"]
    clauses = (
        replace(
            alive,
            operator="one_of",
            value=("unknown", "alive"),
            unknown_when=frozenset({"unknown", "deceased"}),
        ),
        replace(registry, reason=Text("a", "b"), source="c"),
        replace(rest[-1], parameter=None, value=4),
    )
    later = {"highest_decile": (*steps, Dated(TODAY, 5, "decree"))}
    decreed = replace(
        PKH, parameters={"highest_decile": (replace(steps[0], source="x"), Dated(TODAY, 5, "y"))}
    )
    other = replace(PKH, title=Text("judul", "title"), clauses=clauses, parameters={})
    moved = DICTIONARY | {
        "decile": replace(DICTIONARY["decile"], ceiling=Ceiling.VERDICT, sensitivity="public", unit="tenth"),
        "sex": replace(DICTIONARY["sex"], label=Text("a", "b"), words=("L", "P", "X"), source="dukcapil"),
        "blood_group": a_field("blood_group"),
    }
    del moved["rt"]
    for title, change in (
        ("rule", compare_rules(PKH, other)),
        ("rule back", compare_rules(other, PKH)),
        ("rule later", compare_rules(PKH, replace(PKH, parameters=later))),
        ("rule decreed", compare_rules(replace(PKH, parameters=later), decreed)),
        ("first rule", compare_rules(None, PKH)),
        ("dictionary", compare_dictionaries(DICTIONARY, moved)),
        ("dictionary back", compare_dictionaries(moved, DICTIONARY)),
    ):
        for item in change.items:
            yield f"{title}: {item.path}, {item.way}"
            yield from both(item.words)
    assert matched.id == "identity_matched"


def replayed() -> Iterator[str]:
    asked = Shape(a_consumer(sector="pkh"), "eligibility", "checking", "PKH", None, 1)
    old = an_agreement(pseudonym_sector="pkh")
    new = an_agreement(
        {"sex": "keep"}, reasons=False, scope=Scope(frozenset({"35", "31"}), frozenset({"PKH", "BST"}))
    )
    other_rule = replace(PKH, sha256="f" * 64)
    for one, other in (
        (old, new),
        (new, old),
        (an_agreement(state="revoked"), an_agreement(state="suspended")),
    ):
        books = [a_book(one), a_book(other)]
        books[1] = replace(books[1], programmes=books[1].programmes | {"PKH": other_rule})
        for effect in effects(asked, *books, TODAY):
            yield f"replayed: {effect.kind}, {effect.what}, {effect.before}, {effect.after}"


def mistaken() -> Iterator[str]:
    """One message for each kind of mistake, of the texts that other tests are about."""
    yield from told(
        lambda: parse_agreement(_uncommented(HURRIED), "sample.yaml", DICTIONARY, test_agreement.RULES)
    )
    for right, wrong, *_ in test_agreement.MISTAKES:
        text = test_agreement.SOUND.replace(right, wrong).encode()
        yield from told(
            lambda text=text: parse_agreement(text, "sample.yaml", DICTIONARY, test_agreement.RULES)
        )
    for right, wrong, *_ in test_rule_texts.MISTAKES:
        text = test_rule_texts.SOUND_RULE.replace(right, wrong).encode()
        yield from told(lambda text=text: parse_programme(text, "pkh.yaml", DICTIONARY))
    for right, wrong, *_ in test_dictionary.FIELD_MISTAKES:
        text = test_dictionary.SOUND_FIELD.replace(right, wrong).encode()
        yield from told(lambda text=text: parse_dictionary(text, "fields.yaml"))
    for text, *_ in test_agreement.NO_DOCUMENTS:
        yield from told(lambda text=text: parse_agreement(text.encode(), "sample.yaml", DICTIONARY, RULES))
    for type_, spec, ceiling in UNSUITABLE:
        field = a_field("thing", type_, ceiling)
        yield from told(lambda field=field, spec=spec: compile_transformation(field, spec))


UNSUITABLE: list[tuple[str, Any, Ceiling]] = [
    *((type_, "keep", ceiling) for ceiling in Ceiling for type_ in ("text", "verdict", "image")),
    *(("text", "verdict", ceiling) for ceiling in Ceiling),
    *(("date", {"generalise": "year"}, ceiling) for ceiling in Ceiling),
    *((type_, "verdict", Ceiling.FULL) for type_ in ("words", "image")),
    *((type_, {"mask": {"show_first": 9}}, Ceiling.FULL) for type_ in ("text", "identifier", "number")),
    *((type_, {"bucket": ["3-2"]}, Ceiling.FULL) for type_ in ("text", "number")),
    *(("number", {"bucket": ranges}, Ceiling.FULL) for ranges in ("1-2", [], [7], ["few"])),
    *(
        (type_, {"generalise": {"to": "age_band", "years": 3}}, Ceiling.FULL)
        for type_ in ("text", "date", "region")
    ),
    *(
        ("date", {"generalise": given_}, Ceiling.FULL)
        for given_ in ("age_band", 7, {"to": "year", "years": 9})
    ),
    *((type_, "pseudonym", Ceiling.FULL) for type_ in ("text", "number")),
    *(
        ("text", spec, Ceiling.FULL)
        for spec in ({}, [], ["keep"], {"keep": 1}, {"drop": 1}, {"verdict": 1}, 7)
    ),
    ("identifier", {"pseudonym": "always"}, Ceiling.FULL),
]


def _uncommented(text: str) -> bytes:
    return "\n".join(line.split("## ")[0].rstrip() for line in text.splitlines()).encode()


def told(read: Any) -> Iterator[str]:
    try:
        read()
    except PolicyError as error:
        for problem in error.problems:
            yield f"mistake: {problem}".replace(", ".join(DICTIONARY), "(every field)")


def sentences() -> str:
    parts = (refused(), withheld(), lacking(), changed(), rules_changed(), replayed(), mistaken())
    return "\n\n".join("\n".join(dict.fromkeys(part) if part is parts[-1] else part) for part in parts) + "\n"


def test_every_sentence_is_the_one_that_was_read() -> None:
    assert sentences().splitlines() == FILE.read_text(encoding="utf-8").splitlines(), (
        "A sentence changed. If on purpose: python -m tests.policies.test_sentences, then read what differs."
    )


if __name__ == "__main__":
    FILE.write_text(sentences(), encoding="utf-8")
