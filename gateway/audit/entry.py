"""What one audit entry says, and the bytes that are hashed. Pure.

An entry names fields, rules, counts and keyed hashes. It MUST NOT hold a value of a person, nor anything
from which one can be guessed: a plain SHA-256 of a request that holds a NIK is the NIK, for anyone with
an afternoon and a graphics card.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

_SUBJECT_HASH_BYTES = 16  # 128 bits: collisions are out of reach for a nation
_SALT_PURPOSE = b"exchange-salt:"
_PERSON_PURPOSE = b"person:"
_IDENTIFIER_PURPOSE = b"identifier:"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log. `kind` is `intent` (before an outside source is asked) or `outcome`.

    `body` holds what the kind needs: text, integers, lists and mappings of them. At most one entry of
    each kind exists per exchange.
    """

    exchange_id: UUID
    kind: str
    at: datetime
    consumer_id: str
    body: Mapping[str, Any]

    def canonical(self) -> bytes:
        """The entry as the one JSON text that is stored and hashed: sorted keys, no white space.

        Equals RFC 8785 for what entries hold: text, integers, lists, mappings with ASCII keys.
        """
        return orjson.dumps(
            {
                **self.body,
                "at": self.at.isoformat(),
                "consumer": self.consumer_id,
                "exchange_id": str(self.exchange_id),
                "kind": self.kind,
                "v": 1,
            },
            option=orjson.OPT_SORT_KEYS,
        )


class SubjectHasher:
    """Keyed hashes by which the log knows people: the same person always gets the same one.

    With the audit key a person's entries can be found; without it a hash says nothing.
    """

    def __init__(self, audit_key: bytes) -> None:
        # Keying costs as much as hashing: key once, copy for each subject.
        self._keyed = hmac.new(audit_key, digestmod=hashlib.sha256)

    def person(self, person_id: UUID) -> str:
        """The hash of a person of the registry."""
        return self._hash(_PERSON_PURPOSE + person_id.bytes)

    def identifier(self, identifier: str) -> str:
        """The hash of an identifier under which nobody was found, so that guessing leaves a trace too."""
        return self._hash(_IDENTIFIER_PURPOSE + identifier.encode())

    def _hash(self, material: bytes) -> str:
        mac = self._keyed.copy()
        mac.update(material)
        return mac.hexdigest()[: 2 * _SUBJECT_HASH_BYTES]


def exchange_salt(audit_key: bytes, exchange_id: UUID) -> bytes:
    """The salt of one exchange's message hashes, 32 bytes, derived and therefore stored nowhere.

    The consumer may be given it, and can then prove which request and answer the log speaks of; a
    reader of the log alone cannot guess either.
    """
    return hmac.digest(audit_key, _SALT_PURPOSE + exchange_id.bytes, "sha256")


def message_hash(salt: bytes, message: bytes) -> str:
    """SHA-256 over salt and the message's exact bytes, hexadecimal."""
    return hashlib.sha256(salt + message).hexdigest()
