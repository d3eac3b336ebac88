"""A small client of the gateway, for the demo, `gapura ask` and the tests: token, proofs, nonces.

It shows a partner's developer all that is needed, in little code; any OAuth library with `private_key_jwt`
and DPoP (or, for a consumer that is registered so, mutual TLS) does the same. The private key stays with the
caller; the DPoP key lives as long as the client.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urljoin

import httpx
import orjson
from joserfc import jwt
from joserfc.jwk import ECKey, JWKRegistry, Key

from gateway.oauth.dpop import token_hash
from gateway.oauth.jose import SIGNATURE_ALGORITHMS

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_METADATA_PATH = "/.well-known/oauth-authorization-server"
_ALGORITHM_OF = {"EC": "ES256", "OKP": "Ed25519", "RSA": "PS256"}
_ASSERTION_LIFETIME_S = 60
# A token is renewed while it is still good: the request that carries it takes time, and clocks differ.
_RENEW_BEFORE_S = 30


class TokenRequestRefused(Exception):  # noqa: N818 - says what happened
    """The token endpoint refused; `error` and the message are its own."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error


def sign(key: Key, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """A compact JWS of the claims with the algorithm that the key is for."""
    algorithm = _ALGORITHM_OF[key.key_type]
    return jwt.encode(
        {"alg": algorithm, **header}, dict(claims), key, algorithms=SIGNATURE_ALGORITHMS, default_type=None
    )


def client_assertion(key: Key, *, client_id: str, issuer: str, now_s: float) -> str:
    """A `private_key_jwt` assertion for one request. `key` is a registered key with its `kid`."""
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": issuer,
        "jti": secrets.token_urlsafe(16),
        "iat": int(now_s),
        "exp": int(now_s) + _ASSERTION_LIFETIME_S,
    }
    return sign(key, {"kid": key.kid, "typ": "client-authentication+jwt"}, claims)


def dpop_proof(
    key: Key,
    *,
    method: str,
    url: str,
    now_s: float,
    nonce: str | None = None,
    access_token: str | None = None,
) -> str:
    """A DPoP proof for one request; `url` is the request's address without query."""
    claims = {"jti": secrets.token_urlsafe(16), "htm": method, "htu": url, "iat": int(now_s)}
    if nonce is not None:
        claims["nonce"] = nonce
    if access_token is not None:
        claims["ath"] = token_hash(access_token)
    return sign(key, {"typ": "dpop+jwt", "jwk": key.as_dict(private=False)}, claims)


class GatewayClient:
    """One consumer's way to the gateway. Gets, keeps and renews its token; for one thread.

    `base_url` is the issuer, `private_jwk` a registered key with its `kid`, `http` any httpx client. With
    `certificate_bound` there are no proofs: tokens are good with the certificate by which `http` connects.
    """

    def __init__(
        self,
        base_url: str,
        client_id: str,
        private_jwk: Mapping[str, Any],
        http: httpx.Client,
        clock: Callable[[], float] = time.time,
        *,
        certificate_bound: bool = False,
    ) -> None:
        self.issuer = base_url.rstrip("/")
        self.certificate_bound = certificate_bound
        self.client_id = client_id
        self._key = JWKRegistry.import_key(dict(private_jwk))
        self._dpop_key = ECKey.generate_key("P-256")
        self._http = http
        self._clock = clock
        self._nonce: str | None = None
        self._token: tuple[str, float] | None = None
        self._token_endpoint: str | None = None

    def get(self, path: str) -> httpx.Response:
        """The gateway's answer to a GET, whatever its status."""
        return self._request("GET", path, None)

    def post(self, path: str, json: Any) -> httpx.Response:
        """The gateway's answer to a POST of a JSON body, whatever its status."""
        return self._request("POST", path, orjson.dumps(json))

    def post_bytes(self, path: str, body: bytes) -> httpx.Response:
        """As `post`, with the body as it stands."""
        return self._request("POST", path, body)

    def credentials(self, method: str, path: str) -> dict[str, str]:
        """The headers that admit one request to `path`: the token, and a new proof if there are proofs."""
        token = self.access_token()
        if self.certificate_bound:
            return {"Authorization": f"Bearer {token}"}
        proof = dpop_proof(
            self._dpop_key,
            method=method,
            url=self.issuer + path.partition("?")[0],
            now_s=self._clock(),
            nonce=self._nonce,
            access_token=token,
        )
        return {"Authorization": f"DPoP {token}", "DPoP": proof}

    def access_token(self) -> str:
        """A token with some life left. Raises TokenRequestRefused."""
        now_s = self._clock()
        if self._token is not None and self._token[1] - _RENEW_BEFORE_S > now_s:
            return self._token[0]
        response = self._ask_for_token()
        if response.status_code == httpx.codes.BAD_REQUEST and response.json()["error"] == "use_dpop_nonce":
            response = self._ask_for_token()
        body = response.json()
        if response.status_code != httpx.codes.OK:
            raise TokenRequestRefused(body.get("error", "?"), body.get("error_description", ""))
        self._token = (body["access_token"], now_s + body["expires_in"])
        return self._token[0]

    def _ask_for_token(self) -> httpx.Response:
        endpoint = self._discovered_token_endpoint()
        now_s = self._clock()
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": client_assertion(
                self._key, client_id=self.client_id, issuer=self.issuer, now_s=now_s
            ),
        }
        headers = {}
        if not self.certificate_bound:
            headers["DPoP"] = dpop_proof(
                self._dpop_key, method="POST", url=endpoint, now_s=now_s, nonce=self._nonce
            )
        return self._remember_nonce(self._http.post(endpoint, data=form, headers=headers))

    def _discovered_token_endpoint(self) -> str:
        if self._token_endpoint is None:
            metadata = self._http.get(self.issuer + _METADATA_PATH).raise_for_status().json()
            if metadata["issuer"] != self.issuer:
                raise TokenRequestRefused("wrong_issuer", f"{self.issuer} says that it is another issuer")
            if self.certificate_bound:
                metadata |= metadata.get("mtls_endpoint_aliases", {})
            self._token_endpoint = str(metadata["token_endpoint"])
        return self._token_endpoint

    def _request(self, method: str, path: str, body: bytes | None) -> httpx.Response:
        response = self._send(method, path, body)
        if 'error="use_dpop_nonce"' in response.headers.get("WWW-Authenticate", ""):
            response = self._send(method, path, body)
        return response

    def _send(self, method: str, path: str, body: bytes | None) -> httpx.Response:
        headers = self.credentials(method, path)
        address = self.issuer + path
        if self.certificate_bound:  # the API is where certificates are asked for
            address = urljoin(self._discovered_token_endpoint(), path)
        if body is not None:
            headers["Content-Type"] = "application/json"
        return self._remember_nonce(self._http.request(method, address, content=body, headers=headers))

    def _remember_nonce(self, response: httpx.Response) -> httpx.Response:
        self._nonce = response.headers.get("DPoP-Nonce", self._nonce)
        return response
