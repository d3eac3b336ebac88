"""A version tried on one person: both sides with their reasons, and nothing that trying should not do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select

from connectors.base import Ambiguous, Outcome
from gateway.agreements.case_writing import with_case
from gateway.agreements.lifecycle import Version
from gateway.agreements.preview import Preview, Previewed, Tried
from gateway.agreements.sides import FieldTold, Side
from gateway.audit.entry import SubjectHasher
from gateway.audit.tables import audit_entries
from gateway.errors import BadInput, RoleMissing
from gateway.limits.tables import limit_use
from gateway.oauth.consumers import ConsumerStore
from gateway.staff.roles import Staff
from policies.cases import parse_cases, run_case
from tests.gateway.agreements.bureau import ADI, ANI, NAME, OKA, Bureau, agreement_text, cases_text, narrower
from tests.gateway.agreements.traffic import NIKS, outside, registry, someone
from tests.gateway.test_exchange import Held

pytestmark = pytest.mark.anyio

INVENTED, REAL = NIKS[0], NIKS[1]
HOLDERS = {"auditor": ("adi",), "approver": ("oka",)}
ELIGIBILITY = {"operation": "eligibility", "programme": "PBI-JK"}
WHY = "ND-3/PDK/2026"


def preview_of(bureau: Bureau, *sources: Held, simulated: Sequence[str] = (), **people: Outcome) -> Preview:
    return Preview(
        database=bureau.database,
        registry=registry(**{f"nik_{REAL}": someone(REAL, synthetic=False), **people}),
        sources=sources,
        simulated=frozenset(simulated),
        consumers=ConsumerStore(bureau.database, bureau.clock),
        holders=lambda roles: {role: HOLDERS[role] for role in roles},
        audit_key=b"a" * 32,
        clock=bureau.clock,
        timeout_s=5,
    )


def draft(bureau: Bureau, *edits: tuple[str, str]) -> Version:
    return bureau.draft((agreement_text(*edits), b""))


async def tried(
    bureau: Bureau,
    version: Version,
    *sources: Held,
    staff: Staff = ANI,
    simulated: Sequence[str] = (),
    people: dict[str, Outcome] | None = None,
    **question: Any,
) -> Previewed:
    preview = preview_of(bureau, *sources, simulated=simulated, **(people or {}))
    return await preview(version, Tried(**{"nik": INVENTED, **ELIGIBILITY, **question}), staff)


def fields(side: Side) -> dict[str, FieldTold]:
    return {field.name: field for field in side.fields}


async def test_both_sides_stand_beside_each_other_with_the_reason_for_each_field(bureau: Bureau) -> None:
    shown = await tried(bureau, bureau.draft(narrower()))
    assert shown.differences == ["birth_date"]
    assert (shown.before.decision, shown.after.decision) == ("eligible", "eligible")
    before = fields(shown.before)["birth_date"]
    assert (before.state, before.value, before.released_as) == ("released", "1984", "generalise (to: year)")
    assert (
        before.clause.en == f"Agreement {NAME} version 1, clause `fields.birth_date: generalise (to: year)`."
    )
    assert (before.ceiling, before.source, before.as_of) == ("full", "dtks", date(2026, 9, 30))
    gone = fields(shown.after)["birth_date"]
    assert (gone.state, gone.code, gone.value) == ("withheld", "narrowed", None)
    assert f"Agreement {NAME} version 2, clause `fields`, withdrew this field" in gone.clause.en
    name = fields(shown.after)["full_name"]
    assert (name.state, name.code, name.value) == ("withheld", "dropped_by_agreement", None)
    assert f"Agreement {NAME} version 2, clause `fields.full_name: drop`" in name.clause.en
    assert name.ask_for is not None


async def test_an_unchanged_draft_differs_in_nothing(bureau: Bureau) -> None:
    shown = await tried(bureau, draft(bureau))
    assert shown.differences == []
    assert shown.before.clauses == shown.after.clauses
    assert set((shown.after.clauses or {}).values()) == {"yes"}


async def test_what_one_side_refuses_is_told_with_code_and_remedy(bureau: Bureau) -> None:
    shown = await tried(bureau, draft(bureau, ("valid_until: 2028-12-31", "valid_until: 2026-06-30")))
    assert shown.after.denied is not None
    assert shown.after.denied.code == "agreement_expired"
    assert shown.differences[:2] == ["denied", "decision"]
    assert shown.before.denied is None


async def test_a_version_that_begins_later_is_tried_on_its_first_day(bureau: Bureau) -> None:
    shown = await tried(bureau, draft(bureau, ("valid_from: 2026-01-01", "valid_from: 2027-03-01")))
    assert (shown.decided_for, shown.differences) == (date(2027, 3, 1), [])


async def test_a_pseudonym_is_never_shown_beside_the_number_that_was_asked_about(bureau: Bureau) -> None:
    shown = await tried(bureau, draft(bureau))
    assert shown.after.pseudonym == "(pseudonym)"
    assert "v1.kesehatan" not in repr(shown)


@pytest.mark.parametrize("staff", [ANI, OKA, ADI])
async def test_without_a_reason_a_real_person_looks_like_nobody(bureau: Bureau, staff: Staff) -> None:
    shown = await tried(bureau, draft(bureau), nik=REAL, staff=staff)
    nobody = await tried(bureau, bureau.store.versions("agreement", NAME)[0], nik="3578010101990000")
    for side, other in ((shown.before, nobody.before), (shown.after, nobody.after)):
        assert (side.reason, side.out_of_scope, side.fields) == ("not_found", False, ())
        assert side.reason == other.reason
    assert (shown.synthetic, shown.case) == (None, None)


async def test_a_reason_needs_a_role_that_may_see_real_people(bureau: Bureau) -> None:
    with pytest.raises(RoleMissing) as refusal:
        await tried(bureau, draft(bureau), nik=REAL, reason=WHY)
    assert refusal.value.holders == HOLDERS


@pytest.mark.parametrize("staff", [OKA, ADI])
async def test_a_real_person_is_shown_for_a_reason_that_is_in_the_log_first(
    bureau: Bureau, staff: Staff
) -> None:
    version = draft(bureau)
    shown = await tried(bureau, version, nik=REAL, staff=staff, reason=WHY)
    assert (shown.synthetic, shown.after.decision, shown.case) == (False, "eligible", None)
    act = bureau.acts()[-1]
    assert (act["act"], act["actor"], act["reason"]) == ("policy.preview", staff.id, WHY)
    assert (act["object"], act["object_sha256"]) == (f"agreement/{NAME}/2", version.sha256)
    with bureau.database.reading() as connection:
        row = connection.execute(select(audit_entries).order_by(audit_entries.c.sequence.desc())).first()
    assert row is not None
    hasher = SubjectHasher(b"a" * 32)
    assert json.loads(row.subjects) == [hasher.person(someone(REAL).person_id)]
    assert REAL not in row.entry + row.subjects


async def test_looking_for_somebody_who_is_not_there_leaves_a_trace_too(bureau: Bureau) -> None:
    missing = "3578010101990000"
    shown = await tried(bureau, draft(bureau), nik=missing, staff=OKA, reason=WHY)
    assert shown.after.reason == "not_found"
    with bureau.database.reading() as connection:
        row = connection.execute(select(audit_entries).order_by(audit_entries.c.sequence.desc())).first()
    assert row is not None
    assert json.loads(row.subjects) == [SubjectHasher(b"a" * 32).identifier(missing)]


async def test_words_of_staff_that_nobody_knows_do_not_get_into_the_log(bureau: Bureau) -> None:
    words = {"operation": REAL, "consumer": REAL, "purpose": REAL, "programme": REAL, "fields": (REAL,)}
    await tried(bureau, draft(bureau), nik=REAL, staff=ADI, reason=WHY, **words)
    assert bureau.acts()[-1]["act"] == "policy.preview"
    assert REAL not in json.dumps(bureau.acts())


async def test_an_invented_person_leaves_no_act_and_spends_no_limit(bureau: Bureau) -> None:
    version = draft(bureau)
    before = len(bureau.acts())
    await tried(bureau, version)
    assert len(bureau.acts()) == before
    with bureau.database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(limit_use)).scalar() == 0


async def test_outside_sources_are_left_alone_and_their_fields_say_so(bureau: Bureau) -> None:
    source = outside(someone(INVENTED))
    version = draft(bureau, ("  sex: keep", "  sex: keep\n  life_status: keep"))
    shown = await tried(bureau, version, source)
    assert source.asked == []
    assert (shown.not_asked, shown.after.decision) == ({"life_status"}, "unknown")
    assert fields(shown.after)["life_status"].state == "not_asked"


async def test_outside_sources_are_asked_about_real_people_when_that_is_said(bureau: Bureau) -> None:
    source = outside(someone(REAL))
    shown = await tried(bureau, draft(bureau), source, nik=REAL, staff=ADI, reason=WHY, ask_sources=True)
    assert [subject.nik for subject in source.asked] == [REAL]
    assert (shown.not_asked, shown.after.decision) == (frozenset(), "eligible")
    assert bureau.acts()[-1]["sources"] == ["dukcapil"]


@pytest.mark.parametrize(("simulated", "asked"), [([], 0), (["dukcapil"], 1)])
async def test_of_invented_people_only_a_simulator_is_asked(
    bureau: Bureau, simulated: list[str], asked: int
) -> None:
    source = outside(someone(INVENTED))
    shown = await tried(bureau, draft(bureau), source, ask_sources=True, simulated=simulated)
    assert len(source.asked) == asked
    assert shown.after.decision == ("eligible" if asked else "unknown")


async def test_nobody_out_of_scope_is_told_to_a_source(bureau: Bureau) -> None:
    """Of the member reconciliation only members are told to Dukcapil, and INVENTED is none."""
    name, source = "bpjs-member-reconciliation", outside(someone(INVENTED))
    version = bureau.draft((agreement_text(name=name, version=3), b""), name=name)
    asking = {"operation": "records", "programme": None, "ask_sources": True}
    shown = await tried(bureau, version, source, simulated=["dukcapil"], **asking)
    assert (source.asked, shown.after.out_of_scope) == ([], True)
    member = outside(someone(NIKS[3]))
    await tried(bureau, version, member, simulated=["dukcapil"], nik=NIKS[3], **asking)
    assert [subject.nik for subject in member.asked] == [NIKS[3]]


async def test_who_is_out_of_scope_is_told_to_staff_and_not_to_the_consumer(bureau: Bureau) -> None:
    shown = await tried(bureau, draft(bureau, ("regions: everywhere", 'regions: ["32"]')))
    assert (shown.after.reason, shown.after.out_of_scope) == ("not_found", True)
    assert shown.case is not None
    assert "out_of_scope: true" in shown.case


async def test_a_number_that_two_people_share_is_not_guessed(bureau: Bureau) -> None:
    both = Ambiguous((someone(INVENTED), someone(NIKS[2])))
    shown = await tried(bureau, draft(bureau), people={f"nik_{INVENTED}": both})
    assert (shown.after.reason, shown.case) == ("duplicate_identity", None)


@pytest.mark.parametrize("nik", ["", "123", "not-a-number-1234"])
async def test_what_is_no_number_is_nobody(bureau: Bureau, nik: str) -> None:
    assert (await tried(bureau, draft(bureau), nik=nik)).after.reason == "invalid_identifier"


async def test_a_policy_that_is_no_agreement_needs_a_consumer_and_a_purpose(bureau: Bureau) -> None:
    rule = bureau.in_force("programme", "pbi-jk")
    with pytest.raises(BadInput, match="consumer"):
        await tried(bureau, rule)
    with pytest.raises(BadInput, match="purpose"):
        await tried(bureau, rule, consumer="bpjs-kesehatan")
    shown = await tried(bureau, rule, consumer="bpjs-kesehatan", purpose="pbi-jk-eligibility")
    assert (shown.differences, shown.after.decision, shown.case) == ([], "eligible", None)


QUESTIONS: list[dict[str, Any]] = [
    {},
    {"fields": ("sex", "full_name")},
    {"programme": "PKH"},
    {"on_date": date(2026, 5, 1)},
    {"operation": "records", "programme": None},
    {"claims": {"full_name": "KENARI"}},
]


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("down", [False, True])
async def test_a_previewed_exchange_becomes_a_case_that_holds_beside_the_shipped_ones(
    bureau: Bureau, question: dict[str, Any], down: bool
) -> None:
    sources = (outside(),) if down else ()
    shown = await tried(bureau, draft(bureau), *sources, **question)
    assert shown.case is not None
    agreement, book = shown.books.agreement, shown.books.after
    assert agreement is not None
    merged = with_case(cases_text(), shown.case)
    assert merged.startswith(cases_text().split(b"\ncases:")[0].rstrip())
    shipped = parse_cases(cases_text(), "x.cases.yaml", agreement, book.dictionary)
    cases = parse_cases(merged, "x.cases.yaml", agreement, book.dictionary)
    assert len(cases) == len(shipped) + 1
    assert [problem for case in cases for problem in run_case(case, book)] == []
    twice = parse_cases(with_case(merged, shown.case), "x.cases.yaml", agreement, book.dictionary)
    assert len(twice) == len(shipped) + 2


async def test_the_case_of_a_preview_fails_once_the_agreement_says_otherwise(bureau: Bureau) -> None:
    shown = await tried(bureau, draft(bureau))
    assert shown.case is not None
    assert shown.books.agreement is not None
    (case,) = parse_cases(
        shown.case.encode(), "x.cases.yaml", shown.books.agreement, shown.books.after.dictionary
    )
    other = await tried(bureau, replace(shown.books.version, text=narrower()[0]))
    assert run_case(case, other.books.after) != []
