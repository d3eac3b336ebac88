"""The life cycle, exhaustively: each state, each act, each role, against a table written by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import chain, combinations
from typing import get_args

import pytest

from gateway.agreements.lifecycle import (
    ACTS,
    JUDGED,
    KINDS,
    NOT_JUDGED,
    Act,
    Judgement,
    Kind,
    State,
    Version,
    acts_possible,
    may_resume,
    next_state,
    unmet,
)
from gateway.staff.roles import ROLES, Role, Staff
from policies.change import Change, Item, Way
from policies.checklist import MissingDocument
from policies.dictionary import Text
from tests.gateway.agreements.bureau import MORNING

STATES: tuple[State, ...] = get_args(State)
WORDS = Text("kalimat", "sentence")
TODAY = date(2026, 11, 21)

# state, act, state after, roles of which one is needed. What is not here is not possible.
TABLE = """
draft      edit      draft      author
draft      submit    submitted  author
draft      discard   discarded  author approver
draft      activate  active     author approver operator
submitted  withdraw  draft      author
submitted  approve   approved   approver
submitted  refuse    draft      approver
submitted  discard   discarded  author approver
submitted  activate  active     author approver operator
approved   withdraw  draft      author
approved   discard   discarded  author approver
approved   activate  active     author approver operator
active     suspend   suspended  approver operator
active     revoke    revoked    approver operator
suspended  resume    active     approver
suspended  revoke    revoked    approver operator
"""
POSSIBLE = {(line.split()[0], line.split()[1]): line.split()[2:] for line in TABLE.strip().splitlines()}
ROLE_SETS = [frozenset(roles) for n in range(5) for roles in combinations(ROLES, n)]


def _version(state: State, kind: Kind = "agreement", **changes: object) -> Version:
    version = Version(
        kind=kind,
        name="example",
        version=2,
        state=state,
        sha256="0" * 64,
        author="ani",
        editors=frozenset({"ani", "ade"}),
        approver=None,
        suspended_by="oda",
        reason="",
        created_at=MORNING,
        changed_at=MORNING,
        text=b"",
        cases=b"",
    )
    return replace(version, **changes)  # type: ignore[arg-type]


def _staff(*roles: Role, staff_id: str = "somebody", via: str = "password") -> Staff:
    return Staff(staff_id, "Somebody", frozenset(roles), via)


def _change(*ways: Way) -> Change:
    return Change(tuple(Item(f"fields.{way}", way, Text(f"{way} id", f"{way} en")) for way in ways))


NARROWS = Judgement(_change("narrower"), (), (), date(2027, 1, 1))
WIDENS = Judgement(_change("narrower", "wider"), (), (), date(2027, 1, 1))


def _codes(act: Act, version: Version, actor: Staff, judgement: Judgement, reason: str = "so") -> set[str]:
    return {one.code for one in unmet(act, version, actor, reason, judgement, TODAY)}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("act", ACTS)
def test_each_act_in_each_state_by_each_set_of_roles_is_what_the_table_says(state: State, act: Act) -> None:
    row = POSSIBLE.get((state, act))
    assert next_state(state, act) == (row[0] if row else None)
    for roles in ROLE_SETS:
        codes = _codes(act, _version(state), _staff(*roles), NARROWS)
        if row is None:
            assert codes == {"wrong_state"}
        else:
            assert codes == (set() if roles & set(row[1:]) else {"role_missing"}), roles


def test_only_agreements_are_suspended_or_revoked() -> None:
    for kind in KINDS:
        acts = set(chain.from_iterable(acts_possible(kind, state) for state in STATES))
        ends = {"suspend", "resume", "revoke"}
        assert acts == (set(ACTS) if kind == "agreement" else set(ACTS) - ends)


def test_widening_waits_for_approval_and_narrowing_does_not() -> None:
    for state in ("draft", "submitted", "approved"):
        version, actor = _version(state), _staff("author", staff_id="ani")
        assert _codes("activate", version, actor, NARROWS) == set()
        expected = set() if state == "approved" else {"widening_needs_approval"}
        assert _codes("activate", version, actor, WIDENS) == expected


def test_a_change_that_only_explains_is_still_for_two() -> None:
    """Both parties signed what it says, whatever it lets out."""
    neutral = replace(NARROWS, change=_change("neutral"))
    assert _codes("activate", _version("draft"), _staff("author"), neutral) == {"widening_needs_approval"}
    assert _codes("activate", _version("draft"), _staff("author"), NOT_JUDGED) == set()


def test_the_words_of_a_widening_are_those_of_what_opens_and_not_of_what_closes() -> None:
    (condition,) = unmet("activate", _version("draft"), _staff("author"), "", WIDENS, TODAY)
    assert "wider en" in condition.what.en
    assert "wider id" in condition.what.id
    assert "narrower" not in condition.what.en


@pytest.mark.parametrize("editor", ["ani", "ade"])
def test_nobody_approves_what_they_wrote_any_part_of(editor: str) -> None:
    both = _staff("author", "approver", staff_id=editor)
    assert _codes("approve", _version("submitted"), both, WIDENS) == {"second_person"}
    assert _codes("approve", _version("submitted"), _staff("approver"), WIDENS) == set()


def test_whoever_suspended_does_not_resume_alone() -> None:
    version = _version("suspended")
    assert _codes("resume", version, _staff("approver", staff_id="oda"), NARROWS) == {"second_person"}
    assert _codes("resume", version, _staff("approver", staff_id="ade"), NARROWS) == {"second_person"}
    assert _codes("resume", version, _staff("approver"), NARROWS) == set()


DOORS = ("password", "oidc", "console", "token:3fa1c07b", "a door that is new")


@pytest.mark.parametrize("via", DOORS)
def test_an_api_token_is_not_one_of_two_people(via: str) -> None:
    expected = set() if via in {"password", "oidc", "console"} else {"person_needed"}
    approver = _staff("approver", via=via)
    assert _codes("approve", _version("submitted"), approver, WIDENS) == expected
    assert _codes("approve", _version("submitted"), approver, NARROWS) == expected
    assert _codes("resume", _version("suspended"), approver, NARROWS) == expected
    assert _codes("activate", _version("approved"), approver, WIDENS) == expected


@pytest.mark.parametrize("via", DOORS)
def test_an_api_token_closes_what_one_person_may_close(via: str) -> None:
    operator = _staff("author", "approver", "operator", via=via)
    assert _codes("activate", _version("draft"), operator, NARROWS) == set()
    for state, act in POSSIBLE:
        if act not in {"approve", "resume", "activate"}:
            assert _codes(act, _version(state), operator, NARROWS) == set(), act  # type: ignore[arg-type]


def test_a_text_that_cannot_be_read_is_not_said_to_open_more() -> None:
    unreadable = Judgement(None, ["example.yaml:3: expected ..."], (), None)
    for state in ("draft", "submitted", "approved"):
        codes = _codes("activate", _version(state), _staff("author"), unreadable)
        assert codes == {"does_not_hold", "unreadable"}
    assert _codes("submit", _version("draft"), _staff("author"), unreadable) == {"does_not_hold"}


def test_whoever_neither_wrote_nor_suspended_may_resume() -> None:
    approvers = ["oki", "oda", "ani", "ade", "oka"]
    assert may_resume(_version("suspended"), approvers) == ("oka", "oki")
    for one in approvers:
        codes = _codes("resume", _version("suspended"), _staff("approver", staff_id=one), NARROWS)
        assert (codes == set()) == (one in {"oka", "oki"})


@pytest.mark.parametrize("act", ACTS)
def test_acts_that_take_back_or_end_need_a_reason(act: Act) -> None:
    state = next(state for state, possible in POSSIBLE if possible == act)
    everything = _staff(*ROLES)
    for silence in ("", "  \n"):
        codes = _codes(act, _version(state), everything, NARROWS, reason=silence)
        needs = act in {"refuse", "discard", "suspend", "resume", "revoke", "withdraw"}
        assert codes == ({"reason_missing"} if needs else set())


FAULTS = {
    "does_not_hold": replace(NARROWS, problems=["example.yaml:3: expected ..."]),
    "document_missing": replace(NARROWS, missing=(MissingDocument("dpia", WORDS),)),
    "validity_over": replace(NARROWS, valid_until=date(2026, 11, 20)),
}
STOPPED_BY = {
    "does_not_hold": {"submit", "approve", "activate", "resume"},
    "document_missing": {"activate", "resume"},
    "validity_over": {"activate", "resume"},
}


@pytest.mark.parametrize("code", FAULTS)
def test_a_fault_stops_what_lets_a_version_count_and_never_what_ends_it(code: str) -> None:
    for state, act in POSSIBLE:
        codes = _codes(act, _version(state), _staff(*ROLES), FAULTS[code])  # type: ignore[arg-type]
        assert codes == ({code} if act in STOPPED_BY[code] else set()), (state, act)
    assert set().union(*STOPPED_BY.values()) == JUDGED


def test_on_its_last_day_an_agreement_can_still_be_activated() -> None:
    last_day = replace(NARROWS, valid_until=TODAY)
    assert _codes("activate", _version("approved"), _staff("author"), last_day) == set()


def test_every_condition_names_who_can_meet_it_in_both_languages() -> None:
    told = [
        condition
        for judgement in (*FAULTS.values(), WIDENS, replace(NARROWS, change=None))
        for state in STATES
        for act in ACTS
        for via in ("password", "token:3fa1c07b")
        for condition in unmet(act, _version(state), _staff(staff_id="ani", via=via), "", judgement, TODAY)
    ]
    assert {one.code for one in told} == {
        *FAULTS,
        *("unreadable", "person_needed"),
        *("wrong_state", "role_missing", "reason_missing", "second_person", "widening_needs_approval"),
    }
    for one in told:
        assert all((one.what.id, one.what.en, one.who.id, one.who.en))


def test_every_difference_between_two_states_of_a_version_gives_another_etag() -> None:
    version = _version("draft")
    others = [
        _version("submitted"),
        replace(version, sha256="1" * 64),
        replace(version, cases=b"cases"),
        replace(version, changed_at=MORNING.replace(microsecond=1)),
    ]
    assert len({one.etag for one in (version, *others)}) == 5
    assert version.etag == _version("draft").etag
