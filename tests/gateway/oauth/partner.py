"""A partner agency that can do everything right, and each thing wrong.

Assertions and proofs are made here by hand from joserfc's primitives, apart from the product's own client,
so that the two are independent, and so that every part can be replaced by a wrong one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from gateway.staff.roles import INSTALLATION
from tests.gateway.oauth.running import RECORDS, RunningGateway

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TOKEN = "/oauth/token"


class _Drop:
    """In an override: leave the member out."""

    def __repr__(self) -> str:
        return "DROP"


DROP: Any = _Drop()


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def overridden(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**base, **changes}.items() if value is not DROP}


def make_key(algorithm: str, kid: str | None = None) -> Key:
    match algorithm:
        case "ES256":
            key: Key = ECKey.generate_key("P-256")
        case "PS256" | "RS256":
            key = RSAKey.generate_key(2048)
        case _:
            key = OKPKey.generate_key("Ed25519")
    data = key.as_dict(private=True)
    return type(key).import_key({**data, "kid": kid or secrets.token_hex(4)})


def public(key: Key) -> dict[str, Any]:
    return dict(key.as_dict(private=False))


def algorithm_of(key: Key | bytes) -> str:
    if isinstance(key, bytes):
        return "HS256"
    return {"EC": "ES256", "RSA": "PS256", "OKP": "Ed25519"}[key.key_type]


def sign(key: Key | bytes, header: Mapping[str, Any], claims: Any) -> str:
    signing_input = f"{b64(orjson.dumps(header))}.{b64(orjson.dumps(claims))}"
    if header["alg"] == "none":
        return f"{signing_input}."
    if isinstance(key, bytes):
        return f"{signing_input}.{b64(hmac.digest(key, signing_input.encode(), 'sha256'))}"
    algorithm = jws.JWSRegistry.algorithms["Ed25519" if header["alg"] == "EdDSA" else header["alg"]]
    return f"{signing_input}.{b64(algorithm.sign(signing_input.encode(), key))}"


def token_hash(token: str) -> str:
    return b64(hashlib.sha256(token.encode()).digest())


@dataclass
class Partner:
    """One registered consumer with its private key, and a DPoP key."""

    gateway: RunningGateway
    id: str
    key: Key
    dpop_key: Key = field(default_factory=lambda: make_key("ES256"))

    def assertion(
        self, *, key: Key | bytes | None = None, header: Mapping[str, Any] = {}, **claims: Any
    ) -> str:
        now = int(time.time())
        signer = key or self.key
        base = {
            "iss": self.id,
            "sub": self.id,
            "aud": self.gateway.issuer,
            "jti": secrets.token_hex(8),
            "iat": now,
            "exp": now + 60,
        }
        return sign(
            signer,
            overridden({"alg": algorithm_of(signer), "kid": self.key.kid}, header),
            overridden(base, claims),
        )

    def proof(
        self,
        *,
        method: str = "POST",
        path: str = TOKEN,
        token: str | None = None,
        key: Key | bytes | None = None,
        header: Mapping[str, Any] = {},
        **claims: Any,
    ) -> str:
        signer = key or self.dpop_key
        jwk = {} if isinstance(signer, bytes) else public(signer)
        jwk.pop("kid", None)
        base = {
            "jti": secrets.token_hex(8),
            "htm": method,
            "htu": self.gateway.issuer + path,
            "iat": int(time.time()),
            "nonce": self.gateway.nonce(),
        }
        if token is not None:
            base["ath"] = token_hash(token)
        return sign(
            signer,
            overridden({"alg": algorithm_of(signer), "typ": "dpop+jwt", "jwk": jwk}, header),
            overridden(base, claims),
        )

    def form(self, **changes: Any) -> dict[str, str]:
        base = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
        if "client_assertion" not in changes:
            base["client_assertion"] = self.assertion()
        return overridden(base, changes)

    def ask(
        self, *, proof: str | None = DROP, at: RunningGateway | None = None, **form: Any
    ) -> httpx.Response:
        """POST the token endpoint; `proof=None` sends none."""
        headers = {} if proof is None else {"DPoP": self.proof() if proof is DROP else proof}
        return (at or self.gateway).http.post(TOKEN, data=self.form(**form), headers=headers)

    def token(self, **form: Any) -> str:
        response = self.ask(**form)
        assert response.status_code == 200, response.text
        return str(response.json()["access_token"])

    def call(
        self,
        token: str,
        *,
        path: str = RECORDS,
        scheme: str = "DPoP",
        proof: str | None = DROP,
        at: RunningGateway | None = None,
        **proof_parts: Any,
    ) -> httpx.Response:
        """POST a protected route; `proof=None` sends none."""
        made = self.proof(path=path, token=token, **proof_parts) if proof is DROP else proof
        headers = {"Authorization": f"{scheme} {token}"} | ({} if made is None else {"DPoP": made})
        return (at or self.gateway).http.post(path, headers=headers)

    def manage(
        self, endpoint: str, token: str, at: RunningGateway | None = None, **form: Any
    ) -> httpx.Response:
        """POST the revocation or introspection endpoint."""
        base = {
            "token": token,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion(),
        }
        return (at or self.gateway).http.post(f"/oauth/{endpoint}", data=overridden(base, form))


def register(gateway: RunningGateway, algorithm: str = "ES256", **more: Any) -> Partner:
    """A new consumer of the gateway, with a fresh key and a name that no other test uses."""
    partner = Partner(gateway, f"partner-{secrets.token_hex(4)}", make_key(algorithm))
    gateway.store.register(
        INSTALLATION,
        **{
            "id": partner.id,
            "name": "A partner",
            "sector": "kesehatan",
            "jwks": {"keys": [public(partner.key)]},
            "reason": "a test",
            **more,
        },
    )
    return partner


def error_of(response: httpx.Response) -> str:
    return str(response.json()["error"])


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Status and code of an answer of a protected route, checked to be a proper challenge."""
    challenge = response.headers["WWW-Authenticate"]
    assert challenge.startswith("DPoP algs=")
    code = response.json()["code"]
    error = "invalid_token" if code.startswith("consumer_") else code
    assert ("error=" not in challenge) if code == "unauthenticated" else (f'error="{error}"' in challenge)
    assert response.headers["DPoP-Nonce"]
    return response.status_code, code
