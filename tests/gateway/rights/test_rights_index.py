"""The index of who is spoken of where: complete at every moment, and nothing but what the entries say."""

from __future__ import annotations

from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from gateway.audit.erasure import erase
from gateway.audit.tables import audit_subjects
from gateway.database import Database
from gateway.errors import NotFound
from tests.gateway.rights.logged import ANI, BUDI, NOW, Log


@pytest.fixture
def log(database: Database) -> Log:
    return Log(database)


def _rows(log: Log) -> int:
    with log.database.reading() as connection:
        return connection.execute(select(func.count()).select_from(audit_subjects)).scalar_one()


def test_an_entry_is_found_before_it_has_its_place_and_before_it_is_indexed_and_after(log: Log) -> None:
    written = log.write((ANI, "released"))
    assert log.references(ANI) == [written]
    log.place()
    assert log.references(ANI) == [written]
    while not log.index.step():
        pass
    assert log.references(ANI) == [written]
    assert log.references(BUDI) == []


def test_the_newest_comes_first_whatever_is_indexed_and_what_waits(log: Log) -> None:
    older = log.write((ANI, "released"))
    log.place()
    log.index.step()
    placed = log.write((ANI, "released"), (BUDI, "released"))
    log.place()
    waiting = log.write((ANI, "released"))
    assert log.references(ANI) == [waiting, placed, older]


def test_whoever_stands_twice_in_one_request_has_one_access(log: Log) -> None:
    written = log.write((ANI, "released"), (ANI, "released"))
    log.place()
    assert log.references(ANI) == [written]
    assert _rows(log) == 1


def test_an_intent_is_left_to_its_outcome_and_told_where_no_outcome_came(log: Log) -> None:
    answered, killed = log.write(ANI, kind="intent"), log.write(ANI, kind="intent")
    log.write((ANI, "released"), of=answered)
    log.place()
    accesses = log.histories.read([ANI]).accesses
    assert [(one.reference, one.outcome, one.asked) for one in accesses] == [
        (answered, "released", ("dukcapil",)),
        (killed, "unfinished", ("dukcapil",)),
    ]


def test_an_order_of_erasure_takes_the_person_out_of_the_index_too(log: Log) -> None:
    erased, kept = log.write((ANI, "released")), log.write((ANI, "released"))
    log.place()
    assert set(log.references(ANI)) == {erased, kept}
    order = {"order": "PN 1/2026", "actor": "staff-7", "at": NOW}
    erase(log.database, erased, scope="subjects", **order, integrate=log.place)  # type: ignore[arg-type]
    assert log.references(ANI) == [kept]
    log.place()
    log.index.step()
    assert _rows(log) == 1


def test_an_index_made_anew_says_the_same(log: Log) -> None:
    written = [log.write((ANI, "released")) for _ in range(3)]
    log.place()
    assert log.references(ANI) == written[::-1]
    log.index.rebuild()
    assert _rows(log) == 0
    assert log.references(ANI) == written[::-1]


def test_steps_take_up_where_the_last_one_ended_however_large_the_requests_are(log: Log) -> None:
    many = [(f"{number:032x}", "released") for number in range(1_000)]
    for _ in range(9):
        log.write(*many, (ANI, "released"))
    log.place()
    steps = 1
    while not log.index.step():
        steps += 1
    assert steps > 1
    assert _rows(log) == 9 * 1_001
    assert len(log.references(ANI)) == 9


def test_a_reference_that_is_none_leads_nowhere(log: Log) -> None:
    with pytest.raises(NotFound):
        log.histories.read([ANI], before=uuid4())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plan=st.lists(
        st.tuples(st.sets(st.sampled_from([ANI, BUDI]), max_size=2), st.sampled_from(["place", "index", ""])),
        max_size=12,
    )
)
def test_whatever_the_interleaving_a_history_is_what_was_written(database: Database, plan: list) -> None:  # type: ignore[type-arg]
    log, oracle = Log(database), {ANI: Log(database).references(ANI), BUDI: Log(database).references(BUDI)}
    for people, then in plan:
        reference = log.write(*((one, "released") for one in sorted(people)))
        for one in people:
            oracle[one].insert(0, reference)
        if then:
            log.place()
        if then == "index":
            log.index.step()
        assert {one: log.references(one) for one in (ANI, BUDI)} == oracle
