"""Indexes built online: nobody who writes waits for them, and a try that failed leaves nothing in the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import OperationalError

from gateway.database import Database
from gateway.errors import Conflict, StoreUnavailable
from gateway.migrations import Patience, history_of, migrate
from tests.conftest import empty_postgres_database
from tests.living import administering

_QUICKLY = Patience(pause_s=0.05)
_AMPLE_S = 60
_INDEX = "9102"
_REVISIONS = (
    (
        "9101",
        "expand",
        """
def upgrade():
    op.create_table("stock", sa.Column("id", sa.Integer, primary_key=True), sa.Column("kind", sa.Integer))
    op.execute("INSERT INTO stock (id, kind) VALUES (1, 7), (2, 8)")
""",
    ),
    (
        _INDEX,
        "index",
        """
indexes = [
    OnlineIndex("ix_stock_kind", "stock", ("kind",)),
    OnlineIndex("uq_stock_kind", "stock", ("kind",), unique=True, where="kind < 9"),
]
def upgrade():
    pass
""",
    ),
)


def _write(folder: Path, revisions: tuple[tuple[str, str, str], ...]) -> Path:
    folder.mkdir()
    before = history_of().head
    for number, phase, body in revisions:
        head = "import sqlalchemy as sa\nfrom alembic import op\nfrom gateway.migrations import OnlineIndex\n"
        said = f'revision, down_revision, phase = "{number}", "{before}", "{phase}"\n'
        (folder / f"{number}.py").write_text(head + said + body, encoding="utf-8")
        before = number
    return folder


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A release with a table, and the next one with an index upon it."""
    folder = tmp_path_factory.mktemp("releases")
    return _write(folder / "table", _REVISIONS[:1]), _write(folder / "index", _REVISIONS)


@pytest.fixture
def stocked(
    releases: tuple[Path, Path], postgres_server: str, migrated_postgres: str
) -> Iterator[tuple[Database, tuple[Path, ...]]]:
    """A PostgreSQL where the table is in use, and the release that has its indexes."""
    with (
        empty_postgres_database(postgres_server, like=migrated_postgres) as url,
        closing(Database(url)) as database,
    ):
        migrate(database, folders=releases[:1])
        yield database, releases[1:]


def _indexes(database: Database) -> dict[str | None, bool]:
    """The names of the table's indexes, and whether each is unique."""
    with database.reading() as connection:
        return {one["name"]: bool(one["unique"]) for one in inspect(connection).get_indexes("stock")}


def _valid(database: Database) -> dict[str, bool]:
    query = text(
        "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE i.indrelid = 'stock'::regclass AND NOT i.indisprimary"
    )
    with database.reading() as connection:
        return {name: bool(valid) for name, valid in connection.execute(query)}


def _until(holds: Callable[[], object]) -> None:
    until = time.monotonic() + _AMPLE_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def _builder(database: Database) -> int | None:
    """The session that builds and waits for somebody's transaction."""
    query = text(
        "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE%INDEX CONCURRENTLY%'"
        " AND wait_event_type = 'Lock' AND datname = current_database()"
    )
    with database.reading() as connection:
        pid: int | None = connection.execute(query).scalar()
        return pid


def _insert(database: Database, *ids: int) -> None:
    """As a node would: it gives up rather than wait behind a migration for long."""
    with database.unit_of_work() as connection:
        connection.execute(text("SET LOCAL lock_timeout = '20s'"))
        for one in ids:
            connection.execute(text("INSERT INTO stock (id, kind) VALUES (:id, 9)"), {"id": one})


def test_an_index_is_made_on_both_databases_and_in_an_empty_one(
    database: Database, database_url: str, releases: tuple[Path, Path]
) -> None:
    expected = {"ix_stock_kind": False, "uq_stock_kind": True}
    assert migrate(database, folders=releases[1:]).applied == ("9101", _INDEX)
    assert _indexes(database) == expected
    with closing(Database(database_url)) as empty:
        migrate(empty, folders=releases[1:])
        assert _indexes(empty) == expected


def test_whoever_writes_does_not_wait_and_whoever_migrates_as_well_does_not_stand_in_the_way(
    stocked: tuple[Database, tuple[Path, ...]],
) -> None:
    database, folders = stocked
    waits = threading.Event()

    def tell(words: str) -> None:
        if "another process" in words:
            waits.set()

    with ThreadPoolExecutor(2) as pool:
        with database.unit_of_work() as lasting:
            lasting.execute(text("INSERT INTO stock (id, kind) VALUES (10, 9)"))
            first = pool.submit(migrate, database, folders=folders, patience=_QUICKLY)
            _until(lambda: _builder(database))
            second = pool.submit(migrate, database, folders=folders, patience=_QUICKLY, tell=tell)
            assert waits.wait(_AMPLE_S)
            # A plain CREATE INDEX that waits for the lasting transaction would make these wait behind it.
            for one in range(20, 30):
                _insert(database, one)
            assert not first.done()
        done = [first.result(_AMPLE_S).applied, second.result(_AMPLE_S).applied]
    assert sorted(done) == [(), (_INDEX,)]
    assert _valid(database) == {"ix_stock_kind": True, "uq_stock_kind": True}
    with database.reading() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        found = connection.execute(text("SELECT count(*) FROM stock WHERE kind = 9")).scalar_one()
    assert found == 11


def test_what_a_try_that_was_ended_left_behind_is_cleared_away_by_the_next(
    stocked: tuple[Database, tuple[Path, ...]],
) -> None:
    database, folders = stocked
    with ThreadPoolExecutor(1) as pool, database.unit_of_work() as lasting:
        lasting.execute(text("INSERT INTO stock (id, kind) VALUES (10, 9)"))
        dying = pool.submit(migrate, database, folders=folders, patience=_QUICKLY)
        _until(lambda: _builder(database))
        with administering(database.engine.url) as connection:
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": _builder(database)})
        with pytest.raises(StoreUnavailable):
            dying.result(_AMPLE_S)
    assert _valid(database) == {"ix_stock_kind": False}
    told: list[str] = []
    assert migrate(database, folders=folders, tell=told.append).applied == (_INDEX,)
    assert told[0] == "ix_stock_kind: an earlier try left it unfinished; beginning anew."
    assert _valid(database) == {"ix_stock_kind": True, "uq_stock_kind": True}


def test_a_unique_index_that_rows_contradict_is_refused_in_words_and_not_left(
    stocked: tuple[Database, tuple[Path, ...]],
) -> None:
    database, folders = stocked
    with database.unit_of_work() as connection:
        connection.execute(text("INSERT INTO stock (id, kind) VALUES (-1, 7)"))
    with pytest.raises(Conflict, match=r"uq_stock_kind cannot be unique: rows of stock have the same kind"):
        migrate(database, folders=folders)
    assert _valid(database) == {"ix_stock_kind": True}
    with database.unit_of_work() as connection:
        connection.execute(text("DELETE FROM stock WHERE id = -1"))
    assert migrate(database, folders=folders).applied == (_INDEX,)
    assert _valid(database) == {"ix_stock_kind": True, "uq_stock_kind": True}


def test_a_revision_names_indexes_if_and_only_if_it_is_one_of_indexes(tmp_path: Path) -> None:
    for name, body in (("index", "def upgrade(): pass\n"), ("expand", _REVISIONS[1][2])):
        folder = _write(tmp_path / name, (("9101", name, body),))
        with pytest.raises(RuntimeError, match="indexes in an index alone"):
            history_of((folder,))


def test_a_session_keeps_nothing_of_its_locks_and_settings(
    stocked: tuple[Database, tuple[Path, ...]],
) -> None:
    database, _ = stocked
    with database.session() as session:
        before = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
        session.execute(text("SET lock_timeout = 4711"))
        with pytest.raises(OperationalError):
            session.execute(text("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(60)"))
    with database.session() as session:
        assert session.execute(text("SELECT pg_backend_pid()")).scalar_one() != before
        assert session.execute(text("SHOW lock_timeout")).scalar_one() == "0"
