"""The site of `deploy/compose.yaml` as plain processes: a partner's exchange goes through it, whatever dies.

No figure is asserted. What has to hold: the service comes back without a restart of what lives, nothing fails
before or after, no answered exchange is missing from the log. `tests/deploy/failover.py` has the longer run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from gateway.oauth.client import GatewayClient
from tests.deploy.failover import DEATHS, Evidence, endure, lose_primary, lose_replica
from tests.deploy.pgbouncer import needs_pgbouncer
from tests.deploy.servers import needs_servers
from tests.deploy.site import REPLICA, STOP, Site, running_site, services, standing
from tests.nginx import needs_nginx

pytestmark = [needs_nginx, needs_pgbouncer, needs_servers]

CALLERS = 4


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_site() as running:
        yield running


@pytest.fixture(scope="module")
def partners(site: Site) -> list[GatewayClient]:
    return [site.partner() for _ in range(CALLERS)]


def test_every_service_of_compose_is_started(site: Site) -> None:
    assert site.started == services().keys()
    assert {node.name for node in site.nodes} == {name for name in services() if name.startswith("gateway-")}


def test_nothing_is_committed_without_the_replica(site: Site) -> None:
    assert standing(site.primary) == {REPLICA: "sync"}


def test_a_partner_with_a_certificate_is_answered_by_both_nodes(
    site: Site, partners: list[GatewayClient]
) -> None:
    before = [node.answered() for node in site.nodes]
    for _ in range(6):
        answer = partners[0].post(STOP.path, STOP.body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["results"][0]["decision"] == "eligible"
    after = [node.answered() for node in site.nodes]
    assert all(one > other for one, other in zip(after, before, strict=True))


@pytest.mark.parametrize("name", DEATHS)
def test_whatever_dies_service_comes_back_and_no_answered_exchange_is_lost(
    site: Site, partners: list[GatewayClient], name: str, record_property: Callable[[str, object], None]
) -> None:
    strike = DEATHS[name]
    kept = Evidence(site.primary, site.settings).checkpoint()
    living = [node.process for node in site.nodes[1:]]
    endured = endure(site, partners, strike)
    for column, cell in endured.toll.cells().items():
        record_property("what dies x what it costs", [name, column, cell])
    assert endured.failed_outside == 0
    assert endured.toll.given_up == 0
    assert [node.process for node in site.nodes[1:]] == living
    assert all(node.is_running() for node in site.nodes[1:])
    primary = site.replica if strike is lose_primary else site.primary
    evidence = Evidence(primary, site.settings)
    assert evidence.checkpoint() != kept  # whoever lives integrates the log and signs it
    assert len(endured.answered) > 2 * CALLERS
    assert evidence.missing(endured.answered, kept) == frozenset()
    if strike is lose_replica:
        site.revive_replica()


def test_commands_find_the_promoted_server_by_themselves(site: Site) -> None:
    assert not site.primary.is_running()
    assert "agree with" in site.office.gapura("audit", "verify")
