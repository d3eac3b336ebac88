"""What needs somebody: told to those who may know of it, and marked where they may settle it themselves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Table, insert

from gateway.agreements.tables import policy_acts, policy_listing, policy_versions
from gateway.database import Database
from gateway.limits.tables import limit_alarms
from gateway.oauth.tables import consumer_keys, consumers
from gateway.overview.needs import KINDS, MOST_NAMED, READERS, Need, readable
from gateway.overview.waiting import Waiting
from gateway.pseudonyms.tables import reversals
from gateway.reconciliation.tables import likely_persons, reconciliation_runs
from gateway.rights.tables import incidents
from gateway.sources.tables import source_calls
from gateway.staff.roles import ROLES, Role, Staff
from gateway.staff.tables import staff_accounts

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
TODAY = date(2026, 11, 21)
EVERYBODY = Staff("oka", "Oka", frozenset(ROLES), "password")


class Office:
    """Rows as their domains write them, and what is then told to whom."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, table: Table, **row: Any) -> None:
        with self._database.unit_of_work() as connection:
            connection.execute(insert(table).values(**row))

    def needs(self, staff: Staff = EVERYBODY, *, later: timedelta = timedelta(0)) -> Mapping[str, Need]:
        return {need.kind: need for need in Waiting(self._database, lambda: NOW + later)(staff)}

    def consumer(self, consumer_id: str, **also: Any) -> None:
        usual = {"name": consumer_id, "sector": "s", "regions": [], "state": "active", "registered_at": NOW}
        self.put(consumers, **{"id": consumer_id, **usual, "approved_by": "x", "proposers": [], **also})

    def key(self, consumer_id: str, **also: Any) -> None:
        usual = {"jwk": {}, "added_at": NOW, "added_by": "ani", "approved_by": "x", "not_before": NOW}
        kid = uuid4().hex
        self.put(
            consumer_keys, **{"consumer_id": consumer_id, "kid": kid, "thumbprint": kid, **usual, **also}
        )

    def version(self, name: str, state: str, *editors: str) -> None:
        self.put(
            policy_versions,
            kind="agreement",
            name=name,
            version=2,
            state=state,
            text="",
            cases="",
            sha256="",
            author=editors[0],
            editors=list(editors),
            reason="",
            created_at=NOW,
            changed_at=NOW,
        )

    def act(self, name: str, act: str, reason: str = "") -> None:
        done = {"act": act, "actor": "budi", "reason": reason, "sha256": "", "at": NOW}
        self.put(policy_acts, kind="agreement", name=name, version=2, **done)


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


def _as(staff_id: str, *roles: Role, via: str = "password") -> Staff:
    return Staff(staff_id, staff_id, frozenset(roles), via)


def test_where_nothing_waits_nothing_is_told(office: Office) -> None:
    office.consumer("calm")
    office.key("calm")
    assert office.needs() == {}


def test_a_version_is_for_an_approver_who_wrote_no_part_of_it_and_signs_in(office: Office) -> None:
    office.version("pbi", "submitted", "ani", "oka")
    office.version("pkh", "submitted", "ani")
    office.version("bpnt", "approved", "ani")
    need = office.needs(_as("oka", "approver"))["policies_submitted"]
    assert (need.count, need.yours) == (2, 1)
    assert {one.id for one in need.named} == {"agreement/pbi/2", "agreement/pkh/2"}
    for somebody in (_as("ani", "author"), _as("oka", "approver", via="token:1")):
        assert office.needs(somebody)["policies_submitted"].yours == 0
    assert office.needs()["policies_approved"].count == 1


def test_a_draft_that_was_handed_back_is_told_to_who_wrote_it_with_the_reason_until_it_is_edited(
    office: Office,
) -> None:
    for name, author in (("pbi", "ani"), ("pkh", "oka"), ("bpnt", "ani")):
        office.version(name, "draft", author)
        office.act(name, "submit")
    office.act("pbi", "refuse", "clause 4 is missing")
    office.act("pkh", "refuse", "for somebody else")
    need = office.needs(_as("ani", "author"))["policies_returned"]
    assert [(one.id, one.detail) for one in need.named] == [("agreement/pbi/2", "clause 4 is missing")]
    assert (need.count, need.yours) == (1, 1)
    assert "policies_returned" not in office.needs(_as("ani", "approver"))
    office.act("pbi", "edit")
    assert "policies_returned" not in office.needs(_as("ani", "author"))


def test_a_role_that_was_asked_for_waits_for_a_second_person(office: Office) -> None:
    for staff_id, proposer in (("citra", "oka"), ("dewi", None)):
        office.put(
            staff_accounts,
            id=staff_id,
            name=staff_id,
            roles=[],
            proposed_roles=["auditor"] if proposer else [],
            proposed_by=proposer,
            state="active",
            version=1,
            registered_at=NOW,
            failures=0,
        )
    need = office.needs()["roles_waiting"]
    assert ([one.id for one in need.named], need.yours) == (["citra"], 0)  # oka asked for it
    assert office.needs(_as("ani", "operator"))["roles_waiting"].yours == 1
    for somebody in (_as("ani", "author"), _as("citra", "approver"), _as("ani", "operator", via="token:1")):
        assert office.needs(somebody)["roles_waiting"].yours == 0


def test_proposals_changes_and_keys_wait_for_somebody_else(office: Office) -> None:
    office.consumer("proposed", state="proposed", approved_by=None, proposers=["oka"])
    office.key("proposed", approved_by=None)
    office.consumer("changing", waiting={"sandbox": False}, proposers=["ani"])
    office.key("changing", approved_by=None, added_by="oka")
    office.consumer("given-up", state="disabled", waiting={"sandbox": False})
    needs = office.needs()
    assert (needs["consumers_waiting"].count, needs["consumers_waiting"].yours) == (2, 1)
    assert (needs["keys_waiting"].count, needs["keys_waiting"].yours) == (1, 0)
    assert needs["keys_waiting"].named[0].id == "changing"


def test_keys_are_told_where_the_last_good_one_of_an_active_consumer_ends_soon(office: Office) -> None:
    soon, late = NOW + timedelta(days=9), NOW + timedelta(days=90)
    for name, ends in (
        ("soon", [soon]),
        ("rotated", [soon, late]),
        ("endless", [soon, None]),
        ("late", [late]),
    ):
        office.consumer(name)
        for end in ends:
            office.key(name, not_after=end)
    office.consumer("stopped", state="disabled")
    office.key("stopped", not_after=soon)
    need = office.needs()["keys_ending"]
    assert ([one.id for one in need.named], need.soonest) == (["soon"], soon)


def test_agreements_in_force_are_told_from_a_month_before_their_last_day(office: Office) -> None:
    for name, days in (("soon", 12), ("late", 90), ("over", -1)):
        office.put(
            policy_listing,
            kind="agreement",
            name=name,
            state="active",
            in_force=1,
            newest=1,
            consumer="c",
            valid_from=date(2024, 1, 1),
            valid_until=TODAY + timedelta(days=days),
        )
    need = office.needs()["agreements_ending"]
    assert (need.count, [one.id for one in need.named]) == (1, ["soon"])
    assert need.soonest == datetime(2026, 12, 3, 17, tzinfo=UTC)  # the end of 3 December in Jakarta


def test_an_alarm_and_its_refusal_are_one_and_yesterdays_are_over(office: Office) -> None:
    for day, level in ((TODAY, "alarm"), (TODAY, "refusal"), (TODAY - timedelta(days=1), "alarm")):
        office.put(limit_alarms, agreement_id="a", day=day, pattern="unknown_people", level=level, at=NOW)
    need = office.needs()["alarms"]
    assert (need.count, need.named[0].detail) == (1, "refusal")


def test_an_incident_is_told_to_auditors_until_people_and_authority_were_told(office: Office) -> None:
    row = {"consumer_id": "c", "first": NOW, "last": NOW, "known_at": NOW, "opened_at": NOW}
    for told in ({"people_told_at": NOW}, {"people_told_at": NOW, "authority_told_at": NOW}):
        office.put(incidents, id=uuid4(), opened_by="ani", reason="", **row, **told)
    need = office.needs(_as("ani", "auditor"))["incidents"]
    assert (need.count, need.soonest) == (1, NOW + timedelta(hours=72))
    assert "incidents" not in office.needs(_as("oni", "operator", "approver", "author"))


def test_a_reversal_waits_for_another_approver_and_then_a_day_for_who_asked(office: Office) -> None:
    row = {"sector": "s", "name_hashes": [], "legal_basis": "court_order", "reference": "r", "reason": "r"}
    office.put(reversals, id="1", requested_by="oka", requested_at=NOW, state="requested", **row)
    office.put(
        reversals, id="2", requested_by="oka", requested_at=NOW, state="approved", settled_at=NOW, **row
    )
    needs = office.needs()
    assert (needs["reversals_requested"].yours, needs["reversals_approved"].yours) == (0, 1)
    assert office.needs(_as("ani", "approver"))["reversals_requested"].yours == 1
    assert "reversals_approved" not in office.needs(later=timedelta(hours=24))


def test_of_many_the_first_few_are_named(office: Office) -> None:
    run = uuid4()
    for number in range(MOST_NAMED + 3):
        office.put(
            reconciliation_runs,
            id=run if not number else UUID(int=number),
            way="live",
            engine="e",
            state="failed",
            submitted_at=NOW,
            submitted_by="x",
            problems=[],
        )
    for person, probability in ((1, 0.9), (1, 0.8), (2, 0.5), (3, 0.49)):
        office.put(
            likely_persons,
            id=uuid4(),
            run_id=run,
            person_id=UUID(int=person),
            region="35.78",
            weight=1,
            rank=uuid4().int % 10_000,
            probability=probability,
            proposal="review",
            agreeing=1,
            model="m",
            reasons=[],
            pair="p",
            state="proposed",
        )
    needs = office.needs()
    assert (needs["runs_stopped"].count, len(needs["runs_stopped"].named)) == (MOST_NAMED + 3, MOST_NAMED)
    assert needs["likely_persons"].count == 2  # people, not proposals, and none that is less likely than not


@pytest.mark.parametrize(("later", "told"), [(0, True), (-30, False), (80, True), (90, False)])
def test_the_usage_report_is_told_around_the_end_of_a_semester_in_which_dukcapil_was_asked(
    office: Office, later: int, told: bool
) -> None:
    assert "usage_report" not in office.needs(later=timedelta(days=later))
    office.put(source_calls, source="dukcapil", day=date(2026, 10, 1), made=3)
    needs = office.needs(later=timedelta(days=later))
    assert ("usage_report" in needs) == told
    if told:
        assert needs["usage_report"].named[0].id == "2026-S2"


def test_every_kind_is_told_to_somebody() -> None:
    for kind in KINDS:
        assert readable(kind, frozenset(READERS.get(kind, ROLES)))
        assert not readable(kind, frozenset())
