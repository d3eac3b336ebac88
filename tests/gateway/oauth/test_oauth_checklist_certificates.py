"""The rows of the FAPI 2.0 checklist where tokens are bound to certificates (RFC 8705) instead of DPoP keys.

The tests stand where the proxy would, and say of any request with which certificate it came. The proxy itself
is in tests/gateway/test_mutual_tls.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI
from joserfc import jws

from gateway.database import Database
from gateway.lanes import run_on
from gateway.oauth import tokens
from gateway.oauth.admission import Admission, Admitted, Barred, Entry
from gateway.oauth.certificates import ClientCertificates
from gateway.oauth.consumers import Consumer, ConsumerStore
from gateway.oauth.endpoints import METADATA_PATH, oauth_router
from gateway.oauth.registration import Change
from gateway.staff.roles import INSTALLATION
from tests.certificates import Authority, Issued
from tests.gateway.oauth.partner import TOKEN, Partner, error_of, make_key, public, refusal, register
from tests.gateway.oauth.running import ELIGIBILITY, RECORDS, RunningGateway

AUTHORITY = Authority()
OTHER = AUTHORITY.issue("another")
BY_DPOP, BY_CERTIFICATE = Change(certificate_bound=False), Change(certificate_bound=True)


@dataclass
class Holder:
    """A consumer whose tokens are bound to its certificate."""

    partner: Partner
    own: Issued

    def ask(self, *certificates: Issued, proof: str | None = None, **form: Any) -> httpx.Response:
        headers = [("Client-Cert", certificate.client_cert) for certificate in certificates]
        headers += [("DPoP", proof)] if proof else []
        return self.partner.gateway.http.post(TOKEN, data=self.partner.form(**form), headers=headers)

    def token(self, **form: Any) -> str:
        answer = self.ask(self.own, **form)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def call(
        self, token: str, *certificates: Issued, scheme: str = "Bearer", path: str = RECORDS, **more: str
    ) -> httpx.Response:
        headers = [("Authorization", f"{scheme} {token}"), *more.items()]
        headers += [("Client-Cert", certificate.client_cert) for certificate in certificates]
        return self.partner.gateway.http.post(path, headers=headers)

    def issued(self, method: str, thumbprint: str) -> str:
        """A token of the gateway's own key that is bound as it would not bind it."""
        now, gateway = datetime.now(UTC), self.partner.gateway
        return tokens.issue_token(
            client_id=self.partner.id,
            scope="records",
            constraint=tokens.SenderConstraint(method, thumbprint),  # type: ignore[arg-type] # on purpose
            issuer=gateway.issuer,
            key=gateway.keys.signing_key(now),
            now=now,
            lifetime_s=60,
        )


@pytest.fixture
def holder(oauth: RunningGateway) -> Holder:
    return Holder(register(oauth, certificate_bound=True), AUTHORITY.issue("holder"))


def refused(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal, checked to be a challenge for a token that is bound to a certificate."""
    challenge, code = answer.headers["WWW-Authenticate"], answer.json()["code"]
    error = "invalid_token" if code.startswith("consumer_") else code
    assert challenge.startswith(f'Bearer realm="gapura", error="{error}"')
    assert not answer.headers["DPoP-Nonce"]
    return answer.status_code, code


INVALID_TOKEN = (401, "invalid_token")


# 1: metadata


async def _metadata(oauth: RunningGateway, **more: Any) -> dict[str, Any]:
    app = FastAPI()
    app.include_router(
        oauth_router(
            database=oauth.database,
            keys=oauth.keys,
            issuer=oauth.issuer,
            token_lifetime_s=300,
            clock=lambda: datetime.now(UTC),
            **more,
        )
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=oauth.issuer) as http:
        return dict((await http.get(METADATA_PATH)).json())


@pytest.mark.anyio
async def test_01_metadata_promises_certificate_bound_tokens_where_a_proxy_is_trusted(
    oauth: RunningGateway,
) -> None:
    told = oauth.http.get(METADATA_PATH).json()
    assert told["tls_client_certificate_bound_access_tokens"] is True
    assert "mtls_endpoint_aliases" not in told
    assert not {name for name in await _metadata(oauth) if "tls" in name}


@pytest.mark.anyio
async def test_01_metadata_names_the_host_that_asks_for_certificates(oauth: RunningGateway) -> None:
    certificates, there = ClientCertificates([ip_network("10.0.0.1")]), "https://mtls.example"
    told = await _metadata(oauth, certificates=certificates, mtls_origin=there)
    assert told["mtls_endpoint_aliases"] == {
        "token_endpoint": f"{there}/oauth/token",
        "revocation_endpoint": f"{there}/oauth/revoke",
        "introspection_endpoint": f"{there}/oauth/introspect",
    }
    assert not {name for name in await _metadata(oauth, mtls_origin=there) if "tls" in name}


# 8: what a token is bound to is what the registration says


def test_08_without_its_certificate_a_certificate_bound_consumer_gets_no_token(holder: Holder) -> None:
    assertion = holder.partner.assertion()
    for proof in (None, holder.partner.proof()):
        answer = holder.ask(proof=proof, client_assertion=assertion)
        assert (answer.status_code, error_of(answer)) == (400, "invalid_request")
    # What was missing is told before the assertion is used up.
    assert holder.ask(holder.own, client_assertion=assertion).status_code == 200


def test_08_a_proof_beside_the_certificate_is_one_too_many(holder: Holder) -> None:
    answer = holder.ask(holder.own, proof=holder.partner.proof())
    assert (answer.status_code, error_of(answer)) == (400, "invalid_request")


def test_08_a_certificate_is_no_proof_of_a_dpop_key(partner: Partner) -> None:
    answer = Holder(partner, OTHER).ask(OTHER)
    assert (answer.status_code, error_of(answer)) == (400, "invalid_dpop_proof")
    both = Holder(partner, OTHER).ask(OTHER, proof=partner.proof())
    assert both.json()["token_type"] == "DPoP"
    assert partner.call(both.json()["access_token"]).status_code == 200


def test_08_a_certificate_that_does_not_count_gets_no_token(holder: Holder) -> None:
    expired = AUTHORITY.issue("holder", until=datetime.now(UTC) - timedelta(seconds=2))
    for certificates in ([expired], [holder.own, holder.own], [holder.own, OTHER]):
        answer = holder.ask(*certificates)
        assert (answer.status_code, error_of(answer)) == (400, "invalid_request")
        assert answer.headers["cache-control"] == "no-store"


def test_08_a_certificate_authenticates_nobody(holder: Holder) -> None:
    for form in ({"client_assertion": "x"}, {"client_assertion": make_stranger(holder).assertion()}):
        answer = holder.ask(holder.own, client_id=holder.partner.id, **form)
        assert (answer.status_code, error_of(answer)) == (400, "invalid_client")


def make_stranger(holder: Holder) -> Partner:
    return Partner(holder.partner.gateway, holder.partner.id, make_key("ES256", holder.partner.key.kid))


# 9: the token


def test_09_a_token_names_the_certificate_that_it_is_bound_to(holder: Holder) -> None:
    answer = holder.ask(holder.own).json()
    assert answer["token_type"] == "Bearer"
    claims = orjson.loads(jws.extract_compact(answer["access_token"].encode()).payload)
    assert claims["cnf"] == {"x5t#S256": holder.own.thumbprint}
    assert claims["sub"] == holder.partner.id
    told = holder.partner.manage("introspect", answer["access_token"]).json()
    assert (told["cnf"], told["token_type"]) == (claims["cnf"], "Bearer")


# 10: the sender constraint


def test_10_a_token_with_its_certificate_is_answered_as_its_consumer_as_often_as_it_asks(
    holder: Holder,
) -> None:
    token = holder.token()
    for scheme in ("Bearer", "bearer", "Bearer "):
        answer = holder.call(token, holder.own, scheme=scheme)
        assert answer.json()["consumer"] == holder.partner.id
        assert not answer.headers["DPoP-Nonce"]


def test_10_a_token_needs_the_certificate_that_it_is_bound_to(holder: Holder) -> None:
    token = holder.token()
    renewed = AUTHORITY.issue("holder")
    for certificates in ([], [OTHER], [renewed], [holder.own, holder.own], [holder.own, OTHER]):
        assert refused(holder.call(token, *certificates)) == INVALID_TOKEN
    assert refused(holder.call(token, **{"Client-Cert": "rubbish"})) == INVALID_TOKEN
    assert holder.call(holder.token(), holder.own).status_code == 200


def test_10_an_expired_certificate_opens_nothing(holder: Holder) -> None:
    expired = AUTHORITY.issue("holder", until=datetime.now(UTC) - timedelta(seconds=2))
    assert refused(holder.call(holder.issued("x5t#S256", expired.thumbprint), expired)) == INVALID_TOKEN


def test_10_no_token_passes_by_the_other_binding(holder: Holder, partner: Partner) -> None:
    bound_to_certificate, bound_to_key = holder.token(), partner.token()
    proof = holder.partner.proof(path=RECORDS, token=bound_to_certificate)
    wrong_scheme = holder.call(bound_to_certificate, holder.own, scheme="DPoP", DPoP=proof)
    assert refused(wrong_scheme) == INVALID_TOKEN
    assert "Bearer scheme" in wrong_scheme.json()["detail"]
    with_key = {"DPoP": partner.proof(path=RECORDS, token=bound_to_key)}
    for certificates in ([], [OTHER]):
        wrong_scheme = Holder(partner, OTHER).call(bound_to_key, *certificates, **with_key)
        assert refusal(wrong_scheme) == INVALID_TOKEN
        assert "DPoP scheme" in wrong_scheme.json()["detail"]
    assert partner.call(bound_to_key).status_code == 200


def test_10_a_thumbprint_of_one_kind_is_none_of_the_other(holder: Holder, partner: Partner) -> None:
    key = holder.partner.dpop_key.thumbprint()
    for scheme, method, thumbprint in (
        ("Bearer", "jkt", holder.own.thumbprint),
        ("DPoP", "x5t#S256", key),
        ("Bearer", "x5t#S256", key),
        ("DPoP", "jkt", holder.own.thumbprint),
    ):
        token = holder.issued(method, thumbprint)
        proof = holder.partner.proof(path=RECORDS, token=token)
        assert holder.call(token, holder.own, scheme=scheme, DPoP=proof).status_code == 401, (scheme, method)
    own_key = partner.dpop_key.thumbprint()
    assert partner.call(Holder(partner, OTHER).issued("jkt", own_key)).status_code == 200


def test_10_what_a_token_is_bound_to_can_be_changed_and_counts_at_once(
    oauth: RunningGateway, holder: Holder
) -> None:
    token, consumer = holder.token(), holder.partner.id
    oauth.store.change(INSTALLATION, consumer, BY_DPOP, "a test")
    assert refused(holder.call(token, holder.own)) == INVALID_TOKEN
    with_key = holder.partner.token()
    assert holder.partner.call(with_key).status_code == 200
    oauth.store.change(INSTALLATION, consumer, BY_CERTIFICATE, "a test")
    assert refusal(holder.partner.call(with_key)) == INVALID_TOKEN
    assert holder.call(token, holder.own).status_code == 200


def test_10_without_credentials_both_ways_are_named(oauth: RunningGateway) -> None:
    for headers in ({}, {"Authorization": "Bearer"}, {"Client-Cert": OTHER.client_cert}):
        answer = oauth.http.post(RECORDS, headers=headers)
        assert refusal(answer) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"].endswith(', Bearer realm="gapura"')


# 14, 15: revoked, disabled, for something else


def test_14_a_revoked_token_and_a_disabled_consumer_are_refused_at_once(
    oauth: RunningGateway, holder: Holder
) -> None:
    token, other = holder.token(), holder.token()
    assert holder.partner.manage("revoke", token).status_code == 200
    assert refused(holder.call(token, holder.own)) == INVALID_TOKEN
    assert holder.call(other, holder.own).status_code == 200
    oauth.store.disable(INSTALLATION, holder.partner.id, "a test")
    assert refused(holder.call(other, holder.own)) == (401, "consumer_disabled")


def test_15_a_token_for_another_operation_is_insufficient(holder: Holder) -> None:
    token = holder.token(scope="eligibility")
    assert holder.call(token, holder.own, path=ELIGIBILITY).status_code == 200
    assert refused(holder.call(token, holder.own)) == (403, "insufficient_scope")


# Admission by itself


def test_one_batch_may_hold_proofs_and_certificates(database: Database) -> None:
    store, later = ConsumerStore(database), 2_000_000_000
    for name in ("proof", "certificate"):
        jwks = {"keys": [public(make_key("ES256"))]}
        store.register(
            INSTALLATION,
            id=name,
            name=name,
            sector="x",
            jwks=jwks,
            reason="a test",
            certificate_bound=name == "certificate",
        )
    by_proof, by_certificate = (Entry("p" * 64, later, "-", "proof"), Entry(None, later, "-", "certificate"))
    certain = Admitted(
        Consumer("certificate", "certificate", "x", (), certificate_bound=True), policy_epoch=0
    )
    proven = Admitted(Consumer("proof", "proof", "x", ()), policy_epoch=0)
    admission = Admission(database)

    def admitted(*entries: Entry) -> list[Admitted | Barred]:
        with database.unit_of_work() as connection:
            return list(run_on(connection, admission._admit(entries)))

    assert admitted(by_certificate) == [certain]
    assert admitted(by_certificate, by_proof, by_certificate) == [certain, proven, certain]
    assert admitted(by_proof, by_certificate) == [Barred.PROOF_USED_BEFORE, certain]
    admission.close()
