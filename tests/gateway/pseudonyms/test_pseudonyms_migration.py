"""Names given before keys had versions: the migration lets them go on, and begins nothing where none were."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from alembic import command
from sqlalchemy import text

from gateway import migrations
from gateway.database import Database
from gateway.pseudonyms.sector_keys import SectorKeyring
from policies.pseudonym import SectorKeys, derive_sector_key

MASTER, PERSON = bytes(range(32)), UUID(int=9)
CONSUMER = text(
    "INSERT INTO consumers (id, name, sector, regions, state, registered_at) "
    "VALUES (:id, 'A', :sector, '[]', 'active', '2026-01-02 03:04:05')"
)
ENTRY = text(
    "INSERT INTO audit_entries (exchange_id, kind, at, entry) "
    "VALUES ('0d9c4d0e3f0e4f579d2a5a1f3c1f6a52', 'outcome', '2026-01-02 03:04:05', '{}')"
)


@pytest.fixture
def before(database_url: str) -> Iterator[Database]:
    """A database as it was before, with two consumers of one sector."""
    opened = Database(database_url)
    config = migrations.config_of()
    with opened.unit_of_work() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0010")
        for consumer_id in ("a", "b"):
            connection.execute(CONSUMER, {"id": consumer_id, "sector": "kesehatan"})
    yield opened
    opened.close()


def _keyring(database: Database, folder: Path) -> SectorKeyring:
    return SectorKeyring(database, folder, MASTER, lambda: datetime(2026, 6, 1, tzinfo=UTC))


def test_names_that_were_given_before_are_given_and_taken_back_after(
    before: Database, tmp_path: Path
) -> None:
    with before.unit_of_work() as connection:
        connection.execute(ENTRY)
    migrations.migrate(before)
    old = SectorKeys.only(derive_sector_key(MASTER, "kesehatan")).name(PERSON)
    assert _keyring(before, tmp_path).read("kesehatan").name(PERSON) == old


def test_where_nothing_was_answered_yet_the_first_key_has_a_salt(before: Database, tmp_path: Path) -> None:
    migrations.migrate(before)
    keyring = _keyring(before, tmp_path)
    assert keyring.versions() == []
    keyring.read("kesehatan")
    assert [one.salted for one in keyring.versions()] == [True]
