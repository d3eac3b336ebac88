"""Accounts and roles: taking away needs one person, giving needs two, and everything is on record."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.errors import BadInput, Conflict, NotFound, NotPermitted, Unauthenticated
from gateway.staff.acts import UNKNOWN
from gateway.staff.roles import INSTALLATION, RESERVED_IDS, ROLES, Role, Staff, known_roles
from tests.gateway.staff.office import Office

EVERY_SET = [frozenset(c) for size in range(len(ROLES) + 1) for c in itertools.combinations(ROLES, size)]


def test_an_account_that_an_operator_adds_has_no_role_until_a_second_person_confirms(office: Office) -> None:
    oni, oka = office.hire("oni", "operator"), office.hire("oka", "approver")
    added = office.desk.accounts.add(
        oni, id="ani", name="Ani", roles=frozenset({"author"}), reason="new colleague"
    )
    assert (added.roles, added.proposed_roles, added.proposed_by) == (frozenset(), {"author"}, "oni")
    with pytest.raises(NotPermitted) as refused:
        office.desk.accounts.confirm_roles(oni, "ani", "my own")
    assert refused.value.code == "second_person_needed"
    confirmed = office.desk.accounts.confirm_roles(oka, "ani", "checked")
    assert (confirmed.roles, confirmed.proposed_roles) == ({"author"}, frozenset())


@pytest.mark.parametrize("wanted", EVERY_SET, ids=lambda roles: "+".join(sorted(roles)) or "none")
def test_one_operator_alone_only_ever_takes_roles_away(office: Office, wanted: frozenset[Role]) -> None:
    """For every change: what one person reaches alone is what the account had already."""
    oni = office.hire("oni", "operator")
    present: frozenset[Role] = frozenset({"author", "auditor"})
    office.hire("ani", *present, password=None)
    changed = office.desk.accounts.set_roles(oni, "ani", wanted, "reorganised")
    assert changed.roles == {role for role in ROLES if role in present and role in wanted}
    assert changed.proposed_roles == {role for role in wanted if role not in present}


def test_nobody_proposes_or_confirms_roles_for_oneself(office: Office) -> None:
    oni, oka = office.hire("oni", "operator"), office.hire("oka", "operator")
    with pytest.raises(NotPermitted):
        office.desk.accounts.set_roles(oni, "oni", frozenset({"operator", "approver"}), "I need it")
    office.desk.accounts.set_roles(oka, "oni", frozenset({"operator", "approver"}), "she needs it")
    with pytest.raises(NotPermitted):
        office.desk.accounts.confirm_roles(oni, "oni", "thanks")
    assert office.desk.accounts.get("oni").roles == {"operator"}


def test_a_token_does_not_make_its_owner_a_second_person(office: Office) -> None:
    office.hire("oni", "operator")
    _, secret = office.desk.tokens.add(INSTALLATION, "oni", name="x", roles=known_roles(["operator"]), days=1)
    by_token = office.desk.tokens.find(secret)
    assert by_token is not None
    in_person = office.sign_in("oni").session.staff
    office.desk.accounts.add(
        in_person, id="ani", name="Ani", roles=frozenset({"author"}), reason="new colleague"
    )
    with pytest.raises(NotPermitted):
        office.desk.accounts.confirm_roles(by_token, "ani", "confirmed by a script")


def test_only_the_console_issues_enrolment_secrets(office: Office) -> None:
    oni = office.hire("oni", "operator")
    office.hire("ani", "approver")
    with pytest.raises(NotPermitted) as refused:
        office.desk.accounts.issue_enrolment(oni, "ani", "I forgot her password")
    assert refused.value.code == "console_only"


def test_of_two_who_saw_the_same_account_the_second_is_told_that_it_changed(office: Office) -> None:
    oni, oka = office.hire("oni", "operator"), office.hire("oka", "operator")
    office.hire("ani", "author", "auditor")
    seen = office.desk.accounts.get("ani").version

    def change(operator: Staff) -> str:
        try:
            office.desk.accounts.set_roles(operator, "ani", frozenset({"author"}), "fewer", if_match=seen)
        except Conflict as conflict:
            return conflict.code
        return "done"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(change, [oni, oka])) == ["changed_meanwhile", "done"]


def test_a_disabled_account_loses_sessions_tokens_and_pending_enrolment_at_once(office: Office) -> None:
    office.hire("ani", "author")
    session = office.sign_in("ani").secret
    _, token = office.desk.tokens.add(INSTALLATION, "ani", name="x", roles=known_roles(["author"]), days=1)
    enrolment = office.desk.accounts.issue_enrolment(INSTALLATION, "ani", "lost")
    office.desk.accounts.disable(INSTALLATION, "ani", "left")
    assert office.desk.sessions.find(session) is None
    assert office.desk.tokens.find(token) is None
    assert office.desk.accounts.holders(["author"]) == {"author": ()}
    with pytest.raises(Conflict):
        office.desk.accounts.on_console("ani")
    office.desk.accounts.enable(INSTALLATION, "ani", "came back")
    assert office.desk.sessions.find(session) is None
    with pytest.raises(Unauthenticated):
        office.desk.sign_in.enrol("ani", enrolment, "tujuh gunung di barat")


def test_ids_that_the_log_uses_otherwise_and_ids_that_are_a_nik_are_refused(office: Office) -> None:
    assert UNKNOWN in RESERVED_IDS
    assert INSTALLATION.id in RESERVED_IDS
    for staff_id in (*RESERVED_IDS, "3578081203799980", "Ani", "ani@console", "a b", ""):
        with pytest.raises(BadInput) as refused:
            office.desk.accounts.add(
                INSTALLATION, id=staff_id, name="A", roles=frozenset({"author"}), reason="x"
            )
        assert not staff_id.isdigit() or staff_id not in str(refused.value)


def test_every_problem_of_a_new_account_is_told_at_once(office: Office) -> None:
    with pytest.raises(BadInput) as refused:
        office.desk.accounts.add(
            INSTALLATION, id="X", name=" ", roles=frozenset(), reason="x", email="nobody", oidc=("i", "")
        )
    for word in ("id:", "name:", "email:", "oidc:", "roles:"):
        assert word in refused.value.detail


def test_an_address_or_identity_belongs_to_one_account(office: Office) -> None:
    office.hire("ani", "author", password=None, email="ani@example.go.id", oidc=("https://op", "1"))
    for more in ({"email": "ANI@example.go.id"}, {"oidc": ("https://op", "1")}):
        with pytest.raises(Conflict):
            office.hire("budi", "author", password=None, **more)


def test_an_act_needs_a_reason_and_an_account(office: Office) -> None:
    office.hire("ani", "author", password=None)
    for reason in ("", "  ", "x" * 501, "two\nlines"):
        with pytest.raises(BadInput):
            office.desk.accounts.disable(INSTALLATION, "ani", reason)
    assert office.desk.accounts.get("ani").active
    with pytest.raises(NotFound):
        office.desk.accounts.disable(INSTALLATION, "budi", "left")


def test_every_change_of_rights_is_on_record_with_actor_object_and_reason(office: Office) -> None:
    office.hire("oni", "operator")
    oni = office.sign_in("oni").session.staff
    oka = office.hire("oka", "approver", password=None)
    accounts = office.desk.accounts
    before = len(office.acts())
    accounts.add(oni, id="ani", name="Ani", roles=frozenset({"author"}), reason="r1")
    accounts.confirm_roles(oka, "ani", "r2")
    accounts.set_roles(oni, "ani", frozenset({"auditor"}), "r3")
    accounts.disable(oni, "ani", "r4")
    accounts.enable(oni, "ani", "r5")
    accounts.unlock(accounts.on_console("oka"), "ani", "r6")
    told = [(act["actor"], act["act"], act["object"], act["reason"]) for act in office.acts()[before:]]
    assert told == [
        ("oni", "staff.added", "staff/ani", "r1"),
        ("oka", "staff.roles_confirmed", "staff/ani", "r2"),
        ("oni", "staff.roles_changed", "staff/ani", "r3"),
        ("oni", "staff.disabled", "staff/ani", "r4"),
        ("oni", "staff.enabled", "staff/ani", "r5"),
        ("oka@console", "staff.unlocked", "staff/ani", "r6"),
    ]
    changed = office.acts("staff.roles_changed")[0]
    assert (changed["taken"], changed["asked"]) == (["author"], ["auditor"])


def test_words_that_are_no_role_give_no_right() -> None:
    assert known_roles(["author", "admin", "", "Operator", "root"]) == {"author"}
    assert known_roles([]) == frozenset()
