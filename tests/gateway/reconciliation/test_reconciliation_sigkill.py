"""SIGKILL anywhere in a run, again and again: nothing is lost, and nothing is counted twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select

from gateway.audit.tables import audit_entries
from gateway.database import Database
from gateway.reconciliation.runs import Runs
from gateway.reconciliation.tables import (
    findings,
    reconciliation_changes,
    reconciliation_chunks,
    reconciliation_statuses,
)
from gateway.registry.tables import people
from tests.gateway.reconciliation.registry import crowd, now, settle, submitted, write_extract
from tests.living import without_gapura_variables

ROOT = Path(__file__).parent.parent.parent.parent
EVERYBODY = crowd(100)
KILLS = 26
_FINDINGS = {"deceased", "moved", "inactive", "unknown_nik", "matched_with_differences"}


@contextmanager
def nursery(url: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.gateway.reconciliation.mortal", url, str(folder)],
            cwd=ROOT,
            env=without_gapura_variables(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert heard(process) == "ready", (folder / "worker.log").read_text(encoding="utf-8")
        yield process
    finally:
        process.kill()
        process.communicate()


def heard(process: subprocess.Popen[str], said: str | None = None) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    if said is not None:
        process.stdin.write(f"{said}\n")
        process.stdin.flush()
    return process.stdout.readline().strip()


def deaths() -> Iterator[str]:
    """Early ones, two in the comparison, then at every statement of a chunk and of what is around it."""
    yield from ("start 1", "start 12", "compare 0", "compare 0", "start 30")
    for number in range(KILLS - 5):
        yield f"chunks {1 + number * 5 % 47}"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_run_that_is_killed_anywhere_ends_as_one_that_was_not(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = _database_url(kind, tmp_path, request)
    database = Database(url)
    settle(database, EVERYBODY)
    run = submitted(database, write_extract(tmp_path / "extract.csv", EVERYBODY))
    # What was compared is not compared again, so deaths in the comparison come first.
    with nursery(url, tmp_path) as process:
        ended = [heard(process, death) for death in deaths()]
        assert Counter(ended) == {"killed": KILLS}
        assert 0 < Runs(database, now).get(run.id).checked < len(EVERYBODY)
        assert heard(process, "never 0") == "ended"
    refuse_loss_and_repetition(database, run.id)
    assert list((tmp_path / "runs").iterdir()) == []
    refuse_people_in_jobs(kind, database, tmp_path)
    database.close()


def _database_url(kind: str, folder: Path, request: pytest.FixtureRequest) -> str:
    from gateway.migrations import migrate  # noqa: PLC0415

    url: str = (
        f"sqlite:///{folder / 'gapura.db'}" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    )
    database = Database(url)
    migrate(database)
    database.close()
    return url


def refuse_loss_and_repetition(database: Database, run_id: UUID) -> None:
    run = Runs(database, now).get(run_id)
    assert (run.state, run.people, run.checked, run.changed) == ("completed", 100, 100, 100)
    assert run.counts == Counter(one.status for one in EVERYBODY)
    with database.reading() as connection:
        known = connection.execute(
            select(reconciliation_statuses.c.person_id, reconciliation_statuses.c.status)
        ).all()
        assert Counter(map(tuple, known)) == Counter((one.id, one.status) for one in EVERYBODY)
        changed = connection.execute(
            select(reconciliation_changes.c.person_id, reconciliation_changes.c.before)
        ).all()
        assert Counter(map(tuple, changed)) == Counter((one.id, None) for one in EVERYBODY)
        found = connection.execute(select(findings.c.person_id)).scalars()
        assert Counter(found) == Counter(one.id for one in EVERYBODY if one.status in _FINDINGS)
        dead = connection.execute(
            select(func.count()).select_from(people).where(people.c.life_status == "deceased")
        ).scalar_one()
        assert dead == 10
        chunks = connection.execute(select(reconciliation_chunks.c.people)).scalars().all()
        assert chunks == [4] * 25
        texts = connection.execute(select(audit_entries.c.entry)).scalars()
        acts = Counter(json.loads(text)["act"] for text in texts)
        assert acts == {"reconciliation.submitted": 1, "reconciliation.completed": 1}


def refuse_people_in_jobs(kind: str, database: Database, folder: Path) -> None:
    """What the jobs' own tables hold says nothing of anybody."""
    if kind == "sqlite":
        kept = (folder / "gapura-jobs.db").read_bytes()
    else:
        with database.reading() as connection:
            names = connection.exec_driver_sql(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'dbos'"
            ).scalars()
            tables = [
                connection.exec_driver_sql(f'SELECT t::text FROM dbos."{name}" AS t').scalars().all()  # noqa: S608
                for name in names
            ]
        kept = json.dumps(tables).encode()
    assert b"reconcile" in kept
    for one in EVERYBODY:
        assert one.row["nik"].encode() not in kept
        assert one.row["full_name"].encode() not in kept
