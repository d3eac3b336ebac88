"""Traps of the libraries underneath, each of which was once open; the checklist closes the others."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from joserfc.jwk import RSAKey

from gateway.database import Database
from gateway.errors import BadInput
from gateway.oauth.endpoints import oauth_router
from gateway.oauth.server import FormRequest, TokenServer
from gateway.staff.roles import INSTALLATION
from tests.gateway.oauth.partner import TOKEN, Partner, error_of, make_key, public, register
from tests.gateway.oauth.running import RunningGateway


@pytest.mark.parametrize("registered", ["EdDSA", "Ed25519", None])
@pytest.mark.parametrize("signed", ["EdDSA", "Ed25519"])
def test_both_names_of_ed25519_mean_the_same_key(
    oauth: RunningGateway, registered: str | None, signed: str
) -> None:
    partner = Partner(oauth, f"ed-{registered}-{signed}".lower(), make_key("Ed25519"))
    jwk = public(partner.key) | ({} if registered is None else {"alg": registered})
    oauth.store.register(
        INSTALLATION, id=partner.id, name="x", sector="x", jwks={"keys": [jwk]}, reason="a test"
    )
    assert partner.ask(client_assertion=partner.assertion(header={"alg": signed})).status_code == 200


def test_a_proof_with_the_largest_rsa_key_fits(partner: Partner) -> None:
    partner.dpop_key = RSAKey.generate_key(4096)
    assert partner.call(partner.token()).status_code == 200


@pytest.mark.parametrize(
    "issuer", ["http://gapura.example.go.id", "http://10.0.0.5:8080", "http://0.0.0.0:8080"]
)
def test_no_token_is_issued_over_plain_http_except_on_this_machine(
    oauth: RunningGateway, issuer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    with pytest.raises(BadInput, match="GAPURA_PUBLIC_URL"):
        oauth_router(
            database=Database("sqlite://"),
            keys=oauth.keys,
            issuer=issuer,
            token_lifetime_s=300,
            clock=lambda: datetime.now(UTC),
        )


def test_the_address_that_counts_is_the_configured_one_behind_any_proxy(partner: Partner) -> None:
    headers = {
        "DPoP": partner.proof(),
        "Host": "internal.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "gopher",
    }
    answer = partner.gateway.http.post(TOKEN, data=partner.form(), headers=headers)
    assert answer.status_code == 200


@pytest.mark.anyio
async def test_without_a_database_the_token_endpoint_keeps_the_shape_of_oauth(partner: Partner) -> None:
    app = FastAPI()
    app.include_router(
        oauth_router(
            database=Database("postgresql://nobody@127.0.0.1:1/none"),
            keys=partner.gateway.keys,
            issuer=partner.gateway.issuer,
            token_lifetime_s=300,
            clock=lambda: datetime.now(UTC),
        )
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=partner.gateway.issuer) as http:
        answer = await http.post(TOKEN, data=partner.form(), headers={"DPoP": partner.proof()})
    assert (answer.status_code, error_of(answer)) == (503, "temporarily_unavailable")
    assert answer.headers["retry-after"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("character", ['"', "\\", "\n", "\x00", "é", "\U0001f600"])
def test_no_parameter_can_make_the_server_fail(partner: Partner, character: str) -> None:
    for name in (
        "grant_type",
        "scope",
        "resource",
        "client_id",
        "client_assertion",
        "client_assertion_type",
        "client_secret",
        "token_type_hint",
        character,
    ):
        answer = partner.ask(**{name: character})
        assert answer.status_code in {200, 400}, name
        answer = partner.manage("introspect", character, **({name: character} if name != "token" else {}))
        assert answer.status_code in {200, 400}, name
        assert isinstance(answer, httpx.Response)


def test_authlibs_own_lookup_of_clients_finds_nobody(oauth: RunningGateway) -> None:
    """Its `none` and secret methods would ask this; no endpoint lists them, and they would get nothing."""
    server = TokenServer(
        database=oauth.database,
        keys=oauth.keys,
        issuer=oauth.issuer,
        token_lifetime_s=300,
        clock=lambda: datetime.now(UTC),
    )
    partner = register(oauth)
    reply = server.introspect(FormRequest({"token": "x", "client_id": partner.id}))
    assert (reply.status, reply.body["error"]) == (400, "invalid_client")
    assert server.query_client(partner.id) is None
