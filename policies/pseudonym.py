"""Pseudonyms: the name by which one sector knows one person, made and undone without any table.

A pseudonym is the person's random 128-bit id under AES-SIV (RFC 5297): deterministic, so that a sector meets
the same name each time; authenticated, so that a forged or foreign one is refused; and reversible by the
holder of the key, so that the gateway takes it back as an identifier. It is not made from the NIK: a
corrected NIK renames nobody, and guessing NIKs finds nobody.

A sector's key has versions. Each is derived from the master key and from a random salt of its own, so that
whoever destroys the salt destroys the version, and with it the way back from the names that it made.

A key MUST NOT be printed, logged or stored by this package, and a pseudonym MUST NOT be written beside a
national id anywhere.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from policies.strict_yaml import SLUG

_MASTER_KEY_BYTES = 32
_SIV_KEY_BYTES = 64
_TOKEN_KEY_BYTES = 32
_SALT_BYTES = 32
_TOKEN_BYTES = 16
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_SHAPE = re.compile(r"v([1-9][0-9]{0,3})\.([a-z0-9-]+)\.([A-Za-z0-9_-]{43})", re.ASCII)


class UnusablePseudonym(Exception):  # noqa: N818 - named for what the text is
    """The text is no pseudonym of this sector. It never says why: forged, foreign and garbled look alike."""

    def __init__(self) -> None:
        super().__init__("This is not a pseudonym of your sector. Send one that an answer of ours gave you.")


@dataclass(frozen=True, slots=True, eq=False)
class SectorKey:
    """What one sector's pseudonyms of one version are made with. Shows no key material when printed."""

    sector: str
    version: int
    siv: AESSIV = field(repr=False)
    token_key: bytes = field(repr=False)
    # What is authenticated with each pseudonym, so that neither part of its prefix can be exchanged.
    associated: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "associated", [f"v{self.version}".encode(), self.sector.encode()])


@dataclass(frozen=True, slots=True, eq=False)
class SectorKeys:
    """All that one sector's names are made and taken back with at one moment.

    `by_version` holds the current key and the older ones whose names are still accepted.
    """

    current: SectorKey
    by_version: Mapping[int, SectorKey] = field(repr=False)

    @classmethod
    def only(cls, key: SectorKey) -> SectorKeys:
        """The keys of a sector that has but one version."""
        return cls(key, {key.version: key})

    def name(self, person_id: UUID) -> str:
        """The name by which the sector knows this person from now on."""
        return pseudonym(person_id, self.current)

    def person(self, text: str) -> UUID:
        """The person whom the sector knows by this name, of any version that is accepted.

        Raises UnusablePseudonym.
        """
        return resolve_pseudonym(text, self.by_version, self.current.sector)


def derive_sector_key(
    master_key: bytes, sector: str, version: int = 1, salt: bytes | None = None
) -> SectorKey:
    """The key of one sector, by HKDF-SHA256 from a master key of at least 32 bytes and a salt of 32.

    Knowing one sector's key says nothing of another's, nor of the master key. A new version renames every
    person of the sector; keep the older salts as long as their pseudonyms are to be taken back. Without a
    salt a version can be derived for as long as the master key exists.
    """
    if len(master_key) < _MASTER_KEY_BYTES:
        raise ValueError(f"The master key has {len(master_key)} bytes; it needs {_MASTER_KEY_BYTES} or more.")
    if salt is not None and len(salt) != _SALT_BYTES:
        raise ValueError(f"The salt has {len(salt)} bytes; it needs {_SALT_BYTES}.")
    if salt is not None and not any(salt):
        raise ValueError("The salt is all zeros, which HKDF takes for no salt.")
    if not SLUG.fullmatch(sector):
        raise ValueError("A sector is named by lower-case letters, digits and single hyphens.")
    if not 1 <= version <= 9999:  # noqa: PLR2004 - what the prefix of a pseudonym can spell
        raise ValueError("A key version is a number from 1 to 9999.")

    def derived(purpose: str, length: int) -> bytes:
        info = f"gapura/{purpose}/v{version}/{sector}".encode()
        return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(master_key)

    return SectorKey(
        sector=sector,
        version=version,
        siv=AESSIV(derived("pseudonym", _SIV_KEY_BYTES)),
        token_key=derived("field-token", _TOKEN_KEY_BYTES),
    )


def pseudonym(person_id: UUID, key: SectorKey) -> str:
    """The stable name by which one sector knows one person, such as `v1.kesehatan.` and 43 characters.

    Different sectors get unlinkable names for the same person; rotating the key renames everyone, so its
    version travels in the prefix. Construction: AES-SIV over the 16 bytes of the id, with version and sector
    as associated data, base64url without padding.
    """
    return pseudonyms([person_id], key)[0]


def pseudonyms(people: Sequence[UUID], key: SectorKey) -> list[str]:
    """`pseudonym` for each of these people, in their order."""
    prefix, seal, associated = f"v{key.version}.{key.sector}.", key.siv.encrypt, key.associated
    return [prefix + _text(seal(one.bytes, associated)) for one in people]


def sector_named_by(text: str) -> str | None:
    """The sector that a text in the form of a pseudonym names; None for a text of another form.

    Whether it leads to anybody is not looked at: this needs no key and tells nothing that the text does not.
    """
    shape = _SHAPE.fullmatch(text)
    return None if shape is None else shape[2]


def resolve_pseudonym(text: str, keys: Mapping[int, SectorKey], sector: str) -> UUID:
    """The person whom `sector` knows by this name. `keys` holds that sector's keys by version.

    Raises UnusablePseudonym, always with the same text, whatever is wrong with the pseudonym.
    """
    shape = _SHAPE.fullmatch(text)
    if shape is None or shape[2] != sector:
        raise UnusablePseudonym
    key = keys.get(int(shape[1]))
    if key is None or key.sector != sector or key.version != int(shape[1]):
        raise UnusablePseudonym
    try:
        sealed = base64.urlsafe_b64decode(shape[3] + "=")
        person_id = UUID(bytes=key.siv.decrypt(sealed, key.associated))
    except (InvalidTag, binascii.Error, ValueError):
        raise UnusablePseudonym from None
    # base64 lets two spellings of the last character mean the same bytes; one person has one name.
    if _text(sealed) != shape[3]:
        raise UnusablePseudonym
    return person_id


def identifier_token(field_name: str, identifier: str, key: SectorKey) -> str:
    """The stable name of an identifier such as a family-card number within one sector; not reversible.

    It says which records share the number and nothing of the number. HMAC-SHA256 under a key of the sector,
    cut to 128 bits; the field's name is hashed with it, so equal numbers of two fields do not meet.
    """
    message = field_name.encode() + b"\0" + identifier.encode()
    digest = hmac.digest(key.token_key, message, "sha256")
    return f"h{key.version}.{key.sector}.{_text(digest[:_TOKEN_BYTES])}"


def _text(sealed: bytes) -> str:
    # What base64.urlsafe_b64encode does, in half as many calls: there is one for every person of an answer.
    return binascii.b2a_base64(sealed, newline=False).translate(_URL_SAFE, b"=").decode("ascii")
