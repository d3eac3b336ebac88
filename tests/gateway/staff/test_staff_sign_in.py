"""Signing in by password: a lock-out that is exact however many try at once; enrolment; records."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadInput, Conflict, GapuraError, NotPermitted, Unauthenticated
from gateway.staff.lockout import FREE_FAILURES, wait_after
from gateway.staff.passwords import problems_of
from gateway.staff.roles import INSTALLATION
from tests.gateway.staff.office import PASSWORD, QUICK, WRONG, Office

AT_ONCE = 24


def _fails(office: Office, times: int = 1, staff_id: str = "ani") -> None:
    for _ in range(times):
        with pytest.raises(Unauthenticated):
            office.sign_in(staff_id, WRONG)


def _reasons(office: Office) -> list[str]:
    return [act["reason"] for act in office.acts("staff.sign_in_failed")]


@given(st.integers(0, 10_000))
def test_waits_begin_after_the_free_failures_and_double_up_to_an_hour(failures: int) -> None:
    minutes = 0
    for _ in range(FREE_FAILURES, min(failures, 100) + 1):  # an oracle that doubles step by step
        minutes = min(60, max(1, minutes * 2))
    assert wait_after(failures) == timedelta(minutes=minutes)


def test_of_many_wrong_passwords_at_once_exactly_the_free_ones_are_tried(office: Office) -> None:
    office.hire("ani", "author")
    together = threading.Barrier(AT_ONCE)

    def attempt(_: int) -> bool:
        together.wait()
        try:
            office.sign_in("ani", WRONG)
        except Unauthenticated:
            return False
        return True

    with ThreadPoolExecutor(AT_ONCE) as threads:
        assert not any(threads.map(attempt, range(AT_ONCE)))
    reasons = _reasons(office)
    assert reasons.count("wrong password") == FREE_FAILURES
    assert reasons.count("the account is locked") == AT_ONCE - FREE_FAILURES
    assert len(office.acts("staff.locked_out")) == 1


def test_a_locked_account_refuses_the_right_password_until_the_wait_is_over(office: Office) -> None:
    office.hire("ani", "author")
    _fails(office, FREE_FAILURES)
    office.clock.move(seconds=59)
    with pytest.raises(Unauthenticated):
        office.sign_in("ani")
    office.clock.move(seconds=1)
    assert office.sign_in("ani").session.staff.id == "ani"


def test_each_further_failure_doubles_the_wait_and_a_success_ends_the_count(office: Office) -> None:
    office.hire("ani", "author")
    _fails(office, FREE_FAILURES)
    office.clock.move(minutes=1)
    _fails(office)
    office.clock.move(minutes=1, seconds=59)
    with pytest.raises(Unauthenticated):
        office.sign_in("ani")
    office.clock.move(seconds=1)
    office.sign_in("ani")
    _fails(office, FREE_FAILURES - 1)
    assert office.sign_in("ani").session.staff.id == "ani"


def test_an_operator_unlocks_somebody_else_but_not_oneself(office: Office) -> None:
    office.hire("ani", "author")
    operator = office.hire("oni", "operator")
    _fails(office, FREE_FAILURES)
    office.desk.accounts.unlock(operator, "ani", "asked by telephone")
    assert office.sign_in("ani").session.staff.id == "ani"
    with pytest.raises(NotPermitted):
        office.desk.accounts.unlock(operator, "oni", "because")


def test_an_unknown_id_a_wrong_password_and_a_locked_or_disabled_account_look_alike(office: Office) -> None:
    office.hire("ani", "author")
    office.hire("budi", "author")
    office.hire("citra", "author", password=None)
    office.desk.accounts.disable(INSTALLATION, "budi", "left")
    told = set()
    for staff_id in ("nobody", "ani", "budi", "citra"):
        with pytest.raises(Unauthenticated) as refused:
            office.sign_in(staff_id, WRONG)
        told.add((refused.value.code, refused.value.detail))
    _fails(office, FREE_FAILURES)
    with pytest.raises(Unauthenticated) as refused:
        office.sign_in("ani", PASSWORD)
    assert told == {(refused.value.code, refused.value.detail)}
    assert _reasons(office)[:4] == [
        "no such account",
        "wrong password",
        "the account is disabled",
        "the account has no password",
    ]


def test_what_was_typed_as_an_unknown_id_is_not_recorded(office: Office) -> None:
    _fails(office, staff_id="rahasia-negara")
    (act,) = office.acts()
    assert (act["actor"], act["object"]) == ("unknown", "staff/unknown")
    assert "rahasia" not in str(office.acts())


def test_a_disabled_account_is_refused_even_if_it_is_disabled_while_its_password_is_checked(
    office: Office,
) -> None:
    office.hire("ani", "author")
    attempt = office.desk.sign_in._begin_attempt("ani")
    assert attempt is not None
    office.desk.accounts.disable(INSTALLATION, "ani", "left")
    with pytest.raises(Unauthenticated):
        office.desk.sign_in._succeed("ani", attempt, None)


def test_an_enrolment_secret_works_once_within_a_day(office: Office) -> None:
    office.hire("ani", "author", password=None)
    issue = lambda: office.desk.accounts.issue_enrolment(INSTALLATION, "ani", "hired")  # noqa: E731
    late = issue()
    office.clock.move(hours=24)
    with pytest.raises(Unauthenticated):
        office.desk.sign_in.enrol("ani", late, PASSWORD)
    replaced, secret = issue(), issue()
    for refused in (replaced, secret[:-1] + "_", ""):
        with pytest.raises(Unauthenticated):
            office.desk.sign_in.enrol("ani", refused, PASSWORD)
    with pytest.raises(BadInput):
        office.desk.sign_in.enrol("ani", secret, "short")
    office.desk.sign_in.enrol("ani", secret, PASSWORD)
    with pytest.raises(Unauthenticated):
        office.desk.sign_in.enrol("ani", secret, WRONG)
    assert office.sign_in("ani").session.staff.id == "ani"


def test_of_many_who_enrol_at_once_with_one_secret_one_succeeds(office: Office) -> None:
    office.hire("ani", "author", password=None)
    secret = office.desk.accounts.issue_enrolment(INSTALLATION, "ani", "hired")
    together = threading.Barrier(8)

    def enrol(number: int) -> bool:
        together.wait()
        try:
            office.desk.sign_in.enrol("ani", secret, f"{PASSWORD} {number}")
        except Unauthenticated:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(enrol, range(8))) == 1


def test_a_wrong_present_password_counts_towards_the_lock_out(office: Office) -> None:
    staff = office.hire("ani", "author")
    secret = office.sign_in("ani").secret
    for _ in range(FREE_FAILURES):
        with pytest.raises(Unauthenticated):
            office.desk.sign_in.change_password(staff, secret, WRONG, "tujuh gunung di barat")
    with pytest.raises(Unauthenticated):
        office.desk.sign_in.change_password(staff, secret, PASSWORD, "tujuh gunung di barat")


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("elevenchars", "at least 12"),
        ("xx ANI.wulandari xx", "the account's id"),
        ("ababababababab", "different characters"),
        ("abcdef" * 43, "at most 256"),
    ],
)
def test_an_unacceptable_password_is_told_why_and_not_repeated(password: str, expected: str) -> None:
    staff_id = "ani.wulandari" if "." in password else "ani"
    told = " ".join(one.en for one in problems_of(password, staff_id))
    assert expected in told
    assert password not in told


@given(st.text(min_size=1, max_size=20), st.text(min_size=60, max_size=120))
def test_every_character_of_a_password_counts(extra: str, base: str) -> None:
    stored = QUICK.hash_again(base)
    assert QUICK.matches(base, stored)
    assert not QUICK.matches(base + extra, stored)


def test_the_same_word_from_another_keyboard_is_the_same_password() -> None:
    composed, decomposed = "caf\u00e9 di tepi sawah", "cafe\u0301 di tepi sawah"
    assert QUICK.matches(decomposed, QUICK.hash(composed, "ani"))


def test_no_secret_that_was_given_out_or_chosen_can_be_read_from_the_database(office: Office) -> None:
    office.hire("ani", "author", password=None)
    enrolment = office.desk.accounts.issue_enrolment(INSTALLATION, "ani", "hired")
    office.desk.sign_in.enrol("ani", enrolment, PASSWORD)
    session = office.sign_in("ani").secret
    pending = office.desk.accounts.issue_enrolment(INSTALLATION, "ani", "lost")
    _, token = office.desk.tokens.add(INSTALLATION, "ani", name="x", roles=frozenset({"author"}), days=1)
    with office.database.reading() as connection:
        kept = " ".join(
            str(connection.exec_driver_sql(f"SELECT * FROM {table}").all())  # noqa: S608 - literals below
            for table in ("staff_accounts", "staff_sessions", "staff_tokens", "audit_entries")
        )
    assert "ani" in kept
    for secret in (PASSWORD, enrolment, session, pending, token, token.removeprefix("gpr_")):
        assert secret not in kept


def test_an_act_that_cannot_be_recorded_does_not_happen(office: Office) -> None:
    def broken(_connection: object, _act: object) -> None:
        raise Conflict("the log is full")

    office.hire("ani", "author")
    office.desk.accounts._record = broken
    with pytest.raises(GapuraError):
        office.desk.accounts.disable(INSTALLATION, "ani", "left")
    assert office.desk.accounts.get("ani").active
