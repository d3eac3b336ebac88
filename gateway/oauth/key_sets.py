"""JWK Sets of partners (RFC 7517), read strictly: one unfit key refuses the set, with all reasons at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from gateway.oauth import jose
from policies.dictionary import Text

MOST_KEYS = 20
_KID = re.compile(r"[\x21-\x7e]{1,128}")
_KID_TWICE = Text(
    "kid-nya milik kunci lain; setiap kunci memerlukan kid sendiri",
    "its kid is that of another key; every key needs its own",
)
_KEY_TWICE = Text(
    "kunci ini sudah ada dalam set ini dengan kid lain",
    "it is another key of this set again, under another kid",
)


def read_key_set(jwks: object) -> tuple[Mapping[str, jose.PublicKey], list[Text]]:
    """The accepted keys by kid, and everything that is wrong with the rest."""
    entries = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(entries, list) or not 1 <= len(entries) <= MOST_KEYS:
        return {}, [
            Text(
                f'jwks: diharapkan {{"keys": [...]}} dengan 1 sampai {MOST_KEYS} kunci publik (RFC 7517)',
                f'jwks: expected {{"keys": [...]}} with 1 to {MOST_KEYS} public keys (RFC 7517)',
            )
        ]
    keys: dict[str, jose.PublicKey] = {}
    problems: list[Text] = []
    for position, jwk in enumerate(entries):
        try:
            kid, key = _read_key(jwk)
        except jose.KeyRefused as refusal:
            problems.append(_about(position, refusal.why))
            continue
        if kid in keys:
            problems.append(_about(position, _KID_TWICE))
        elif key.thumbprint in {other.thumbprint for other in keys.values()}:
            problems.append(_about(position, _KEY_TWICE))
        keys[kid] = key
    return keys, problems


def _about(position: int, why: Text) -> Text:
    """The key is named as people count."""
    return Text(f"kunci ke-{position + 1}: {why.id}", f"key {position + 1}: {why.en}")


def _read_key(jwk: object) -> tuple[str, jose.PublicKey]:
    key = jose.accept_public_key(jwk)
    said = cast("dict[str, Any]", jwk)  # nothing else is accepted
    kid = said.get("kid")
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise jose.KeyRefused(
            Text(
                "kid: diharapkan 1 sampai 128 karakter ASCII tampak sebagai nama kunci ini",
                "kid: expected 1 to 128 visible ASCII characters that name this key",
            )
        )
    if "alg" in said and str(said["alg"]) not in key.algorithms:
        raise jose.KeyRefused(
            Text(
                f"alg: diharapkan {' atau '.join(sorted(key.algorithms))}, atau tanpa alg",
                f"alg: expected {' or '.join(sorted(key.algorithms))}, or no alg",
            )
        )
    key_ops = said.get("key_ops", ["verify"])
    if said.get("use", "sig") != "sig" or not isinstance(key_ops, list) or "verify" not in key_ops:
        raise jose.KeyRefused(
            Text(
                "use dan key_ops: diharapkan kunci untuk tanda tangan (sig, verify)",
                "use and key_ops: expected a key for signatures (sig, verify)",
            )
        )
    return kid, key
