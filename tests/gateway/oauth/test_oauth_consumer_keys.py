"""A consumer's keys: from a moment, to a moment, one after the other without a gap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.database import Database
from gateway.errors import BadInput, Conflict, NotFound, NotPermitted
from gateway.oauth.assertions import AssertionRefused, verify_assertion
from gateway.oauth.consumers import ConsumerStore, Registration
from gateway.staff.roles import INSTALLATION, Staff
from tests.gateway.oauth.partner import b64, make_key, public, sign

ANI = Staff("ani", "Ani", frozenset({"operator"}), "password")
OKA = Staff("oka", "Oka", frozenset({"approver"}), "password")
WHY = "rotation"
ISSUER = "https://gapura.example"
START = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
OLD, NEW = make_key("ES256", "old"), make_key("ES256", "new")


class Clock:
    """Stands still until it is moved."""

    now = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database: Database, clock: Clock) -> ConsumerStore:
    opened = ConsumerStore(database, clock)
    jwks = {"keys": [public(OLD)]}
    opened.register(INSTALLATION, id="bpjs", name="B", sector="x", jwks=jwks, reason="onboarding")
    return opened


def _ends(registration: Registration) -> dict[str, datetime | None]:
    return {kid: key.not_after for kid, key in registration.keys.items()}


def _asks(store: ConsumerStore, clock: Clock, key: Any) -> str:
    """What the token endpoint makes of an assertion by this key now: `accepted`, or why not."""
    now_s = int(clock().timestamp())
    claims = {
        "iss": "bpjs",
        "sub": "bpjs",
        "aud": ISSUER,
        "jti": b64(key.kid.encode()),
        "iat": now_s,
        "exp": now_s + 60,
    }
    assertion = sign(key, {"alg": "ES256", "kid": key.kid}, claims)
    try:
        verify_assertion(assertion, client_id=None, find=store.find, issuer=ISSUER, now_s=now_s)
    except AssertionRefused as refusal:
        return str(refusal)
    return "accepted"


def test_a_new_key_counts_when_a_second_person_has_approved_it_and_announces_the_end_of_the_old(
    store: ConsumerStore, clock: Clock
) -> None:
    store.keys.add(ANI, "bpjs", public(NEW), WHY, overlap_days=7)
    assert "awaits approval" in _asks(store, clock, NEW)
    assert _ends(store.get("bpjs")) == {"old": None, "new": None}
    with pytest.raises(NotPermitted) as refused:
        store.keys.approve(ANI, "bpjs", "new", WHY)
    assert refused.value.code == "second_person_needed"
    clock.move(days=2)
    assert _ends(store.keys.approve(OKA, "bpjs", "new", WHY)) == {
        "old": clock() + timedelta(days=7),
        "new": None,
    }
    assert (_asks(store, clock, OLD), _asks(store, clock, NEW)) == ("accepted", "accepted")
    clock.move(days=7, seconds=-1)
    assert (_asks(store, clock, OLD), _asks(store, clock, NEW)) == ("accepted", "accepted")
    clock.move(seconds=1)
    assert _asks(store, clock, OLD).startswith("This key ended at 2026-11-30T03:00:00Z")
    assert _asks(store, clock, NEW) == "accepted"


def test_the_end_of_a_key_is_told_only_to_its_holder(store: ConsumerStore, clock: Clock) -> None:
    store.keys.add(INSTALLATION, "bpjs", public(NEW), WHY, overlap_days=0)
    assert "ended" in _asks(store, clock, OLD)
    assert _asks(store, clock, make_key("ES256", "old")) == "Client authentication failed."


def test_a_key_begins_when_it_was_said_and_the_overlap_is_counted_from_there(
    store: ConsumerStore, clock: Clock
) -> None:
    begins = START + timedelta(days=3)
    added = store.keys.add(INSTALLATION, "bpjs", public(NEW), WHY, overlap_days=2, not_before=begins)
    assert _ends(added)["old"] == begins + timedelta(days=2)
    assert "accepted from 2026-11-24T03:00:00Z" in _asks(store, clock, NEW)
    clock.move(days=3)
    assert _asks(store, clock, NEW) == "accepted"


def test_a_key_ends_by_itself_when_it_was_said(store: ConsumerStore, clock: Clock) -> None:
    ends = START + timedelta(days=90)
    added = store.keys.add(INSTALLATION, "bpjs", public(NEW), WHY, overlap_days=None, not_after=ends)
    assert _ends(added) == {"old": None, "new": ends}
    clock.move(days=90)
    assert "ended" in _asks(store, clock, NEW)
    assert _asks(store, clock, OLD) == "accepted"


def test_a_key_that_ends_sooner_keeps_its_end(store: ConsumerStore) -> None:
    store.keys.add(INSTALLATION, "bpjs", public(NEW), WHY, overlap_days=1)
    third = store.keys.add(INSTALLATION, "bpjs", public(make_key("ES256", "third")), WHY, overlap_days=9)
    assert _ends(third) == {
        "old": START + timedelta(days=1),
        "new": START + timedelta(days=9),
        "third": None,
    }


@pytest.mark.parametrize(
    "times",
    [
        {"overlap_days": -1},
        {"overlap_days": 366},
        {"not_before": datetime(2026, 12, 1)},  # noqa: DTZ001 - that is the mistake
        {"not_after": START},
        {"not_after": START + timedelta(days=30)},
        {
            "not_before": START + timedelta(days=9),
            "not_after": START + timedelta(days=9),
            "overlap_days": None,
        },
    ],
    ids=str,
)
def test_times_that_would_leave_a_gap_or_make_no_sense_are_refused(
    store: ConsumerStore, times: dict[str, Any]
) -> None:
    with pytest.raises(BadInput, match=r"- (overlap_days|not_)"):
        store.keys.add(ANI, "bpjs", public(NEW), WHY, **times)
    assert list(store.get("bpjs").keys) == ["old"]


def test_keys_come_and_go_but_never_the_last_good_one(store: ConsumerStore, clock: Clock) -> None:
    store.keys.add(INSTALLATION, "bpjs", public(make_key("PS256", "two")), WHY)
    with pytest.raises(Conflict, match="already"):
        store.keys.add(INSTALLATION, "bpjs", public(make_key("ES256", "two")), WHY)
    with pytest.raises(BadInput, match="kid"):
        store.keys.add(INSTALLATION, "bpjs", {**public(make_key("ES256")), "kid": ""}, WHY)
    store.keys.add(ANI, "bpjs", public(NEW), WHY)
    clock.move(days=31)  # the first has ended, the third is not approved
    with pytest.raises(Conflict, match="last key"):
        store.keys.remove(ANI, "bpjs", "two", WHY)
    for kid in ("old", "new"):
        store.keys.remove(ANI, "bpjs", kid, WHY)
    with pytest.raises(NotFound):
        store.keys.remove(ANI, "bpjs", "old", WHY)
    assert list(store.get("bpjs").keys) == ["two"]


def test_a_proposal_keeps_a_key_to_be_approved_with(store: ConsumerStore) -> None:
    store.register(ANI, id="a", name="A", sector="x", jwks={"keys": [public(NEW)]}, reason=WHY)
    with pytest.raises(Conflict, match="last key"):
        store.keys.remove(ANI, "a", "new", WHY)
    with pytest.raises(Conflict, match="approved with it"):
        store.keys.approve(OKA, "a", "new", WHY)


def test_a_key_is_approved_once_and_as_it_was_seen(store: ConsumerStore) -> None:
    seen = store.keys.add(ANI, "bpjs", public(NEW), WHY).version
    store.disable(ANI, "bpjs", WHY)
    with pytest.raises(Conflict) as conflict:
        store.keys.approve(OKA, "bpjs", "new", WHY, if_match=seen)
    assert conflict.value.code == "changed_meanwhile"
    store.keys.approve(OKA, "bpjs", "new", WHY)
    with pytest.raises(Conflict, match="already"):
        store.keys.approve(OKA, "bpjs", "new", WHY)


def test_a_consumer_has_a_bounded_number_of_keys(store: ConsumerStore) -> None:
    for number in range(19):
        store.keys.add(INSTALLATION, "bpjs", public(make_key("ES256", f"k{number}")), WHY)
    with pytest.raises(Conflict, match="20 keys"):
        store.keys.add(INSTALLATION, "bpjs", public(NEW), WHY)
