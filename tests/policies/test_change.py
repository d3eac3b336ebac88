"""What differs between two agreements, against an oracle that asks both everything and compares the answers.

The oracle knows no clauses and no order of transformations. It puts the same questions to both versions,
about people who differ in one fact at a time, and looks whether the newer version lets anything out that
cannot be worked out from what the older one lets out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.agreement import Agreement, AgreementBook
from policies.bounds import Scope
from policies.change import compare
from policies.conditions import evaluate, load_rules
from policies.decide import ConsumerTerms, Permit, Request, decide, in_scope
from policies.dictionary import Value
from policies.plan import Plan
from policies.pseudonym import derive_sector_key
from policies.release import release
from tests.policies.builders import DICTIONARY, SHIPPED, an_agreement

RULES = load_rules(SHIPPED / "programmes", DICTIONARY)
KEYS = [derive_sector_key(master * 32, "kesehatan") for master in (b"0", b"1")]

# Facts of a person in any of which two people may differ, with sayings that tell the forms below apart.
SOMEBODY: dict[str, Value] = {
    "nik": "3578014207909001",
    "full_name": "Sari",
    "birth_date": date(1990, 7, 2),
    "address": "Jalan 1",
    "region": "35.78.01.1001",
    "decile": 2,
    "enrolments": ("PKH", "BPNT"),
    "life_status": "alive",
    "registry_status": "active",
    "identity_status": "matched",
    "welfare_status": "eligible",
}
OTHERWISE: dict[str, list[Value]] = {
    "nik": ["3578014207909002", "3571014207909001", "3178014207909001"],
    "full_name": ["Sara", "Wat", "Sar", "Wati Contoh", "Wono Contoh", None],
    "birth_date": [
        date(1990, 7, 3),
        date(1990, 1, 2),
        date(1991, 7, 2),
        date(1997, 7, 2),
        date(1970, 7, 2),
        date(1986, 1, 2),
        date(1986, 7, 2),
        # Of one month, and on either side of a band on the day that is asked about: the month does not tell.
        date(1986, 4, 1),
        date(1986, 4, 2),
    ],
    "address": ["Jalan 2"],
    "region": [
        "35.78.01.1002",
        "35.78.02.1001",
        "35.01.01.1001",
        "31.74.01.1002",
        "31.74.02.1001",
        "31.01.01.1001",
        "32.01.01.1001",
        "3578011001",
        None,
    ],
    "decile": [1, 3, 4, 5, 6, 9, None],
    "enrolments": [("BPNT",), ("PKH",), ()],
}
ELSEWHERE = SOMEBODY | {"region": "31.74.01.1001"}
CLAIMS = {"full_name": "sari", "birth_date": "1990-07-02", "nik": "3578014207909001"}
ALL_SILENT = frozenset(SOMEBODY)
# What the caller says and which sources are silent, each of which may bring to light what others do not.
CIRCUMSTANCES: list[tuple[dict[str, str], frozenset[str]]] = [
    ({}, frozenset()),
    (CLAIMS, frozenset()),
    ({}, ALL_SILENT),
]
FORMS: dict[str, list[Any]] = {
    "nik": ["drop", "verdict", "pseudonym", {"mask": {"show_first": 2}}, {"mask": {"show_first": 6}}],
    "full_name": ["drop", "verdict", "keep", {"mask": {"show_first": 1}}, {"mask": {"show_first": 2}}],
    "birth_date": [
        "drop",
        "verdict",
        "keep",
        {"generalise": "year"},
        {"generalise": "year_month"},
        {"generalise": {"to": "age_band", "years": 10}},
        {"generalise": {"to": "age_band", "years": 20}},
    ],
    # Forms finer than the scopes below: a form that says no more than the scope tells nothing to whom it is
    # bound by, which `compare` does not count as knowing it either.
    "address": ["drop", "keep", {"generalise": "district"}],
    "region": ["drop", "keep", {"generalise": "district"}],
    # Ranges that part elsewhere than the rules do: reasons would tell their very classes, which `compare`
    # does not count as knowing a field.
    "decile": [
        "drop",
        "keep",
        {"bucket": ["1-2", "3-5", "6+"]},
        {"bucket": ["1-5", "6+"]},
        {"bucket": ["2-3"]},
    ],
}
# With the forms and scopes that a scope or a reason may make equal, for which only "never more" holds.
MORE_FORMS = FORMS | {
    "address": [*FORMS["address"], {"generalise": "regency"}, {"generalise": "village"}],
    "region": [*FORMS["region"], *({"generalise": level} for level in ("province", "regency", "village"))],
    "decile": [*FORMS["decile"], {"bucket": ["1-4", "5+"]}, {"bucket": ["1-2", "3-4", "5+"]}],
}
DAYS = [date(2026, month, 1) for month in (1, 4, 7, 10)]
CODES = ["35", "35.78", "31", "31.74"]
MORE_CODES = [*CODES, "35.78.01", "35.78.01.1001"]


some_programmes = st.lists(st.sampled_from(["PKH", "BPNT"]), min_size=1, unique=True)


def clauses(forms: Mapping[str, list[Any]], codes: list[str]) -> dict[str, st.SearchStrategy[Any]]:
    """What each clause may say, drawn apart from the others."""
    return {
        "fields": st.fixed_dictionaries(
            {}, optional={name: st.sampled_from(listed) for name, listed in forms.items()}
        ),
        "operations": st.sampled_from([("eligibility",), ("records",), ("eligibility", "records")]),
        "programmes": some_programmes.map(tuple),
        "valid_from": st.sampled_from(DAYS),
        "valid_until": st.sampled_from(DAYS),
        "scope": st.builds(
            Scope,
            st.none() | st.frozensets(st.sampled_from(codes), min_size=1, max_size=2),
            st.none() | some_programmes.map(frozenset),
        ),
        "pseudonym_sector": st.sampled_from([None, "kesehatan", "pkh"]),
        "reasons": st.booleans(),
        "on_source_failure": st.sampled_from(["partial", "refuse"]),
        "subjects_per_request": st.sampled_from([1, 5, 10]),
        "purpose": st.sampled_from(["checking", "counting"]),
    }


@st.composite
def versions(
    draw: st.DrawFn, forms: Mapping[str, list[Any]], codes: list[str]
) -> tuple[Agreement, Agreement]:
    """An agreement, and one that differs from it in a few clauses, each drawn anew."""
    written = clauses(forms, codes)
    old = {name: draw(clause) for name, clause in written.items()}
    changed = draw(st.sets(st.sampled_from(sorted(written)), min_size=1, max_size=3))
    new = old | {name: draw(written[name]) for name in changed}
    if "fields" in changed and draw(st.booleans()):  # one field among others, rather than all of them
        name = draw(st.sampled_from(sorted(forms)))
        new["fields"] = old["fields"] | {name: draw(st.sampled_from(forms[name]))}
    return sound(old), sound(new)


def sound(drawn: dict[str, Any]) -> Agreement:
    """An agreement of clauses that were drawn apart from each other, as the loader demands it."""
    fields = {
        name: form
        for name, form in drawn["fields"].items()
        if not (form == "pseudonym" and drawn["pseudonym_sector"] is None)
    }
    releases = any(form != "drop" for form in fields.values())
    operations = drawn["operations"] if releases else ("eligibility",)
    asks = "eligibility" in operations
    first, last = sorted([drawn["valid_from"], drawn["valid_until"]])
    return an_agreement(
        **drawn
        | {
            "fields": fields if releases else {},
            "operations": operations,
            "programmes": drawn["programmes"] if asks else (),
            "reasons": drawn["reasons"] and asks,
            "valid_from": first,
            "valid_until": last,
        }
    )


Person = tuple[dict[str, Value], int]


def families() -> Iterator[list[Person]]:
    """Groups of people who differ in one fact alone; a sector's key is a fact that nobody sees either."""
    for somebody, (name, others) in itertools.product((SOMEBODY, ELSEWHERE), OTHERWISE.items()):
        keys = range(len(KEYS)) if name == "nik" else (0,)
        yield [(somebody | {name: value}, key) for value in (somebody[name], *others) for key in keys]


FAMILIES = list(families())


def what_leaves(
    plan: Plan | None, person: Person, claims: Mapping[str, str], silent: frozenset[str]
) -> dict[str, Any] | None:
    """Everything that an answer tells about a person, by what it is called. None: nothing at all."""
    facts, key = person
    if plan is None or not in_scope(plan, facts):
        return None
    if plan.on_source_failure == "refuse" and silent & plan.needs:
        return None
    known = {name: value for name, value in facts.items() if name not in silent}
    released = release(plan, known, {}, claims, on_date=DAYS[1], sector_key=KEYS[key])
    told: dict[str, Any] = {f"field {name}": value for name, value in released.values.items()}
    told |= {f"field {name}": "absent" for name in released.exceptions}
    if plan.pseudonym_sector:
        told["pseudonym"] = plan.pseudonym_sector
    if plan.rule is not None:
        evaluation = evaluate(plan.rule, known, DAYS[1])
        told["decision"] = evaluation.decision
        if plan.reasons:
            told["reasons"] = tuple(evaluation.clauses.items())
    return told


def more_is_told(
    before: Plan | None, after: Plan, family: list[Person], claims: Mapping[str, str], silent: frozenset[str]
) -> bool:
    """Whether people who look the same before look different after, or one is told of who was not."""
    seen: dict[str, dict[str, Any]] = {}
    for person in family:
        now = what_leaves(after, person, claims, silent)
        if now is None:
            continue
        was = what_leaves(before, person, claims, silent)
        if was is None:
            return True
        if now.get("pseudonym") not in {None, was.get("pseudonym")} or (
            "reasons" in now and "reasons" not in was
        ):
            return True
        look = seen.setdefault(repr(was), {})
        if any(look.setdefault(name, value) != value for name, value in now.items()):
            return True
    return False


def lets_more_out(old: Agreement, new: Agreement) -> bool:
    """Whether some question gets from `new` what cannot be worked out from what it gets from `old`.

    All fields are asked for: a caller may leave any out, so what any request gets is part of this.
    """
    books = [AgreementBook.of([agreement], DICTIONARY, RULES) for agreement in (old, new)]
    plans = {
        tuple(planned(book, terms, request, day) for book in books)
        for terms, request, day in questions(old, new)
    }
    return any(
        more_is_told(before, after, family, *circumstances)
        for before, after in plans
        if after is not None
        for family in FAMILIES
        for circumstances in CIRCUMSTANCES
    )


def planned(book: AgreementBook, terms: ConsumerTerms, request: Request, day: date) -> Plan | None:
    answer = decide(book, terms, request, day)
    return answer.plan if isinstance(answer, Permit) else None


def questions(old: Agreement, new: Agreement) -> list[tuple[ConsumerTerms, Request, date]]:
    """Every kind of question that the two may answer differently, for all that either agreement names."""
    edges = {day for one in (old, new) for day in (one.valid_from, one.valid_until)}
    days = {edge + timedelta(days=step) for edge in edges for step in (-1, 0, 1)}
    counts = {old.subjects_per_request, new.subjects_per_request}
    asked = [("records", None), *(("eligibility", name) for name in ("PKH", "BPNT"))]
    return [
        (
            ConsumerTerms("ministry", sector, regions),
            Request(operation, purpose, programme, None, count),
            day,
        )
        for sector in ("kesehatan", "pkh")
        for regions in (frozenset[str](), frozenset({"35.78"}))
        for operation, programme in asked
        for purpose in {old.purpose, new.purpose}
        for count in counts
        for day in days
    ]


@given(versions(FORMS, CODES))
@settings(deadline=None, max_examples=200)
def test_a_change_lets_more_out_exactly_if_some_question_gets_more(pair: tuple[Agreement, Agreement]) -> None:
    old, new = pair
    change = compare(old, new, DICTIONARY, RULES, "BPJS")
    assert change.lets_more_out == lets_more_out(old, new), change
    assert change.lets_more_out <= (change.direction == "widening")


@given(versions(MORE_FORMS, MORE_CODES))
@settings(deadline=None, max_examples=200)
def test_a_narrowing_never_lets_anything_out_that_did_not_go_out_before(
    pair: tuple[Agreement, Agreement],
) -> None:
    old, new = pair
    change = compare(old, new, DICTIONARY, RULES, "BPJS")
    if change.direction != "widening":
        assert not lets_more_out(old, new), change
