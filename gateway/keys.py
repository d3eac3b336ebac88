"""The keys of this gateway: one master key and the token-signing keys.

The master key is a file of the key folder, or comes from a keeper of secrets (`gateway.master_key`) and is
then nowhere on this machine's disk. Token-signing keys are files of the folder in either case.

From the master key everything symmetric is derived, each purpose its own key, so that losing one purpose
does not lose another. Token-signing keys come and go; the master key never does: a new one would rename
every person towards every sector and make the audit log's keyed hashes useless. A folder that holds
signing keys but no master key is therefore refused, never "repaired".

Key files are written once, whole, and never changed: a signing key's life follows from the moment at
which it starts to sign and from its successor's. So a rotation is one new file, a retirement one file
less, and a running process sees either by the folder's modification time. Key material MUST NOT reach the
database, a log, an error or a `repr`.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from gateway.errors import Conflict, FileUnusable, NotFound
from gateway.key_files import (
    locked,
    private_folder,
    read_private,
    settled,
    stamp_of,
    sync_folder,
    write_once,
)

# How long a reader of the JWKS may keep it, and so how long a key is published before it signs.
JWKS_MAX_AGE_S = 300
# A key that no longer signs stays published until the last token it can have signed has expired: the
# longest life that the settings allow, and a minute for clocks that disagree.
_VERIFIES_FOR = timedelta(seconds=3600 + 60)

_MASTER_FILE = "master.key"
MASTER_BYTES = 32
_SIGNING_FILE = re.compile(r"signing-(?P<kid>[A-Za-z0-9_-]{43})\.json")
_EPOCH = datetime.fromtimestamp(0, UTC)

KeyState = Literal["next", "signing", "verifying", "expired"]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An ES256 key that signs tokens from `signs_from` (UTC) until a younger key starts to."""

    kid: str
    signs_from: datetime
    jwk: ECKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """Where a signing key is in its life; `published_until` is open while no successor is known."""

    kid: str
    state: KeyState
    signs_from: datetime
    published_until: datetime | None


@dataclass(frozen=True, slots=True)
class _Ring:
    """All signing keys in the order in which they start to sign."""

    keys: tuple[SigningKey, ...]

    def signing(self, now: datetime) -> SigningKey:
        started = [key for key in self.keys if key.signs_from <= now]
        return started[-1] if started else self.keys[0]

    def published_until(self, position: int) -> datetime | None:
        if position + 1 == len(self.keys):
            return None
        return self.keys[position + 1].signs_from + _VERIFIES_FOR

    def statuses(self, now: datetime) -> list[KeyStatus]:
        signing = self.signing(now)
        statuses = []
        for position, key in enumerate(self.keys):
            until = self.published_until(position)
            state: KeyState = "verifying"
            if key is signing:
                state = "signing"
            elif key.signs_from > now:
                state = "next"
            elif until is not None and until <= now:
                state = "expired"
            statuses.append(KeyStatus(key.kid, state, key.signs_from, until))
        return statuses


class Keys:
    """The opened key folder. Safe to share between threads; several processes may open the same folder.

    `master` is for `policies.pseudonym`, which derives the sector keys from it, and for nothing else:
    every other purpose takes `derive`.
    """

    def __init__(self, folder: Path, master: bytes) -> None:
        self._folder = folder
        self._seen: int | None = None
        self._ring = _Ring(())
        self.master = master
        self.audit_key = self.derive("audit")
        self.nonce_key = self.derive("dpop nonce")

    def __repr__(self) -> str:
        return f"Keys({str(self._folder)!r})"

    @staticmethod
    def present(folder: Path) -> bool:
        """Whether the folder holds a master key; opening it would make one where there is none."""
        return (folder / _MASTER_FILE).exists()

    @classmethod
    def open(cls, folder: Path, master: bytes | None = None) -> Self:
        """Open the key folder, filling it first if it is empty or missing.

        With `master`, 32 bytes from a keeper of secrets, no master key is made or looked for in the folder.
        Processes that open it for the first time together end with the same keys. Raises FileUnusable
        when a file is malformed, missing, or can be read by anybody but its owner.
        """
        private_folder(folder)
        names = _names(folder)
        kept_elsewhere = master is not None
        if not (kept_elsewhere or _MASTER_FILE in names) or not any(map(_SIGNING_FILE.fullmatch, names)):
            with locked(folder):
                _fill(folder, with_master=not kept_elsewhere)
        keys = cls(folder, _read_master(folder / _MASTER_FILE) if master is None else master)
        keys._current_ring()  # unusable signing keys are told at the start, not at the first token
        return keys

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key of its own for `purpose`: HKDF-SHA256 (RFC 5869) of the master key."""
        derivation = HKDF(hashes.SHA256(), length=32, salt=None, info=f"gapura {purpose} v1".encode())
        return derivation.derive(self.master)

    def signing_key(self, now: datetime) -> SigningKey:
        """The key that signs tokens at `now`."""
        return self._current_ring().signing(now)

    def verification_key(self, kid: str, now: datetime) -> SigningKey | None:
        """The published key of this id; None when there is none, or no longer."""
        ring = self._current_ring()
        for position, key in enumerate(ring.keys):
            if key.kid == kid:
                until = ring.published_until(position)
                return key if until is None or now < until else None
        return None

    def jwks(self, now: datetime) -> dict[str, list[dict[str, Any]]]:
        """The public keys for others to verify tokens with (RFC 7517), the next one included."""
        ring = self._current_ring()
        published = zip(ring.keys, ring.statuses(now), strict=True)
        return {"keys": [_public(key) for key, status in published if status.state != "expired"]}

    def statuses(self, now: datetime) -> list[KeyStatus]:
        """Every signing key of the folder, oldest first."""
        return self._current_ring().statuses(now)

    def rotate(self, now: datetime, *, delay_s: int = JWKS_MAX_AGE_S) -> SigningKey:
        """Add a signing key that takes over after `delay_s`; expired ones are deleted.

        The delay lets every reader of the JWKS learn the key before the first token that it signs.
        """
        signs_from = (now + timedelta(seconds=delay_s)).replace(microsecond=0)
        with locked(self._folder):
            for status in self._current_ring().statuses(now):
                if status.state == "expired":
                    _signing_path(self._folder, status.kid).unlink()
            kid = _write_signing_key(self._folder, signs_from)
        return next(key for key in self._current_ring().keys if key.kid == kid)

    def retire(self, kid: str, now: datetime) -> None:
        """Delete a signing key: whatever it signed is refused from now on, by every process.

        Raises NotFound, or Conflict for the key that signs: another must take over first.
        """
        with locked(self._folder):
            ring = self._current_ring()
            if all(key.kid != kid for key in ring.keys):
                raise NotFound(f"There is no signing key {kid}. `gapura keys list` shows them.")
            if ring.signing(now).kid == kid:
                raise Conflict(
                    f"The key {kid} signs tokens now. Run `gapura keys rotate --now` first, then retire it."
                )
            _signing_path(self._folder, kid).unlink()
            sync_folder(self._folder)

    def _current_ring(self) -> _Ring:
        stamp = stamp_of(self._folder)
        if stamp != self._seen:
            self._ring = _read_ring(self._folder)
            self._seen = settled(stamp)
        return self._ring


def _public(key: SigningKey) -> dict[str, Any]:
    return {**key.jwk.as_dict(private=False), "kid": key.kid, "use": "sig", "alg": "ES256"}


def _signing_path(folder: Path, kid: str) -> Path:
    return folder / f"signing-{kid}.json"


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def _fill(folder: Path, *, with_master: bool) -> None:
    names = _names(folder)
    signing = [name for name in names if _SIGNING_FILE.fullmatch(name)]
    if with_master and _MASTER_FILE not in names:
        if signing:
            raise FileUnusable(
                f"{folder / _MASTER_FILE} is missing, but signing keys are there. A new master key would "
                "change every pseudonym: restore the file from its backup."
            )
        write_once(folder / _MASTER_FILE, secrets.token_hex(MASTER_BYTES) + "\n")
    if not signing:
        _write_signing_key(folder, _EPOCH)


def _write_signing_key(folder: Path, signs_from: datetime) -> str:
    jwk = ECKey.generate_key("P-256")
    kid = jwk.thumbprint()
    content = {"signs_from": int(signs_from.timestamp()), "jwk": jwk.as_dict(private=True)}
    write_once(_signing_path(folder, kid), json.dumps(content, indent=2) + "\n")
    return kid


def _read_master(path: Path) -> bytes:
    text = read_private(path)
    master = master_of(text)
    if master is None:
        raise FileUnusable(
            f"{path} is no master key: expected {2 * MASTER_BYTES} hexadecimal digits, got "
            f"{len(text.strip())} characters. Restore it from its backup."
        )
    return master


def master_of(text: str) -> bytes | None:
    """The master key that is written so: 64 hexadecimal digits, with white space around them or not."""
    digits = text.strip()
    return bytes.fromhex(digits) if re.fullmatch(rf"[0-9a-f]{{{2 * MASTER_BYTES}}}", digits) else None


def _read_ring(folder: Path) -> _Ring:
    matches = filter(None, map(_SIGNING_FILE.fullmatch, _names(folder)))
    keys = [_read_signing_key(folder / match.group(), match["kid"]) for match in matches]
    if not keys:
        raise FileUnusable(f"{folder} holds no signing key any more. Restore it, or run gapura keys rotate.")
    return _Ring(tuple(sorted(keys, key=lambda key: (key.signs_from, key.kid))))


def _read_signing_key(path: Path, kid: str) -> SigningKey:
    text = read_private(path)
    try:
        content = json.loads(text)
        jwk = ECKey.import_key(content["jwk"])
        signs_from = datetime.fromtimestamp(content["signs_from"], UTC)
        sound = jwk.is_private and jwk.curve_name == "P-256" and jwk.thumbprint() == kid
    except (JoseError, ValueError, KeyError, TypeError, OverflowError):
        sound = False
    if not sound:
        raise FileUnusable(
            f"{path} is no signing key: expected JSON with signs_from (Unix seconds) and jwk (a private "
            "P-256 JWK whose thumbprint is in the file name). Restore it, or delete it and rotate."
        )
    return SigningKey(kid, signs_from, jwk)
