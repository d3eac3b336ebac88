"""Expand, backfill, contract: what may be done while older code serves, and that nobody waits for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from gateway.database import Database
from gateway.errors import Conflict, SettingsInvalid, StoreUnavailable
from gateway.migrations import Patience, fits, history_of, is_current, migrate
from gateway.migrations.applying import may_serve
from gateway.migrations.phases import History, Revision
from gateway.migrations.presence import SILENT_AFTER, Presence, ServingProcess
from gateway.migrations.tables import schema_floor
from tests.gateway.migrations.releases import BACKFILL, CONTRACT, EXPAND, ROWS, write_release

HEAD = history_of().head


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Where the next release keeps its revisions."""
    return (write_release(tmp_path_factory.mktemp("next") / "versions"),)


def _serving(database: Database, knows: str, ago: timedelta = timedelta()) -> Presence:
    presence = Presence(database, ServingProcess("node-1", knows, "0.1.0"), lambda: datetime.now(UTC) - ago)
    presence.show()
    return presence


def _filled(database: Database) -> list[tuple[int, int]]:
    with database.reading() as connection:
        return [
            (new, filled)
            for new, filled in connection.execute(text("SELECT new, filled FROM stock ORDER BY id"))
        ]


def _next_may_serve(database: Database, folders: tuple[Path, ...]) -> bool:
    with database.reading() as connection:
        return may_serve(connection, folders)


def test_every_revision_says_what_it_is_since_two_versions_can_serve(tmp_path: Path) -> None:
    assert {one.phase for one in history_of().revisions} <= {"expand", "backfill", "contract"}
    folder = write_release(tmp_path / "versions")
    expand = folder / f"{EXPAND}_expand.py"
    expand.write_text(expand.read_text(encoding="utf-8").replace('"expand"', '"later"'), encoding="utf-8")
    with pytest.raises(RuntimeError, match=f"revision {EXPAND}: expected phase"):
        history_of((folder,))


def test_both_versions_serve_until_the_contract(database: Database, folders: tuple[Path, ...]) -> None:
    assert fits(database)
    assert not _next_may_serve(database, folders)
    done = migrate(database, folders=folders)
    assert (done.applied, done.waiting) == ((EXPAND, BACKFILL), (CONTRACT,))
    assert fits(database)
    assert _next_may_serve(database, folders)
    # The older code's own commands leave the newer schema alone.
    assert migrate(database).applied == ()
    assert not is_current(database)


def test_a_contract_waits_for_the_last_process_of_the_older_code(
    database: Database, folders: tuple[Path, ...]
) -> None:
    older = _serving(database, HEAD)
    migrate(database, folders=folders)
    with pytest.raises(Conflict, match=r"9003 takes away what processes need .* node-1 \(0\.1\.0"):
        migrate(database, folders=folders, contract=True)
    older.leave()
    _serving(database, CONTRACT)
    assert migrate(database, folders=folders, contract=True).applied == (CONTRACT,)
    assert _next_may_serve(database, folders)
    assert not fits(database)
    with pytest.raises(SettingsInvalid, match="newer than this program"):
        migrate(database)


def test_what_a_later_version_needs_waits_behind_the_contract_of_an_earlier_one(
    database: Database, folders: tuple[Path, ...], tmp_path: Path
) -> None:
    later = tmp_path / "later"
    later.mkdir()
    revision = f'revision, down_revision, phase = "9004", "{CONTRACT}", "expand"\ndef upgrade(): pass\n'
    (later / "9004_expand.py").write_text(revision, encoding="utf-8")
    with pytest.raises(Conflict, match="9003 ends an earlier upgrade"):
        migrate(database, folders=(*folders, later))
    assert migrate(database, folders=(*folders, later), contract=True).applied == (CONTRACT, "9004")


def test_a_process_that_fell_silent_holds_nothing_up(database: Database, folders: tuple[Path, ...]) -> None:
    _serving(database, HEAD, ago=SILENT_AFTER + timedelta(seconds=1))
    assert migrate(database, folders=folders, contract=True).applied == (EXPAND, BACKFILL, CONTRACT)


def test_an_empty_database_is_brought_to_the_end_and_asks_for_the_newest_code(
    database_url: str, folders: tuple[Path, ...]
) -> None:
    empty = Database(database_url)
    assert migrate(empty, folders=folders).applied[-1] == CONTRACT
    with empty.reading() as connection:
        assert connection.execute(select(schema_floor.c.revision)).scalar() == CONTRACT
    assert _filled(empty) == [(2 * one, 1) for one in range(ROWS)]
    empty.close()


def test_a_backfill_that_is_killed_goes_on_where_it_was_and_fills_nothing_twice(
    database: Database, folders: tuple[Path, ...]
) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    program = (
        "import sys; from pathlib import Path; from gateway.database import Database; "
        "from gateway.migrations import migrate; migrate(Database(sys.argv[1]), folders=(Path(sys.argv[2]),))"
    )
    dying = subprocess.run(
        [sys.executable, "-c", program, url, str(folders[0])],
        env={**os.environ, "TEST_DIES_WITH_LEFT": str(ROWS - 200)},
        check=False,
    )
    assert dying.returncode == -signal.SIGKILL
    # Three batches were committed; the fourth died in its transaction.
    assert [new for new, _ in _filled(database)].count(None) == ROWS - 150
    told: list[str] = []
    assert migrate(database, folders=folders, tell=told.append).applied == (BACKFILL,)
    assert told[0] == f"{BACKFILL}: 50 rows filled."
    assert _filled(database) == [(2 * one, 1) for one in range(ROWS)]


def test_of_several_that_migrate_at_once_each_step_is_done_by_one(
    database: Database, folders: tuple[Path, ...]
) -> None:
    with ThreadPoolExecutor(3) as pool:
        done = [one.result() for one in [pool.submit(migrate, database, folders=folders) for _ in range(3)]]
    assert sorted(number for one in done for number in one.applied) == [EXPAND, BACKFILL]
    assert _filled(database) == [(2 * one, 1) for one in range(ROWS)]


@pytest.fixture
def long_reader(postgres_server: str, migrated_postgres: str) -> Iterator[tuple[Database, Database]]:
    """A PostgreSQL, and somebody who reads `consumers` in a transaction that does not end."""
    from tests.conftest import empty_postgres_database  # noqa: PLC0415 - for these two tests alone

    with empty_postgres_database(postgres_server, like=migrated_postgres) as url:
        database, other = Database(url), Database(url)
        yield database, other
        database.close()
        other.close()


def test_a_revision_that_gets_no_lock_lets_the_others_pass_and_tries_again(
    long_reader: tuple[Database, Database], folders: tuple[Path, ...]
) -> None:
    database, other = long_reader
    let_go = threading.Event()
    patience = Patience(whole_s=60, pause_s=0.2, lock_wait_ms=100)
    with ThreadPoolExecutor(1) as pool:
        with other.reading() as reading:
            reading.execute(text("SELECT count(*) FROM consumers"))
            migrating = pool.submit(
                migrate, database, folders=folders, patience=patience, tell=lambda _: let_go.set()
            )
            assert let_go.wait(60)
            with other.reading() as serving:
                # Never behind the revision for longer than it waits itself.
                serving.execute(text("SET LOCAL statement_timeout = '30s'"))
                for _ in range(20):
                    serving.execute(text("SELECT count(*) FROM consumers"))
            assert not migrating.done()
        assert migrating.result(60).applied == (EXPAND, BACKFILL)


def test_a_revision_that_never_gets_its_lock_gives_up_and_leaves_nothing(
    long_reader: tuple[Database, Database], folders: tuple[Path, ...]
) -> None:
    database, other = long_reader
    with other.reading() as reading:
        reading.execute(text("SELECT count(*) FROM consumers"))
        with pytest.raises(StoreUnavailable, match="Revision 9001 got no lock"):
            migrate(database, folders=folders, patience=Patience(whole_s=0, pause_s=0, lock_wait_ms=50))
    assert is_current(database)


_OLD = History((Revision("1", "expand"), Revision("2", "contract")))
_NEW = History((*_OLD.revisions, Revision("3", "expand"), Revision("4", "contract")))


@pytest.mark.parametrize(
    ("code", "present", "floor", "may"),
    [
        (_OLD, "2", "2", True),
        (_OLD, "1", "1", True),  # lacks a contract alone
        (_OLD, "3", "2", True),  # newer, and still fit
        (_OLD, "4", "4", False),  # what it needs was taken away
        (_NEW, "2", "2", False),  # lacks what it needs
        (_NEW, "3", "2", True),
        (_NEW, "5", "4", True),
        (_NEW, "5", "5", False),
        (_OLD, None, "1", False),
        (_OLD, "2", None, False),
    ],
)
def test_which_code_may_serve_on_which_schema(
    code: History, present: str | None, floor: str | None, may: bool
) -> None:
    assert code.may_serve(present, floor) is may
