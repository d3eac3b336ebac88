"""What one audit entry says, and the bytes that are hashed. Pure.

An entry names fields, rules, counts and keyed hashes. It MUST NOT hold a value of a person, nor anything
from which one can be guessed: a plain SHA-256 of a request that holds a NIK is the NIK, for anyone with
an afternoon and a graphics card.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

_SUBJECT_HASH_BYTES = 16  # 128 bits: collisions are out of reach for a nation
_SALT_PURPOSE = b"exchange-salt:"
_PERSON_PURPOSE = b"person:"
_IDENTIFIER_PURPOSE = b"identifier:"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log.

    `kind` is `intent` (before an outside source is asked), `outcome`, or `act` (an administrative act, see
    `act`). `body` holds what the kind needs: text, integers, lists and mappings of them. `subjects` are
    keyed hashes, alone or with the outcome of each; they are kept beside the entry, which seals them.
    At most one entry of each kind exists per exchange; an act has an id of its own in `exchange_id`.
    """

    exchange_id: UUID
    kind: str
    at: datetime
    consumer_id: str | None
    body: Mapping[str, Any]
    subjects: Sequence[Any] = ()

    def seal(self, blind: bytes) -> Sealed:
        """The entry as it is stored and hashed; `blind` is random and this entry's own, 32 bytes.

        The texts are JSON with sorted keys and no white space: RFC 8785 for what entries hold.
        """
        head: dict[str, Any] = {
            **self.body,
            "at": self.at.isoformat(),
            "kind": self.kind,
            "v": 2,
        }
        if self.consumer_id is not None:
            head |= {"consumer": self.consumer_id, "exchange_id": str(self.exchange_id)}
        subjects = None
        if self.subjects:
            subjects = orjson.dumps(list(self.subjects))
            head["subjects_sha256"] = hashlib.sha256(blind + subjects).hexdigest()
        text = orjson.dumps(head, option=orjson.OPT_SORT_KEYS)
        return Sealed(self, text, hashlib.sha256(text).digest(), subjects, blind if subjects else None)


@dataclass(frozen=True, slots=True)
class Sealed:
    """An entry's exact bytes. `sha256` of `text` is what the tree holds.

    The subjects stand apart, under a hash that only their blind opens: a consumer is shown its entry
    without learning by which hash the log knows a person, and the subjects can be erased for good.
    """

    entry: Entry
    text: bytes
    sha256: bytes
    subjects: bytes | None
    blind: bytes | None


def act(
    *,
    actor: str,
    act: str,
    object_id: str,
    object_sha256: str | None,
    reason: str,
    at: datetime,
    **more: str | int | Sequence[str],
) -> Entry:
    """The entry of an administrative act: who did what to which thing, in which wording, why, when.

    `actor` is an account's id and never a person's name; `act` reads `thing.verb`; `object_sha256` pins
    the text that was acted upon; `reason` is staff's own words or a reference, and MUST NOT name a person.
    """
    body = {
        **more,
        "actor": actor,
        "act": act,
        "object": object_id,
        "object_sha256": object_sha256,
        "reason": reason,
        # What makes the entry's hash impossible to guess, as an exchange's id does.
        "act_id": str(act_id := uuid4()),
    }
    return Entry(act_id, "act", at, None, body)


class SubjectHasher:
    """Keyed hashes by which the log knows people: the same person always gets the same one.

    With the audit key a person's entries can be found; without it a hash says nothing.
    """

    def __init__(self, audit_key: bytes) -> None:
        # Keying costs as much as hashing: key once, copy for each subject.
        self._keyed = HMAC(audit_key, SHA256())

    def person(self, person_id: UUID) -> str:
        """The hash of a person of the registry."""
        return self._hash(_PERSON_PURPOSE + person_id.bytes)

    def identifier(self, identifier: str) -> str:
        """The hash of an identifier under which nobody was found, so that guessing leaves a trace too."""
        return self._hash(_IDENTIFIER_PURPOSE + identifier.encode())

    def _hash(self, material: bytes) -> str:
        mac = self._keyed.copy()
        mac.update(material)
        return mac.finalize()[:_SUBJECT_HASH_BYTES].hex()


def exchange_salt(audit_key: bytes, exchange_id: UUID) -> bytes:
    """The salt of one exchange's message hashes, 32 bytes, derived and therefore stored nowhere.

    The consumer may be given it, and can then prove which request and answer the log speaks of; a
    reader of the log alone cannot guess either.
    """
    return hmac.digest(audit_key, _SALT_PURPOSE + exchange_id.bytes, "sha256")


def message_hash(salt: bytes, message: bytes) -> str:
    """SHA-256 over salt and the message's exact bytes, hexadecimal."""
    return hashlib.sha256(salt + message).hexdigest()
