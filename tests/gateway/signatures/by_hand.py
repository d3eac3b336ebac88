"""HTTP message signatures from the text of RFC 9421, sections 2 and 3, without the library of the gateway.

Knows fields, the derived components that are used here, and `;req`. `http_sf` reads structured fields.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import http_sf
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature


@dataclass(frozen=True)
class Said:
    """The components of one message by name: `@method` and the like, and fields in lower case."""

    components: Mapping[str, str]
    request: Said | None = None

    def value(self, name: str, parameters: Mapping[str, Any]) -> str:
        if parameters.get("req"):
            assert self.request is not None
            return self.request.value(name, {})
        return self.components[name]


def base_of(said: Said, covered: Sequence[tuple[str, Mapping[str, Any]]], parameters: str) -> bytes:
    """RFC 9421, 2.5. `parameters` is the value of the signature in `Signature-Input`, as it is sent."""
    lines = [
        f'"{name}"{";req" if how.get("req") else ""}: {said.value(name, how).strip()}'
        for name, how in covered
    ]
    return "\n".join([*lines, f'"@signature-params": {parameters}']).encode("ascii")


def content_digest(body: bytes) -> str:
    """RFC 9530, 2."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def signed_fields(said: Said, names: Sequence[str], key: Any, **parameters: str | int) -> dict[str, str]:
    """Signature-Input and Signature of a request, by any key that is accepted for requests."""
    listed = " ".join(f'"{name}"' for name in names)
    rest = "".join(
        f";{name}={value}" if isinstance(value, int) else f';{name}="{value}"'
        for name, value in parameters.items()
    )
    base = base_of(said, [(name, {}) for name in names], f"({listed}){rest}")
    encoded = base64.b64encode(_signature(key, base)).decode()
    return {"Signature-Input": f"mine=({listed}){rest}", "Signature": f"mine=:{encoded}:"}


def _signature(key: Any, base: bytes) -> bytes:
    match key:
        case Ed25519PrivateKey():
            return key.sign(base)
        case EllipticCurvePrivateKey():
            r, s = decode_dss_signature(key.sign(base, ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        case RSAPrivateKey():
            return key.sign(base, padding.PSS(padding.MGF1(hashes.SHA512()), 64), hashes.SHA512())
    raise AssertionError(key)


def verified(said: Said, jwk: Mapping[str, str]) -> dict[str, Any]:
    """What the one signature of a response covers, and its parameters; raises when it does not hold."""
    label, _, parameters = said.components["signature-input"].partition("=")
    (inner,) = http_sf.parse(said.components["signature-input"].encode(), tltype="dictionary").values()
    ((signature, _),) = http_sf.parse(said.components["signature"].encode(), tltype="dictionary").values()
    assert said.components["signature"].startswith(f"{label}=")
    covered, said_of = inner
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(jwk["x"] + "="))
    public.verify(signature, base_of(said, covered, parameters))
    names = [f"{name};req" if how.get("req") else name for name, how in covered]
    return {**said_of, "covered": names}
