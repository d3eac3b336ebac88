"""The log's own keys, and a witness's: signed notes (c2sp.org/signed-note) and receipts (JWS).

Checkpoints and receipts have keys of their own (`gateway.audit.keyring`), so that a token-signing key can be
retired without touching old evidence.
It MUST NOT sign a checkpoint that nobody compared with the one before it: that is the sequencer's part.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection

from gateway.audit.entry import Sealed
from gateway.audit.proofs import NOTE_KEY, SIGNATURE_MARK, WITNESS_KEY, Checkpoint, VerifierKey

RECEIPT_TYPE = "gapura-receipt+jwt"


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A private key that signs checkpoints, as a log (NOTE_KEY) or as a witness (WITNESS_KEY)."""

    name: str
    kind: int
    private: Ed25519PrivateKey = field(repr=False)

    @property
    def verifier(self) -> VerifierKey:
        """The public half, to be handed to whoever checks."""
        return VerifierKey(self.name, self.kind, self.private.public_key().public_bytes_raw())

    def line(self, body: bytes, at: datetime) -> str:
        """The signature line under a note's text; `at` counts for a witness only, which signs it too."""
        if self.kind == WITNESS_KEY:
            seconds = int(at.timestamp())
            signed = b"cosignature/v1\ntime %d\n" % seconds + body
            signature = seconds.to_bytes(8, "big") + self.private.sign(signed)
        else:
            signature = self.private.sign(body)
        encoded = base64.b64encode(self.verifier.id + signature).decode()
        return f"{SIGNATURE_MARK}{self.name} {encoded}\n"

    def signers(self, connection: Connection, at: datetime) -> Sequence[NoteKey]:
        """This key alone, whenever it is asked: what signs a log without a keyring."""
        del connection, at
        return (self,)


def log_key(origin: str, seed: bytes) -> NoteKey:
    """The key of the log of this name; `seed` is derived for this purpose, 32 bytes."""
    return NoteKey(origin, NOTE_KEY, Ed25519PrivateKey.from_private_bytes(seed))


def witness_key(name: str, seed: bytes) -> NoteKey:
    """The key of a witness of this name."""
    return NoteKey(name, WITNESS_KEY, Ed25519PrivateKey.from_private_bytes(seed))


def origin_of(issuer: str) -> str:
    """The name of the log that a gateway of this address begins: its tiles' address without the scheme."""
    return urlsplit(issuer).netloc + "/log"


def checkpoint_body(origin: str, size: int, root: bytes) -> bytes:
    """The text of a checkpoint (c2sp.org/tlog-checkpoint), without signatures."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()


def signed_checkpoint(keys: Sequence[NoteKey], size: int, root: bytes, at: datetime) -> str:
    """The whole note of a checkpoint, signed by each of these keys of the log."""
    body = checkpoint_body(keys[0].name, size, root)
    return body.decode() + "\n" + "".join(key.line(body, at) for key in keys)


def cosigned(note: str, lines: list[str]) -> str:
    """The note with the signature lines of witnesses behind the log's own."""
    return note + "".join(lines)


def cosignature_line(note: str, witness: VerifierKey) -> str | None:
    """The good signature line of this witness in a note, or None."""
    checkpoint = Checkpoint.parse(note)
    for name, key_id, signature in checkpoint.lines:
        if (name, key_id) == (witness.name, witness.id) and witness.signed(checkpoint.body, signature):
            return f"{SIGNATURE_MARK}{name} {base64.b64encode(key_id + signature).decode()}\n"
    return None


class Receipts:
    """Signs, for each answer, what the log says about it: a compact JWS (RFC 7515, 9864)."""

    def __init__(self, origin: str, seed: bytes) -> None:
        self._origin = origin
        self.sign_with(seed)

    def sign_with(self, seed: bytes) -> None:
        """Sign with another key from now on; `seed` is derived for this purpose, 32 bytes."""
        key = Ed25519PrivateKey.from_private_bytes(seed)
        self.jwk = public_jwk(key)
        head = _unpadded(orjson.dumps({"alg": "Ed25519", "kid": self.jwk["kid"], "typ": RECEIPT_TYPE}))
        self._signer = (head, key)  # at once, because another thread may be signing

    def sign(self, logged: Sealed) -> str:
        """The receipt of an answer whose entry is on disk.

        It names no person and opens nothing: request and answer stand in it as the salted hashes of the
        log, whose salt the consumer gets with the proof and no proxy that logs headers ever sees.
        """
        entry = logged.entry
        claims = receipt_claims(
            self._origin, entry.at, entry.consumer_id, entry.exchange_id, logged.sha256.hex(), entry.body
        )
        head, key = self._signer
        signed = f"{head}.{_unpadded(orjson.dumps(claims))}"
        return f"{signed}.{_unpadded(key.sign(signed.encode()))}"


def receipt_claims(
    origin: str,
    at: datetime,
    consumer_id: str | None,
    exchange_id: UUID,
    entry_sha256: str | None,
    said: Mapping[str, Any],
) -> dict[str, Any]:
    """What a receipt says of an entry, by what the entry itself says."""
    agreement = said.get("agreement")
    return {
        "log": origin,
        "iat": int(at.timestamp()),
        "sub": consumer_id,
        "exchange": str(exchange_id),
        "entry": entry_sha256,
        "request": said.get("request_hash"),
        "response": said.get("response_hash"),
        "agreement": agreement["sha256"] if agreement else None,
    }


def public_jwk(key: Ed25519PrivateKey) -> dict[str, str]:
    """The public half as a JWK (RFC 8037), its RFC 7638 thumbprint as `kid`."""
    thumb = {"crv": "Ed25519", "kty": "OKP", "x": _unpadded(key.public_key().public_bytes_raw())}
    kid = _unpadded(hashlib.sha256(orjson.dumps(thumb)).digest())
    return {**thumb, "kid": kid, "use": "sig", "alg": "Ed25519"}


def _unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
