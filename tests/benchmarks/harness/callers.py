"""Consumers under load: whole HTTP requests to a living gateway, each with what its binding asks for.

A DPoP proof is good for one request and one minute, so requests are made anew for each round, outside of what
is measured. A certificate is good for all of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Protocol
from urllib.parse import urlsplit

import httpx
from joserfc.jwk import ECKey

from gateway.oauth.client import ASSERTION_TYPE, client_assertion, dpop_proof
from tests.benchmarks.harness.load import post
from tests.certificates import Authority
from tests.living import LivingGateway

CONSUMER = "bpjs-kesehatan"
_JSON = ("Content-Type", "application/json")
_FORM = ("Content-Type", "application/x-www-form-urlencoded")


class Caller(Protocol):
    """Makes requests of one consumer."""

    single_use: bool

    def requests(self, path: str, bodies: Sequence[bytes], count: int) -> Iterator[bytes]:
        """`count` whole requests with these bodies in turn, fresh enough for a round of some seconds."""


def caller(gateway: LivingGateway, binding: str) -> Caller:
    """The consumer of the benchmarks, whose tokens are bound in this way: `dpop` or `mtls`."""
    return CertificateCaller(gateway) if binding == "mtls" else ProofCaller(gateway)


class ProofCaller:
    """Proves the possession of a DPoP key anew for each request (RFC 9449)."""

    single_use = True

    def __init__(self, gateway: LivingGateway) -> None:
        self._host = urlsplit(gateway.url).netloc
        self._client = gateway.client(CONSUMER)

    def requests(self, path: str, bodies: Sequence[bytes], count: int) -> Iterator[bytes]:
        """As `Caller` says; the first body is asked once before, which renews nonce and token."""
        self._client.post_bytes(path, bodies[0]).raise_for_status()
        for number in range(count):
            proven = self._client.credentials("POST", path)
            yield post(self._host, path, [_JSON, *proven.items()], bodies[number % len(bodies)])


class CertificateCaller:
    """Has a TLS client certificate (RFC 8705), as a trusted proxy on this machine tells of it (RFC 9440)."""

    single_use = False

    def __init__(self, gateway: LivingGateway) -> None:
        self._host = urlsplit(gateway.url).netloc
        told = {"Client-Cert": Authority("a benchmark's authority").issue("a consumer").client_cert}
        self._headers = [_JSON, *told.items()]
        http = httpx.Client(headers=told, trust_env=False)
        self._client = gateway.certificate_bound(CONSUMER, http)

    def requests(self, path: str, bodies: Sequence[bytes], count: int) -> Iterator[bytes]:
        """As `Caller` says."""
        headers = [*self._headers, *self._client.credentials("POST", path).items()]
        for number in range(count):
            yield post(self._host, path, headers, bodies[number % len(bodies)])


def token_form(key: ECKey, client_id: str, issuer: str) -> dict[str, str]:
    """The form that asks for a token, with an assertion that is good once."""
    return {
        "grant_type": "client_credentials",
        "scope": "eligibility",
        "client_id": client_id,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": client_assertion(key, client_id=client_id, issuer=issuer, now_s=time.time()),
    }


def token_requests(
    url: str, path: str, key: ECKey, client_id: str, *, nonce: str | None, proofs: bool, count: int
) -> Iterator[bytes]:
    """`count` whole requests for a token, each with an assertion of its own and, with `proofs`, a proof."""
    proof_key = ECKey.generate_key("P-256")
    for _ in range(count):
        form = str(httpx.QueryParams(token_form(key, client_id, url))).encode()
        proven = []
        if proofs:
            proof = dpop_proof(proof_key, method="POST", url=url + path, now_s=time.time(), nonce=nonce)
            proven = [("DPoP", proof)]
        yield post(urlsplit(url).netloc, path, [_FORM, *proven], form)
