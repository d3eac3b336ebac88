"""When the database has another primary all at once: who follows it, and by what a death is counted."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.engine import make_url

from gateway.database import Database, patience
from gateway.errors import StoreUnavailable
from gateway.lanes import Last, Procedure, open_lane
from tests.deploy.callers import Question, Request, toll
from tests.deploy.failover import DROP_IN
from tests.deploy.servers import PostgresServer, needs_servers, postgres_server, replica_of, throwaway_folder
from tests.deploy.vanishing import far_server, needs_networks
from tests.living import administering

_AMPLE_S = 60
_ONE, _LONG = text("SELECT 1"), text(f"SELECT pg_sleep({2 * _AMPLE_S})")
_ADD = text("INSERT INTO kept (id) VALUES (:id)")
_IDS = text("SELECT id FROM kept ORDER BY id")


@pytest.fixture
def pair() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A primary with one table, and the replica without which it commits nothing."""
    with throwaway_folder() as folder, postgres_server(folder / "a") as primary:
        with administering(primary.url()) as connection:
            connection.execute(text("CREATE TABLE kept (id int PRIMARY KEY)"))
        with replica_of(primary, folder / "b", name="b") as replica:
            primary.configure({"synchronous_standby_names": "b"})
            primary.reload()
            yield primary, replica


def _adding(number: int) -> Procedure[None]:
    yield Last([(_ADD, {"id": number})])


def _add(database: Database, number: int) -> None:
    with database.unit_of_work() as connection:
        connection.execute(_ADD, {"id": number})


def _kept(server: PostgresServer) -> list[int]:
    with administering(server.url()) as connection:
        return list(connection.execute(_IDS).scalars())


@needs_servers
async def test_whoever_knows_both_servers_goes_on_with_the_one_that_is_promoted(
    pair: tuple[PostgresServer, PostgresServer],
) -> None:
    primary, replica = pair
    ports = f"{primary.port},{replica.port}"
    both = f"postgresql://postgres@/postgres?host=127.0.0.1,127.0.0.1&port={ports}"
    with closing(Database(f"{both}&target_session_attrs=read-write")) as database:
        lane = open_lane(database, "test")
        await lane(_adding(1))
        _add(database, 2)
        primary.stop("immediate")
        with pytest.raises(StoreUnavailable):
            await lane(_adding(3))
        with pytest.raises(StoreUnavailable):
            _add(database, 4)
        replica.promote()
        await lane(_adding(5))
        _add(database, 6)
    assert _kept(replica) == [1, 2, 5, 6]


@needs_servers
async def test_a_server_that_takes_no_writes_is_an_outage_and_is_left(
    pair: tuple[PostgresServer, PostgresServer],
) -> None:
    _, replica = pair
    with closing(Database(replica.url())) as database:
        lane = open_lane(database, "test")
        with database.reading() as connection:
            session = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with pytest.raises(StoreUnavailable, match="takes no writes"):
            _add(database, 1)
        with pytest.raises(StoreUnavailable):
            await lane(_adding(2))
        replica.promote()
        await lane(_adding(3))
        _add(database, 4)
        with database.reading() as connection:
            assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() != session
    assert _kept(replica) == [3, 4]


@needs_servers
@needs_networks
async def test_a_server_whose_machine_vanished_is_given_up() -> None:
    """A process that dies closes its connections; a machine without power leaves them open for ever."""
    soon = "?keepalives_idle=1&keepalives_interval=1&tcp_user_timeout=1000&connect_timeout=2"
    with (
        throwaway_folder() as folder,
        far_server(folder / "far") as far,
        closing(Database(far.server.url() + soon)) as database,
    ):
        lane = open_lane(database, "test")
        await lane(_asking(_ONE))
        asked = asyncio.gather(
            lane(_asking(_LONG)), asyncio.to_thread(_read, database, _LONG), return_exceptions=True
        )
        await asyncio.to_thread(_until_both_wait, far.server)
        far.vanish()
        async with asyncio.timeout(_AMPLE_S):
            assert [type(one) for one in await asked] == [StoreUnavailable, StoreUnavailable]
            with pytest.raises(StoreUnavailable):
                await lane(_asking(_ONE))


def _asking(statement: TextClause) -> Procedure[None]:
    yield Last([(statement, {})])


def _read(database: Database, statement: TextClause) -> None:
    with database.reading() as connection:
        connection.execute(statement)


def _until_both_wait(server: PostgresServer) -> None:
    count = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    with administering(server.url()) as connection:
        until = time.monotonic() + _AMPLE_S
        while connection.execute(count).scalar_one() < 2:
            assert time.monotonic() < until
            time.sleep(0.02)


async def test_a_connection_waits_for_a_lost_machine_no_longer_than_the_site_says(postgres_url: str) -> None:
    usual = patience(make_url(postgres_url))
    assert usual["tcp_user_timeout"] == 10_000
    said = {"connect_timeout": "2", "tcp_user_timeout": "3000"}
    url = make_url(postgres_url).update_query_dict(said).render_as_string(hide_password=False)
    expected = {name: str(value) for name, value in usual.items()} | said
    with closing(Database(url)) as database:
        with database.reading() as connection:
            parameters = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
        assert expected.items() <= parameters.items()
        lane = open_lane(database, "test")
        await lane(_asking(_ONE))
        assert expected.items() <= lane._pipeline._connection.info.get_parameters().items()  # type: ignore[attr-defined]


def test_a_death_is_counted_by_what_failed_and_by_how_long_nobody_was_answered() -> None:
    requests = [
        Request(0.0, 1.0, "200", uuid4()),
        Request(0.5, 1.5, "502"),
        Request(2.0, 2.1, "503"),
        Request(2.2, 2.5, "503"),
        Request(1.0, 4.0, "200", uuid4()),
        Request(4.0, 4.5, "200", uuid4()),
    ]
    cost = toll(requests, [Question(0.2, answered=True), Question(60.5, answered=False)])
    assert (cost.requests, cost.failed) == (6, {"502": 1, "503": 2})
    assert (cost.window_s, cost.silence_s) == (2.0, 3.0)
    assert (cost.questions, cost.given_up, cost.longest_s) == (2, 1, 60.5)


def test_where_nothing_failed_there_was_no_window() -> None:
    cost = toll([Request(0.0, 1.0, "200", uuid4())], [])
    assert (cost.failed.total(), cost.window_s, cost.silence_s, cost.longest_s) == (0, 0.0, 0.0, 0.0)


def test_systemd_starts_a_pgbouncer_that_died_again(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing (apt-get install systemd)")
    unit = tmp_path / "pgbouncer.service"
    unit.write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")
    shutil.copytree(DROP_IN.parent, tmp_path / DROP_IN.parent.name)
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr) == (0, "")
    assert "\nRestart=always\n" in DROP_IN.read_text(encoding="utf-8")
