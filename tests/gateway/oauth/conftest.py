"""One running server per database for the whole session: its tests bring consumers of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from gateway.database import Database
from gateway.keys import Keys
from tests.conftest import migrated_database
from tests.gateway.oauth.partner import Partner, register
from tests.gateway.oauth.running import (
    RunningGateway,
    Shared,
    running_gateway,
    worker_processes,
)
from tests.living import free_port


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    folder = tmp_path_factory.mktemp("oauth")
    Keys.open(folder / "keys")
    with ExitStack() as stack:
        database = Database(stack.enter_context(migrated_database(request, folder)))
        stack.callback(database.close)
        yield Shared(folder, database)


@pytest.fixture(scope="session")
def oauth(shared: Shared) -> Iterator[RunningGateway]:
    with running_gateway(shared) as running:
        yield running


@pytest.fixture(scope="module")
def workers(shared: Shared) -> Iterator[list[RunningGateway]]:
    """Two processes that serve the same gateway, known to its consumers by one public address."""
    with worker_processes(shared, issuer=f"http://127.0.0.1:{free_port()}", count=2) as running:
        yield running


@pytest.fixture
def partner(oauth: RunningGateway) -> Partner:
    return register(oauth)
