"""Which signatures and public keys are accepted, anywhere: assertions, DPoP proofs, registered keys.

One explicit list (FAPI 2.0, RFC 8725): joserfc's own default would accept RS256 and HS256, and refuse
PS256 and Ed25519. A key is accepted for what it is, never for what it says of itself: only its public
members are read, so an `alg` or `use` chosen by the sender can neither widen nor break anything. Ed25519
has two names in use (RFC 9864 deprecates `EdDSA`, several clients know no other); both mean the same here.

MUST NOT raise anything but Malformed and KeyRefused, whatever it is fed, and MUST NOT repeat it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.util import base64_to_int, urlsafe_b64decode

from gateway.errors import BadInput
from policies.dictionary import Text

# As the metadata and the challenges tell it: clients compare names, so both names of Ed25519 are there.
SIGNATURE_ALGORITHMS = ("ES256", "PS256", "EdDSA", "Ed25519")

_SIGNATURES = JWSRegistry(algorithms=SIGNATURE_ALGORITHMS)
_ALGORITHMS_OF = {
    ("EC", "P-256"): frozenset({"ES256"}),
    ("OKP", "Ed25519"): frozenset({"EdDSA", "Ed25519"}),
    ("RSA", None): frozenset({"PS256"}),
}
_PUBLIC_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
_SECRET_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
# The upper bounds keep a stranger from choosing how long one verification takes.
_RSA_BITS = range(2048, 4096 + 1)
_RSA_EXPONENTS = range(65537, 2**32, 2)
# Not among them: `crit` and `b64`, which change what is signed, `jku` and `x5u`, which name a place to
# fetch a key from.
_HEADER_PARAMETERS = frozenset({"alg", "kid", "typ", "jwk", "cty", "x5t", "x5t#S256"})
# joserfc stops at 512: too little for a PS256 proof, which carries its whole RSA key in the header.
_MAX_HEADER_CHARS = 2048
_MAX_JWS_CHARS = 8192
_REMEMBERED = 2048
Claims = Mapping[str, Any]
_UNREADABLE = (JoseError, ValueError, TypeError, KeyError, AttributeError, OverflowError)


class Malformed(Exception):  # noqa: N818 - says what the text is
    """The text is no compact JWS of an accepted form; the message says in which way, without the text."""


class KeyRefused(Exception):  # noqa: N818 - says what happened to the key
    """The key is not accepted; `why` says why and what would be, without the key. The message is English."""

    def __init__(self, why: Text) -> None:
        super().__init__(why.en)
        self.why = why


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An accepted public key: the algorithms it may verify, and its RFC 7638 thumbprint."""

    algorithms: frozenset[str]
    thumbprint: str
    members: Mapping[str, str]
    _key: Key = field(repr=False)

    def verifies(self, algorithm: str, signing_input: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's, under an algorithm that this key may be used with."""
        if algorithm not in self.algorithms:
            return False
        # joserfc warns whenever it is asked for the older name.
        model = _SIGNATURES.get_alg("Ed25519" if algorithm == "EdDSA" else algorithm)
        return model.verify(signing_input, signature, self._key)


@dataclass(frozen=True, slots=True)
class Header:
    """The protected header of a JWS, as far as it is used. `key` is its embedded `jwk`."""

    algorithm: str
    kid: str | None
    typ: str | None
    key: PublicKey | None


@dataclass(frozen=True, slots=True)
class UnverifiedJws:
    """A compact JWS taken apart; nobody has checked its signature yet."""

    header: Header
    claims: Claims
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    def signed_by(self, key: PublicKey) -> bool:
        """Whether `key` verifies the signature."""
        return key.verifies(self.header.algorithm, self.signing_input, self.signature)


def parse(compact: str) -> UnverifiedJws:
    """Take a compact JWS apart. Raises Malformed, also for an algorithm or key that is not accepted."""
    if len(compact) > _MAX_JWS_CHARS:
        raise Malformed(f"longer than {_MAX_JWS_CHARS} characters")
    header_segment, _, rest = compact.partition(".")
    header = _read_header(header_segment)
    try:
        signing_input, _, signature_segment = compact.encode("ascii").rpartition(b".")
        claims = orjson.loads(urlsafe_b64decode(rest.partition(".")[0].encode()))
        signature = urlsafe_b64decode(signature_segment)
    except _UNREADABLE:
        raise Malformed("not a compact JWS with a JSON payload") from None
    if not isinstance(claims, dict) or signing_input.count(b".") != 1:
        raise Malformed("not a compact JWS whose payload is a JSON object")
    return UnverifiedJws(header, claims, signing_input, signature)


@lru_cache(maxsize=_REMEMBERED)
def _read_header(segment: str) -> Header:
    """Read a header segment; every request of one client repeats it, so the outcome is remembered."""
    if len(segment) > _MAX_HEADER_CHARS:
        raise Malformed(f"the header is longer than {_MAX_HEADER_CHARS} characters")
    try:
        raw = orjson.loads(urlsafe_b64decode(segment.encode("ascii")))
    except _UNREADABLE:
        raise Malformed("not a compact JWS with a JSON header") from None
    if not isinstance(raw, dict) or not raw.keys() <= _HEADER_PARAMETERS:
        raise Malformed(f"the header may hold {', '.join(sorted(_HEADER_PARAMETERS))} and nothing else")
    if raw.get("alg") not in SIGNATURE_ALGORITHMS:
        raise Malformed(f"alg must be one of {', '.join(SIGNATURE_ALGORITHMS)}")
    if any(not isinstance(raw[name], str) for name in ("kid", "typ") if name in raw):
        raise Malformed("kid and typ must be texts")
    try:
        key = accept_public_key(raw["jwk"]) if "jwk" in raw else None
    except KeyRefused as refusal:
        raise Malformed(f"its jwk is refused: {refusal}") from None
    return Header(raw["alg"], raw.get("kid"), raw.get("typ"), key)


def accept_public_key(jwk: object) -> PublicKey:
    """Take a JWK of a stranger as a public key. Raises KeyRefused.

    Accepted: EC P-256, OKP Ed25519, RSA of 2048 to 4096 bits; never a key with private members.
    """
    if not isinstance(jwk, dict):
        raise KeyRefused(Text("bukan objek JSON", "it is not a JSON object"))
    if jwk.get("kty") == "oct" or "k" in jwk:
        raise KeyRefused(
            Text(
                "rahasia bersama (kty oct) tidak membuktikan apa pun; diharapkan kunci publik asimetris",
                "a shared secret (kty oct) proves nothing; expected an asymmetric public key",
            )
        )
    if secret := sorted(_SECRET_MEMBERS & jwk.keys()):
        raise KeyRefused(
            Text(
                f"memuat bagian privat ({', '.join(secret)}); berikan bagian publiknya saja, dan anggap "
                "kunci privat ini sudah terbuka",
                f"it holds private members ({', '.join(secret)}); give the public part only, and treat this "
                "private key as disclosed",
            )
        )
    kty = str(jwk.get("kty"))
    algorithms = _ALGORITHMS_OF.get((kty, None if kty == "RSA" else str(jwk.get("crv"))))
    if algorithms is None:
        raise KeyRefused(
            Text(
                "diharapkan EC dengan crv P-256, OKP dengan crv Ed25519, atau RSA",
                "expected EC with crv P-256, OKP with crv Ed25519, or RSA",
            )
        )
    members = {name: jwk.get(name) for name in _PUBLIC_MEMBERS[kty]}
    if not all(isinstance(value, str) for value in members.values()):
        raise KeyRefused(
            Text(
                f"anggota {', '.join(members)} harus berupa teks",
                f"the members {', '.join(members)} must be texts",
            )
        )
    return _import(tuple(members.items()), algorithms)


@lru_cache(maxsize=_REMEMBERED)
def _import(members: tuple[tuple[str, str], ...], algorithms: frozenset[str]) -> PublicKey:
    values = dict(members)
    try:
        if values["kty"] == "RSA":
            # Before joserfc sees it, which warns of a short key but takes it.
            _check_rsa(base64_to_int(values["n"]), base64_to_int(values["e"]))
        key = JWKRegistry.import_key(dict(values))
    except _UNREADABLE:
        raise KeyRefused(
            Text("bilangannya bukan kunci jenis itu", "its numbers are not a key of its kind")
        ) from None
    return PublicKey(algorithms, key.thumbprint(), values, key)


def _check_rsa(modulus: int, exponent: int) -> None:
    bits = modulus.bit_length()
    if bits not in _RSA_BITS:
        raise KeyRefused(
            Text(
                f"kunci RSA harus {_RSA_BITS.start} sampai {_RSA_BITS.stop - 1} bit, diperoleh {bits}",
                f"RSA keys must have {_RSA_BITS.start} to {_RSA_BITS.stop - 1} bits, got {bits}",
            )
        )
    if exponent not in _RSA_EXPONENTS:
        raise KeyRefused(
            Text(
                "eksponen publik RSA harus 65537, atau sedikit lebih",
                "the RSA public exponent must be 65537, or a little more",
            )
        )


def make_key_pair(algorithm: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A private JWK and its public half, both with the thumbprint as `kid`. Raises BadInput."""
    match algorithm:
        case "ES256":
            key: ECKey | OKPKey | RSAKey = ECKey.generate_key("P-256")
        case "Ed25519":
            key = OKPKey.generate_key("Ed25519")
        case "PS256":
            key = RSAKey.generate_key(3072)
        case _:
            raise BadInput("algorithm: expected ES256, Ed25519 or PS256")
    key.ensure_kid()
    return dict(key.as_dict(private=True)), dict(key.as_dict(private=False))
