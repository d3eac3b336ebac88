from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from gateway.batching import NaturalBatch
from gateway.database import Database
from gateway.errors import StoreUnavailable, TextUnusable
from gateway.migrations import is_current, metadata, migrate
from gateway.oauth.tables import consumers


def _consumer(identifier: str) -> dict[str, object]:
    return {
        "id": identifier,
        "name": identifier,
        "sector": "kesehatan",
        "regions": [],
        "state": "active",
        "registered_at": datetime.now(UTC),
    }


def _is_of_the_whole(_object: Any, name: str | None, _kind: Any, _reflected: Any, _other: Any) -> bool:
    """PostgreSQL has this index for each month of the log; see tests/gateway/audit/test_audit_months.py."""
    return name != "uq_audit_entries_exchange_id_kind"


def test_migrations_make_exactly_the_tables_that_the_code_declares(database: Database) -> None:
    by_month = {} if database.is_sqlite else {"include_object": _is_of_the_whole}
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts=by_month), metadata) == []
    assert is_current(database)


def test_migrating_twice_changes_nothing(database: Database) -> None:
    migrate(database)
    assert is_current(database)


def test_a_unit_of_work_that_raises_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(IntegrityError), database.unit_of_work() as connection:
        connection.execute(insert(consumers), [_consumer("a"), _consumer("a")])
    with database.reading() as connection:
        assert connection.execute(select(consumers)).all() == []


def test_one_of_matches_every_listed_text_and_no_other(database: Database) -> None:
    with database.unit_of_work() as connection:
        connection.execute(insert(consumers), [_consumer(name) for name in ("a", "b", "c\"'")])
    statement = select(consumers.c.id).where(database.one_of(consumers.c.id, "ids")).order_by(consumers.c.id)
    with database.reading() as connection:
        assert connection.execute(statement, {"ids": ["a", "c\"'", "z"]}).scalars().all() == ["a", "c\"'"]
        assert connection.execute(statement, {"ids": []}).all() == []


def test_a_database_out_of_reach_is_named_and_retryable() -> None:
    closed = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailable), closed.reading():
        pass


def test_a_zero_byte_in_a_text_is_told_and_leaves_nothing_where_no_text_can_have_one(
    database: Database,
) -> None:
    """SQLite keeps it, and finds nobody by it."""
    asked = select(consumers.c.id).where(consumers.c.id == "a\0b")
    if database.is_sqlite:
        with database.reading() as connection:
            assert connection.execute(asked).all() == []
        return
    for door in (database.reading, database.unit_of_work):
        with pytest.raises(TextUnusable, match="zero byte") as raised, door() as connection:
            connection.execute(asked)
        assert "a\0b" not in str(raised.value)
    with database.reading() as connection:  # and the pool goes on
        assert connection.execute(select(consumers.c.id)).all() == []


@pytest.mark.anyio
async def test_calls_that_wait_share_one_batch() -> None:
    batches: list[Sequence[int]] = []

    async def run(items: Sequence[int]) -> list[int | Exception]:
        batches.append(list(items))
        await asyncio.sleep(0)
        return [item * 2 for item in items]

    double = NaturalBatch(run)
    assert await asyncio.gather(*(double(i) for i in range(100))) == [i * 2 for i in range(100)]
    assert len(batches) < 10


@pytest.mark.anyio
async def test_one_failing_item_does_not_fail_its_siblings() -> None:
    async def run(items: Sequence[int]) -> list[int | Exception]:
        return [ValueError("even") if i % 2 == 0 else i for i in items]

    odd = NaturalBatch(run)
    outcomes = await asyncio.gather(*(odd(i) for i in range(4)), return_exceptions=True)
    assert [isinstance(o, ValueError) for o in outcomes] == [True, False, True, False]


@pytest.mark.anyio
async def test_a_batch_that_fails_as_a_whole_fails_every_caller() -> None:
    async def broken(_items: Sequence[int]) -> list[int | Exception]:
        raise StoreUnavailable("gone")

    call = NaturalBatch(broken)
    outcomes = await asyncio.gather(*(call(i) for i in range(3)), return_exceptions=True)
    assert all(isinstance(o, StoreUnavailable) for o in outcomes)
