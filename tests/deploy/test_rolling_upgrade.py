"""Two nodes are given a next version one after the other, by day: nobody who asks them notices."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from gateway.api.examples import TOUR
from gateway.audit.tables import audit_entries
from gateway.database import Database
from gateway.demo import stage
from gateway.oauth.client import GatewayClient
from gateway.settings import load_settings
from tests.conftest import empty_postgres_database
from tests.deploy.rolling import ROOT, Balancer, Load, Node, next_version, run
from tests.gateway.migrations.releases import CONTRACT
from tests.living import LivingGateway, free_port, stocked_gateway

STOP = TOUR[0]
PARTNERS = 2
ASKED_BETWEEN_STEPS = 15


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[LivingGateway]:
    with empty_postgres_database(postgres_server) as url:
        site = f"http://127.0.0.1:{free_port()}"
        home = tmp_path_factory.mktemp("site")
        with stocked_gateway(home, url, public_url=site, drain_s=1) as gateway:
            yield gateway


@pytest.fixture(scope="module")
def nodes(stocked: LivingGateway) -> Iterator[list[Node]]:
    """Two nodes of this version: one key folder, one database, one address for partners."""
    made = [
        Node(load_settings(stocked.settings.environment() | {"GAPURA_PORT": str(free_port())}))
        for _ in range(2)
    ]
    try:
        for node in made:
            node.start(ROOT)
        yield made
    finally:
        for node in made:
            node.end()
            node.http.close()


@pytest.fixture
def balancer(nodes: list[Node]) -> Iterator[Balancer]:
    with Balancer(nodes) as before:
        yield before


def _partner(stocked: LivingGateway, balancer: Balancer) -> GatewayClient:
    return stage.client_for(stocked.settings, STOP.consumer, httpx.Client(transport=balancer, timeout=60))


def _wait(nodes: list[Node], status: str) -> None:
    """Return when every node says this of itself."""
    until = time.monotonic() + 60
    while {node.ready() for node in nodes} != {status}:
        assert time.monotonic() < until, [node.ready() for node in nodes]
        time.sleep(0.05)


def _logged(stocked: LivingGateway) -> set[object]:
    database = Database(stocked.settings.effective_database_url)
    with database.reading() as connection:
        found = set(connection.execute(select(audit_entries.c.exchange_id)).scalars())
    database.close()
    return found


def test_an_order_of_maintenance_closes_and_opens_every_node(
    stocked: LivingGateway, nodes: list[Node], balancer: Balancer
) -> None:
    partner = _partner(stocked, balancer)
    assert partner.post(STOP.path, STOP.body).status_code == 200
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    for where in ((), ("--this-node",)):  # the nodes of this site share a home, and so a file
        stocked.gapura("maintenance", "on", "--until", until, "--reason", "uji", *where)
        _wait(nodes, "maintenance")
        for _ in nodes:
            refused = partner.post(STOP.path, STOP.body)
            assert (refused.status_code, refused.json()["code"]) == (503, "maintenance")
            assert 0 < int(refused.headers["retry-after"]) <= 3600
        stocked.gapura("maintenance", "off", *where)
        _wait(nodes, "ready")
        assert {partner.post(STOP.path, STOP.body).status_code for _ in nodes} == {200}


def test_an_upgrade_of_one_node_after_the_other_fails_nobodys_request(
    stocked: LivingGateway, nodes: list[Node], balancer: Balancer, tmp_path: Path
) -> None:
    newer = next_version(tmp_path)
    partners = [_partner(stocked, balancer) for _ in range(PARTNERS)]
    with Load(partners, STOP.path, STOP.body) as load:
        load.wait_for_more(ASKED_BETWEEN_STEPS)
        migrated = run(newer, stocked.settings, "migrate")
        assert migrated.returncode == 0, migrated.stderr
        assert f"{CONTRACT} waits" in migrated.stdout
        load.wait_for_more(ASKED_BETWEEN_STEPS)
        assert [node.ready() for node in nodes] == ["ready", "ready"]
        for node in nodes:
            assert "not_ready" in node.end()
            load.wait_for_more(ASKED_BETWEEN_STEPS)
            node.start(newer)
            load.wait_for_more(ASKED_BETWEEN_STEPS)
            if node is nodes[0]:
                too_early = run(newer, stocked.settings, "migrate", "--contract")
                assert too_early.returncode == 2
                assert "processes need that still serve" in too_early.stderr
        contracted = run(newer, stocked.settings, "migrate", "--contract")
        assert contracted.returncode == 0, contracted.stderr
        load.wait_for_more(ASKED_BETWEEN_STEPS)
    assert load.failed == []
    assert set(load.answered) <= _logged(stocked)
    assert all(node.ready() == "ready" for node in nodes)
