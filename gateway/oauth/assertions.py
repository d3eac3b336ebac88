"""private_key_jwt (RFC 7523): a consumer proves itself with a signed statement made for this issuer.

Before the signature is verified nobody is talking to us yet: whether the consumer exists, whether it has
that key, whether the signature is right, all get one answer after the same work, a signature check against
a decoy where there is no key. Afterwards the partner's developer is told precisely what to mend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from joserfc.jwk import ECKey, OKPKey
from joserfc.util import int_to_base64

from gateway.oauth import jose
from gateway.oauth.registration import Consumer, RegisteredKey, Registration, State

# FAPI 2.0: accept what is up to 10 s in the future, refuse what is more than 60 s.
CLOCK_AHEAD_S = 30
EXPIRED_LEEWAY_S = 10
# A statement for one request needs no longer life; its jti must be remembered for as long.
MAX_LIFETIME_S = 300

_TYPES = frozenset({"jwt", "client-authentication+jwt"})
_NOT_ACTIVE: dict[State, str] = {
    "proposed": "This consumer awaits approval: a second administrator of the gateway has to let it in.",
    "disabled": "This consumer is disabled. Ask the administrators of the gateway.",
}


class AssertionRefused(Exception):  # noqa: N818 - says what happened to the assertion
    """The consumer is not authenticated; the message may be told."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion that holds, if its `jti` was never used before. `forget_at` is in Unix seconds."""

    consumer: Consumer
    jti: str
    forget_at: int


def verify_assertion(
    unverified_assertion: str,
    *,
    client_id: str | None,
    find: Callable[[str], Registration | None],
    issuer: str,
    now_s: float,
) -> Assertion:
    """Who made this assertion, for `issuer`, now. `client_id` is the request's own, if it has one.

    Raises AssertionRefused.
    """
    try:
        jws = jose.parse(unverified_assertion)
    except jose.Malformed as error:
        raise AssertionRefused(f"The client assertion cannot be read: {error}.") from None
    registration, key = _signer(jws, find)
    claims = jws.claims
    consumer_id = registration.consumer.id
    if told := _NOT_ACTIVE.get(registration.state):
        raise AssertionRefused(told)
    _check_key(key, datetime.fromtimestamp(now_s, UTC))
    if claims.get("iss") != consumer_id or client_id not in {None, consumer_id}:
        raise AssertionRefused("iss, sub and client_id must all be the id of the consumer.")
    if jws.header.typ is not None and jws.header.typ.lower() not in _TYPES:
        raise AssertionRefused("typ must be absent, JWT or client-authentication+jwt.")
    if claims.get("aud") != issuer:
        # A list, or the token endpoint, could have been meant for another server as well.
        raise AssertionRefused(f"aud must be {issuer}, as a single text.")
    _check_times(claims, now_s)
    jti = claims.get("jti")
    if not isinstance(jti, str) or not jti:
        raise AssertionRefused("jti must be a text that was never used before.")
    return Assertion(registration.consumer, jti, int(claims["exp"]) + EXPIRED_LEEWAY_S + 1)


def _signer(
    jws: jose.UnverifiedJws, find: Callable[[str], Registration | None]
) -> tuple[Registration, RegisteredKey]:
    unverified_sub = jws.claims.get("sub")
    registration = find(unverified_sub) if isinstance(unverified_sub, str) else None
    key = registration.keys.get(jws.header.kid or "") if registration else None
    fits = key is not None and jws.header.algorithm in key.public.algorithms
    signed = jws.signed_by(key.public if key and fits else _decoy(jws.header.algorithm))
    if not (signed and fits) or registration is None or key is None:
        raise AssertionRefused("Client authentication failed.")
    return registration, key


def _check_key(key: RegisteredKey, now: datetime) -> None:
    """Refuse a key outside its time, to a caller who has shown that it is theirs."""
    match key.standing(now):
        case "awaiting_approval":
            raise AssertionRefused("This key awaits approval: sign with an approved one until then.")
        case "not_yet_good":
            raise AssertionRefused(f"This key is accepted from {key.not_before:%Y-%m-%dT%H:%M:%SZ} on.")
        case "ended":
            ended = f"{key.not_after:%Y-%m-%dT%H:%M:%SZ}"
            raise AssertionRefused(f"This key ended at {ended}: sign with the one that followed it.")


@lru_cache
def _decoy(algorithm: str) -> jose.PublicKey:
    """A key of which nobody has the private half, to spend on a stranger what a consumer costs."""
    if algorithm == "ES256":
        return jose.accept_public_key(ECKey.generate_key("P-256").as_dict(private=False))
    if algorithm == "PS256":
        # Verifying takes any odd modulus; nobody needs to know, or to have chosen, its factors.
        return jose.accept_public_key({"kty": "RSA", "n": int_to_base64(2**2048 - 1), "e": "AQAB"})
    return jose.accept_public_key(OKPKey.generate_key("Ed25519").as_dict(private=False))


def _check_times(claims: jose.Claims, now_s: float) -> None:
    for name in ("exp", "iat", "nbf"):
        value = claims.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise AssertionRefused(f"{name} must be a number: seconds since 1970.")
    expires_at = claims.get("exp")
    if expires_at is None:
        raise AssertionRefused("exp is missing: when the assertion ends, in seconds since 1970.")
    if expires_at <= now_s - EXPIRED_LEEWAY_S:
        raise AssertionRefused("The client assertion has expired. Make one per request, and check the clock.")
    if expires_at > now_s + MAX_LIFETIME_S + CLOCK_AHEAD_S:
        raise AssertionRefused(f"exp must be at most {MAX_LIFETIME_S} seconds away.")
    if any((claims.get(name) or 0) > now_s + CLOCK_AHEAD_S for name in ("iat", "nbf")):
        raise AssertionRefused("The client assertion is from the future. Check the clock.")
