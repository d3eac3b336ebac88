"""What opens more takes two people; what opens less takes one and counts at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from gateway.audit.tables import audit_entries
from gateway.database import Database
from gateway.errors import BadInput, Conflict, NotPermitted
from gateway.oauth import tokens
from gateway.oauth.consumers import ConsumerStore, Contact, Registration
from gateway.oauth.jurisdiction import lies_within
from gateway.oauth.registration import Change
from gateway.oauth.tables import consumer_keys
from gateway.staff.roles import INSTALLATION, Staff
from tests.gateway.oauth.partner import Partner, error_of, make_key, public, refusal, register
from tests.gateway.oauth.running import RunningGateway

ANI = Staff("ani", "Ani", frozenset({"author"}), "password")
OKA = Staff("oka", "Oka", frozenset({"approver"}), "password")
BUDI = Staff("budi", "Budi", frozenset({"author", "approver"}), "password")
WHY = "PKS 12"


@pytest.fixture
def store(database: Database) -> ConsumerStore:
    return ConsumerStore(database)


def _proposed(store: ConsumerStore, actor: Staff = ANI, **more: Any) -> Registration:
    jwks = {"keys": [public(make_key("ES256", "one"))]}
    said = {"id": "dinas", "name": "Dinas", "sector": "dinas", "regions": ["35"], "jwks": jwks, "reason": WHY}
    return store.register(actor, **{**said, **more})


def _acts(database: Database) -> list[dict[str, Any]]:
    with database.reading() as connection:
        rows = connection.execute(select(audit_entries.c.entry).order_by(audit_entries.c.sequence))
        return [json.loads(text) for text in rows.scalars()]


def test_a_consumer_that_one_person_proposed_is_let_in_by_another(
    store: ConsumerStore, database: Database
) -> None:
    proposed = _proposed(store)
    assert (proposed.state, proposed.active, proposed.proposers) == ("proposed", False, {"ani"})
    assert [key.approved_by for key in proposed.keys.values()] == [None]
    with pytest.raises(NotPermitted) as refused:
        store.approve(ANI, "dinas", WHY)
    assert refused.value.code == "second_person_needed"
    approved = store.approve(OKA, "dinas", "checked", if_match=proposed.version)
    assert (approved.state, approved.approved_by, approved.proposers) == ("active", "oka", frozenset())
    assert [key.approved_by for key in approved.keys.values()] == ["oka"]
    told = [(act["act"], act["actor"], act["object"], act["reason"]) for act in _acts(database)]
    assert told == [
        ("consumer.proposed", "ani", "consumer/dinas", WHY),
        ("consumer.approved", "oka", "consumer/dinas", "checked"),
    ]
    assert _acts(database)[1]["proposed_by"] == ["ani"]
    assert _acts(database)[1]["regions"] == ["35"]


def test_who_has_a_hand_in_a_proposal_does_not_approve_it_not_even_the_rest_of_it(
    store: ConsumerStore,
) -> None:
    _proposed(store)
    store.change(BUDI, "dinas", Change(regions=("35.78",)), WHY)
    for hand in (ANI, BUDI):
        with pytest.raises(NotPermitted):
            store.approve(hand, "dinas", WHY)
    assert store.approve(OKA, "dinas", WHY).consumer.regions == ("35.78",)


def test_who_added_a_key_to_a_proposal_does_not_approve_it(store: ConsumerStore) -> None:
    _proposed(store)
    store.keys.add(BUDI, "dinas", public(make_key("ES256", "two")), WHY)
    with pytest.raises(NotPermitted):
        store.approve(BUDI, "dinas", WHY)
    assert {key.approved_by for key in store.approve(OKA, "dinas", WHY).keys.values()} == {"oka"}


def test_the_console_lets_in_at_once_and_by_name(store: ConsumerStore, database: Database) -> None:
    registered = _proposed(store, Staff("ani", "Ani", frozenset(), "console"))
    assert (registered.state, registered.approved_by) == ("active", "ani")
    (act,) = _acts(database)
    assert (act["act"], act["actor"]) == ("consumer.registered", "ani@console")


def test_a_refused_proposal_is_disabled_and_comes_back_as_a_proposal_only(store: ConsumerStore) -> None:
    _proposed(store)
    assert store.refuse(OKA, "dinas", "no PKS").state == "disabled"
    again = store.enable(BUDI, "dinas", "PKS signed")
    assert (again.state, again.proposers) == ("proposed", {"ani", "budi"})
    with pytest.raises(NotPermitted):
        store.approve(ANI, "dinas", WHY)
    assert store.approve(OKA, "dinas", WHY).active


WIDER = [
    Change(regions=("35", "33")),
    Change(regions=()),
    Change(regions=("33",)),
    Change(sector="kesehatan"),
    Change(sandbox=False),
    Change(certificate_bound=True),
]
NARROWER = [
    Change(regions=("35.78", "35.15")),
    Change(sandbox=True),
    Change(regions=("35",)),
    Change(certificate_bound=False),
    Change(),
]


@pytest.mark.parametrize("change", WIDER, ids=str)
def test_a_change_that_opens_more_waits_for_a_second_person(store: ConsumerStore, change: Change) -> None:
    before = _proposed(store, INSTALLATION, sandbox=True)
    waits = store.change(ANI, "dinas", change, WHY)
    assert (waits.consumer, waits.waiting, waits.proposers) == (before.consumer, change, {"ani"})
    with pytest.raises(NotPermitted):
        store.approve(ANI, "dinas", WHY)
    approved = store.approve(OKA, "dinas", WHY, if_match=waits.version)
    assert approved.consumer == change.applied_to(before.consumer)
    assert (approved.waiting, approved.proposers) == (Change(), frozenset())


@pytest.mark.parametrize("change", NARROWER, ids=str)
def test_a_change_that_opens_no_more_counts_at_once(store: ConsumerStore, change: Change) -> None:
    before = _proposed(store, INSTALLATION)
    changed = store.change(ANI, "dinas", change, WHY, name="Dinas Sosial")
    assert changed.consumer.name == "Dinas Sosial"
    assert changed.consumer.regions == (change.regions or before.consumer.regions)
    assert changed.consumer.sandbox is bool(change.sandbox)
    assert (changed.waiting, changed.proposers) == (Change(), frozenset())


def test_proofs_in_place_of_a_certificate_count_at_once(store: ConsumerStore) -> None:
    assert _proposed(store, INSTALLATION, certificate_bound=True).consumer.certificate_bound
    changed = store.change(ANI, "dinas", Change(certificate_bound=False), WHY)
    assert (changed.consumer.certificate_bound, changed.waiting) == (False, Change())


def test_of_a_mixed_change_the_narrower_part_counts_and_the_wider_waits(
    store: ConsumerStore, database: Database
) -> None:
    _proposed(store, INSTALLATION)
    changed = store.change(ANI, "dinas", Change(sector="kesehatan", sandbox=True), WHY)
    assert (changed.consumer.sector, changed.consumer.sandbox) == ("dinas", True)
    assert changed.waiting == Change(sector="kesehatan")
    act = _acts(database)[-1]
    assert (act["act"], act["wanted_sector"], act["sandbox"]) == ("consumer.changed", "kesehatan", "True")


def test_what_is_said_of_a_part_replaces_what_waited_of_it_and_leaves_the_rest(store: ConsumerStore) -> None:
    _proposed(store, INSTALLATION)
    store.change(ANI, "dinas", Change(sector="kesehatan", regions=()), WHY)
    narrowed = store.change(BUDI, "dinas", Change(regions=("35.78",)), WHY)
    assert narrowed.consumer.regions == ("35.78",)
    assert (narrowed.waiting, narrowed.proposers) == (Change(sector="kesehatan"), {"ani"})
    widened = store.change(BUDI, "dinas", Change(regions=("35",)), WHY)
    assert widened.waiting == Change(sector="kesehatan", regions=("35",))
    assert widened.proposers == {"ani", "budi"}
    dropped = store.refuse(ANI, "dinas", "a mistake")
    assert (dropped.waiting, dropped.proposers, dropped.state) == (Change(), frozenset(), "active")
    with pytest.raises(Conflict):
        store.approve(OKA, "dinas", WHY)


def test_who_disabled_a_consumer_does_not_enable_it(store: ConsumerStore) -> None:
    _proposed(store, INSTALLATION)
    store.disable(OKA, "dinas", "key lost")
    with pytest.raises(NotPermitted):
        store.enable(OKA, "dinas", WHY)
    assert store.enable(BUDI, "dinas", WHY).active


@pytest.mark.parametrize(
    "act",
    [
        lambda store, version: store.approve(OKA, "dinas", WHY, if_match=version),
        lambda store, version: store.refuse(OKA, "dinas", WHY, if_match=version),
        lambda store, version: store.change(BUDI, "dinas", Change(), WHY, name="x", if_match=version),
    ],
)
def test_nobody_settles_or_changes_what_somebody_else_has_just_changed(
    store: ConsumerStore, act: Callable[[ConsumerStore, int], Registration]
) -> None:
    seen = _proposed(store).version
    present = store.change(BUDI, "dinas", Change(regions=("35.78",)), WHY)
    with pytest.raises(Conflict) as conflict:
        act(store, seen)
    assert conflict.value.code == "changed_meanwhile"
    assert store.get("dinas") == present


@pytest.mark.parametrize("reason", ["", " ", "x" * 501, "a\nb"])
def test_without_a_reason_nothing_is_done_and_nothing_recorded(
    store: ConsumerStore, database: Database, reason: str
) -> None:
    _proposed(store, INSTALLATION)
    before, acts = store.get("dinas"), len(_acts(database))
    for act in (store.disable, store.approve, store.refuse, store.enable):
        with pytest.raises((BadInput, Conflict)):
            act(OKA, "dinas", reason)
    with pytest.raises(BadInput):
        store.change(ANI, "dinas", Change(sandbox=True), reason)
    assert (store.get("dinas"), len(_acts(database))) == (before, acts)


def test_no_act_holds_an_e_mail_address_or_key_material(store: ConsumerStore, database: Database) -> None:
    _proposed(store, contact=Contact("Bidang Data", "data@example.go.id"))
    store.change(BUDI, "dinas", Change(), WHY, contact=Contact("Bidang Baru", "baru@example.go.id"))
    said = json.dumps(_acts(database))
    assert "@example" not in said
    assert all(part not in said for part in ('"x"', '"crv"'))


_CODES = st.lists(st.sampled_from(["35", "35.78", "35.78.08", "33", "33.01", "32.04"]), max_size=3)
_PLACES = [
    "35.78.08.1003",
    "35.15.01.2001",
    "33.01.01.1001",
    "33.02.01.1001",
    "32.04.05.2001",
    "51.01.01.1001",
]


def _reaches(regions: list[str], place: str) -> bool:
    """Independent of the product: a place is reached if a code is a run of its leading parts."""
    parts = place.split(".")
    return not regions or any(code.split(".") == parts[: len(code.split("."))] for code in regions)


@given(regions=_CODES, present=_CODES)
def test_a_jurisdiction_within_another_reaches_no_place_beyond_it(
    regions: list[str], present: list[str]
) -> None:
    if lies_within(regions, present):
        assert not [p for p in _PLACES if _reaches(regions, p) and not _reaches(present, p)]


def test_a_code_is_not_within_one_whose_digits_it_merely_begins_with() -> None:
    assert not lies_within(["35.7"], ["35.78"])
    assert not lies_within(["351"], ["35"])


# at call time


def test_the_token_endpoint_names_the_state_to_whoever_has_shown_who_they_are(oauth: RunningGateway) -> None:
    partner = Partner(oauth, f"waiting-{make_key('ES256').kid}", make_key("ES256"))
    jwks = {"keys": [public(partner.key)]}
    oauth.store.register(ANI, id=partner.id, name="x", sector="x", jwks=jwks, reason=WHY)
    answer = partner.ask()
    assert (error_of(answer), "awaits approval" in answer.json()["error_description"]) == (
        "invalid_client",
        True,
    )
    stranger = Partner(oauth, partner.id, make_key("ES256", kid=partner.key.kid))
    assert "approval" not in stranger.ask().json()["error_description"]
    oauth.store.approve(OKA, partner.id, WHY)
    assert partner.ask().status_code == 200


def test_a_token_says_precisely_why_it_does_not_count(oauth: RunningGateway) -> None:
    partner = register(oauth)
    token = partner.token()
    oauth.store.disable(INSTALLATION, partner.id, WHY)
    assert refusal(partner.call(token)) == (401, "consumer_disabled")
    oauth.store.enable(INSTALLATION, partner.id, WHY)
    assert partner.call(token).status_code == 200
    now = datetime.now(UTC)
    unknown = tokens.issue_token(
        client_id="nobody-at-all",
        scope="records",
        constraint=tokens.SenderConstraint("jkt", partner.dpop_key.thumbprint()),
        issuer=oauth.issuer,
        key=oauth.keys.signing_key(now),
        now=now,
        lifetime_s=60,
    )
    assert refusal(partner.call(unknown)) == (401, "consumer_unknown")


def test_one_public_key_is_refused_for_two_consumers_and_twice_for_one(store: ConsumerStore) -> None:
    key = public(make_key("ES256", "one"))
    _proposed(store, INSTALLATION, jwks={"keys": [key]})
    renamed = {**key, "kid": "another-name", "alg": "ES256", "use": "sig"}
    with pytest.raises(Conflict) as refused:
        _proposed(store, INSTALLATION, id="other", jwks={"keys": [renamed]})
    assert (refused.value.code, "one of dinas" in refused.value.detail) == ("key_in_use", True)
    assert store.find("other") is None
    with pytest.raises(Conflict, match="registered already"):
        store.keys.add(INSTALLATION, "dinas", renamed, WHY)
    with pytest.raises(BadInput, match="again, under another kid"):
        _proposed(store, INSTALLATION, id="other", jwks={"keys": [key, renamed]})


def test_the_database_itself_refuses_a_key_that_is_there(store: ConsumerStore, database: Database) -> None:
    """Two registrations at the same moment cannot see each other; the constraint does."""
    _proposed(store, INSTALLATION)
    (key,) = store.get("dinas").keys.values()
    row = {
        "consumer_id": "dinas",
        "kid": "two",
        "jwk": dict(key.public.members),
        "thumbprint": key.public.thumbprint,
        "added_at": datetime.now(UTC),
        "added_by": "x",
        "not_before": datetime.now(UTC),
    }
    with pytest.raises(IntegrityError), database.unit_of_work() as connection:
        connection.execute(insert(consumer_keys), [row])
