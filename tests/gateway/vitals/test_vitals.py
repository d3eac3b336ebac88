"""The figures that are looked up for a scrape, on real databases in the states that operators meet."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import insert, text

from gateway.audit.entry import act
from gateway.audit.log import BLIND_BYTES, add_entries
from gateway.audit.tables import audit_checks, audit_cosignatures, audit_witnesses
from gateway.backup.making import MADE
from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.limits.tables import limit_alarms
from gateway.maintenance.tables import maintenance
from gateway.reconciliation.tables import reconciliation_chunks, reconciliation_runs
from gateway.telemetry import Telemetry
from gateway.telemetry.looked_up import LookedUp
from gateway.vitals.backup import BACKUP_MADE
from gateway.vitals.figures import FIGURES, Figure
from gateway.vitals.looking import Vitals
from tests.certificates import Authority
from tests.conftest import empty_postgres_database
from tests.gateway.audit.logs import RunningLog, outcome


def _untold(name: str, *, level: str = "info", **fields: object) -> None:
    raise AssertionError((name, level, fields))


def _look(database: Database, now: datetime, home: Path = Path(), **others: object) -> dict[str, float]:
    vitals = Vitals(database, lambda: now, _untold, home=home, **others)  # type: ignore[arg-type]
    return _told(vitals.look([]))


def _told(figures: Sequence[Figure]) -> dict[str, float]:
    """The figures by name and labels, shortly."""
    return {
        figure.name.removeprefix("gapura_") + "".join(f" {value}" for value in figure.labels.values()): (
            figure.number
        )
        for figure in figures
    }


def _append(database: Database, *numbers: int) -> None:
    """Commit entries that no sequencer has seen yet."""
    with database.unit_of_work() as connection:
        add_entries(connection, [outcome(number).seal(number.to_bytes(32, "big")) for number in numbers])


def test_what_waits_for_its_place_is_counted_and_its_age_told(database: Database) -> None:
    log = RunningLog(database)
    _append(database, 1, 2)
    told = _look(database, outcome(1).at + timedelta(seconds=90))
    assert (told["log_waiting_entries"], told["log_oldest_waiting_seconds"]) == (2, 90)
    assert told["log_entries"] == 0
    log.sequencer.step()
    told = _look(database, log.clock() + timedelta(seconds=90))
    assert (told["log_waiting_entries"], told["log_oldest_waiting_seconds"]) == (0, 0)
    assert (told["log_entries"], told["log_unsigned_seconds"], told["log_unsound"]) == (2, 0, 0)
    assert told["database_up"] == 1


def test_a_tree_that_has_grown_without_a_signature_is_told_with_the_age_of_the_last(
    database: Database,
) -> None:
    log = RunningLog(database)
    _append(database, 1)
    log.sequencer.step()
    signed_at = log.clock()
    _append(database, 2)
    log.sequencer.integrate()
    assert _look(database, signed_at + timedelta(seconds=70))["log_unsigned_seconds"] == 70


def test_a_witness_is_told_by_the_oldest_checkpoint_that_it_has_not_covered(database: Database) -> None:
    log = RunningLog(database)
    made = []
    for number in (1, 2, 3):
        _append(database, number)
        log.sequencer.integrate()
        log.sequencer.sign()
        made.append(log.clock())
        log.clock.pass_by(3600)
    with database.unit_of_work() as connection:
        for name in ("never", "until the first"):
            connection.execute(insert(audit_witnesses).values(name=name, key=name, added_at=made[0]))
        connection.execute(
            insert(audit_cosignatures).values(size=1, witness="until the first", at=made[0], line="x")
        )
    told = _look(database, made[2])
    assert told["log_uncosigned_seconds never"] == timedelta(hours=2).total_seconds()
    assert told["log_uncosigned_seconds until the first"] == timedelta(hours=1).total_seconds()
    with database.unit_of_work() as connection:
        connection.execute(insert(audit_cosignatures).values(size=3, witness="never", at=made[2], line="x"))
    assert _look(database, made[2] + timedelta(days=1))["log_uncosigned_seconds never"] == 0


def test_the_last_check_of_the_log_counts_and_not_the_one_before(database: Database) -> None:
    now = datetime.now(UTC)
    row = {"asked_by": "ani", "seen_at": now, "done": 1, "total": 1}
    for days, finding in ((3, None), (2, "entry 7 is not what was written"), (1, None)):
        begun_at = now - timedelta(days=days)
        with database.unit_of_work() as connection:
            connection.execute(
                insert(audit_checks).values(
                    id=uuid4(), begun_at=begun_at, ended_at=begun_at, finding=finding, **row
                )
            )
        assert _look(database, now)["log_unsound"] == (finding is not None)


def test_alarms_of_today_are_counted_and_those_of_yesterday_are_not(database: Database) -> None:
    now = datetime.now(UTC)
    with database.unit_of_work() as connection:
        for agreement, day in (("a", 0), ("b", 0), ("c", 1)):
            connection.execute(
                insert(limit_alarms).values(
                    agreement_id=agreement,
                    day=civil_day(now) - timedelta(days=day),
                    pattern="new_people",
                    level="alarm",
                    at=now,
                )
            )
    assert _look(database, now)["limit_alarms new_people alarm"] == 2


def test_a_reconciliation_tells_its_share_and_since_when_it_stands_still(database: Database) -> None:
    now = datetime.now(UTC)
    run, begun = uuid4(), now - timedelta(hours=5)
    with database.unit_of_work() as connection:
        connection.execute(
            insert(reconciliation_runs).values(
                id=run,
                way="live",
                engine="duckdb",
                state="running",
                submitted_at=begun,
                started_at=begun,
                submitted_by="ani",
                people=1000,
                problems=[],
            )
        )
        for number, finished_at in ((1, now - timedelta(hours=3)), (2, None)):
            connection.execute(
                insert(reconciliation_chunks).values(
                    run_id=run, number=number, people=250, finished_at=finished_at
                )
            )
    told = _look(database, now)
    assert told["reconciliation_runs running"] == 1
    assert told["reconciliation_progress_ratio"] == 0.25
    assert told["reconciliation_still_seconds"] == timedelta(hours=3).total_seconds()
    with database.unit_of_work() as connection:
        connection.execute(reconciliation_runs.update().values(waits_until=now + timedelta(hours=6)))
    assert _look(database, now)["reconciliation_still_seconds"] == 0


def test_the_last_backup_is_the_newest_act_of_the_log_whoever_made_it(database: Database) -> None:
    assert BACKUP_MADE == MADE
    log = RunningLog(database)
    assert "backup_finished_timestamp_seconds" not in _look(database, log.clock())
    at = log.clock()
    for hours, actor in ((30, "ani"), (4, "budi"), (20, "ani")):
        made = act(
            actor=actor,
            act=MADE,
            object_id="backup/x",
            object_sha256=None,
            reason="sqlite",
            at=at - timedelta(hours=hours),
        )
        with database.unit_of_work() as connection:
            add_entries(connection, [made.seal(os.urandom(BLIND_BYTES))])
    log.sequencer.step()
    last = _look(database, at)["backup_finished_timestamp_seconds"]
    assert last == (at - timedelta(hours=4)).timestamp()


def test_maintenance_is_told_by_what_closed_and_for_how_long_beyond_what_was_said(
    database: Database, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    assert _look(database, now, tmp_path)["maintenance order"] == 0
    with database.unit_of_work() as connection:
        connection.execute(
            insert(maintenance).values(
                id=1,
                begins_at=now - timedelta(hours=2),
                until=now - timedelta(minutes=10),
                reason="x",
                ordered_by="ani",
                ordered_at=now,
            )
        )
    (tmp_path / "maintenance.toml").touch()
    told = _look(database, datetime.now(UTC) + timedelta(seconds=2), tmp_path)
    assert (told["maintenance order"], told["maintenance file"]) == (1, 1)
    assert told["maintenance_overdue_seconds order"] >= 600


def test_certificates_are_told_by_their_first_end_and_unreadable_ones_as_ended(
    database: Database, tmp_path: Path
) -> None:
    certificate, _ = Authority("site").issue("site").write(tmp_path, "site")
    lost = tmp_path / "lost.pem"
    told = _look(database, datetime.now(UTC), tmp_path, certificates=[Path(certificate), lost])
    assert told["certificate_ends_timestamp_seconds site.crt"] > datetime.now(UTC).timestamp()
    assert told["certificate_ends_timestamp_seconds lost.pem"] == 0
    assert 0 < told["disk_free_bytes home"] <= told["disk_bytes home"]


async def test_a_database_that_is_gone_or_hangs_is_a_figure_and_holds_nobody_up(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/gapura"
        hanging = Database(url)
        vitals = Vitals(hanging, lambda: datetime.now(UTC), _untold, home=tmp_path, within_s=0.1)
        told = _told(await vitals())
        assert told["database_up"] == 0
        assert "disk_bytes home" in told
        under_way = vitals._looking
        assert _told(await vitals())["database_up"] == 0
        assert vitals._looking is under_way  # those who ask meanwhile do not make it worse
    # Nobody listens any more: the look that hung has failed by now, and so does the next.
    assert under_way is not None
    await under_way
    assert _told(await vitals())["database_up"] == 0
    hanging.close()


async def test_a_database_that_is_slow_is_not_taken_for_one_that_is_gone(
    postgres_server: str, migrated_postgres: str, tmp_path: Path
) -> None:
    with empty_postgres_database(postgres_server, like=migrated_postgres) as url:
        database = Database(url)
        vitals = Vitals(database, lambda: datetime.now(UTC), _untold, home=tmp_path, within_s=0.5)
        with database.unit_of_work() as connection:
            connection.execute(text("LOCK TABLE limit_alarms IN ACCESS EXCLUSIVE MODE"))
            while "database_seconds" not in (told := _told(await vitals())):
                assert vitals._looking is not None
                assert not vitals._looking.done()
        assert told["database_up"] == 1
        assert "reconciliation_runs" not in str(told)
        assert vitals._looking is not None
        assert _told(await vitals._looking)["database_up"] == 1
        database.close()


async def test_however_often_somebody_scrapes_the_database_is_asked_seldom(
    database: Database, tmp_path: Path
) -> None:
    vitals = Vitals(database, lambda: datetime.now(UTC), _untold, home=tmp_path)
    many = await asyncio.gather(*(vitals() for _ in range(20)))
    assert {id(one) for one in many} == {id(many[0])}
    assert await vitals() is many[0]


def test_a_part_that_cannot_be_read_is_told_and_blinds_no_other(
    database: Database, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with database.unit_of_work() as connection:
        connection.execute(text("DROP TABLE limit_alarms"))
    telemetry = Telemetry()
    vitals = Vitals(database, lambda: datetime.now(UTC), telemetry.event, home=tmp_path)
    told = _told(vitals.look([]))
    # SQLite says "no such table" as it says that it cannot be reached.
    assert told["database_up"] == (0 if database.is_sqlite else 1)
    if not database.is_sqlite:
        assert "log_entries" in told
        assert 'gapura_events_total{event="vitals:not_read"} 1.0' in telemetry.metrics()[0].decode()
        assert '"part":"work"' in capfd.readouterr().err


def test_every_figure_is_in_the_scrape_even_while_there_is_none_of_it() -> None:
    families = {family.name for family in LookedUp([]).collect()}
    assert families == FIGURES.keys()
    told = Telemetry().metrics([Figure("gapura_log_entries", 7)])[0].decode()
    assert "\ngapura_log_entries 7.0\n" in told
    assert "# TYPE gapura_backup_finished_timestamp_seconds gauge" in told
