"""The server through the eyes of clients that others wrote, with every kind of key on both sides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.api.examples import TOUR
from gateway.demo.stage import client_key_file
from tests.gateway.oauth.independent_clients import (
    NODE_SCRIPTS,
    ask_with_node,
    ask_with_requests,
    needs_node,
)
from tests.gateway.oauth.partner import Partner, register
from tests.gateway.oauth.running import RECORDS, TOKEN_LIFETIME_S, RunningGateway
from tests.living import LivingGateway

TOKEN = {
    "token_type": "dpop",
    "expires_in": TOKEN_LIFETIME_S,
    "scope": "eligibility records access_history findings",
}


def _key_file(partner: Partner, folder: Path) -> Path:
    file = folder / "private.jwk.json"
    file.write_text(json.dumps(partner.key.as_dict(private=True)))
    return file


@needs_node
@pytest.mark.parametrize(
    ("algorithm", "dpop_algorithm"), [("ES256", "Ed25519"), ("Ed25519", "PS256"), ("PS256", "ES256")]
)
@pytest.mark.parametrize("script", NODE_SCRIPTS)
def test_a_node_client_gets_a_bound_token_and_an_answer(
    oauth: RunningGateway, tmp_path: Path, script: str, algorithm: str, dpop_algorithm: str
) -> None:
    partner = register(oauth, algorithm)
    key_file = _key_file(partner, tmp_path)
    told = ask_with_node(script, oauth.url, partner.id, key_file, RECORDS, {"any": "thing"}, dpop_algorithm)
    assert (told["status"], told["body"]["consumer"]) == (200, partner.id)
    assert told["token"] == TOKEN
    if "introspected" in told:
        assert told["introspected"]["active"] is True
        assert told["introspected"]["client_id"] == partner.id
        assert told["after_revocation"] == {"status": 401, "error": "invalid_token"}
    else:
        assert told["verified_claims"] == sorted(
            ["iss", "aud", "sub", "client_id", "iat", "exp", "jti", "scope", "cnf"]
        )


@pytest.mark.parametrize(
    ("algorithm", "dpop_algorithm"), [("ES256", "EdDSA"), ("EdDSA", "PS256"), ("PS256", "ES256")]
)
def test_requests_oauth2client_gets_a_bound_token_and_an_answer(
    oauth: RunningGateway, algorithm: str, dpop_algorithm: str
) -> None:
    partner = register(oauth, algorithm)
    private: dict[str, Any] = {**partner.key.as_dict(private=True), "alg": algorithm}
    told = ask_with_requests(oauth.url, partner.id, private, RECORDS, {"any": "thing"}, dpop_algorithm)
    assert (told["status"], told["body"]["consumer"]) == (200, partner.id)


# Against the whole gateway, by the example that the documentation shows


def _eligible(answer: dict[str, Any]) -> bool:
    assert answer["status"] == 200, answer
    (result,) = answer["body"]["results"]
    return bool(result["decision"] == "eligible")


@needs_node
@pytest.mark.parametrize("script", NODE_SCRIPTS)
def test_a_node_client_gets_an_eligibility_answer(gateway: LivingGateway, script: str) -> None:
    stop = TOUR[0]
    key_file = client_key_file(gateway.settings, stop.consumer)
    assert _eligible(ask_with_node(script, gateway.url, stop.consumer, key_file, stop.path, stop.body))


def test_requests_oauth2client_gets_an_eligibility_answer(gateway: LivingGateway) -> None:
    stop = TOUR[0]
    key_file = client_key_file(gateway.settings, stop.consumer)
    private = {**json.loads(key_file.read_text(encoding="utf-8")), "alg": "ES256"}
    assert _eligible(ask_with_requests(gateway.url, stop.consumer, private, stop.path, stop.body, "ES256"))
