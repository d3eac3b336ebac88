"""The policies' store on both databases: what comes into force by whom, and what the log says of it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from gateway.agreements.keepable import LONGEST_TEXT_BYTES
from gateway.agreements.live import LivePolicies
from gateway.agreements.refused import ChangedMeanwhile, ConditionsUnmet
from gateway.agreements.rows import _row, epoch_of
from gateway.agreements.store import PolicyStore
from gateway.agreements.tables import policy_versions
from gateway.audit.tables import audit_documents
from gateway.civil_day import civil_day
from gateway.errors import BadInput, FileUnusable, NotFound
from gateway.staff.roles import Staff
from policies.errors import PolicyError
from tests.gateway.agreements.bureau import (
    ADI,
    ANI,
    BUDI,
    NAME,
    ODA,
    OKA,
    OKI,
    SHIPPED,
    Bureau,
    agreement_text,
    cases_text,
    first_case,
    narrower,
    rule_text,
    wider,
)

PBI = ("agreement", NAME)


def _epoch(bureau: Bureau) -> int:
    with bureau.database.reading() as connection:
        return epoch_of(connection)


def _codes(refused: pytest.ExceptionInfo[ConditionsUnmet]) -> list[str]:
    return [one.code for one in refused.value.unmet]


def _approved(bureau: Bureau, texts: tuple[bytes, bytes], author: Staff = ANI, approver: Staff = OKA) -> int:
    draft = bureau.draft(texts, author)
    bureau.store.act(*PBI, draft.version, "submit", author)
    bureau.store.act(*PBI, draft.version, "approve", approver)
    return draft.version


def test_an_empty_store_takes_the_folder_once_and_says_so_in_the_log(empty_bureau: Bureau) -> None:
    store = empty_bureau.store
    assert (store.versions(), _epoch(empty_bureau)) == ([], 0)
    assert store.seed(SHIPPED)
    assert not PolicyStore(empty_bureau.database, empty_bureau.clock).seed(SHIPPED / "nowhere")
    versions = store.versions()
    assert {(v.state, v.author, v.approver) for v in versions} == {("active", "installation", None)}
    written = {one.id: one.version for one in store.book().agreements}
    assert {v.name: v.version for v in versions if v.kind == "agreement"} == written
    acts = {act["object"]: act for act in empty_bureau.acts()}
    assert set(acts) == {f"{v.kind}/{v.name}/{v.version}" for v in versions}
    for version in versions:
        act = acts[f"{version.kind}/{version.name}/{version.version}"]
        told = {key: act[key] for key in ("act", "actor", "reason", "object_sha256", "state")}
        assert told == {
            "act": "policy.activate",
            "actor": "installation@console",
            "reason": "first start",
            "object_sha256": version.sha256,
            "state": "active",
        }
    assert _epoch(empty_bureau) == 1


def test_a_folder_that_does_not_load_fills_nothing(empty_bureau: Bureau, tmp_path: Path) -> None:
    with pytest.raises(FileUnusable, match=r"fields\.yaml"):
        empty_bureau.store.seed(tmp_path)
    (tmp_path / "fields.yaml").write_text("nik: 1\n", "utf-8")
    with pytest.raises(PolicyError):
        empty_bureau.store.seed(tmp_path)
    assert empty_bureau.store.versions() == []
    assert empty_bureau.acts() == []


def test_the_texts_of_every_act_stay_readable_under_their_hash(bureau: Bureau) -> None:
    first = bureau.draft(wider())
    bureau.store.edit(*PBI, 2, *narrower(), ANI, if_match=first.etag)
    with bureau.database.reading() as connection:
        rows = connection.execute(select(audit_documents.c.sha256, audit_documents.c.text))
        kept = {digest: content.encode() for digest, content in rows}
    assert kept[first.sha256] == first.text
    acts = bureau.acts()[-2:]
    assert [kept[act["object_sha256"]] for act in acts] == [first.text, narrower()[0]]
    assert [kept[act["cases_sha256"]] for act in acts] == [first.cases, narrower()[1]]


def test_narrowing_takes_effect_by_its_author_alone(bureau: Bureau) -> None:
    draft = bureau.draft(narrower())
    assert bureau.store.judge(draft).change.direction == "narrowing"
    bureau.store.act(*PBI, 2, "activate", ANI, reason="data minimisation")
    now, before = bureau.in_force(), bureau.store.get(*PBI, 1)
    assert (now.version, now.state, before.state) == (2, "active", "superseded")
    assert _epoch(bureau) == 2


def test_widening_is_held_until_another_approves_it(bureau: Bureau) -> None:
    bureau.draft(wider(), BUDI)
    with pytest.raises(ConditionsUnmet) as refused:
        bureau.store.act(*PBI, 2, "activate", BUDI)
    assert _codes(refused) == ["widening_needs_approval"]
    assert "birth" in str(refused.value)
    bureau.store.act(*PBI, 2, "submit", BUDI)
    with pytest.raises(ConditionsUnmet) as refused:
        bureau.store.act(*PBI, 2, "approve", BUDI)
    assert _codes(refused) == ["second_person"]
    assert bureau.in_force().version == 1
    approved = bureau.store.act(*PBI, 2, "approve", OKA)
    assert (approved.state, approved.approver) == ("approved", "oka")
    assert _epoch(bureau) == 1
    assert bureau.store.act(*PBI, 2, "activate", BUDI).state == "active"


def test_an_edit_after_approval_is_not_possible_and_withdrawing_forgets_the_approval(bureau: Bureau) -> None:
    number = _approved(bureau, wider())
    approved = bureau.store.get(*PBI, number)
    with pytest.raises(ConditionsUnmet) as refused:
        bureau.store.edit(*PBI, number, *wider(), ANI, if_match=approved.etag)
    assert _codes(refused) == ["wrong_state"]
    withdrawn = bureau.store.act(*PBI, number, "withdraw", ANI, reason="a mistake")
    assert (withdrawn.state, withdrawn.approver) == ("draft", None)


def test_an_approver_who_edited_a_line_cannot_approve_it_any_more(bureau: Bureau) -> None:
    draft = bureau.draft(wider(), ANI)
    edited = bureau.store.edit(*PBI, 2, draft.text + b"# checked\n", draft.cases, BUDI, if_match=draft.etag)
    assert edited.editors == {"ani", "budi"}
    bureau.store.act(*PBI, 2, "submit", ANI)
    with pytest.raises(ConditionsUnmet) as refused:
        bureau.store.act(*PBI, 2, "approve", BUDI)
    assert _codes(refused) == ["second_person"]


def test_what_no_longer_holds_at_activation_is_not_activated_although_approved(bureau: Bureau) -> None:
    number = _approved(bureau, wider())
    fields = (SHIPPED / "fields.yaml").read_text("utf-8")
    before, birth_date, after = fields.partition("birth_date:")
    lowered = (before + birth_date + after.replace("ceiling: full", "ceiling: verdict", 1)).encode()
    bureau.store.save_draft("dictionary", "fields", lowered, b"", ANI)
    with pytest.raises(ConditionsUnmet) as refused:
        bureau.store.act("dictionary", "fields", 2, "activate", ANI)
    assert "does_not_hold" in _codes(refused)
    # The dictionary would break agreements in force: each is named with its line.
    assert "bpjs-pbi-jk.yaml:" in str(refused.value)
    assert bureau.in_force("dictionary", "fields").version == 1
    bureau.clock.now = bureau.clock.now.replace(year=2029)
    with pytest.raises(ConditionsUnmet) as refused:
        bureau.store.act(*PBI, number, "activate", ANI)
    assert _codes(refused) == ["validity_over"]


def test_a_suspension_is_seen_by_another_process_at_the_next_epoch(bureau: Bureau) -> None:
    live = LivePolicies(bureau.database)
    epoch, today = _epoch(bureau), civil_day(bureau.clock.now)
    bureau.store.act(*PBI, 1, "suspend", ODA, reason="an incident")
    import anyio  # noqa: PLC0415 - only here is a loop needed

    async def standing(at: int) -> str:
        book = await live.at(at)
        return next(one.standing(today) for one in book.agreements if one.id == NAME)

    assert anyio.run(standing, epoch) == "active"
    assert anyio.run(standing, _epoch(bureau)) == "suspended"
    with pytest.raises(ConditionsUnmet) as refused:
        bureau.store.act(*PBI, 1, "resume", ODA, reason="over")
    assert _codes(refused) == ["role_missing", "second_person"]
    bureau.store.act(*PBI, 1, "resume", OKA, reason="over")
    assert anyio.run(standing, _epoch(bureau)) == "active"


def test_whoever_resumes_an_agreement_is_not_told_as_approver_of_its_text(bureau: Bureau) -> None:
    bureau.store.act(*PBI, 1, "suspend", ODA, reason="an incident")
    assert bureau.store.act(*PBI, 1, "resume", OKI, reason="over").approver is None  # nobody did: first start
    bureau.store.act(*PBI, _approved(bureau, wider(), approver=OKA), "activate", ANI)
    bureau.store.act(*PBI, 2, "suspend", ODA, reason="an incident")
    bureau.store.act(*PBI, 2, "resume", OKI, reason="over")
    assert bureau.store.get(*PBI, 2).approver == "oka"
    assert (bureau.store.history(*PBI)[0].act, bureau.store.history(*PBI)[0].actor) == ("resume", OKI.actor)


def test_whatever_replaces_a_suspended_version_opens_and_so_needs_two(bureau: Bureau) -> None:
    bureau.store.act(*PBI, 1, "suspend", OKA, reason="an incident")
    draft = bureau.draft(narrower())
    assert bureau.store.judge(draft).change.direction == "widening"
    with pytest.raises(ConditionsUnmet):
        bureau.store.act(*PBI, 2, "activate", ANI)
    bureau.store.act(*PBI, 2, "submit", ANI)
    bureau.store.act(*PBI, 2, "approve", OKI)
    bureau.store.act(*PBI, 2, "activate", ANI)
    assert [v.state for v in bureau.store.versions(*PBI)] == ["active", "superseded"]


def test_a_revoked_agreement_stays_in_the_book_until_another_version_speaks(bureau: Bureau) -> None:
    bureau.store.act(*PBI, 1, "revoke", OKA, reason="ended by both parties")
    (own,) = [one for one in bureau.store.book().agreements if one.id == NAME]
    assert own.standing(civil_day(bureau.clock.now)) == "revoked"
    assert bureau.store.get(*PBI).state == "revoked"
    bureau.store.act(*PBI, _approved(bureau, (agreement_text(), cases_text())), "activate", ANI)
    (own,) = [one for one in bureau.store.book().agreements if one.id == NAME]
    assert (own.version, own.standing(civil_day(bureau.clock.now))) == (2, "active")


def test_a_revoked_agreement_does_not_keep_the_dictionary_from_changing(bureau: Bureau) -> None:
    only_there = b"phone"
    fields = (SHIPPED / "fields.yaml").read_bytes()
    assert only_there not in fields
    fields += (
        b"\nphone:\n  label: {id: telepon, en: phone}\n  type: text\n  sensitivity: personal\n"
        b"  source: dtks\n  ceiling: full\n"
    )
    store = bureau.store
    store.save_draft("dictionary", "fields", fields, b"", ANI)
    store.act("dictionary", "fields", 2, "submit", ANI)
    store.act("dictionary", "fields", 2, "approve", OKA)
    store.act("dictionary", "fields", 2, "activate", ANI)
    with_phone = agreement_text(("  full_name: drop\n", "  full_name: drop\n  phone: drop\n"))
    cases = cases_text(
        (
            "{full_name: dropped_by_agreement,",
            "{full_name: dropped_by_agreement, phone: dropped_by_agreement,",
        )
    )
    store.act(*PBI, _approved(bureau, (with_phone, cases)), "activate", ANI)

    store.save_draft("dictionary", "fields", (SHIPPED / "fields.yaml").read_bytes(), b"", ANI)
    with pytest.raises(ConditionsUnmet) as refused:
        store.act("dictionary", "fields", 3, "activate", ANI)
    assert "bpjs-pbi-jk.yaml:" in str(refused.value)
    store.act(*PBI, 2, "revoke", OKA, reason="ended")
    store.act("dictionary", "fields", 3, "activate", ANI)
    assert NAME not in {one.id for one in store.book().agreements}


def test_a_rule_and_the_cases_that_it_makes_true_come_into_force_one_after_the_other(bureau: Bureau) -> None:
    """Neither could go first if each were judged by the other's text in force."""
    rule = rule_text(("unknown_when: [unmatched, not_checked, duplicate]", "unknown_when: [duplicate]"))
    store = bureau.store
    draft = store.save_draft("programme", "pbi-jk", rule, b"", ANI)
    broken = {problem.split(".cases.yaml")[0] for problem in store.judge(draft).problems}
    assert NAME in broken
    for name in broken:
        version = store.get("agreement", name).version + 1
        text = agreement_text(name=name, version=version)
        waiting = store.save_draft("agreement", name, text, b"", ANI)
        # To have no cases is no way round: what waits has to hold.
        assert any(problem.startswith(f"{name}.cases") for problem in store.judge(draft).problems)
        store.edit("agreement", name, version, text, first_case(name), ANI, if_match=waiting.etag)
    assert store.judge(draft).problems == []


def test_a_second_draft_of_a_policy_is_a_conflict_that_shows_the_first(bureau: Bureau) -> None:
    first = bureau.draft(narrower())
    with pytest.raises(ChangedMeanwhile) as refused:
        bureau.draft(wider(), BUDI)
    conflict = refused.value
    assert conflict.present == first
    assert "by ani" in conflict.detail
    assert conflict.difference is not None
    assert conflict.difference.change is not None
    assert conflict.difference.change.direction == "widening"
    assert any("year and month" in item.words.en for item in conflict.difference.change.items)


def test_of_two_who_edit_the_same_draft_the_second_gets_the_diff_and_loses_nothing(bureau: Bureau) -> None:
    seen = bureau.draft(narrower())
    ours = bureau.store.edit(*PBI, 2, seen.text + b"# ours\n", seen.cases, ANI, if_match=seen.etag)
    with pytest.raises(ChangedMeanwhile) as refused:
        bureau.store.edit(*PBI, 2, seen.text + b"# theirs: [\n", seen.cases, BUDI, if_match=seen.etag)
    assert refused.value.present == ours == bureau.store.get(*PBI, 2)
    assert refused.value.difference is not None
    assert {"-# ours", "+# theirs: ["} <= set(refused.value.difference.lines)
    again = bureau.store.edit(*PBI, 2, seen.text, seen.cases, BUDI, if_match=refused.value.present.etag)
    assert again.editors == {"ani", "budi"}


def test_an_unreadable_text_is_compared_by_its_lines(bureau: Bureau) -> None:
    difference = bureau.store.difference(*PBI, agreement_text(version=1), b"id: [\n")
    assert difference.change is None
    assert "+id: [" in difference.lines


def test_an_act_on_another_state_than_the_one_seen_is_a_conflict(bureau: Bureau) -> None:
    draft = bureau.draft(narrower())
    bureau.store.act(*PBI, 2, "submit", ANI, if_match=draft.etag)
    with pytest.raises(ChangedMeanwhile):
        bureau.store.act(*PBI, 2, "activate", ANI, if_match=draft.etag)
    assert bureau.store.get(*PBI, 2).state == "submitted"


def test_of_many_who_draft_at_once_one_is_first_and_the_others_hear_of_it(bureau: Bureau) -> None:
    others = [PolicyStore(bureau.database, bureau.clock) for _ in range(4)]
    together = threading.Barrier(len(others))

    def draft(store: PolicyStore) -> str:
        together.wait()
        try:
            store.save_draft(*PBI, *narrower(), ANI)
        except ChangedMeanwhile as error:
            return f"version {error.present.version} is there"
        return "kept"

    with ThreadPoolExecutor(len(others)) as pool:
        assert sorted(pool.map(draft, others)) == ["kept", *["version 2 is there"] * 3]
    assert [v.version for v in bureau.store.versions(*PBI)] == [2, 1]


def test_no_two_acts_are_judged_at_the_same_time(bureau: Bureau) -> None:
    """Each could be sound by itself, and both together not: a ceiling that falls, a field that it forbids."""
    meeting, met = threading.Barrier(2), []

    class Watched(PolicyStore):
        def _refuse_unmet(self, *asked: Any) -> None:
            try:
                meeting.wait(timeout=0.5)
                met.append(asked[0])
            except threading.BrokenBarrierError:
                super()._refuse_unmet(*asked)

    stores = [Watched(bureau.database, bureau.clock) for _ in range(2)]
    with ThreadPoolExecutor(len(stores)) as pool:
        first = pool.submit(stores[0].act, *PBI, 1, "suspend", ODA, reason="so")
        second = pool.submit(stores[1].save_draft, *PBI, *narrower(), ANI)
        assert (first.result().state, second.result().state) == ("suspended", "draft")
    assert met == []


def test_whatever_writes_past_the_lock_meets_the_index_and_is_told_as_a_conflict(bureau: Bureau) -> None:
    """A node of another release might not know the lock: two open versions are impossible all the same."""
    store, intruder = bureau.store, replace(bureau.in_force(), version=7, state="draft")

    class Interrupted(PolicyStore):
        def _lock(self, connection: object) -> None:
            """Somebody else writes just after the look whether there is an open version."""

        def _refuse_unmet(self, *asked: Any) -> None:
            asked[-1].execute(insert(policy_versions).values(_row(intruder)))

    with pytest.raises(ChangedMeanwhile):
        Interrupted(bureau.database, bureau.clock).save_draft(*PBI, *narrower(), ANI)
    assert [v.version for v in store.versions(*PBI)] == [1]


def test_a_text_that_does_not_load_may_wait_as_a_draft_and_no_further(bureau: Bureau) -> None:
    bureau.draft((b"id: bpjs-pbi-jk\n", b""))
    for act in ("submit", "activate"):
        with pytest.raises(ConditionsUnmet) as refused:
            bureau.store.act(*PBI, 2, act, ANI)  # type: ignore[arg-type]
        assert "does_not_hold" in _codes(refused)


def test_a_text_says_the_number_that_its_version_has(bureau: Bureau) -> None:
    text, cases = narrower(version=1)
    draft = bureau.draft((text, cases))
    assert any("expected 2" in problem for problem in bureau.store.judge(draft).problems)
    new = agreement_text(
        ("id: bpjs-pbi-jk", "id: brand-new"), ("purpose: pbi-jk", "purpose: other"), version=5
    )
    kept = bureau.store.save_draft("agreement", "brand-new", new, b"", ANI)
    assert kept.version == 5
    assert not any("expected 5" in problem for problem in bureau.store.judge(kept).problems)


def test_without_the_role_nothing_is_kept(bureau: Bureau) -> None:
    for actor in (ODA, OKA, ADI):
        with pytest.raises(ConditionsUnmet) as refused:
            bureau.draft(narrower(), actor)
        assert _codes(refused) == ["role_missing"]
    assert len(bureau.store.versions(*PBI)) == 1
    assert len(bureau.acts()) == len(bureau.store.versions())


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: \x00", b"# " + b"x" * LONGEST_TEXT_BYTES])
def test_what_cannot_be_given_back_byte_for_byte_is_not_kept(bureau: Bureau, content: bytes) -> None:
    with pytest.raises(BadInput):
        bureau.draft((content, b""))


@pytest.mark.parametrize("content", ["a: 1\r\nb: 2", "﻿id: x  \n\n", "# 𝄞 \u2028 é e\u0301\t\n"])
def test_every_other_byte_comes_back_as_it_was(bureau: Bureau, content: str) -> None:
    bureau.draft((content.encode(), content.encode()))
    kept = bureau.store.get(*PBI, 2)
    assert (kept.text, kept.cases) == (content.encode(), content.encode())


@pytest.mark.parametrize(
    ("kind", "name"),
    [("dictionary", "other"), ("agreement", "../evil"), ("programme", "PKH"), ("agreement", "a" * 81)],
)
def test_a_name_is_one_that_a_file_can_have(bureau: Bureau, kind: str, name: str) -> None:
    with pytest.raises(BadInput, match="name: expected"):
        bureau.store.save_draft(kind, name, b"id: x\n", b"", ANI)  # type: ignore[arg-type]


def test_a_reason_is_a_line_of_words(bureau: Bureau) -> None:
    for reason in ("x" * 501, "two\nlines"):
        with pytest.raises(BadInput, match="reason: expected"):
            bureau.store.act(*PBI, 1, "suspend", ODA, reason=reason)


def test_what_is_not_there_is_said_so(bureau: Bureau) -> None:
    with pytest.raises(NotFound):
        bureau.store.get("agreement", "nobody")
    with pytest.raises(NotFound):
        bureau.store.act(*PBI, 9, "suspend", ODA, reason="so")


def test_the_history_tells_each_act_with_who_and_why(bureau: Bureau) -> None:
    bureau.draft(narrower())
    bureau.store.act(*PBI, 2, "activate", ANI, reason="minimisation")
    bureau.store.act(*PBI, 2, "suspend", ODA, reason="incident 7")
    told = [(done.version, done.act, done.actor, done.reason) for done in bureau.store.history(*PBI)]
    assert told == [
        (2, "suspend", "oda", "incident 7"),
        (2, "activate", "ani", "minimisation"),
        (2, "edit", "ani", ""),
        (1, "activate", "installation@console", "first start"),
    ]
    assert bureau.in_force().suspended_by == "oda"


def test_an_agreement_is_judged_beside_those_of_its_consumer_however_its_text_writes_the_name(
    bureau: Bureau,
) -> None:
    text = agreement_text(
        ("id: bpjs-pbi-jk", "id: bpjs-second"),
        ("consumer: bpjs-kesehatan", 'consumer: "bpjs\\x2dkesehatan"'),
        version=1,
    )
    draft = bureau.store.save_draft("agreement", "bpjs-second", text, b"", ANI)
    assert any(
        "expected one agreement of bpjs-kesehatan" in one for one in bureau.store.judge(draft).problems
    )
