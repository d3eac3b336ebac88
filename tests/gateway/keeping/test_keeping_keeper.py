"""The keeper itself, a process on a real PostgreSQL: it works, hears when to end, and says what fails."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update

from gateway.audit.log import add_entries
from gateway.audit.tables import audit_checkpoints, audit_pending, audit_subjects_progress
from gateway.audit.transparency import TransparentLog, open_log
from gateway.database import Database
from gateway.installation import open_keys
from gateway.keeping.failures import Failure
from gateway.keeping.guard import KeeperGuard
from gateway.overview.tables import traffic_progress
from gateway.settings import Settings, load_settings
from tests.gateway.audit.logs import outcome
from tests.gateway.keeping.keepers import wait_for
from tests.kept_database import KeptDatabase
from tests.living import without_gapura_variables

ROOT = Path(__file__).parents[3]


class Site:
    """A PostgreSQL with a log, the home folder with its keys, and nobody who serves."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings, self.database = settings, database
        self.keys = settings.home / "keys"
        self.imported = settings.home / "imported"
        self.log: TransparentLog = open_log(
            database, open_keys(database, self.keys), settings.issuer, lambda: datetime.now(UTC)
        )
        self._written = 0

    def write(self, count: int) -> None:
        """Commit entries that nobody has placed."""
        numbers = range(self._written + 1, self._written + count + 1)
        self._written += count
        with self.database.unit_of_work() as connection:
            add_entries(connection, [outcome(number).seal(number.to_bytes(32, "big")) for number in numbers])

    def is_in_order(self) -> bool:
        """Whether all that was written is placed, signed, indexed and counted."""
        with self.database.reading() as connection:
            reached = [
                connection.execute(select(what)).scalar()
                for what in (
                    func.max(audit_checkpoints.c.size),
                    audit_subjects_progress.c.leaf_index,
                    traffic_progress.c.leaf_index,
                )
            ]
            waiting = connection.execute(select(func.count()).select_from(audit_pending)).scalar()
        return not waiting and reached == [self._written] * 3


@pytest.fixture
def site(kept_postgres: KeptDatabase, tmp_path: Path) -> Iterator[Site]:
    with kept_postgres.lent() as url, closing(Database(url)) as database:
        yield Site(load_settings({"GAPURA_HOME": str(tmp_path), "GAPURA_DATABASE_URL": url}), database)


@contextmanager
def keeper(site: Site) -> Iterator[subprocess.Popen[bytes]]:
    with site.imported.open("wb") as imported:
        begun = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "gateway.keeping"],
            cwd=ROOT,
            env={**without_gapura_variables(), **site.settings.environment()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=imported,
            bufsize=0,
        )
    with begun:
        try:
            yield begun
        finally:
            begun.kill()


def _told_to_end(begun: subprocess.Popen[bytes]) -> int:
    """Its status, once its standard input has ended."""
    assert begun.stdin is not None
    begun.stdin.close()
    return begun.wait(60)


def test_a_keeper_brings_the_log_in_order_until_its_input_ends_and_imports_nothing_of_what_serves(
    site: Site,
) -> None:
    site.write(3)
    with keeper(site) as begun:
        wait_for(site.is_in_order)
        begun.send_signal(signal.SIGINT)  # Ctrl-C in a terminal is for who serves
        site.write(1_100)  # more than one batch
        wait_for(site.is_in_order)
        assert _told_to_end(begun) == 0
        assert begun.stdout is not None
        assert begun.stdout.read() == b""
    imported = {line.rpartition("|")[2].strip() for line in site.imported.read_text().splitlines()}
    assert "gateway.audit.sequencer" in imported
    assert imported.isdisjoint({"gateway.app", "gateway.serving", "gateway.exchange", "fastapi", "uvicorn"})


def test_a_keeper_that_finds_no_keys_says_so_and_begins_as_soon_as_they_are_there(site: Site) -> None:
    site.write(3)
    elsewhere = site.keys.rename(site.keys.with_name("elsewhere"))
    with keeper(site) as begun:
        assert begun.stdout is not None
        assert Failure.read(begun.stdout.readline()) == Failure("audit:not_integrated", "SettingsInvalid")
        elsewhere.rename(site.keys)
        wait_for(site.is_in_order)


def test_a_keeper_ends_when_it_is_told_to_though_its_step_waits_for_what_never_comes(site: Site) -> None:
    with keeper(site) as begun, site.database.unit_of_work() as connection:
        connection.execute(text("LOCK TABLE audit_pending"))
        wait_for(lambda: _somebody_waits(site.database))
        begun.send_signal(signal.SIGTERM)
        assert begun.wait(60) == 0


async def test_a_fork_that_the_keeper_finds_is_told_by_the_process_that_serves(site: Site) -> None:
    site.write(3)
    site.log.sequencer.step()
    with site.database.unit_of_work() as connection:
        connection.execute(update(audit_checkpoints).values(root=b"x" * 32))
    site.write(1)
    told = asyncio.Queue[tuple[str, object]]()
    guard = KeeperGuard(
        site.settings, lambda name, level="info", **fields: told.put_nowait((name, level, fields))
    )
    guarding = asyncio.create_task(guard.run())
    async with asyncio.timeout(60):
        assert await told.get() == ("audit:forked", "error", {"error": "LogForked"})
    guarding.cancel()
    await asyncio.wait([guarding])


def _somebody_waits(database: Database) -> bool:
    query = text("SELECT FROM pg_locks WHERE NOT granted AND relation = 'audit_pending'::regclass")
    with database.reading() as connection:
        return connection.execute(query).first() is not None
