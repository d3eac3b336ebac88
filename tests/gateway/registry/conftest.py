"""The registry's tests need few of the 91 599 regions, and most of them need no others."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from gateway.database import Database
from gateway.registry.regions import EDITION, IN_FORCE_SINCE, known_regions, level_of
from gateway.registry.tables import regions

_NEAR = ("35", "35.78", "35.78.08", "35.78.08.1003")


def _know_a_village(database: Database) -> None:
    named = dict(known_regions())
    rows = [
        {
            "code": code,
            "name": named[code],
            "level": level_of(code),
            "valid_from": IN_FORCE_SINCE,
            "edition": EDITION,
        }
        for code in _NEAR
    ]
    with database.unit_of_work() as connection:
        connection.execute(insert(regions), rows)


@pytest.fixture
def database(database: Database) -> Database:
    """An empty registry that knows one village and what it lies in."""
    _know_a_village(database)
    return database


@pytest.fixture
def embedded(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Database]:
    """The same on SQLite only, for what no database has a part in."""
    file = shutil.copyfile(migrated_sqlite, tmp_path / "embedded.db")
    opened = Database(f"sqlite:///{file}")
    _know_a_village(opened)
    yield opened
    opened.close()
