"""Tokens that are bound to certificates, through real TLS: client, nginx as it is shipped, gateway."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import requests
from requests_oauth2client import OAuth2Client, PrivateKeyJwt

from gateway.api.examples import TOUR
from gateway.demo.stage import client_key_file
from gateway.oauth.client import GatewayClient
from tests.certificates import Authority, Issued
from tests.living import LivingGateway, free_port, living_gateway
from tests.nginx import ADDRESS, needs_nginx, nginx

STOP = TOUR[0]
PARTNERS, SITE = Authority("Partners"), Authority("Site")
HOLDER = PARTNERS.issue(STOP.consumer)

Connect = Callable[..., httpx.Client]

pytestmark = needs_nginx


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[LivingGateway]:
    """A gateway that consumers reach plainly for DPoP, and through nginx with certificates."""
    home, port = tmp_path_factory.mktemp("home"), free_port()
    there = {"mtls_url": f"https://127.0.0.1:{port}", "trusted_proxies": ADDRESS}
    with (
        living_gateway(home, f"sqlite:///{home / 'gapura.db'}", **there) as living,
        nginx(folder, port, upstream=living.url, clients=PARTNERS, site=SITE),
    ):
        yield living


@pytest.fixture(scope="module")
def connect(gateway: LivingGateway, folder: Path) -> Iterator[Connect]:
    """Makes clients that call through nginx with a certificate, or with none."""
    with ExitStack() as stack:

        def _connect(own: Issued | None = None, **more: str) -> httpx.Client:
            context = ssl.create_default_context(cadata=SITE.root.pem)
            if own is not None:
                context.load_cert_chain(*own.write(folder, f"client-{own.thumbprint}"))
            http = httpx.Client(
                base_url=gateway.settings.mtls_origin, verify=context, trust_env=False, headers=more
            )
            return stack.enter_context(http)

        yield _connect


@pytest.fixture(scope="module")
def client(gateway: LivingGateway, connect: Connect) -> GatewayClient:
    return gateway.certificate_bound(STOP.consumer, connect(HOLDER))


def _ask(http: httpx.Client, client: GatewayClient) -> httpx.Response:
    """The question of the tour, with the client's token, by whichever connection."""
    return http.post(STOP.path, json=dict(STOP.body), headers=client.credentials("POST", STOP.path))


def _refused(answer: httpx.Response) -> bool:
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"].startswith('Bearer realm="gapura", error="invalid_token"')
    return "results" not in answer.json()


def test_a_consumer_gets_its_token_and_its_answers_by_its_certificate(client: GatewayClient) -> None:
    for _ in range(2):
        answer = client.post(STOP.path, STOP.body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["results"][0]["decision"] == "eligible"
        assert "dpop-nonce" not in answer.headers


def test_an_independent_client_gets_its_answer_too(
    gateway: LivingGateway, client: GatewayClient, folder: Path
) -> None:
    metadata = requests.get(f"{gateway.url}/.well-known/oauth-authorization-server", timeout=30).json()
    assert metadata["tls_client_certificate_bound_access_tokens"] is True
    private = json.loads(client_key_file(gateway.settings, client.client_id).read_text(encoding="utf-8"))
    with requests.Session() as session:
        session.trust_env = False
        session.cert = HOLDER.write(folder, "independent")
        session.verify, _ = SITE.root.write(folder, "trusted")
        oauth = OAuth2Client(
            token_endpoint=metadata["mtls_endpoint_aliases"]["token_endpoint"],
            issuer=metadata["issuer"],
            auth=PrivateKeyJwt(client.client_id, {**private, "alg": "ES256"}, aud=metadata["issuer"]),
            session=session,
            testing=True,
        )
        token = oauth.client_credentials()
        address = gateway.settings.mtls_origin + STOP.path
        answer = session.post(address, json=dict(STOP.body), auth=token, timeout=30)
    assert (answer.status_code, answer.json()["results"][0]["decision"]) == (200, "eligible")


def _files(folder: Path, own: Issued, name: str) -> tuple[str, ...]:
    certificate, key = own.write(folder, name)
    authority, _ = SITE.root.write(folder, "site-authority")
    return ("--cert", certificate, "--cert-key", key, "--cacert", authority)


def test_the_command_that_asks_shows_the_certificate_for_its_token_and_for_its_question(
    gateway: LivingGateway, client: GatewayClient, folder: Path
) -> None:
    question = ("--purpose", STOP.body["purpose"], "--programme", STOP.body["programme"])
    subject = ("--nik", STOP.body["subjects"][0]["nik"])
    ask = ("ask", "eligibility", "--as", client.client_id, *question, *subject)
    said = json.loads(gateway.gapura(*ask, *_files(folder, HOLDER, "holder")))
    assert said["results"][0]["decision"] == "eligible"
    # As a file of its own, the way many authorities hand it out.
    together = folder / "together.pem"
    certificate, key = (Path(file).read_text(encoding="ascii") for file in HOLDER.write(folder, "apart"))
    together.write_text(certificate + key, encoding="ascii")
    authority, _ = SITE.root.write(folder, "site-authority")
    alone = ("ask", "agreements", "--as", client.client_id, "--cert", str(together), "--cacert", authority)
    assert json.loads(gateway.gapura(*alone))["agreements"]


def test_the_command_that_asks_says_in_words_what_is_wrong_with_a_certificate(
    gateway: LivingGateway, client: GatewayClient, folder: Path
) -> None:
    ask = ("ask", "agreements", "--as", client.client_id)
    foreign = _files(folder, Authority("Partners").issue(client.client_id), "foreign")
    assert "400 Bad Request with text/html" in gateway.gapura(*ask, *foreign, status=2)
    holder = _files(folder, HOLDER, "holder")
    assert "does not trust the certificate" in gateway.gapura(*ask, *holder[:4], status=2)
    assert "expected a certificate and its private key" in gateway.gapura(
        *ask, "--cert", holder[1], "--cert-key", foreign[3], status=2
    )
    assert "expected certificates in PEM" in gateway.gapura(*ask, "--cacert", holder[3], status=2)
    assert "expected the certificate of this key" in gateway.gapura(*ask, *holder[2:4], status=2)
    assert "invalid_request" in gateway.gapura(*ask, *holder[4:], status=2)


def test_a_token_is_worth_nothing_with_another_certificate_or_with_none(
    client: GatewayClient, connect: Connect
) -> None:
    assert _refused(_ask(connect(PARTNERS.issue(STOP.consumer)), client))
    assert _refused(_ask(connect(), client))


def test_without_its_certificate_the_consumer_gets_no_token(client: GatewayClient, connect: Connect) -> None:
    bare = GatewayClient(client.issuer, client.client_id, client._key.as_dict(private=True), connect())
    bare.certificate_bound = True
    assert bare._ask_for_token().json()["error"] == "invalid_request"


def test_a_header_that_a_client_forges_is_overwritten_by_nginx(
    client: GatewayClient, connect: Connect
) -> None:
    forged = HOLDER.client_cert
    for more in (
        {"Client-Cert": forged},
        {"Client_Cert": forged},
        {"client-cert": forged, "Connection": "client-cert"},
    ):
        for own in (None, PARTNERS.issue("somebody")):
            assert _refused(_ask(connect(own, **more), client)), more
    # Nor does it harm whoever has the certificate.
    assert _ask(connect(HOLDER, **{"Client-Cert": "rubbish"}), client).status_code == 200


def test_a_header_that_does_not_come_from_the_proxy_counts_for_nobody(
    gateway: LivingGateway, client: GatewayClient
) -> None:
    with httpx.Client(
        base_url=gateway.url, trust_env=False, headers={"Client-Cert": HOLDER.client_cert}
    ) as near:
        assert _refused(_ask(near, client))
        for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
            near.headers[name] = f"for={ADDRESS}" if name == "Forwarded" else ADDRESS
            assert _refused(_ask(near, client)), name
    # The same from the proxy's address is believed: it is the address that made the difference.
    proxy = httpx.HTTPTransport(local_address=ADDRESS)
    told = {"Client-Cert": HOLDER.client_cert}
    with httpx.Client(base_url=gateway.url, transport=proxy, headers=told) as there:
        assert _ask(there, client).status_code == 200


def test_what_would_be_signed_is_refused_to_who_makes_no_proofs(
    gateway: LivingGateway, connect: Connect
) -> None:
    other = "pkh-pendamping"
    gateway.gapura("consumers", "signatures", other, "responses", "--reason", "B-1/2026")
    answer = gateway.certificate_bound(other, connect(PARTNERS.issue(other))).get("/v1/agreements")
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")


@pytest.mark.parametrize("authority", ["its own", "another"])
def test_nginx_lets_nobody_through_whose_certificate_is_not_good(
    client: GatewayClient, connect: Connect, authority: str
) -> None:
    expired = PARTNERS.issue(STOP.consumer, until=datetime.now(UTC) - timedelta(minutes=1))
    foreign = Authority("Partners").issue(STOP.consumer)
    answer = _ask(connect(expired if authority == "its own" else foreign), client)
    assert answer.status_code == 400
    assert "nginx" in answer.text


@pytest.mark.parametrize(
    "suite", ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", "AES128-GCM-SHA256"]
)
def test_nginx_speaks_no_other_suite_of_tls_1_2_than_those_recommended(
    gateway: LivingGateway, suite: str
) -> None:
    address = gateway.settings.mtls_origin + "/oauth/jwks"
    context = ssl.create_default_context(cadata=SITE.root.pem)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with httpx.Client(verify=context, trust_env=False) as http:
        assert http.get(address).status_code == 200
    context.set_ciphers(suite)
    with httpx.Client(verify=context, trust_env=False) as http, pytest.raises(httpx.ConnectError):
        http.get(address)


def test_what_is_for_operators_is_not_served_outside(connect: Connect) -> None:
    http = connect()
    assert http.get("/oauth/jwks").status_code == 200
    assert {http.get(path).status_code for path in ("/metrics", "/health/live", "/health/ready")} == {404}
