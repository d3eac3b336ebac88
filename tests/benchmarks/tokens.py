"""Issuing access tokens: `/oauth/token` against npm's `oidc-provider`, both with `private_key_jwt` and ES256.

The gateway wants a DPoP proof as well, and what may be used once is on disk before it answers; the provider
keeps everything in memory. It is asked bare, by which the goal goes, and with the same proofs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import httpx
from joserfc.jwk import ECKey, JWKRegistry

from gateway.demo import stage
from gateway.oauth.client import dpop_proof
from tests.benchmarks.harness.bench import Asking, Bench
from tests.benchmarks.harness.callers import CONSUMER, token_form, token_requests
from tests.benchmarks.harness.measured import Measured
from tests.benchmarks.harness.processor import Watched
from tests.benchmarks.harness.rounds import each, interleaved, ratios
from tests.benchmarks.harness.servers import oidc_provider
from tests.living import LivingGateway

OURS, BARE, PROVEN = "/oauth/token, DPoP, durable", "oidc-provider", "oidc-provider, DPoP"


class TokenCaller:
    """Asks for tokens; every request has an assertion of its own."""

    single_use = True

    def __init__(self, url: str, path: str, key: ECKey, client_id: str, *, proofs: bool) -> None:
        self._url = url
        self.path = path
        self._key = key
        self._client_id = client_id
        self._proofs = proofs

    def requests(self, path: str, _bodies: object, count: int) -> Iterator[bytes]:
        nonce = self._newest_nonce() if self._proofs else None
        return token_requests(
            self._url, path, self._key, self._client_id, nonce=nonce, proofs=self._proofs, count=count
        )

    def _newest_nonce(self) -> str | None:
        """The nonce that the server wants in proofs; None where it wants none."""
        url = self._url + self.path
        proof_key = ECKey.generate_key("P-256")
        proof = dpop_proof(proof_key, method="POST", url=url, now_s=time.time())
        form = token_form(self._key, self._client_id, self._url)
        return httpx.post(url, data=form, headers={"DPoP": proof}, trust_env=False).headers.get("DPoP-Nonce")


def measure(bench: Bench) -> Measured:
    with bench.gateway() as gateway:
        key = _key(gateway)
        public = json.dumps(key.as_dict(private=False))
        with oidc_provider(public) as bare, oidc_provider(public) as proven:
            ours = TokenCaller(gateway.url, "/oauth/token", key, CONSUMER, proofs=True)
            contenders = {
                OURS: _asking(bench, ours, gateway.url, bench.watched(gateway)),
                BARE: _asking(
                    bench,
                    TokenCaller(bare.url, "/token", key, "bench", proofs=False),
                    bare.url,
                    Watched(bare.processes),
                ),
                PROVEN: _asking(
                    bench,
                    TokenCaller(proven.url, "/token", key, "bench", proofs=True),
                    proven.url,
                    Watched(proven.processes),
                ),
            }
            rounds = interleaved(contenders, bench.options.rounds)
    return Measured.under_load(
        "tokens",
        rounds,
        {
            ("to oidc-provider", "x"): ratios(rounds, OURS, BARE),
            ("to oidc-provider with DPoP", "x"): ratios(rounds, OURS, PROVEN),
            ("p99", "ms"): each(rounds[OURS], "p99_ms"),
        },
    )


def _asking(bench: Bench, caller: TokenCaller, url: str, watched: Watched) -> Asking:
    return Asking(
        url=url,
        watched=watched,
        caller=caller,
        bodies=[],
        file=bench.fresh_folder() / "requests",
        seconds=bench.options.seconds,
        path=caller.path,
    )


def _key(gateway: LivingGateway) -> ECKey:
    file = stage.client_key_file(gateway.settings, CONSUMER)
    key = JWKRegistry.import_key(json.loads(file.read_text(encoding="utf-8")))
    assert isinstance(key, ECKey)
    return key
