"""DPoP (RFC 9449): whether a request is made by the holder of a key, now, and with this token.

Pure: the time, the nonces and the request's own address are arguments. That a proof is used only once is
decided by whoever stores its `mark`. The address is always the configured public one, never the `Host`
header: behind a proxy, or with several workers, a server does not know its own name.
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes, urlsplit

from gateway.oauth import jose
from gateway.oauth.nonces import Nonces

# A proof is made for one request and sent at once; a minute covers slow links and a slow clock.
PROOF_MAX_AGE_S = 60
# FAPI 2.0: accept what is up to 10 s in the future, refuse what is more than 60 s.
CLOCK_AHEAD_S = 30
# When `iat` alone refuses a proof, its replay mark has done its duty.
MARK_LIFETIME_S = PROOF_MAX_AGE_S + CLOCK_AHEAD_S + 1

_DEFAULT_PORTS = {"https": 443, "http": 80}
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class ProofRefused(Exception):  # noqa: N818 - says what happened to the proof
    """The proof does not hold. `code` is the OAuth error: `invalid_dpop_proof` or `use_dpop_nonce`."""

    def __init__(self, detail: str, *, code: str = "invalid_dpop_proof") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds if its `mark` was never seen before; `thumbprint` names the prover's key."""

    thumbprint: str
    mark: str


def verify_proof(
    headers: Sequence[str],
    *,
    method: str,
    origin: str,
    path: str,
    now_s: float,
    nonces: Nonces,
    ath: str | None = None,
) -> Proof:
    """Check the request's `DPoP` headers, of which there must be one, against the request itself.

    `origin` and `path` are the request's public address. With `ath` the proof must be made for that token.
    Raises ProofRefused. What is cheap comes first; no proof holds whose signature was not checked.
    """
    if len(headers) != 1:
        count = "none" if not headers else str(len(headers))
        raise ProofRefused(f"Exactly one DPoP header is needed, got {count}.")
    try:
        jws = jose.parse(headers[0])
    except jose.Malformed as error:
        raise ProofRefused(f"The DPoP proof cannot be read: {error}.") from None
    key = jws.header.key
    if jws.header.typ != "dpop+jwt" or key is None:
        raise ProofRefused("The DPoP proof needs typ dpop+jwt and its public key as jwk in the header.")
    claims = jws.claims
    if claims.get("htm") != method:
        raise ProofRefused("The DPoP proof is for another HTTP method: htm must be that of this request.")
    if not same_target(claims.get("htu"), origin + path):
        raise ProofRefused(f"The DPoP proof is for another address: htu must be {origin} and this path.")
    _check_age(claims.get("iat"), now_s)
    jti = claims.get("jti")
    if not isinstance(jti, str) or not jti:
        raise ProofRefused("The DPoP proof needs a jti: a text that was never used before.")
    if ath is not None and claims.get("ath") != ath:
        raise ProofRefused("The DPoP proof is not for this access token: ath must be its base64url SHA-256.")
    if not nonces.accepts(claims.get("nonce"), now_s):
        raise ProofRefused(
            "The DPoP proof needs the nonce that this answer carries as DPoP-Nonce.", code="use_dpop_nonce"
        )
    if not jws.signed_by(key):
        raise ProofRefused("The DPoP proof is not signed by the key in its header.")
    return Proof(key.thumbprint, hashlib.sha256(f"{key.thumbprint} {jti}".encode()).hexdigest())


def _check_age(iat: object, now_s: float) -> None:
    if isinstance(iat, bool) or not isinstance(iat, int | float):
        raise ProofRefused("The DPoP proof needs iat: the seconds since 1970 at which it was made.")
    if not now_s - PROOF_MAX_AGE_S <= iat <= now_s + CLOCK_AHEAD_S:
        raise ProofRefused(
            f"The DPoP proof is not of this moment: iat may be {PROOF_MAX_AGE_S} s old or {CLOCK_AHEAD_S} s "
            "ahead. Check the clock."
        )


def token_hash(access_token: str) -> str:
    """The `ath` of an access token: a name for it that does not give it away."""
    digest = hashlib.sha256(access_token.encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def same_target(htu: object, target: str) -> bool:
    """Whether `htu` names `target` once both are normalised; query and fragment are ignored."""
    if htu == target:
        return True
    if not isinstance(htu, str):
        return False
    named = canonical_target(htu)
    return named is not None and named == canonical_target(target)


@lru_cache(maxsize=1024)
def canonical_target(url: str) -> str | None:
    """An HTTP address under RFC 3986 normalisation (6.2.2 and 6.2.3), without query and fragment.

    None for what is not an absolute http(s) address, or names a user. Dot segments stay as they are: no
    route has them.

    >>> canonical_target("HTTPS://Gapura.example:443/v1/%7euser?x=1")
    'https://gapura.example/v1/~user'
    """
    if not _VISIBLE.fullmatch(url):  # urlsplit would drop what is not visible, and find other addresses equal
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    authority = host if port in {None, _DEFAULT_PORTS[parts.scheme]} else f"{host}:{port}"
    path = _PERCENT.sub(lambda match: _canonical_octet(match.group()), parts.path)
    return f"{parts.scheme}://{authority}{path or '/'}"


def _canonical_octet(escape: str) -> str:
    octet = unquote_to_bytes(escape)
    return octet.decode() if octet[0] in _UNRESERVED else escape.upper()
