"""The product's own small client, against the real server; and what the server's documentation promises."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey

from gateway.oauth import dpop, jose
from gateway.oauth.client import GatewayClient, TokenRequestRefused, client_assertion, dpop_proof
from gateway.oauth.jose import make_key_pair
from gateway.oauth.nonces import Nonces
from gateway.staff.roles import INSTALLATION
from tests.gateway.oauth.partner import TOKEN, Partner, make_key, public
from tests.gateway.oauth.running import ELIGIBILITY, RECORDS, RunningGateway


class Recorder:
    """An httpx event hook that counts requests by path."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def __call__(self, request: httpx.Request) -> None:
        self.paths.append(request.url.path)


Connect = Callable[..., tuple[GatewayClient, Recorder]]


@pytest.fixture
def connect(oauth: RunningGateway) -> Iterator[Connect]:
    """Makes clients of new consumers, and what records their requests."""
    with ExitStack() as stack:

        def _connect(algorithm: str = "ES256", **more: Any) -> tuple[GatewayClient, Recorder]:
            private, published = make_key_pair(algorithm)
            consumer_id = f"client-{secrets.token_hex(4)}"
            oauth.store.register(
                INSTALLATION,
                id=consumer_id,
                name="x",
                sector="x",
                jwks={"keys": [published]},
                reason="a test",
            )
            recorder = Recorder()
            http = httpx.Client(timeout=30, trust_env=False, event_hooks={"request": [recorder]})
            return GatewayClient(oauth.url, consumer_id, private, stack.enter_context(http), **more), recorder

        yield _connect


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519", "PS256"])
def test_the_client_gets_answers_with_every_kind_of_key(connect: Connect, algorithm: str) -> None:
    client, _ = connect(algorithm)
    assert client.post(RECORDS, {}).json()["consumer"] == client.client_id
    assert client.get(f"{ELIGIBILITY}?page=2").status_code == 200


def test_the_client_keeps_its_token_and_its_nonce(connect: Connect) -> None:
    client, recorder = connect()
    for _ in range(5):
        assert client.post(RECORDS, {}).status_code == 200
    assert recorder.paths.count(TOKEN) == 2  # the first asks for a nonce
    assert recorder.paths.count(RECORDS) == 5


def test_the_client_renews_its_token_before_it_ends(connect: Connect) -> None:
    ahead = [0.0]
    client, recorder = connect(clock=lambda: time.time() + ahead[0])
    first = client.access_token()
    assert client.access_token() == first
    client._token = (first, time.time() + 10)
    assert client.access_token() != first
    assert recorder.paths.count(TOKEN) == 3


def test_the_client_takes_a_new_nonce_when_told_to(oauth: RunningGateway, connect: Connect) -> None:
    client, recorder = connect()
    client.post(RECORDS, {})
    client._nonce = oauth.nonce(age_s=600)
    assert client.post(RECORDS, {}).status_code == 200
    assert recorder.paths.count(RECORDS) == 3


def test_the_client_tells_why_it_got_no_token(oauth: RunningGateway, connect: Connect) -> None:
    client, _ = connect()
    oauth.store.disable(INSTALLATION, client.client_id, "a test")
    with pytest.raises(TokenRequestRefused, match="disabled") as told:
        client.post(RECORDS, {})
    assert told.value.error == "invalid_client"


def test_the_client_trusts_no_other_issuer(oauth: RunningGateway, connect: Connect) -> None:
    client, recorder = connect()
    client.issuer = oauth.url.replace("127.0.0.1", "localhost")
    with pytest.raises(TokenRequestRefused, match="another issuer"):
        client.access_token()
    assert TOKEN not in recorder.paths


# its parts, read back by other code


@settings(deadline=None, max_examples=30)
@given(
    now=st.integers(1_000_000_000, 4_000_000_000),
    path=st.from_regex(r"(/[a-z0-9]{1,5}){1,3}", fullmatch=True),
)
def test_a_made_proof_is_a_proof(now: int, path: str) -> None:
    key = ECKey.generate_key("P-256")
    nonces = Nonces(b"k" * 32)
    url = f"https://gapura.example{path}"
    proof = dpop_proof(
        key, method="POST", url=url, now_s=now, nonce=nonces.current(now), access_token="token"
    )
    verified = dpop.verify_proof(
        [proof],
        method="POST",
        origin="https://gapura.example",
        path=path,
        now_s=now,
        nonces=nonces,
        ath=dpop.token_hash("token"),
    )
    assert verified.thumbprint == key.thumbprint()


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519", "PS256"])
def test_a_made_assertion_is_read_by_the_library(algorithm: str) -> None:
    key = make_key(algorithm)
    compact = client_assertion(key, client_id="a", issuer="https://gapura.example", now_s=1000.5)
    token = jwt.decode(compact, type(key).import_key(public(key)), algorithms=jose.SIGNATURE_ALGORITHMS)
    assert token.header == {"alg": algorithm, "kid": key.kid, "typ": "client-authentication+jwt"}
    assert token.claims.pop("jti")
    assert token.claims == {
        "iss": "a",
        "sub": "a",
        "aud": "https://gapura.example",
        "iat": 1000,
        "exp": 1060,
    }


# the documentation


def _documented(oauth: RunningGateway) -> dict[str, Any]:
    paths: dict[str, Any] = oauth.http.get("/openapi.json").json()["paths"]
    return paths


def test_what_the_endpoints_answer_is_what_the_documentation_says(
    oauth: RunningGateway, partner: Partner
) -> None:
    paths = _documented(oauth)
    token = partner.token()
    answers = {
        ("post", TOKEN): [
            partner.ask(),
            partner.ask(proof=None),
            partner.ask(client_assertion="x"),
            oauth.http.post(TOKEN, data={"grant_type": "client_credentials"}, auth=("a", "b")),
        ],
        ("post", "/oauth/revoke"): [partner.manage("revoke", "x"), partner.manage("revoke", "")],
        ("post", "/oauth/introspect"): [
            partner.manage("introspect", token),
            partner.manage("introspect", "x", client_assertion="x"),
        ],
        ("get", "/oauth/jwks"): [oauth.http.get("/oauth/jwks")],
        ("get", "/.well-known/oauth-authorization-server"): [
            oauth.http.get("/.well-known/oauth-authorization-server")
        ],
    }
    for (method, path), responses in answers.items():
        documented = paths[path][method]["responses"]
        assert "422" not in documented
        for response in responses:
            content = documented[str(response.status_code)]["content"]["application/json"]["schema"]
            assert set(content.get("required", [])) <= response.json().keys()
            assert response.json().keys() <= content.get("properties", response.json()).keys()


def test_the_documented_form_is_the_one_that_works(oauth: RunningGateway, partner: Partner) -> None:
    operation = _documented(oauth)[TOKEN]["post"]
    schema = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    form = partner.form()
    assert set(schema["required"]) == form.keys()
    for name, value in schema["properties"].items():
        assert value.get("const", form.get(name)) == form.get(name), name
    assert operation["parameters"][0]["name"] == "DPoP"
    for name in schema["required"]:
        assert partner.ask(**{name: ""}).status_code == 400
