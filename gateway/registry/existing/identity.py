"""Which internal person id a row of another's database has, and back again, without a table of pairs.

A person id must be the same on every worker and for ever, must say nothing, and must lead back to the row (a
pseudonym arrives, a person is looked up). So the source's key, at most 16 bytes, is encrypted as one block
under a key of the gateway's own: a permutation of 128 bits, stable and secret. Rejected: a table of pairs
would be written while answering, and losing it would rename everybody; a hash (uuid5) leads nowhere back.
A key that is a UUID already is the person id as it stands. The key MUST outlive a corrected NIK.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

KeyKind = Literal["number", "text", "uuid", "uuid_text"]
Key = str | int | UUID

_BLOCK = 16
_MOST_PLAIN = _BLOCK - 1
# Longer texts fit if they are made of these: 40 ** 22 and a leading 1 stay below 2 ** 119.
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_./"
_MOST_DENSE = 22
_DENSE_MARK = _BLOCK << 120  # no plain text has a length byte of 16


class PersonIds:
    """Names people by the keys of one source. `secret` is 32 bytes of the gateway's own."""

    def __init__(self, secret: bytes, kind: KeyKind) -> None:
        # One block and never a message: as a permutation of 128 bits ECB is what is wanted.
        self._cipher = Cipher(AES(secret), ECB())  # noqa: S305 - as said above
        self._kind = kind
        self._pack, self._unpack = _PACKINGS[kind]

    def id_of(self, key: Any) -> UUID | None:
        """The person id of the row with this key; None for a key that cannot be one.

        That is a key that is missing, or a text longer than 15 bytes (22 characters, if they are digits,
        capital letters and -_./ only).
        """
        packed = self._pack(key)
        if packed is None or self._kind in {"uuid", "uuid_text"}:
            return None if packed is None else UUID(bytes=packed)
        return UUID(bytes=self._cipher.encryptor().update(packed))

    def keys_of(self, person_id: UUID) -> Sequence[Key]:
        """How the row of this person may be keyed, in each spelling; none for an id that we never gave."""
        if self._kind in {"uuid", "uuid_text"}:
            return self._unpack(person_id.bytes)
        return self._unpack(self._cipher.decryptor().update(person_id.bytes))


def packs(key: Any, kind: KeyKind) -> bool:
    """Whether a row with this key can be given a person id."""
    return _PACKINGS[kind][0](key) is not None


def _pack_number(key: Any) -> bytes | None:
    whole = isinstance(key, int | Decimal) and not isinstance(key, bool) and key == int(key)
    if not whole or not -(1 << 63) <= key < 1 << 63:
        return None
    return bytes(8) + int(key).to_bytes(8, signed=True)


def _unpack_number(packed: bytes) -> Sequence[Key]:
    return (int.from_bytes(packed[8:], signed=True),) if packed[:8] == bytes(8) else ()


def _pack_text(key: Any) -> bytes | None:
    if not isinstance(key, str) or not (text := key.rstrip(" ")):
        return None
    plain = text.encode()
    if len(plain) <= _MOST_PLAIN:
        return bytes([len(plain)]) + plain.ljust(_MOST_PLAIN, b"\0")
    if len(text) > _MOST_DENSE or not set(text) <= set(_ALPHABET):
        return None
    number = 1
    for letter in text:
        number = number * len(_ALPHABET) + _ALPHABET.index(letter)
    return (_DENSE_MARK + number).to_bytes(_BLOCK)


def _unpack_text(packed: bytes) -> Sequence[Key]:
    if packed[0] == _BLOCK:
        text, number = "", int.from_bytes(packed) - _DENSE_MARK
        while number > 1:
            number, at = divmod(number, len(_ALPHABET))
            text = _ALPHABET[at] + text
    else:
        text = packed[1 : 1 + packed[0]].decode(errors="replace")
    # Only what was packed from this very text: anything else is an id that we never gave.
    return (text,) if _pack_text(text) == packed else ()


def _pack_uuid(key: Any) -> bytes | None:
    try:
        return key.bytes if isinstance(key, UUID) else UUID(key.strip()).bytes
    except (AttributeError, ValueError):
        return None


def _unpack_uuid(packed: bytes) -> Sequence[Key]:
    return (UUID(bytes=packed),)


def _unpack_uuid_text(packed: bytes) -> Sequence[Key]:
    one = UUID(bytes=packed)
    return (str(one), one.hex, str(one).upper(), one.hex.upper())


_PACKINGS: Mapping[str, tuple[Callable[[Any], bytes | None], Callable[[bytes], Sequence[Key]]]] = {
    "number": (_pack_number, _unpack_number),
    "text": (_pack_text, _unpack_text),
    "uuid": (_pack_uuid, _unpack_uuid),
    "uuid_text": (_pack_uuid, _unpack_uuid_text),
}
