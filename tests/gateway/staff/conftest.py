"""Every test of staff runs on both databases, each migrated once; between tests the tables are emptied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import delete

from gateway.audit.tables import audit_entries, audit_pending
from gateway.database import Database
from gateway.staff.tables import staff_accounts, staff_sessions, staff_tokens
from tests.conftest import migrated_database
from tests.gateway.staff.office import Office


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def offices(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with ExitStack() as stack:
        url = stack.enter_context(migrated_database(request, tmp_path_factory.mktemp("staff")))
        database = Database(url)
        stack.callback(database.close)
        yield database


@pytest.fixture
def office(offices: Database, tmp_path: Path) -> Iterator[Office]:
    yield Office(offices, tmp_path)
    with offices.unit_of_work() as connection:
        for table in (staff_sessions, staff_tokens, staff_accounts, audit_pending, audit_entries):
            connection.execute(delete(table))
