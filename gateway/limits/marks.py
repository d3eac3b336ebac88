"""Keyed numbers by which the counting of one agreement knows people and places. Pure.

64 bits: among a hundred million people two share a number with a chance of one in three thousand, and then
one of them is not counted as new. Each agreement has a key of its own, so that the tables do not tell
whether two agencies asked about the same person; without the audit key they tell nothing.
"""

from __future__ import annotations

from hashlib import blake2b

from connectors.base import Subject
from gateway.audit.entry import SubjectHasher
from gateway.limits.patterns import MarkedPlace, place_of

_BYTES = 8
_NIK, _PERSON, _DISTRICT, _BLOCK = b"nik", b"person", b"district", b"block"


class Marks:
    """The numbers of one agreement. BLAKE2b under a key that the audit key's HMAC gives for its id."""

    def __init__(self, hasher: SubjectHasher, agreement_id: str) -> None:
        key = bytes.fromhex(hasher.identifier(f"limits:{agreement_id}"))
        # Keyed once, copied for each mark.
        self._keyed = {
            kind: blake2b(digest_size=_BYTES, key=key, person=kind)
            for kind in (_NIK, _PERSON, _DISTRICT, _BLOCK)
        }

    def person(self, subject: Subject) -> int:
        """The number of whoever is meant.

        One and the same person asked about by NIK and by pseudonym has two: before the registry is asked
        nobody knows that they are one. Counting one too many is the safe side.
        """
        if subject.nik is not None:
            return self._mark(_NIK, subject.nik)
        return self._mark(_PERSON, str(subject.person_id))

    def place(self, nik: str) -> MarkedPlace:
        """The place of a well-formed NIK as numbers."""
        place = place_of(nik)
        return MarkedPlace(
            self._mark(_DISTRICT, place.district),
            self._mark(_BLOCK, place.block),
            tuple(self._mark(_BLOCK, block) for block in place.beside),
        )

    def _mark(self, kind: bytes, said: str) -> int:
        mark = self._keyed[kind].copy()
        mark.update(said.encode())
        return int.from_bytes(mark.digest(), signed=True)
