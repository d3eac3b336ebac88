"""Translations: one sector names a person to another, and neither learns the other's name for them.

An agreement may let its consumer turn pseudonyms of its own sector into translations. A translation is the
person's id, sealed under a key of the receiving sector: whoever carries it sees random bytes, other ones
each time, of the same length for everybody. It is bound to the sector that gave it, the sector that may open
it, the purpose, and the moment at which it ends; all four stand in it to be read, and none can be changed.

Pure: randomness and time are arguments. A key MUST NOT be printed, logged or stored by this package, and
nobody but the receiving sector's own request may lead to `open_translation`.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from policies.strict_yaml import SLUG, Part

NONCE_BYTES = 16

_MASTER_KEY_BYTES = 32
_SIV_KEY_BYTES = 64
_LABEL = b"gapura translation v1"
# 48 bytes, which are exactly 64 characters: nonce, authentication, and the 16 bytes of the id.
_SHAPE = re.compile(
    r"t1\.([a-z0-9-]{1,64})\.([a-z0-9-]{1,64})\.([a-z0-9-]{1,64})\.([1-9][0-9]{9})\.([A-Za-z0-9_-]{64})",
    re.ASCII,
)


class UnusableTranslation(Exception):  # noqa: N818 - named for what the text is
    """The text is no translation that may be opened so. It never says why: all failures look alike."""

    def __init__(self) -> None:
        super().__init__("This is no translation for your sector and this purpose, or its time is over.")


@dataclass(frozen=True, slots=True)
class TranslationGrant:
    """The clause by which names may be turned into what `to_sector` can open, for one purpose.

    `purpose` is that of the receiving agency's own agreement: without one it opens nothing.
    """

    to_sector: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Passage:
    """From which sector to which, for which purpose, until when (UTC, whole seconds)."""

    from_sector: str
    to_sector: str
    purpose: str
    until: datetime

    @property
    def words(self) -> tuple[str, str, str, str]:
        """The passage as it stands in a translation."""
        return self.from_sector, self.to_sector, self.purpose, str(int(self.until.timestamp()))


@dataclass(frozen=True, slots=True, eq=False)
class TransitKey:
    """What translations for one sector are sealed with. Shows no key material when printed."""

    to_sector: str
    siv: AESSIV = field(repr=False)


def derive_transit_key(master_key: bytes, to_sector: str) -> TransitKey:
    """The key under which names travel to a sector, by HKDF-SHA256; of use for nothing else."""
    if len(master_key) < _MASTER_KEY_BYTES:
        raise ValueError(f"The master key has {len(master_key)} bytes; it needs {_MASTER_KEY_BYTES} or more.")
    if not SLUG.fullmatch(to_sector):
        raise ValueError("A sector is named by lower-case letters, digits and single hyphens.")
    info = f"gapura/translation/v1/{to_sector}".encode()
    derived = HKDF(algorithm=SHA256(), length=_SIV_KEY_BYTES, salt=None, info=info).derive(master_key)
    return TransitKey(to_sector, AESSIV(derived))


def seal_translation(person_id: UUID, passage: Passage, key: TransitKey, nonce: bytes) -> str:
    """A translation of one person's name; `nonce` is 16 fresh random bytes.

    Construction: AES-SIV (RFC 5297) over the id, with the passage and the nonce as associated data. SIV,
    because a nonce that repeats by mistake then shows two equal people and breaks nothing else.
    """
    if key.to_sector != passage.to_sector or len(nonce) != NONCE_BYTES:
        raise ValueError("A translation is sealed under the receiving sector's key, with 16 random bytes.")
    sealed = key.siv.encrypt(person_id.bytes, _associated(passage.words, nonce))
    return ".".join(["t1", *passage.words, base64.urlsafe_b64encode(nonce + sealed).decode("ascii")])


def passage_of(text: str) -> Passage | None:
    """What a translation says of itself, unverified; None where it has not even the shape of one."""
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        return None
    return Passage(shape[1], shape[2], shape[3], datetime.fromtimestamp(int(shape[4]), UTC))


def open_translation(text: str, key: TransitKey, purpose: str, now: datetime) -> UUID:
    """The person whom a translation names, for the sector of the key and this purpose.

    Whether the sector that gave it may do so is for the caller to see, by `passage_of`. Raises
    UnusableTranslation, always with the same text, whatever is wrong.
    """
    passage = passage_of(text)
    if passage is None or passage.to_sector != key.to_sector or passage.purpose != purpose:
        raise UnusableTranslation
    if now >= passage.until:
        raise UnusableTranslation
    sealed = base64.urlsafe_b64decode(text.rpartition(".")[2])
    nonce, sealed = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        return UUID(bytes=key.siv.decrypt(sealed, _associated(passage.words, nonce)))
    except InvalidTag:
        raise UnusableTranslation from None


def read_grant(part: Part, own_sector: str | None, advice: str) -> TranslationGrant:
    """The clause `translation` of an agreement whose consumer has pseudonyms of `own_sector`."""
    parts = part.mapping(("to_sector", "purpose"))
    to_sector = parts["to_sector"].text("the sector that may open it", SLUG, advice)
    if own_sector is None:
        part.refuse("pseudonym_sector beside translation", "a sector, or no translation")
    elif to_sector == own_sector:
        parts["to_sector"].refuse("another sector than pseudonym_sector", "the sector that receives")
    return TranslationGrant(to_sector, parts["purpose"].text("one purpose", SLUG, advice))


def _associated(words: tuple[str, ...], nonce: bytes) -> list[bytes]:
    return [_LABEL, *(word.encode() for word in words), nonce]
