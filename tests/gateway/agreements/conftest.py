"""Tests of the policies' store run on both databases, each migrated once; in between they are emptied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import delete

from gateway.agreements.tables import policy_acts, policy_epoch, policy_listing, policy_versions
from gateway.audit.tables import audit_documents, audit_entries, audit_pending
from gateway.database import Database
from gateway.staff.tables import staff_accounts, staff_sessions, staff_tokens
from tests.conftest import migrated_database
from tests.gateway.agreements.bureau import Bureau

TABLES = (
    *(policy_versions, policy_listing, policy_acts, policy_epoch),
    *(staff_sessions, staff_tokens, staff_accounts),
    *(audit_documents, audit_pending, audit_entries),
)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def bureaus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with ExitStack() as stack:
        url = stack.enter_context(migrated_database(request, tmp_path_factory.mktemp("policies")))
        database = Database(url)
        stack.callback(database.close)
        yield database


@pytest.fixture
def empty_bureau(bureaus: Database) -> Iterator[Bureau]:
    yield Bureau(bureaus)
    with bureaus.unit_of_work() as connection:
        for table in TABLES:
            connection.execute(delete(table))


@pytest.fixture
def bureau(empty_bureau: Bureau) -> Bureau:
    """With the shipped policies in force."""
    return empty_bureau.seeded()
