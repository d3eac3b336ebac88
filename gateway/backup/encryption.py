"""How backups are encrypted: age (age-encryption.org/v1), to public keys whose private halves are elsewhere.

What makes backups can then not read them, and whoever steals a disk of them has nothing. Each recipient alone
can decrypt. age proves that a file is whole, not who wrote it: that is for the manifest's hash, which the
audit log holds. Content is compressed first (gzip). The format is the common one: `age -d -i KEY FILE | zcat`
does the same. A private key or a passphrase MUST NOT reach an error, a log or a command line.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from threading import Thread
from typing import BinaryIO, cast

import pyrage
from pyrage.x25519 import Identity, Recipient

from gateway.errors import FileUnusable, SettingsInvalid
from gateway.key_files import read_private, write_once

SUFFIX = ".gz.age"

_CHUNK = 1 << 20
_GZIP = 31  # of zlib: with gzip's head and end
_FAST = (
    1  # a level that keeps up with a disk; WAL segments that were cut short shrink to nothing all the same
)
_LOCKED_HEADS = ("-----BEGIN AGE ENCRYPTED FILE-----", "age-encryption.org/v1")

# Called with the number of plain bytes that have passed so far.
Passed = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Encrypted:
    """A file as it lies on the disk: its length and its SHA-256, hexadecimal."""

    bytes: int
    sha256: str


def recipients_of(text: str) -> tuple[Recipient, ...]:
    """The public keys in a comma-separated text. Raises SettingsInvalid for none, and for what is none."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise SettingsInvalid(
            [
                (
                    "GAPURA_BACKUP_RECIPIENTS: expected public keys (age1...), got none: without one, "
                    "backups would lie about readable. `gapura backup new-key` makes a key"
                )
            ]
        )
    try:
        return tuple(Recipient.from_str(word) for word in words)
    except pyrage.RecipientError:
        raise SettingsInvalid(
            ["GAPURA_BACKUP_RECIPIENTS: expected public keys (age1...), separated by commas"]
        ) from None


def make_identity(file: Path, passphrase: str) -> str:
    """Write a new private key, locked with the passphrase, to a file of mode 0600; gives the public key.

    Raises FileUnusable when the file exists.
    """
    if file.exists():
        raise FileUnusable(f"{file} exists; a private key is never written over. Choose another name.")
    identity = Identity.generate()
    public = str(identity.to_public())
    content = f"# public key: {public}\n{identity}\n".encode()
    write_once(file, pyrage.passphrase.encrypt(content, passphrase, armored=True).decode("ascii"))
    return public


def read_identities(file: Path, passphrase: Callable[[], str]) -> list[Identity]:
    """The private keys of a file of mode 0600; `passphrase` is asked only if the file is locked with one.

    Raises FileUnusable when the file holds none, or the passphrase is another.
    """
    text = read_private(file)
    if text.lstrip().startswith(_LOCKED_HEADS):
        try:
            text = pyrage.passphrase.decrypt(text.lstrip().encode(), passphrase()).decode()
        except (pyrage.DecryptError, UnicodeDecodeError):
            raise FileUnusable(f"{file} does not open with this passphrase.") from None
    words = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        identities = [Identity.from_str(word) for word in words]
    except pyrage.IdentityError:
        identities = []
    if not identities:
        raise FileUnusable(
            f"{file} is no private key: expected lines AGE-SECRET-KEY-1..., as new-key writes."
        )
    return identities


def encrypt(
    source: BinaryIO, target: Path, recipients: Sequence[Recipient], passed: Passed = lambda _: None
) -> Encrypted:
    """Compress and encrypt a stream into a new file of mode 0640, on the disk when this returns.

    Raises FileUnusable when the stream cannot be read or the file not be written.
    """
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(
            descriptor, 0o640
        )  # a server's account archives what the gateway's prunes: they share a group
        written = _Hashed(file)
        # Of a stream, pyrage wants `read`, `write` and `flush` alone.
        content, sink = cast("BufferedIOBase", _Deflated(source, passed)), cast("BufferedIOBase", written)
        try:
            pyrage.encrypt_io(content, sink, list(recipients))
        except pyrage.EncryptError as failure:
            raise FileUnusable(f"{target} could not be written: {failure}. See to the disk.") from None
        file.flush()
        os.fsync(file.fileno())
    return Encrypted(written.bytes, written.digest.hexdigest())


def measure(file: Path, passed: Passed = lambda _: None) -> Encrypted:
    """The length and hash of a file as it lies there. Raises FileUnusable when it cannot be read."""
    digest, size = hashlib.sha256(), 0
    try:
        with file.open("rb") as content:
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                passed(size)
    except OSError as error:
        raise FileUnusable(f"{file} cannot be read: {error.strerror}.") from None
    return Encrypted(size, digest.hexdigest())


@contextmanager
def decrypted(file: Path, identities: Sequence[Identity]) -> Iterator[BinaryIO]:
    """What `encrypt` was given, as a stream; at the end of the block all of it has been proven whole.

    Raises FileUnusable for a key that is none of the recipients', and for a damaged file: at the latest at
    the end, so what was read MUST NOT be counted on before.
    """
    read_end, write_end = os.pipe()
    failures: list[Exception] = []

    def work() -> None:
        try:
            with os.fdopen(write_end, "wb") as sink, file.open("rb") as source:
                pyrage.decrypt_io(source, sink, list(identities))
        except Exception as failure:  # noqa: BLE001 - it is told where the stream is read
            failures.append(failure)

    worker = Thread(target=work, name="decrypt", daemon=True)
    worker.start()
    problem: Exception | None = None
    try:
        with os.fdopen(read_end, "rb") as compressed, gzip.GzipFile(fileobj=compressed) as plain:
            yield plain  # type: ignore[misc] # a GzipFile reads as a BinaryIO does
            while plain.read(_CHUNK):
                pass
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError, FileUnusable) as found:
        problem = found
    finally:
        worker.join()
    # A reader that stops early breaks the pipe; whatever else went wrong is the cause of what it met.
    causes = [failure for failure in failures if not isinstance(failure, BrokenPipeError)]
    if causes or problem:
        raise problem if isinstance(problem, FileUnusable) and not causes else _unusable(file, causes)


def _unusable(file: Path, failures: Sequence[Exception]) -> FileUnusable:
    if any("No matching keys" in str(failure) for failure in failures):
        return FileUnusable(
            f"{file} is not encrypted to this private key. The set's manifest names the public keys whose "
            "private halves open it."
        )
    return FileUnusable(f"{file} is damaged: it does not decrypt to what was encrypted. Take another set.")


class _Hashed:
    """A file that is written to, its length and hash on the way."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.bytes += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


class _Deflated:
    """A stream, compressed as it is read."""

    def __init__(self, source: BinaryIO, passed: Passed) -> None:
        self._source = source
        self._passed = passed
        self._deflate = zlib.compressobj(_FAST, zlib.DEFLATED, _GZIP)
        self._ready = bytearray()
        self._taken = 0
        self._ended = False

    def read(self, size: int = _CHUNK) -> bytes:
        while not self._ready and not self._ended:
            chunk = self._source.read(_CHUNK)
            self._taken += len(chunk)
            self._passed(self._taken)
            self._ended = not chunk
            self._ready += self._deflate.compress(chunk) if chunk else self._deflate.flush()
        given = bytes(self._ready[:size])
        del self._ready[:size]
        return given
