"""Several workers on PostgreSQL: no answer depends on which of them serves it."""

from __future__ import annotations

from pathlib import Path

import httpx

from gateway.oauth.client import ASSERTION_TYPE, client_assertion
from gateway.registry.personas import persona
from tests.living import living_gateway

ASKED = 24
QUESTION = {
    "purpose": "pbi-jk-eligibility",
    "programme": "PBI-JK",
    "subjects": [{"ref": "1", "nik": persona("eligible").nik}],
}


def test_a_revoked_token_is_refused_at_once_by_every_worker(tmp_path: Path, postgres_url: str) -> None:
    with living_gateway(tmp_path / "home", postgres_url, workers=2) as gateway:
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
