"""The key as it is sent, what is known of it afterwards, and an answer sealed by it. Pure.

The database sees a keyed hash of caller and key, a keyed hash of the request, and the answer under a key made
from the gateway's secret AND the caller's: who has the database and every key of the gateway still lacks what
the caller chose.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import http_sf
import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import BadInput
from policies.dictionary import Text

HEADER = "Idempotency-Key"
SHORTEST, LONGEST = 8, 128
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """A response as it left the first time, with those header fields that say something of its body."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class UsedKey:
    """A key of one caller with one request. Only `mark`, `fingerprint` and what `seal` gives are stored."""

    mark: str
    fingerprint: str
    _sealing: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: bytes, *, caller: str, key: str, request: Request) -> UsedKey:
        """What `caller` calls `key`, for this request."""
        whose = f"{caller}\0{key}".encode()
        return cls(
            mark=_keyed(secret, b"mark", whose).hex(),
            fingerprint=request.fingerprint(secret),
            _sealing=_keyed(secret, b"seal", whose),
        )

    def seal(self, answer: StoredAnswer) -> bytes:
        """The answer as it may be stored (AES-256-GCM): good for this key and request alone."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        body = base64.b85encode(answer.body).decode()
        text = orjson.dumps([answer.status, answer.headers, body])
        return nonce + AESGCM(self._sealing).encrypt(nonce, text, self._context)

    def open(self, sealed: bytes) -> StoredAnswer:
        """The answer again. Raises `cryptography.exceptions.InvalidTag` for what was not sealed by this."""
        text = AESGCM(self._sealing).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._context)
        status, headers, body = orjson.loads(text)
        return StoredAnswer(status, [(name, value) for name, value in headers], base64.b85decode(body))

    @property
    def _context(self) -> bytes:
        return f"{self.mark} {self.fingerprint}".encode()


@dataclass(frozen=True, slots=True)
class Request:
    """What makes two requests the same: method, path, query and the body, byte for byte."""

    method: str
    target: bytes
    body: bytes = field(repr=False)

    def fingerprint(self, secret: bytes) -> str:
        """A keyed hash: a plain one of a body that holds a NIK would be the NIK."""
        hashed = hashlib.sha256(self.body).digest()
        return _keyed(secret, b"request", self.method.encode(), self.target, hashed).hex()


def key_in(field_lines: Sequence[str]) -> str:
    """The key of the header field: one string of RFC 9651, 8 to 128 characters. Raises BadInput.

    >>> key_in(['"8e03978e-40d5-43dd-bc93-6894a57f9324"'])
    '8e03978e-40d5-43dd-bc93-6894a57f9324'
    """
    key: Any = None
    with suppress(ValueError, TypeError):
        item: Any = http_sf.parse(", ".join(field_lines).encode("ascii"), tltype="item")
        key = item[0]
    if type(key) is not str or not SHORTEST <= len(key) <= LONGEST:
        raise BadInput(
            Text(
                f"{HEADER}: diharapkan satu string terstruktur (RFC 9651) dari {SHORTEST} sampai {LONGEST} "
                "karakter, dalam tanda petik.",
                f"{HEADER}: expected one structured-field string (RFC 9651) of {SHORTEST} to {LONGEST} "
                "characters, in quotes.",
            ),
            code="idempotency_key_invalid",
        )
    return str(key)


def _keyed(secret: bytes, purpose: bytes, *parts: bytes) -> bytes:
    lengths = b"".join(len(part).to_bytes(8, "big") for part in parts)
    return hmac.digest(secret, b"\0".join((purpose, lengths, *parts)), hashlib.sha256)
