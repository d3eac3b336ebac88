"""The NIK of a likely person while nobody has decided: readable by this gateway alone, for this person alone.

Sealed under a key derived for this purpose, and bound to the person and to the NIK that the registry had when
the two were compared: once that has changed, nothing of the comparison can be accepted any more. MUST NOT
be logged, and what it opens MUST NOT be shown: it goes into the registry, or nowhere.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from gateway.errors import Conflict
from gateway.keys import Keys

_NONCE_BYTES = 16


class NikSeal:
    """Seals and opens the NIKs of likely persons with the keys of a gateway."""

    def __init__(self, keys: Keys) -> None:
        self._siv = AESSIV(keys.derive("niks of likely persons"))
        self._pairs = keys.derive("pairs of likely persons")

    def __repr__(self) -> str:
        return "NikSeal()"

    def seal(self, person_id: UUID, held: str | None, nik: str) -> bytes:
        """`nik` for a person whose NIK in the registry is `held`."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._siv.encrypt(nik.encode(), _bound_to(person_id, held, nonce))

    def open(self, person_id: UUID, held: str | None, sealed: bytes) -> str:
        """What was sealed for this person. Raises Conflict where the registry has another NIK by now."""
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._siv.decrypt(rest, _bound_to(person_id, held, nonce)).decode()
        except InvalidTag:
            raise Conflict(
                "The person's NIK in the registry is no longer the one that was compared, or the gateway's "
                "keys are others: reconcile anew, and decide on what that proposes."
            ) from None

    def pair(self, person_id: UUID, nik: str) -> str:
        """By what a person and a NIK are known together, without telling the NIK: 64 hexadecimal digits."""
        return hmac.new(self._pairs, person_id.bytes + nik.encode(), hashlib.sha256).hexdigest()


def _bound_to(person_id: UUID, held: str | None, nonce: bytes) -> list[bytes]:
    """What a sealed NIK holds for. A mark in front, as there is no sealing with an empty text."""
    return [person_id.bytes, b"-" if held is None else b"+" + held.encode(), nonce]
