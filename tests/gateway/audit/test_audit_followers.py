"""Who follows the log: each leaf taken in once, with the tree or after it, whoever is late or fails."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, delete, select

from gateway.audit.entry import Entry, SubjectHasher
from gateway.audit.log import add_entries
from gateway.audit.placed import Follower, Placed
from gateway.audit.sequencer import Sequencer
from gateway.audit.subject_index import SubjectIndex
from gateway.audit.tables import audit_leaves, audit_pending, audit_subjects, audit_subjects_progress
from gateway.database import Database
from gateway.overview.counting import TrafficTotals
from gateway.overview.tables import traffic_progress, traffic_totals
from tests.gateway.audit.logs import NOW, RunningLog

ANI, BUDI = (SubjectHasher(b"k" * 32).person(UUID(int=number)) for number in (1, 2))


class Followed:
    """A log, and the two who follow it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.sequencer: Sequencer = RunningLog(database).sequencer
        self.index = SubjectIndex(database)
        self.totals = TrafficTotals(database, lambda: NOW)
        self.followers: Sequence[Follower] = (self.index, self.totals)

    def write(self, *subjects: object, count: int = 1) -> None:
        body = {"operation": "records", "subject_count": len(subjects), "outcome": "answered"}
        entries = [
            Entry(uuid4(), "outcome", NOW - timedelta(hours=at % 3), "ministry", body, subjects)
            for at in range(count)
        ]
        with self.database.unit_of_work() as connection:
            add_entries(connection, [entry.seal(b"b" * 32) for entry in entries])

    def catch_up(self) -> None:
        for one in (self.index, self.totals):
            while not one.step():
                pass

    def progress(self) -> tuple[int | None, int | None]:
        with self.database.reading() as connection:
            return (
                connection.execute(select(audit_subjects_progress.c.leaf_index)).scalar(),
                connection.execute(select(traffic_progress.c.leaf_index)).scalar(),
            )

    def kept(self) -> tuple[list[object], list[object]]:
        """All rows of both, as they stand."""
        with self.database.reading() as connection:
            return (
                sorted(map(tuple, connection.execute(select(audit_subjects)))),
                sorted(map(tuple, connection.execute(select(traffic_totals)))),
            )


@pytest.fixture
def log(database: Database) -> Followed:
    return Followed(database)


def test_followers_take_in_what_gets_its_place_in_the_same_step(log: Followed) -> None:
    log.write([ANI, "released"], [BUDI, "not_found"])
    log.write([ANI, "released"])
    assert log.sequencer.integrate(followers=log.followers) == 2
    assert log.progress() == (2, 2)
    taken_in = log.kept()
    log.index.rebuild()
    log.totals.rebuild()
    log.catch_up()
    assert log.kept() == taken_in
    assert [len(rows) for rows in taken_in] == [3, 2]  # two subjects and one; an hour and a day


def test_a_follower_that_is_behind_is_told_nothing_and_catches_up_by_itself(log: Followed) -> None:
    log.write(ANI)
    log.sequencer.integrate()
    log.write(BUDI)
    log.sequencer.integrate(followers=log.followers)
    assert log.progress() == (None, None)
    log.catch_up()
    log.write(ANI)
    log.sequencer.integrate(followers=log.followers)
    assert log.progress() == (3, 3)
    assert [mention.sequence for mention in log.index.mentions([ANI], limit=9)] == [3, 1]


def test_however_leaves_are_taken_in_each_is_taken_in_once(log: Followed) -> None:
    chance = random.Random(7)  # noqa: S311 - the same turns every time
    for _ in range(40):
        log.write([ANI, "released"], BUDI, count=chance.randint(1, 3))
        log.sequencer.integrate(chance.randint(1, 4), log.followers if chance.random() < 0.7 else ())
        if chance.random() < 0.4:
            log.catch_up()
    while log.sequencer.integrate(followers=log.followers):
        pass
    log.catch_up()
    taken_in = log.kept()
    log.index.rebuild()
    log.totals.rebuild()
    log.catch_up()
    assert log.kept() == taken_in


def test_nothing_gets_its_place_when_a_follower_fails(log: Followed) -> None:
    class Failing:
        def follow(self, _connection: Connection, _first: int, _end: int, _placed: Sequence[Placed]) -> None:
            raise ZeroDivisionError

    log.write(ANI)
    with pytest.raises(ZeroDivisionError):
        log.sequencer.integrate(followers=(*log.followers, Failing()))
    assert log.progress() == (None, None)
    assert log.sequencer.integrate(followers=log.followers) == 1
    assert log.progress() == (1, 1)


def test_the_tree_waits_for_nobody_who_is_still_catching_up(log: Followed) -> None:
    if log.database.is_sqlite:
        return  # one writer at a time, whatever it writes
    log.write(ANI)
    log.sequencer.integrate(followers=log.followers)
    log.write(ANI)
    with log.database.unit_of_work() as elsewhere:
        for progress in (audit_subjects_progress, traffic_progress):
            elsewhere.execute(select(progress.c.leaf_index).with_for_update())
        assert log.sequencer.integrate(followers=log.followers) == 1
    assert log.progress() == (1, 1)
    log.catch_up()
    assert log.progress() == (2, 2)


def test_the_index_leaves_a_flood_of_subjects_to_its_own_steps(log: Followed) -> None:
    many = [[f"{number:032x}", "released"] for number in range(1_000)]
    for _ in range(6):
        log.write(*many)
    log.sequencer.integrate(followers=log.followers)
    assert log.progress() == (None, 6)
    log.catch_up()
    assert log.progress() == (6, 6)
    assert len(log.kept()[0]) == 6_000


def test_an_entry_that_is_gone_or_garbled_stops_nobody(log: Followed) -> None:
    log.write(ANI, count=3)
    with log.database.unit_of_work() as connection:
        connection.exec_driver_sql("UPDATE audit_entries SET entry = '[' WHERE sequence = 1")
        connection.exec_driver_sql("DELETE FROM audit_entries WHERE sequence = 2")
    assert log.sequencer.integrate(followers=log.followers) == 3
    assert log.progress() == (3, 3)
    with log.database.unit_of_work() as connection:
        assert connection.execute(select(audit_pending)).all() == []
        assert connection.execute(delete(audit_leaves)).rowcount == 3
