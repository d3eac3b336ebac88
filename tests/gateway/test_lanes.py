from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import bindparam, insert, select, text, update

from gateway.database import Database
from gateway.errors import StoreUnavailable
from gateway.lanes import Last, Procedure, open_lane
from gateway.oauth.tables import consumers

_ADD = insert(consumers).values(
    id=bindparam("new"),
    name="a name",
    sector="kesehatan",
    regions=[],
    state="active",
    registered_at=datetime(2026, 1, 1, tzinfo=UTC),
)
_RENAME = update(consumers).where(consumers.c.id == bindparam("of")).values(name=bindparam("to"))
_NAMES = select(consumers.c.id, consumers.c.name).order_by(consumers.c.id)
_TOO_LONG_FOR_ANYBODY = "x" * 300


def _adding(*ids: str) -> Procedure[int]:
    yield Last((_ADD, {"new": one}) for one in ids)
    return len(ids)


def _names(database: Database) -> list[tuple[str, str]]:
    with database.reading() as connection:
        return [(row.id, row.name) for row in connection.execute(_NAMES)]


async def test_statements_that_travel_with_the_commit_are_all_there_when_it_returns(
    database: Database,
) -> None:
    lane = open_lane(database, "test")
    assert await lane(_adding("a", "b")) == 2
    assert _names(database) == [("a", "a name"), ("b", "a name")]


async def test_a_last_message_of_which_one_statement_fails_leaves_nothing(database: Database) -> None:
    lane = open_lane(database, "test")
    with pytest.raises(Exception, match=r"(?i)unique") as raised:
        await lane(_adding("a", "b", "a"))
    assert not isinstance(raised.value, StoreUnavailable)
    assert _names(database) == []
    assert await lane(_adding("a")) == 1  # and the lane goes on


async def test_a_procedure_that_raises_after_it_wrote_leaves_nothing(database: Database) -> None:
    def changing_its_mind() -> Procedure[None]:
        yield [(_ADD, {"new": "a"})]
        raise RuntimeError("it changed its mind")

    lane = open_lane(database, "test")
    with pytest.raises(RuntimeError, match="changed its mind"):
        await lane(changing_its_mind())
    assert _names(database) == []
    assert await lane(_adding("b")) == 1


async def test_a_step_sees_what_the_steps_before_it_wrote_and_others_do_not(database: Database) -> None:
    seen_outside: list[tuple[str, str]] = []

    def step_by_step() -> Procedure[str]:
        yield [(_ADD, {"new": "a"})]
        yield [(_RENAME, {"of": "a", "to": "another"})]
        (rows,) = yield [(_NAMES, {})]
        seen_outside.extend(_names(database))
        return str(rows[0][1])

    assert await open_lane(database, "test")(step_by_step()) == "another"
    assert seen_outside == []
    assert _names(database) == [("a", "another")]


async def test_what_is_said_without_asking_needs_no_database() -> None:
    def knowing_already() -> Procedure[str]:
        return "known"
        yield []

    away = Database("postgresql://nobody@127.0.0.1:1/none")
    assert await open_lane(away, "test")(knowing_already()) == "known"
    away.close()


async def test_a_database_out_of_reach_is_told_without_what_was_sent() -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailable) as raised:
        await open_lane(away, "test")(_adding(_TOO_LONG_FOR_ANYBODY))
    assert _TOO_LONG_FOR_ANYBODY not in repr(raised.value)
    assert raised.value.__cause__ is None
    away.close()


def _end_other_connections(database: Database) -> None:
    others = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with database.reading() as connection:
        connection.execute(others)


async def test_a_server_that_went_away_between_two_calls_is_found_again(postgres_url: str) -> None:
    database = Database(postgres_url)
    lane = open_lane(database, "test")

    def counting() -> Procedure[int]:
        (rows,) = yield Last(
            [(text("SELECT count(*) FROM pg_stat_activity WHERE pid = pg_backend_pid()"), {})]
        )
        return int(rows[0][0])

    assert await lane(counting()) == 1
    _end_other_connections(database)
    assert await lane(counting()) == 1
    database.close()


async def test_a_server_that_goes_away_under_a_procedure_commits_nothing(postgres_url: str) -> None:
    database = Database(postgres_url)
    lane = open_lane(database, "test")
    with database.unit_of_work() as connection:
        connection.execute(text("CREATE TABLE written (number int)"))

    def losing_its_server(cut: Callable[[], None]) -> Procedure[None]:
        yield [(text("INSERT INTO written VALUES (1)"), {})]
        cut()
        yield Last([(text("INSERT INTO written VALUES (2)"), {})])

    with pytest.raises(StoreUnavailable):
        await lane(losing_its_server(lambda: _end_other_connections(database)))
    with database.reading() as connection:
        assert connection.execute(text("SELECT number FROM written")).all() == []
    database.close()


async def test_a_message_that_the_socket_does_not_take_at_once_arrives_whole(postgres_url: str) -> None:
    database = Database(postgres_url)
    measure = text("SELECT count(*), sum(length(one)) FROM unnest(CAST(:many AS text[])) AS one")
    echo = text("SELECT one FROM unnest(CAST(:many AS text[])) AS one")
    many = ["x" * 100] * 200_000

    def sending_much() -> Procedure[tuple[int, int, int]]:
        sums, echoed = yield Last([(measure, {"many": many}), (echo, {"many": many})])
        return sums[0][0], sums[0][1], len(echoed)

    assert await open_lane(database, "test")(sending_much()) == (200_000, 20_000_000, 200_000)
    database.close()


async def test_behind_a_pooler_nothing_is_left_prepared_in_a_session(postgres_url: str) -> None:
    database = Database(postgres_url, direct_url=postgres_url)
    lane = open_lane(database, "test")

    def looking() -> Procedure[int]:
        yield [(text("SELECT CAST(:one AS int)"), {"one": 1})]
        (rows,) = yield Last([(text("SELECT count(*) FROM pg_prepared_statements"), {})])
        return int(rows[0][0])

    assert [await lane(looking()) for _ in range(3)] == [0, 0, 0]
    database.close()


async def test_a_lane_that_was_told_very_many_statements_begins_afresh(postgres_url: str) -> None:
    database = Database(postgres_url)
    lane = open_lane(database, "test")

    def looking(number: int) -> Procedure[int]:
        _, (prepared,) = yield Last(
            [(text(f"SELECT {number}"), {}), (text("SELECT count(*) FROM pg_prepared_statements"), {})]
        )
        return int(prepared[0])

    prepared = [await lane(looking(number)) for number in range(600)]
    assert max(prepared) > prepared[-1]
    database.close()
