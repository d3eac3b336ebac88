"""The demo's earlier days: real entries in the order of their times, under a tree that verifies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from gateway.agreements.store import PolicyStore
from gateway.audit.tables import audit_checkpoints, audit_entries
from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.demo import life, stage
from gateway.overview.counting import TrafficTotals
from gateway.overview.traffic import traffic
from gateway.overview.waiting import Waiting
from gateway.settings import Settings, load_settings
from gateway.staff.roles import Staff
from tests.living import LivingGateway, free_port

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load_settings({"GAPURA_HOME": str(tmp_path_factory.mktemp("home"))}, port=free_port())
    clock = life.LifeClock(life.begins(NOW))
    stage.prepare(settings, 100, lambda _words: lambda _share: None, lambda _: None, clock)
    assert not life.has_lived(settings)
    assert life.live(settings, NOW, lambda _share: None) > 100
    assert life.has_lived(settings)
    return settings


@pytest.fixture
def database(lived: Settings) -> Iterator[Database]:
    opened = Database(lived.effective_database_url)
    yield opened
    opened.close()


def test_entries_and_checkpoints_are_in_the_order_of_their_times_and_verify(
    lived: Settings, database: Database
) -> None:
    with database.reading() as connection:
        told = (
            connection.execute(select(audit_entries.c.at).order_by(audit_entries.c.sequence)).scalars().all()
        )
        signed = (
            connection.execute(select(audit_checkpoints.c.at).order_by(audit_checkpoints.c.size))
            .scalars()
            .all()
        )
    assert told == sorted(told)
    assert signed == sorted(signed)
    assert life.begins(NOW) <= told[0] < told[-1] <= NOW
    assert len(signed) > life.DAYS
    assert "agree with" in LivingGateway(lived).gapura("audit", "verify")


def test_every_day_of_the_month_and_every_hour_of_the_last_day_has_exchanges(database: Database) -> None:
    totals = TrafficTotals(database, lambda: NOW)
    while not totals.step():
        pass
    month, day = traffic(database, "30d", NOW), traffic(database, "24h", NOW)
    assert sum(part.share.exchanges > 0 for part in month.parts) >= life.DAYS - 4
    assert sum(part.share.exchanges > 0 for part in day.parts) >= 20
    assert len(month.consumers) == len(stage.CONSUMERS)
    assert month.total.outcomes["answered"] > month.total.outcomes["refused"] > 0
    assert month.decisions["eligible"] > 0


def test_a_version_and_a_consumer_wait_and_an_agreement_ends_soon(database: Database) -> None:
    approver = Staff("penyetuju", "Penyetuju", frozenset({"approver"}), "password")
    needs = {need.kind: need for need in Waiting(database, lambda: NOW)(approver)}
    assert (needs["policies_submitted"].yours, needs["consumers_waiting"].yours) == (1, 1)
    assert [one.id for one in needs["agreements_ending"].named] == [life.RELIEF]
    store = PolicyStore(database, lambda: NOW)
    relief = next(one for one in store.book().agreements if one.id == life.RELIEF)
    assert relief.standing(civil_day(NOW)) == "active"
    assert relief.valid_until == civil_day(NOW) + timedelta(days=life.RELIEF_ENDS_IN_DAYS)
    waiting = store.versions("agreement", life.DRAFT)[0]
    judged = store.judge(waiting)
    assert (waiting.state, list(judged.problems)) == ("submitted", [])
    assert judged.change is not None
    assert judged.change.direction == "widening"
