"""Likely persons from the run that proposes them to the run that finds them matched, on both databases."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, update

from gateway.database import Database
from gateway.errors import BadInput, Conflict, NotFound, NotPermitted
from gateway.reconciliation.acceptance import Candidate
from gateway.reconciliation.runs import Run, Runs
from gateway.reconciliation.sealing import NikSeal
from gateway.reconciliation.tables import likely_persons, nik_changes
from gateway.registry.tables import people
from gateway.staff.roles import INSTALLATION, Staff
from tests.gateway.reconciliation.bureau import CROWD, LOST, MARK, OTHER, REASON, RIGHT, WRONG, Bureau
from tests.gateway.reconciliation.registry import now
from tests.gateway.staff.office import Office

OPERATOR = Staff("ani", "Ani", frozenset({"operator"}), "password")
APPROVER = Staff("budi", "Budi", frozenset({"approver"}), "password")


@pytest.fixture
def bureau(database: Database, tmp_path: Path) -> Bureau:
    return Bureau(database, tmp_path)


def test_a_mistyped_nik_is_found_explained_accepted_and_matches_in_the_next_run(
    bureau: Bureau, caplog: pytest.LogCaptureFixture
) -> None:
    bureau.settle(LOST)
    first = bureau.run(linking=True)
    assert bureau.status(LOST) == "unknown_nik"
    assert bureau.identity_clause(LOST) == "unknown"
    assert bureau.findings(LOST) == {"unknown_nik": "open", "likely_person": "open"}
    (waiting,) = bureau.likely.queue(10)
    assert (waiting.person_id, waiting.candidates) == (CROWD[LOST].id, 1)

    candidate = bureau.candidate(LOST)
    assert (candidate.rank, candidate.proposal, candidate.state) == (1, "accept", "proposed")
    assert sum(reason["bits"] for reason in candidate.reasons) == pytest.approx(candidate.weight, abs=0.01)
    told = {reason["trait"]["en"]: reason["words"] for reason in candidate.reasons}
    assert told["NIK"] == {"id": "hanya nomor urut berbeda", "en": "only the serial differs"}
    assert bureau.nik(LOST) == WRONG[LOST]
    for place, content in bureau.everything():
        assert RIGHT[LOST] not in content, place
        assert RIGHT[LOST].encode().hex() not in content, place
        assert MARK not in content, place

    before = bureau.person(LOST)
    accepted = bureau.likely.accept(OPERATOR, candidate.id, REASON)
    assert (accepted.state, accepted.decided_by, accepted.decided_why) == ("accepted", "ani", REASON)
    after = bureau.person(LOST)
    assert after._asdict() == {**before._asdict(), "nik": RIGHT[LOST]}
    assert bureau.findings(LOST) == {"unknown_nik": "open", "likely_person": "closed"}
    _is_on_record(bureau, first, accepted)

    again = bureau.run(linking=True)
    assert bureau.status(LOST) == "matched_with_differences"  # born elsewhere, says Dukcapil
    assert bureau.identity_clause(LOST) == "yes"
    assert (again.counts.get("unknown_nik"), bureau.likely.queue(10)) == (None, [])
    holding = {place for place, content in bureau.everything() if RIGHT[LOST] in content}
    assert holding in ({"people"}, {"gapura.db"}, {"gapura.db", "gapura.db-wal"}, {"gapura.db-wal"})
    assert not any(MARK in content for _, content in bureau.everything())
    assert RIGHT[LOST] not in caplog.text


def _is_on_record(bureau: Bureau, run: Run, accepted: Candidate) -> None:
    """The act names the person by the keyed hash, and the history says what the NIK was, to the gateway."""
    (act,) = bureau.acts("likely_person.accepted")
    assert (act["actor"], act["reason"], act["run"]) == ("ani", REASON, str(run.id))
    with bureau.database.reading() as connection:
        (change,) = connection.execute(select(nik_changes)).all()
        sealed = connection.execute(select(likely_persons.c.sealed_nik)).scalars().all()
    assert (change.source, change.run_id, change.changed_by) == ("dukcapil", run.id, "ani")
    assert change.likely_person_id == accepted.id
    assert bureau.seal.open(CROWD[LOST].id, None, change.sealed_before) == WRONG[LOST]
    assert sealed == [None]


def test_who_was_refused_is_not_proposed_for_the_same_person_again(bureau: Bureau) -> None:
    bureau.settle(LOST)
    bureau.run(proposed={LOST: RIGHT[LOST]})
    refused = bureau.likely.refuse(OPERATOR, bureau.candidate(LOST).id, REASON)
    assert refused.state == "refused"
    assert bureau.findings(LOST)["likely_person"] == "closed"
    with pytest.raises(Conflict):
        bureau.likely.accept(OPERATOR, refused.id, REASON)
    bureau.run(proposed={LOST: RIGHT[LOST]})
    assert bureau.likely.queue(10) == []
    assert bureau.nik(LOST) == WRONG[LOST]
    assert len(bureau.acts("likely_person.refused")) == 1
    with bureau.database.reading() as connection:
        assert connection.execute(select(likely_persons.c.sealed_nik)).scalars().all() == [None]


def test_with_one_candidate_accepted_the_others_are_no_candidates_and_their_niks_are_gone(
    bureau: Bureau,
) -> None:
    bureau.settle(LOST)
    bureau.run(proposed={LOST: RIGHT[LOST]}, second={LOST: "3578011212809998"})
    first, second = bureau.likely.of_person(CROWD[LOST].id)
    assert (first.rank, second.rank, bureau.likely.queue(10)[0].candidates) == (1, 2, 2)
    bureau.likely.accept(OPERATOR, first.id, REASON)
    with pytest.raises(Conflict):
        bureau.likely.accept(OPERATOR, second.id, REASON)
    assert bureau.nik(LOST) == RIGHT[LOST]
    with bureau.database.reading() as connection:
        assert set(connection.execute(select(likely_persons.c.sealed_nik)).scalars()) == {None}


def test_a_run_that_looks_for_nobody_leaves_who_is_still_unknown_a_candidate(bureau: Bureau) -> None:
    bureau.settle(LOST, OTHER)
    bureau.run()
    with bureau.database.unit_of_work() as connection:
        right = update(people).where(people.c.id == CROWD[OTHER].id)
        connection.execute(right.values(nik=RIGHT[OTHER]))
    assert bureau.run_without_looking().state == "completed"
    assert [one.person_id for one in bureau.likely.queue(10)] == [CROWD[LOST].id]
    assert bureau.findings(LOST)["likely_person"] == "open"
    assert bureau.findings(OTHER)["likely_person"] == "closed"


def test_a_later_run_takes_the_place_of_what_an_earlier_one_proposed(bureau: Bureau) -> None:
    bureau.settle(LOST, OTHER)
    first = bureau.run(bits=3.0)
    old = bureau.candidate(LOST)
    second = bureau.run(bits=9.0, proposed={LOST: RIGHT[LOST]})
    new = bureau.candidate(LOST)
    assert (old.run_id, new.run_id, new.weight) == (first.id, second.id, 9.0)
    assert bureau.findings(LOST)["likely_person"] == "open"
    assert bureau.findings(OTHER)["likely_person"] == "closed"
    with pytest.raises(NotFound):
        bureau.likely.of_person(CROWD[OTHER].id)
    with pytest.raises(Conflict):
        bureau.likely.accept(OPERATOR, old.id, REASON)
    with bureau.database.reading() as connection:
        kept = select(likely_persons.c.state, likely_persons.c.sealed_nik.is_(None))
        states = sorted(tuple(row) for row in connection.execute(kept))
    assert states == [("proposed", False), ("superseded", True), ("superseded", True)]


def test_a_nik_that_somebody_else_holds_is_not_given_away(bureau: Bureau) -> None:
    bureau.settle(LOST)
    bureau.run(proposed={LOST: str(CROWD[OTHER].row["nik"])})
    with pytest.raises(Conflict) as refused:
        bureau.likely.accept(OPERATOR, bureau.candidate(LOST).id, REASON)
    assert refused.value.code == "nik_taken"
    assert not any(nik in str(refused.value) for nik in (*RIGHT.values(), *WRONG.values()))
    assert bureau.nik(LOST) == WRONG[LOST]
    assert bureau.candidate(LOST).state == "proposed"
    assert bureau.acts("likely_person.accepted") == []


def test_what_was_compared_with_another_nik_cannot_be_accepted(bureau: Bureau) -> None:
    bureau.settle(LOST)
    bureau.run(proposed={LOST: RIGHT[LOST]})
    with bureau.database.unit_of_work() as connection:
        connection.execute(update(people).where(people.c.id == CROWD[LOST].id).values(nik="3578011212809999"))
    with pytest.raises(Conflict):
        bureau.likely.accept(OPERATOR, bureau.candidate(LOST).id, REASON)
    assert bureau.nik(LOST) == "3578011212809999"


def test_a_sealed_nik_opens_for_its_person_and_under_its_key_only(bureau: Bureau, tmp_path: Path) -> None:
    sealed = bureau.seal.seal(CROWD[0].id, None, RIGHT[LOST])
    assert bureau.seal.open(CROWD[0].id, None, sealed) == RIGHT[LOST]
    another = NikSeal(Office(bureau.database, tmp_path / "another").keys)
    for seal, person, held in ((bureau.seal, 1, None), (bureau.seal, 0, ""), (another, 0, None)):
        with pytest.raises(Conflict):
            seal.open(CROWD[person].id, held, sealed)
    assert another.pair(CROWD[0].id, RIGHT[LOST]) != bureau.seal.pair(CROWD[0].id, RIGHT[LOST])


def test_only_a_named_person_decides_and_says_why(bureau: Bureau) -> None:
    bureau.settle(LOST)
    bureau.run(proposed={LOST: RIGHT[LOST]})
    candidate = bureau.candidate(LOST).id
    token = Staff("ani", "Ani", frozenset({"operator"}), "token:1")
    for nobody in (token, INSTALLATION):
        for act in (bureau.likely.accept, bureau.likely.refuse):
            with pytest.raises(NotPermitted):
                act(nobody, candidate, REASON)
        with pytest.raises(NotPermitted):
            bureau.rules.set(nobody, 0.99, 5, REASON)
    for reason in ("", f"NIK {RIGHT[LOST]}"):
        with pytest.raises(BadInput):
            bureau.likely.accept(OPERATOR, candidate, reason)
    with pytest.raises(NotFound):
        bureau.likely.accept(OPERATOR, UUID(int=1), REASON)
    assert bureau.nik(LOST) == WRONG[LOST]


def test_a_rule_counts_when_somebody_else_approved_it_and_accepts_at_the_end_of_a_run(bureau: Bureau) -> None:
    bureau.settle(LOST, OTHER)
    rule = bureau.rules.set(OPERATOR, 0.99, 5, REASON)
    for least, traits in ((0.5, 5), (1.1, 5), (0.99, 1), (0.99, 9)):
        with pytest.raises(BadInput):
            bureau.rules.set(OPERATOR, least, traits, REASON)
    bureau.run()
    assert len(bureau.likely.queue(10)) == 2, "a rule that nobody approved accepts nobody"
    with pytest.raises(NotPermitted):
        bureau.rules.approve(OPERATOR, rule.id, REASON)
    assert bureau.rules.approve(APPROVER, rule.id, REASON).state == "active"

    for probability, agreeing in ((0.999, 5), (0.99, 7)):  # the candidates have 0.995 and 6
        stricter = bureau.rules.set(OPERATOR, probability, agreeing, REASON)
        bureau.rules.approve(APPROVER, stricter.id, REASON)
        bureau.run()
        assert len(bureau.likely.queue(10)) == 2
    rule = bureau.rules.set(OPERATOR, 0.99, 5, REASON)
    bureau.rules.approve(APPROVER, rule.id, REASON)
    assert [one.state for one in bureau.rules.all()].count("active") == 1

    # Somebody else holds what is proposed for the other: that waits for a person.
    bureau.run(proposed={LOST: RIGHT[LOST], OTHER: str(CROWD[0].row["nik"])})
    assert (bureau.nik(LOST), bureau.nik(OTHER)) == (RIGHT[LOST], WRONG[OTHER])
    assert [one.person_id for one in bureau.likely.queue(10)] == [CROWD[OTHER].id]
    (act,) = bureau.acts("likely_person.accepted")
    assert (act["rule"], act["actor"]) == (str(rule.id), "reconciliation@console")
    with bureau.database.reading() as connection:
        assert connection.execute(select(nik_changes.c.rule_id)).scalars().all() == [rule.id]

    assert bureau.rules.end(OPERATOR, rule.id, REASON).state == "ended"
    bureau.run(proposed={OTHER: RIGHT[OTHER]})
    assert bureau.nik(OTHER) == WRONG[OTHER]


def test_a_run_that_is_cut_short_while_a_rule_accepts_is_resumed_and_accepts_once(bureau: Bureau) -> None:
    bureau.settle(LOST, OTHER)
    rule = bureau.rules.set(OPERATOR, 0.99, 5, REASON)
    bureau.rules.approve(APPROVER, rule.id, REASON)
    cut_short = bureau.run_cut_short()
    assert (cut_short.state, bureau.nik(LOST)) == ("failed", WRONG[LOST])
    assert len(bureau.likely.queue(10)) == 2

    Runs(bureau.database, now).resume(INSTALLATION, cut_short.id)
    bureau.work_off()
    assert (bureau.nik(LOST), bureau.nik(OTHER)) == (RIGHT[LOST], RIGHT[OTHER])
    with bureau.database.reading() as connection:
        assert len(connection.execute(select(nik_changes)).all()) == 2
        assert len(connection.execute(select(likely_persons)).all()) == 2
    assert len(bureau.acts("likely_person.accepted")) == 2
