from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.database import Database
from tests.gateway.limits.world import World


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    opened = World(database)
    yield opened
    for ledger in opened.ledgers:
        ledger.close()
