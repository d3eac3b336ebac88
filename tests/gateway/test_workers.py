"""Several workers on PostgreSQL: no answer depends on which of them serves it, nor the log on which lives."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import text

from gateway.oauth.client import ASSERTION_TYPE, client_assertion
from gateway.registry.personas import persona
from tests.conftest import empty_postgres_database
from tests.gateway.keeping.keepers import keepers_of, wait_for
from tests.living import LivingGateway, administering, living_gateway

ASKED = 24
QUESTION = {
    "purpose": "pbi-jk-eligibility",
    "programme": "PBI-JK",
    "subjects": [{"ref": "1", "nik": persona("eligible").nik}],
}
OTHER_QUESTION = {"purpose": "regional-verification", "subjects": QUESTION["subjects"]}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[LivingGateway]:
    home = tmp_path_factory.mktemp("home")
    with (
        empty_postgres_database(postgres_server) as url,
        living_gateway(home, url, workers=2) as living,
    ):
        yield living


def test_a_revoked_token_is_refused_at_once_by_every_worker(gateway: LivingGateway) -> None:
    client = gateway.client("bpjs-kesehatan")
    # A connection each, so that every worker is met.
    fresh = [httpx.Client(trust_env=False) for _ in range(ASKED)]
    statuses = []
    for http in fresh:
        client._http = http
        statuses.append(client.post("/v1/eligibility", QUESTION).status_code)
    assert statuses == [200] * ASKED

    assertion = client_assertion(
        client._key, client_id=client.client_id, issuer=gateway.url, now_s=client._clock()
    )
    form = {
        "token": client.access_token(),
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
    }
    assert gateway.http.post(f"{gateway.url}/oauth/revoke", data=form).status_code == 200
    statuses = []
    for http in fresh:
        client._http = http
        statuses.append(client.post("/v1/eligibility", QUESTION).status_code)
        http.close()
    assert statuses == [401] * ASKED
    metrics = gateway.http.get(f"{gateway.url}/metrics").text
    assert f'gapura_outcomes_total{{operation="eligibility",outcome="eligible"}} {float(ASKED)}' in metrics
    # What is looked up is said by whichever worker is asked, and not once by each.
    assert metrics.count("\ngapura_database_up 1.0\n") == 1
    assert 'gapura_events_total{event="audit:forked"} 0.0' in metrics


def test_the_workers_have_one_keeper_of_the_log_which_goes_with_its_worker_and_has_a_successor(
    gateway: LivingGateway,
) -> None:
    assert gateway.process is not None
    pid = gateway.process.pid
    wait_for(lambda: keepers_of(pid))
    (keeper,) = keepers_of(pid)
    worker = keeper.parent()
    assert worker is not None
    assert worker.pid != pid  # which only watches over the workers
    worker.kill()
    keeper.wait(60)  # until it is gone
    wait_for(lambda: keepers_of(pid))
    (successor,) = keepers_of(pid)
    assert successor != keeper
    assert gateway.post("dinsos-jatim", "/v1/records", OTHER_QUESTION).status_code == 200
    wait_for(lambda: _nothing_waits(gateway.settings.effective_database_url))


def _nothing_waits(database_url: str) -> bool:
    with administering(database_url) as connection:
        return connection.execute(text("SELECT FROM audit_pending")).first() is None
