"""JWK Sets of partners (RFC 7517), read strictly: one unfit key refuses the set, with all reasons at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from gateway.oauth import jose

MOST_KEYS = 20
_KID = re.compile(r"[\x21-\x7e]{1,128}")


def read_key_set(jwks: object) -> tuple[Mapping[str, jose.PublicKey], list[str]]:
    """The accepted keys by kid, and everything that is wrong with the rest."""
    entries = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(entries, list) or not 1 <= len(entries) <= MOST_KEYS:
        return {}, [f'jwks: expected {{"keys": [...]}} with 1 to {MOST_KEYS} public keys (RFC 7517)']
    keys: dict[str, jose.PublicKey] = {}
    problems = []
    for position, jwk in enumerate(entries):
        try:
            kid, key = _read_key(jwk)
        except jose.KeyRefused as refusal:
            problems.append(f"keys[{position}]: {refusal}")
            continue
        if kid in keys:
            problems.append(f"keys[{position}]: its kid is that of another key; every key needs its own")
        elif key.thumbprint in {other.thumbprint for other in keys.values()}:
            problems.append(f"keys[{position}]: it is another key of this set again, under another kid")
        keys[kid] = key
    return keys, problems


def _read_key(jwk: object) -> tuple[str, jose.PublicKey]:
    key = jose.accept_public_key(jwk)
    said = cast("dict[str, Any]", jwk)  # nothing else is accepted
    kid = said.get("kid")
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise jose.KeyRefused("kid: expected 1 to 128 visible ASCII characters that name this key")
    if "alg" in said and str(said["alg"]) not in key.algorithms:
        raise jose.KeyRefused(f"alg: expected {' or '.join(sorted(key.algorithms))}, or no alg")
    key_ops = said.get("key_ops", ["verify"])
    if said.get("use", "sig") != "sig" or not isinstance(key_ops, list) or "verify" not in key_ops:
        raise jose.KeyRefused("use and key_ops: expected a key for signatures (sig, verify)")
    return kid, key
