"""Sessions end by time and by change; tokens do no more than their owner may, and end."""

from __future__ import annotations

import pytest

from gateway.errors import BadInput, NotFound, NotPermitted
from gateway.staff.roles import INSTALLATION, Role, known_roles
from gateway.staff.sessions import IDLE, LONGEST
from tests.gateway.staff.office import PASSWORD, Office

AUTHOR: frozenset[Role] = frozenset({"author"})


def test_a_session_ends_when_it_is_not_used(office: Office) -> None:
    office.hire("ani", "author")
    secret = office.sign_in("ani").secret
    for _ in range(3):
        office.clock.move(seconds=IDLE.total_seconds() - 61)
        assert office.desk.sessions.find(secret) is not None
    office.clock.move(seconds=IDLE.total_seconds())
    assert office.desk.sessions.find(secret) is None


def test_a_session_ends_however_much_it_is_used(office: Office) -> None:
    office.hire("ani", "author")
    secret = office.sign_in("ani").secret
    ended = office.clock.now + LONGEST
    while office.clock.now < ended:
        assert office.desk.sessions.find(secret) is not None
        office.clock.move(minutes=20)
    assert office.desk.sessions.find(secret) is None


def test_ended_sessions_are_forgotten_and_others_stay(office: Office) -> None:
    office.hire("ani", "author")
    old = office.sign_in("ani").secret
    office.clock.move(minutes=29)
    new = office.sign_in("ani").secret
    office.clock.move(minutes=1)
    assert office.desk.sessions.forget_ended() == 1
    assert office.desk.sessions.find(old) is None
    assert office.desk.sessions.find(new) is not None


def test_a_role_that_is_taken_away_is_gone_from_sessions_and_tokens_at_once(office: Office) -> None:
    office.hire("ani", "author", "auditor")
    session = office.sign_in("ani").secret
    _, token = office.desk.tokens.add(
        INSTALLATION, "ani", name="x", roles=known_roles(["author", "auditor"]), days=1
    )
    office.desk.accounts.set_roles(INSTALLATION, "ani", AUTHOR, "fewer")
    found, by_token = office.desk.sessions.find(session), office.desk.tokens.find(token)
    assert found is not None
    assert by_token is not None
    assert found.staff.roles == by_token.roles == AUTHOR


def test_another_password_ends_every_other_session(office: Office) -> None:
    staff = office.hire("ani", "author")
    elsewhere, here = office.sign_in("ani").secret, office.sign_in("ani").secret
    office.desk.sign_in.change_password(staff, here, PASSWORD, "tujuh gunung di barat")
    assert office.desk.sessions.find(elsewhere) is None
    assert office.desk.sessions.find(here) is not None
    assert office.sign_in("ani", "tujuh gunung di barat").session.staff.id == "ani"


def test_signing_out_ends_the_session_and_is_recorded_once(office: Office) -> None:
    office.hire("ani", "author")
    opened = office.sign_in("ani")
    for _ in range(2):
        office.desk.sessions.close(opened.secret, opened.session.staff)
    assert office.desk.sessions.find(opened.secret) is None
    assert [act["actor"] for act in office.acts("staff.signed_out")] == ["ani"]


def test_a_token_acts_for_its_owner_until_it_expires(office: Office) -> None:
    ani = office.hire("ani", "author", "auditor")
    _, secret = office.desk.tokens.add(ani, "ani", name="export", roles=AUTHOR, days=2)
    staff = office.desk.tokens.find(secret)
    assert staff is not None
    assert (staff.id, staff.roles, staff.in_person) == ("ani", AUTHOR, False)
    assert staff.actor.startswith("ani@token:")
    office.clock.move(days=2, seconds=-1)
    assert office.desk.tokens.find(secret) is not None
    office.clock.move(seconds=1)
    assert office.desk.tokens.find(secret) is None
    assert [act["reason"] for act in office.acts("staff.token_refused")] == ["the token has expired"]


def test_a_revoked_token_is_refused_from_then_on(office: Office) -> None:
    ani = office.hire("ani", "author")
    oni, budi = office.hire("oni", "operator"), office.hire("budi", "auditor")
    made, secret = office.desk.tokens.add(ani, "ani", name="export", roles=AUTHOR, days=2)
    with pytest.raises(NotPermitted):
        office.desk.tokens.revoke(budi, "ani", made.id)
    with pytest.raises(NotFound):
        office.desk.tokens.revoke(oni, "oni", made.id)
    assert office.desk.tokens.find(secret) is not None
    for _ in range(2):
        office.desk.tokens.revoke(oni, "ani", made.id, "laptop lost")
    assert office.desk.tokens.find(secret) is None
    assert [(act["actor"], act["reason"]) for act in office.acts("staff.token_revoked")] == [
        ("oni", "laptop lost")
    ]


@pytest.mark.parametrize(
    ("roles", "days", "expected"),
    [
        (["operator"], 1, "does not have operator"),
        ([], 1, "at least one"),
        (["author"], 0, "1 to 366"),
        (["author"], 367, "1 to 366"),
    ],
)
def test_a_token_never_exceeds_its_owner_nor_lasts_for_ever(
    office: Office, roles: list[str], days: int, expected: str
) -> None:
    ani = office.hire("ani", "author")
    with pytest.raises(BadInput, match=expected):
        office.desk.tokens.add(ani, "ani", name="x", roles=known_roles(roles), days=days)


def test_nobody_makes_a_token_for_somebody_else_and_no_token_makes_a_token(office: Office) -> None:
    ani, oni = office.hire("ani", "author"), office.hire("oni", "operator", "author")
    _, secret = office.desk.tokens.add(ani, "ani", name="x", roles=AUTHOR, days=1)
    by_token = office.desk.tokens.find(secret)
    assert by_token is not None
    for actor in (oni, by_token):
        with pytest.raises(NotPermitted):
            office.desk.tokens.add(actor, "ani", name="y", roles=AUTHOR, days=1)


@pytest.mark.parametrize("shape", ["", "gpr_", "gpr_" + "A" * 43, "A" * 43, "gpr_" + "A" * 42 + "é"])
def test_what_was_never_a_token_is_nobody(office: Office, shape: str) -> None:
    office.hire("ani", "author")
    assert office.desk.tokens.find(shape) is None
    assert office.acts("staff.token_refused") == []
