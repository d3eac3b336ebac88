"""Access tokens: RFC 9068 JWTs, signed ES256, bound to a key of whoever asked for them.

A token is never stored. What cannot change, its signature and its claims, is verified once; what changes
with time (expiry, a retired signing key) on every use, revocation by `admission`. A token without `cnf`, or
of another type, is refused whatever else it says: nothing here is good for whoever bears it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from joserfc import jwt

from gateway.keys import Keys, SigningKey
from gateway.oauth import jose

# One scope per operation of the API; every consumer is registered for all of them, and its agreements
# decide the rest.
SCOPES = ("eligibility", "records", "access_history", "findings")

_TYPE = "at+jwt"


class TokenRefused(Exception):  # noqa: N818 - says what happened to the token
    """The token is not, or no longer, good; the message is for people and does not hold it."""


# Confirmation methods: the thumbprint of a DPoP key (RFC 9449), of a TLS client certificate (RFC 8705).
Confirmation = Literal["jkt", "x5t#S256"]
_CONFIRMATIONS: Mapping[str, Confirmation] = {name: name for name in get_args(Confirmation)}


@dataclass(frozen=True, slots=True)
class SenderConstraint:
    """To whom a token is bound (RFC 7800 `cnf`): only the holder of this key can use it, in this one way."""

    method: Confirmation
    thumbprint: str

    @property
    def token_type(self) -> str:
        """The scheme under which the token is presented. RFC 8705 keeps the word Bearer, and means it not."""
        return "DPoP" if self.method == "jkt" else "Bearer"

    @property
    def cnf(self) -> dict[str, str]:
        """As the claim says it."""
        return {self.method: self.thumbprint}


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token that this gateway signed for `client_id`. Times are Unix seconds."""

    client_id: str
    scopes: frozenset[str]
    constraint: SenderConstraint
    jti: str
    kid: str
    issued_at: int
    expires_at: int
    revocation_mark: str


def issue_token(
    *,
    client_id: str,
    scope: str,
    constraint: SenderConstraint,
    issuer: str,
    key: SigningKey,
    now: datetime,
    lifetime_s: int,
) -> str:
    """A new token for this gateway's own API, good for `lifetime_s` seconds."""
    issued_at = int(now.timestamp())
    claims = {
        "iss": issuer,
        "aud": issuer,
        "sub": client_id,
        "client_id": client_id,
        "iat": issued_at,
        "exp": issued_at + lifetime_s,
        "jti": secrets.token_urlsafe(16),
        "scope": scope,
        "cnf": constraint.cnf,
    }
    return jwt.encode({"alg": "ES256", "typ": _TYPE, "kid": key.kid}, claims, key.jwk, algorithms=["ES256"])


def verify_token(unverified_token: str, *, issuer: str, keys: Keys, now: datetime) -> AccessToken:
    """The token, if this gateway signed it for its own API and it has not expired. Raises TokenRefused.

    Whether it was revoked is not looked at.
    """
    try:
        jws = jose.parse(unverified_token)
    except jose.Malformed:
        raise TokenRefused("This is no access token of this gateway.") from None
    kid = jws.header.kid
    signing_key = keys.verification_key(kid, now) if kid is not None and jws.header.typ == _TYPE else None
    if kid is None or signing_key is None or not jws.signed_by(_public_part(signing_key)):
        raise TokenRefused("This is no access token of this gateway.")
    claims = jws.claims
    if claims.get("iss") != issuer or claims.get("aud") != issuer:
        raise TokenRefused("The access token is for another issuer or another API.")
    token = _read(claims, kid)
    _check_alive(token, keys, now)
    return token


class TokenReader:
    """Verifies tokens, and remembers those that hold, so that a signature is checked once per token.

    For one thread: that of the event loop.
    """

    def __init__(self, *, issuer: str, keys: Keys, remembered: int = 4096) -> None:
        self._remembered = remembered
        self._issuer = issuer
        self._keys = keys
        self._verified: dict[str, AccessToken] = {}

    def read(self, unverified_token: str, token_hash: str, now: datetime) -> AccessToken:
        """As `verify_token`; `token_hash` is the token's `ath`."""
        token = self._verified.get(token_hash)
        if token is not None:
            _check_alive(token, self._keys, now)
            return token
        token = verify_token(unverified_token, issuer=self._issuer, keys=self._keys, now=now)
        if len(self._verified) >= self._remembered:
            # Tokens live minutes: the oldest is as good as expired, or costs one more verification.
            del self._verified[next(iter(self._verified))]
        self._verified[token_hash] = token
        return token


def revocation_mark(jti: str) -> str:
    """What is stored of a revoked token."""
    return hashlib.sha256(jti.encode()).hexdigest()


def _public_part(key: SigningKey) -> jose.PublicKey:
    return jose.accept_public_key(key.jwk.as_dict(private=False))


def _read(claims: Any, kid: str) -> AccessToken:
    # The signature is this gateway's: an unexpected shape is an older or newer version's token.
    try:
        ((method, thumbprint),) = claims["cnf"].items()
        token = AccessToken(
            client_id=str(claims["client_id"]),
            scopes=frozenset(claims["scope"].split()),
            constraint=SenderConstraint(_CONFIRMATIONS[method], str(thumbprint)),
            jti=str(claims["jti"]),
            kid=kid,
            issued_at=int(claims["iat"]),
            expires_at=int(claims["exp"]),
            revocation_mark=revocation_mark(str(claims["jti"])),
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        raise TokenRefused("The access token lacks a claim that it needs.") from None
    if claims.get("sub") != token.client_id:
        raise TokenRefused("The access token is not bound to its client.")
    return token


def _check_alive(token: AccessToken, keys: Keys, now: datetime) -> None:
    if token.expires_at <= now.timestamp():
        raise TokenRefused("The access token has expired.")
    if keys.verification_key(token.kid, now) is None:
        raise TokenRefused("The key that signed the access token was retired.")
