"""Runs from submission to report, on both databases."""

from __future__ import annotations

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Connection, func, select

from gateway.audit.tables import audit_entries
from gateway.database import Database
from gateway.errors import BadInput, Conflict, NotFound
from gateway.reconciliation.comparing import compare_with_extract
from gateway.reconciliation.jobs import JobFailed
from gateway.reconciliation.results import Summary
from gateway.reconciliation.runs import Order, Phase, Run, Runs, note_phase
from gateway.reconciliation.tables import (
    findings,
    reconciliation_changes,
    reconciliation_runs,
    reconciliation_statuses,
)
from gateway.reconciliation.working import Compare
from gateway.registry.tables import people
from gateway.staff.acts import Act, record_in_audit_log
from gateway.staff.roles import INSTALLATION
from tests.gateway.reconciliation.registry import (
    TODAY,
    carried_out_at_once,
    crowd,
    now,
    settle,
    submitted,
    truly,
    worker,
    write_extract,
)

# Ibis 12 calls DuckDB and pandas by names that their newest versions are going to drop.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
EVERYBODY = crowd(60)


def carried_out(
    database: Database,
    folder: Path,
    *,
    all_well: bool = False,
    region: str | None = None,
    compare: Compare | None = None,
) -> Run:
    extract = write_extract(folder / "extract.csv", EVERYBODY, all_well=all_well)
    run = submitted(database, extract, region)
    assert worker(database, folder, compare=compare)()
    return Runs(database, now).get(run.id)


def acts(database: Database) -> list[str]:
    with database.reading() as connection:
        texts = connection.execute(select(audit_entries.c.entry).order_by(audit_entries.c.sequence)).scalars()
        return [json.loads(text)["act"] for text in texts]


def test_a_run_gives_everybody_a_status_and_the_registry_what_follows(
    database: Database, tmp_path: Path
) -> None:
    settle(database, EVERYBODY)
    run = carried_out(database, tmp_path, compare=truly(database))
    assert (run.state, run.failure) == ("completed", None)
    assert (run.people, run.checked, run.as_of) == (60, 60, TODAY)
    assert run.counts == Counter(one.status for one in EVERYBODY)
    with database.reading() as connection:
        known = dict(
            connection.execute(
                select(reconciliation_statuses.c.person_id, reconciliation_statuses.c.status)
            ).all()
        )
        assert known == {one.id: one.status for one in EVERYBODY}
        dead = connection.execute(select(people).where(people.c.id == EVERYBODY[1].id)).one()
        assert (dead.life_status, dead.life_status_source, dead.life_status_as_of) == (
            "deceased",
            "dukcapil",
            TODAY,
        )
        unknown = connection.execute(select(people).where(people.c.id == EVERYBODY[4].id)).one()
        assert (unknown.identity_status, unknown.identity_status_source) == ("unmatched", "dukcapil")
    assert acts(database) == ["reconciliation.submitted", "reconciliation.completed"]
    assert list((tmp_path / "runs").iterdir()) == []


def test_the_report_tells_statuses_by_region_beside_the_run_before(
    database: Database, tmp_path: Path
) -> None:
    settle(database, EVERYBODY)
    carried_out(database, tmp_path)
    report = carried_out(database, tmp_path, all_well=True).report
    assert report is not None
    assert report["statuses"] == {"matched": 60}
    assert report["statuses_before"] == Counter(one.status for one in EVERYBODY)
    assert {code: sum(of["statuses"].values()) for code, of in report["regions"].items()} == {
        "32.73": 20,
        "35.78": 40,
    }
    assert report["match_rate"] == 1.0
    assert report["quality"]["35"]["people"] == 40


def test_what_a_run_finds_is_opened_once_and_closed_by_the_run_that_finds_it_no_more(
    database: Database, tmp_path: Path
) -> None:
    settle(database, EVERYBODY)
    first = carried_out(database, tmp_path)
    again = carried_out(database, tmp_path)
    assert (first.opened, again.opened, again.closed, again.changed) == (30, 0, 0, 0)
    with database.reading() as connection:
        kinds = Counter(connection.execute(select(findings.c.kind)).scalars())
        evidence = connection.execute(
            select(findings.c.evidence).where(findings.c.person_id == EVERYBODY[5].id)
        ).scalar_one()
    assert kinds == {
        "deceased": 3,
        "enrolled_but_deceased": 3,
        "moved": 6,
        "inactive": 6,
        "unknown_nik": 6,
        "differences": 6,
    }
    assert evidence == {"mother_name": "different"}
    last = carried_out(database, tmp_path, all_well=True)
    assert (last.opened, last.closed) == (0, 30)
    with database.reading() as connection:
        states = connection.execute(select(findings.c.state, findings.c.closed_run).distinct()).all()
    assert [tuple(row) for row in states] == [("closed", last.id)]


def test_the_history_keeps_what_changed_in_which_run(database: Database, tmp_path: Path) -> None:
    settle(database, EVERYBODY)
    first = carried_out(database, tmp_path)
    second = carried_out(database, tmp_path, all_well=True)
    changes = reconciliation_changes
    with database.reading() as connection:
        rows = connection.execute(select(changes).where(changes.c.person_id == EVERYBODY[1].id)).all()
        counted = dict(
            connection.execute(select(changes.c.run_id, func.count()).group_by(changes.c.run_id)).all()
        )
    by_run = {row.run_id: (row.before, row.after, row.life_before) for row in rows}
    assert by_run == {
        first.id: (None, "deceased", "alive"),
        second.id: ("deceased", "matched", "deceased"),
    }
    assert counted == {first.id: 60, second.id: 30}


def test_a_run_tells_what_it_is_at_while_it_compares(database: Database, tmp_path: Path) -> None:
    settle(database, EVERYBODY)
    extract = write_extract(tmp_path / "extract.csv", EVERYBODY)
    run = submitted(database, extract)
    runs = Runs(database, now)
    heard: list[Phase | None] = []

    def compare(run: Run, folder: Path) -> Summary:
        def at(phase: Phase) -> None:
            note_phase(database, run.id, phase)
            heard.append(runs.get(run.id).phase)

        return compare_with_extract(database, run.order, folder, at=at)

    assert runs.get(run.id).phase is None
    assert worker(database, tmp_path, compare=compare)()
    assert heard == ["reading", "comparing"]
    with database.reading() as connection:
        assert connection.execute(select(reconciliation_runs.c.phase)).scalar_one() == "storing"
    assert runs.get(run.id).phase is None, "it is over"


def test_a_run_of_one_region_touches_nobody_else(database: Database, tmp_path: Path) -> None:
    settle(database, EVERYBODY)
    run = carried_out(database, tmp_path, region="32.73")
    assert run.people == 20
    with database.reading() as connection:
        known = set(connection.execute(select(reconciliation_statuses.c.person_id)).scalars())
        regions = set(connection.execute(select(findings.c.region)).scalars())
    assert known == {one.id for one in EVERYBODY if one.region.startswith("32.73")}
    assert regions == {"32.73"}


def test_what_the_registry_was_told_of_a_later_day_stays(database: Database, tmp_path: Path) -> None:
    later = {
        "life_status": "alive",
        "life_status_source": "dtsen",
        "life_status_as_of": TODAY.replace(day=23),
    }
    settle(database, [*EVERYBODY[:1], type(EVERYBODY[1])(1, over=later), *EVERYBODY[2:]])
    carried_out(database, tmp_path)
    with database.reading() as connection:
        row = connection.execute(select(people).where(people.c.id == EVERYBODY[1].id)).one()
    assert (row.life_status, row.life_status_source) == ("alive", "dtsen")
    assert row.identity_status_source == "dukcapil"


def test_a_paused_run_waits_and_goes_on_where_it_stopped(database: Database, tmp_path: Path) -> None:
    settle(database, EVERYBODY)
    runs = Runs(database, now)
    run = submitted(database, write_extract(tmp_path / "extract.csv", EVERYBODY))

    def pause_after_a_chunk(_seen: Run) -> bool:
        seen = runs.get(run.id)
        if seen.state == "running" and seen.checked > 0:
            runs.pause(INSTALLATION, run.id, "kuota untuk layanan lain")
        return True

    assert worker(database, tmp_path, chunk_people=2)(pause_after_a_chunk)
    paused = runs.get(run.id)
    assert paused.state == "paused"
    assert 0 < paused.checked < 60
    assert worker(database, tmp_path, chunk_people=2)()
    assert runs.get(run.id).checked == paused.checked
    runs.resume(INSTALLATION, run.id, "selesai")
    assert worker(database, tmp_path, chunk_people=2)()
    done = runs.get(run.id)
    assert (done.state, done.checked, done.changed) == ("completed", 60, 60)
    assert acts(database) == [
        *("reconciliation.submitted", "reconciliation.paused"),
        *("reconciliation.resumed", "reconciliation.completed"),
    ]


def test_a_cancelled_run_stays_as_it_is_and_leaves_no_file(database: Database, tmp_path: Path) -> None:
    settle(database, EVERYBODY)
    runs = Runs(database, now)
    run = submitted(database, write_extract(tmp_path / "extract.csv", EVERYBODY))

    def cancel_after_a_chunk(_seen: Run) -> bool:
        if runs.get(run.id).checked and runs.get(run.id).is_under_way:
            runs.cancel(INSTALLATION, run.id)
        return True

    assert worker(database, tmp_path, chunk_people=2)(cancel_after_a_chunk)
    cancelled = runs.get(run.id)
    assert cancelled.state == "cancelled"
    assert 0 < cancelled.checked < 60
    assert list((tmp_path / "runs").iterdir()) == []
    with pytest.raises(Conflict):
        runs.resume(INSTALLATION, run.id)


def test_a_run_that_failed_says_why_and_can_be_resumed(database: Database, tmp_path: Path) -> None:
    settle(database, EVERYBODY)
    runs = Runs(database, now)
    missing = tmp_path / "extract.csv"
    run = submitted(database, missing)
    assert worker(database, tmp_path)()
    failed = runs.get(run.id)
    assert failed.state == "failed"
    assert failed.failure
    assert list((tmp_path / "runs").iterdir()) == []
    write_extract(missing, EVERYBODY)
    runs.resume(INSTALLATION, run.id)
    assert worker(database, tmp_path)()
    done = runs.get(run.id)
    assert (done.state, done.failure, done.checked) == ("completed", None, 60)


def test_one_run_at_a_time_and_a_key_makes_one(database: Database) -> None:
    settle(database, crowd(2))
    runs = Runs(database, now)
    order = Order("live", region="35.78")
    first = runs.submit(INSTALLATION, order, "key-1")
    assert runs.submit(INSTALLATION, order, "key-1").id == first.id
    with pytest.raises(Conflict):
        runs.submit(INSTALLATION, Order("live", region="35"), "key-1")
    with pytest.raises(Conflict):
        runs.submit(INSTALLATION, order, "key-2")
    with pytest.raises(NotFound):
        runs.pause(INSTALLATION, uuid4())
    with pytest.raises(BadInput):
        runs.submit(INSTALLATION, Order("live", region="3578"))


def test_of_two_runs_that_are_begun_in_the_same_moment_one_is_refused(database: Database) -> None:
    settle(database, crowd(2))
    first_is_written, second_is_done = threading.Event(), threading.Event()

    def record_slowly(connection: Connection, act: Act) -> None:
        """Not committed yet: give the other every chance to go past."""
        record_in_audit_log(connection, act)
        first_is_written.set()
        second_is_done.wait(0.3)

    def submit_second() -> Run:
        first_is_written.wait()
        try:
            return Runs(database, now).submit(INSTALLATION, Order("live"))
        finally:
            second_is_done.set()

    with ThreadPoolExecutor(2) as both:
        slow = both.submit(Runs(database, now, record_slowly).submit, INSTALLATION, Order("live"))
        second = both.submit(submit_second)
        assert slow.result().state == "queued"
        with pytest.raises(Conflict, match="is not over"):
            second.result()
    assert Runs(database, now).total() == 1


def test_a_failed_run_is_not_resumed_beside_another(database: Database, tmp_path: Path) -> None:
    settle(database, EVERYBODY)
    runs = Runs(database, now)
    failed = submitted(database, tmp_path / "nothing.csv")
    with pytest.raises(JobFailed):
        carried_out_at_once(database, tmp_path, failed)
    assert runs.get(failed.id).state == "failed"
    another = runs.submit(INSTALLATION, Order("live"))
    with pytest.raises(Conflict, match=str(another.id)):
        runs.resume(INSTALLATION, failed.id)
    runs.cancel(INSTALLATION, another.id)
    assert runs.resume(INSTALLATION, failed.id).state == "queued"


def test_a_region_where_nobody_lives_is_taken_for_a_slip(database: Database) -> None:
    settle(database, crowd(2))
    with pytest.raises(BadInput, match="where people of the registry live, got 35"):
        Runs(database, now).submit(INSTALLATION, Order("live", region="35.07"))
    with pytest.raises(BadInput, match="got 99"):
        Runs(database, now).submit(INSTALLATION, Order("live", region="99"))
