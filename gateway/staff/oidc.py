"""Signing in by OpenID Connect: authorization code with PKCE, at any provider that can be discovered.

The sign-in that is under way is kept nowhere: state, nonce and code verifier are derived from one cookie with
a key that only the gateway has, so any worker can finish what another began, and nothing piles up. Tokens of
the provider are looked at and forgotten. MUST NOT put anything that the provider said into an error or a log.
"""

from __future__ import annotations

import hmac
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

import httpx
from authlib.oauth2 import OAuth2Client, OAuth2Error
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.errors import Retryable
from gateway.settings import is_safe_address
from gateway.staff.cookies import SIGN_IN_LASTS_S
from gateway.staff.secrets import new_secret
from gateway.staff.sign_in import Identity

# RS256 is what every provider must offer (OpenID Connect Core 15.1); none and HS256 are never accepted.
_ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "Ed25519", "EdDSA"]
_METADATA_LASTS = timedelta(hours=1)
_KEYS_AGE_AT_LEAST = timedelta(minutes=1)
_CLOCKS_DIFFER_S = 60
_TIMEOUT_S = 10
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
# A path of this gateway, and nothing that a browser could take for another host.
_NEXT = re.compile(r"/(?:[A-Za-z0-9_.~-][A-Za-z0-9/_.~?=&%-]{0,400})?")
_COOKIE = re.compile(r"(?P<began>\d{1,12})\.[A-Za-z0-9_-]{43}\.(?P<next>.{0,1300})", re.ASCII)
_HOME = "/"
CALLBACK_PATH = "/admin/v1/session/oidc/callback"


class IdentityRefused(Exception):  # noqa: N818 - named for what happened
    """The provider's answer does not establish anybody; `why` says which part of it, and quotes none."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Started:
    """A sign-in that was begun: where to send the browser, and its half, which goes into a cookie."""

    address: str
    cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Metadata:
    endpoints: Mapping[str, str]
    auth_method: str
    fetched_at: datetime


class OpenIdProvider:
    """The provider by which staff sign in. Thread-safe; `start` and `finish` block on the provider.

    `key` is this gateway's own, the same for all workers. Without `with_email` no address is asked for.
    """

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        client_secret: str | None,
        redirect_uri: str,
        with_email: bool,
        key: bytes,
        clock: Callable[[], datetime],
        http: httpx.Client | None = None,
    ) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_uri = redirect_uri
        self._with_email = with_email
        self._key = key
        self._clock = clock
        self._http = http or httpx.Client(timeout=_TIMEOUT_S)
        self._lock = threading.Lock()
        self._metadata: _Metadata | None = None
        self._keys: tuple[KeySet, datetime] | None = None

    def start(self, next_path: str) -> Started:
        """Begin a sign-in that ends at `next_path` of this gateway; anything else becomes its root.

        Raises Retryable when the provider cannot be reached or is not what it should be.
        """
        if not _NEXT.fullmatch(next_path):
            next_path = _HOME
        cookie = f"{int(self._clock().timestamp())}.{new_secret()}.{quote(next_path, safe='')}"
        address, _ = self._client().create_authorization_url(
            self._discovered().endpoints["authorization_endpoint"],
            state=self._derived("state", cookie),
            code_verifier=self._derived("verifier", cookie),
            nonce=self._derived("nonce", cookie),
        )
        return Started(str(address), cookie)

    def finish(self, cookie: str | None, answer: Mapping[str, str]) -> Identity:
        """Whom the provider's answer (the parameters of its redirect) establishes.

        Raises IdentityRefused, or Retryable when the provider cannot be reached.
        """
        self._refuse_foreign(cookie, answer)
        assert cookie is not None  # noqa: S101 - a missing one is foreign; for the type checker
        if "error" in answer or not answer.get("code"):
            raise IdentityRefused("the provider did not let the person in")
        if answer.get("iss", self._issuer) != self._issuer:  # RFC 9207
            raise IdentityRefused("the answer came from another provider")
        token = self._redeem(answer["code"], self._derived("verifier", cookie))
        claims = self._verified(token, self._derived("nonce", cookie))
        return Identity(self._issuer, claims["sub"], self._email(claims, token) if self._with_email else None)

    def close(self) -> None:
        """Close the connections to the provider."""
        self._http.close()

    def _refuse_foreign(self, cookie: str | None, answer: Mapping[str, str]) -> None:
        """The answer must be to a question of this browser, lately: nobody is signed in by a link."""
        match = _COOKIE.fullmatch(cookie or "")
        state = self._derived("state", cookie or "")
        if match is None or not hmac.compare_digest(answer.get("state", "").encode(), state.encode()):
            raise IdentityRefused("the answer does not belong to a sign-in that this browser began")
        if not 0 <= self._clock().timestamp() - int(match["began"]) + _CLOCKS_DIFFER_S <= SIGN_IN_LASTS_S:
            raise IdentityRefused("the sign-in took too long")

    def _redeem(self, code: str, verifier: str) -> Mapping[str, Any]:
        """The provider's tokens for its code."""
        metadata = self._discovered()
        auth, members = self._authentication(metadata.auth_method)
        try:
            token: Mapping[str, Any] = self._client().fetch_token(
                metadata.endpoints["token_endpoint"],
                auth=auth,
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
                **members,
            )
        except OAuth2Error:
            raise IdentityRefused("the provider did not accept the code") from None
        except (httpx.HTTPError, ValueError) as error:
            raise _unreachable() from error
        return token

    def _verified(self, token: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        """The claims of the ID token (OpenID Connect Core 3.1.3.7)."""
        decoded = self._decoded(token.get("id_token"))
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            {
                "iss": {"essential": True, "value": self._issuer},
                "aud": {"essential": True, "value": self._client_id},
            },
            {"nonce": nonce, "client_id": self._client_id, "access_token": token.get("access_token")},
        )
        try:
            claims.validate(int(self._clock().timestamp()), _CLOCKS_DIFFER_S)
        except (JoseError, ValueError, TypeError):
            raise IdentityRefused("the ID token is not for this sign-in, or out of date") from None
        if not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise IdentityRefused("the ID token names nobody")
        return dict(claims)

    def _email(self, claims: Mapping[str, Any], token: Mapping[str, Any]) -> str | None:
        """The person's verified address, in lower case: from the ID token, or else from UserInfo."""
        address = self._discovered().endpoints.get("userinfo_endpoint")
        if "email" not in claims and address is not None:
            subject = claims["sub"]
            claims = self._fetch(address, {"Authorization": f"Bearer {token.get('access_token')}"})
            if not isinstance(claims, dict) or claims.get("sub") != subject:
                raise IdentityRefused("the provider's user info is about somebody else")
        email = claims.get("email")
        if claims.get("email_verified") is not True or not isinstance(email, str):
            return None
        return email.strip().lower()

    def _decoded(self, id_token: object) -> jwt.Token:
        if not isinstance(id_token, str):
            raise IdentityRefused("the provider gave no ID token")
        for fresh in (False, True):  # a key that is not known yet may be a new one
            try:
                return jwt.decode(id_token, self._signing_keys(fresh=fresh), algorithms=_ALGORITHMS)
            except (JoseError, ValueError):
                continue
        raise IdentityRefused("the ID token is not signed by the provider")

    def _discovered(self) -> _Metadata:
        """The provider's metadata (OpenID Connect Discovery), not older than an hour."""
        with self._lock:
            now = self._clock()
            if self._metadata is None or now - self._metadata.fetched_at > _METADATA_LASTS:
                document = self._fetch(self._issuer.rstrip("/") + "/.well-known/openid-configuration")
                self._metadata = _accepted(document, self._issuer, self._client_secret, now)
            return self._metadata

    def _signing_keys(self, *, fresh: bool) -> KeySet:
        jwks_uri = self._discovered().endpoints["jwks_uri"]
        with self._lock:
            now = self._clock()
            age = None if self._keys is None else now - self._keys[1]
            if age is None or age > _METADATA_LASTS or (fresh and age > _KEYS_AGE_AT_LEAST):
                try:
                    self._keys = KeySet.import_key_set(self._fetch(jwks_uri)), now
                except (JoseError, ValueError, KeyError, TypeError) as error:
                    raise _unreachable() from error
            assert self._keys is not None  # noqa: S101 - set above; for the type checker
            return self._keys[0]

    def _fetch(self, address: str, headers: Mapping[str, str] | None = None) -> Any:
        try:
            return self._http.get(address, headers=headers).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise _unreachable() from error

    def _client(self) -> Any:
        # The client that Authlib made for httpx warns of its own end; over its base any session will do.
        return OAuth2Client(
            self._http,
            client_id=self._client_id,
            scope="openid email" if self._with_email else "openid",
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
        )

    def _authentication(self, method: str) -> tuple[httpx.Auth, Mapping[str, str]]:
        """How this client proves itself at the token endpoint: by header, or by members of the form."""
        secret = self._client_secret or ""
        if method == "client_secret_basic":
            # RFC 6749, 2.3.1: each half is form-encoded before they are joined.
            return httpx.BasicAuth(quote(self._client_id, safe=""), quote(secret, safe="")), {}
        by_form = {"client_id": self._client_id}
        return httpx.Auth(), by_form | {"client_secret": secret} if secret else by_form

    def _derived(self, purpose: str, cookie: str) -> str:
        return hmac.digest(self._key, f"{purpose}:{cookie}".encode(), "sha256").hex()


def next_path(cookie: str | None) -> str:
    """Where the sign-in of this cookie was meant to end; the root if it does not say."""
    match = _COOKIE.fullmatch(cookie or "")
    wanted = unquote(match["next"]) if match else _HOME
    return wanted if _NEXT.fullmatch(wanted) else _HOME


def _accepted(document: Any, issuer: str, client_secret: str | None, now: datetime) -> _Metadata:
    """The parts of the metadata that are used. Raises Retryable: another try may meet a mended provider."""
    if not isinstance(document, dict) or document.get("issuer") != issuer:
        raise _unreachable()
    endpoints = {name: str(document.get(name, "")) for name in _ENDPOINTS}
    if "userinfo_endpoint" in document:
        endpoints["userinfo_endpoint"] = str(document["userinfo_endpoint"])
    if not all(is_safe_address(address) for address in endpoints.values()):
        raise _unreachable()
    offered = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    method = next((m for m in ("client_secret_basic", "client_secret_post") if m in offered), None)
    if client_secret is not None and method is None:
        raise _unreachable()
    return _Metadata(endpoints, (method or "none") if client_secret is not None else "none", now)


def _unreachable() -> Retryable:
    return Retryable(
        "The identity provider cannot be reached, or its metadata is not what GAPURA_OIDC_ISSUER promises.",
        code="identity_provider_unavailable",
    )
