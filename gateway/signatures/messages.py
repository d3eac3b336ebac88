"""One request or response as RFC 9421 sees it: what a signature must cover, how it is checked and made. Pure.

The profile is FAPI 2.0 Message Signing. A request's signature covers its token and its DPoP proof, which is
good once, so a signed request cannot be replayed either and needs no nonce of its own. A response's signature
covers that proof as well: it is the answer to this request and to no other, signed or not. A refusal MUST NOT
repeat anything that the caller sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import http_sf
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    InvalidSignature,
    algorithms,
)
from http_message_signatures.resolvers import MappingKeyResolver
from joserfc.jwk import JWKRegistry
from starlette.datastructures import MutableHeaders

from gateway.oauth.jose import PublicKey

REQUEST_TAG = "fapi-2-request"
RESPONSE_TAG = "fapi-2-response"
LABEL = "gapura"
MAX_AGE = timedelta(seconds=60)
# As for assertions: clocks of partners run ahead.
CLOCK_AHEAD = timedelta(seconds=10)
COVERED_BY_REQUEST = ("@method", "@target-uri", "authorization", "dpop")
_COVERED_BY_RESPONSE = ("@status", "content-type", "content-digest", "gapura-receipt")
# What a response says it answers: the whole request where that was signed, its one-time proof in any case.
_OF_REQUEST = ("dpop", "content-digest", "signature-input", "signature")
_ALGORITHMS = {
    "EC": algorithms.ECDSA_P256_SHA256,
    "OKP": algorithms.ED25519,
    "RSA": algorithms.RSA_PSS_SHA512,
}


class SignatureRefused(Exception):  # noqa: N818 - says what happened to the signature
    """The request is not signed as it must be; the message may be told."""


@dataclass(frozen=True, slots=True)
class SignableRequest:
    """A request: `url` is its public address, whatever the Host header said."""

    method: str
    url: str
    headers: MutableHeaders = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignableResponse:
    """The response to `request`; `headers` are changed by signing."""

    status_code: int
    headers: MutableHeaders = field(repr=False)
    request: SignableRequest


def check_request(
    request: SignableRequest, body: bytes, keys: Mapping[str, PublicKey], now: datetime
) -> None:
    """Raises SignatureRefused unless one of `keys`, by their `kid`, signed this request and body just now."""
    key_id = _signer_named_in(request.headers)
    key = keys.get(key_id)
    if key is None:
        raise SignatureRefused("keyid names none of your approved keys: sign with one that is registered.")
    public: Any = JWKRegistry.import_key(dict(key.members)).public_key
    verifier = _Verifier(
        now,
        signature_algorithm=_ALGORITHMS[key.members["kty"]],
        key_resolver=MappingKeyResolver(public_keys={key_id: public}, private_keys={}),
    )
    try:
        verifier.verify(
            request, expect_tag=REQUEST_TAG, require_components=COVERED_BY_REQUEST, max_age=MAX_AGE, body=body
        )
    except _TooOld:
        raise SignatureRefused(
            f"created must be of the last {MAX_AGE.seconds} seconds: sign each request anew, check the clock."
        ) from None
    except (InvalidSignature, ValueError):
        raise SignatureRefused(
            f"The signature must hold, and cover {', '.join(COVERED_BY_REQUEST)}, and content-digest where "
            "there is a body."
        ) from None


def refuse_unsignable(request: SignableRequest) -> None:
    """Raises SignatureRefused for a request of which an answer's signature could not speak.

    To be asked before the request is acted upon: afterwards there is no answer that could be told.
    """
    response = SignableResponse(200, MutableHeaders(), request)
    signer = HTTPMessageSigner(signature_algorithm=algorithms.ED25519)
    try:
        signer.prepare(response, key_id="-", covered_component_ids=["@status", *_spoken_of(request)])
    except (HTTPMessageSignaturesException, ValueError):
        raise SignatureRefused(
            f"The address, or one of the fields {', '.join(_OF_REQUEST)}, holds what cannot be signed."
        ) from None


def sign_response(
    response: SignableResponse, body: bytes, key: Ed25519PrivateKey, key_id: str, now: datetime
) -> None:
    """Add Content-Digest, Signature-Input and Signature to the response's headers."""
    covered = [name for name in _COVERED_BY_RESPONSE if name[0] == "@" or name in response.headers]
    covered += _spoken_of(response.request)
    signer = HTTPMessageSigner(
        signature_algorithm=algorithms.ED25519,
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={key_id: key}),
    )
    signer.sign(
        response,
        key_id=key_id,
        created=now,
        label=LABEL,
        tag=RESPONSE_TAG,
        covered_component_ids=covered,
        body=body,
    )


def _spoken_of(request: SignableRequest) -> list[str]:
    names = ["@method", "@target-uri", *(name for name in _OF_REQUEST if name in request.headers)]
    return [f'"{name}";req' for name in names]


class _TooOld(InvalidSignature):
    pass


class _Verifier(HTTPMessageVerifier):
    """The library's verifier, by the gateway's clock."""

    def __init__(self, now: datetime, **how: Any) -> None:
        super().__init__(**how)
        self._now = now

    def validate_created_and_expires(self, sig_input: Any, max_age: timedelta | None = None) -> None:
        created, expires = sig_input.params.get("created"), sig_input.params.get("expires")
        try:
            age = self._now - datetime.fromtimestamp(created, UTC)
            ended = expires is not None and datetime.fromtimestamp(expires, UTC) <= self._now
        except (TypeError, ValueError, OverflowError, OSError):
            raise _TooOld from None
        if ended or not -CLOCK_AHEAD <= age <= (max_age or MAX_AGE):
            raise _TooOld


def _signer_named_in(headers: MutableHeaders) -> str:
    """The key id of the signature that is meant for us; it is believed when the signature is checked."""
    field_lines = ", ".join(headers.getlist("signature-input"))
    try:
        unverified: Any = http_sf.parse(field_lines.encode("ascii"), tltype="dictionary")
        meant = [params for _, params in unverified.values() if params.get("tag") == REQUEST_TAG]
    except (ValueError, TypeError, AttributeError, KeyError):
        meant = []
    if len(meant) != 1 or not isinstance(meant[0].get("keyid"), str):
        raise SignatureRefused(
            f'Requests of this consumer are signed (RFC 9421): one signature with tag="{REQUEST_TAG}" and a '
            "keyid is expected."
        )
    key_id: str = meant[0]["keyid"]
    return key_id
