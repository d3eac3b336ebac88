"""Trees, proofs and signed notes, seen from the side of whoever checks them. Pure.

Together with `gateway.audit.verifier` it is the stand-alone verifier that `gapura audit verifier` prints,
so it MUST import nothing but the standard library and `cryptography`. Formats: RFC 9162 (2.1),
c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature (Ed25519, v1) and tlog-proof.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

NOTE_KEY = 1  # signature types of c2sp.org/signed-note
WITNESS_KEY = 4
EMPTY_ROOT = hashlib.sha256(b"").digest()
SIGNATURE_MARK = "\u2014 "
PROOF_HEAD = "c2sp.org/tlog-proof@v1"
_HASH_BYTES = 32
_KEY_BYTES = 1 + 32
_BODY_LINES = 3


class Unproven(Exception):  # noqa: N818 - what it says, not that it is an error
    """The evidence does not prove what it claims; the text says what fails and where."""


def leaf_hash(data: bytes) -> bytes:
    """RFC 9162, 2.1.1: the hash of one leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 9162, 2.1.1: the hash of two subtrees side by side."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class CompactRange:
    """The first `size` leaves of a tree, as the roots of its complete subtrees, the widest first."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        self.size = size
        self.peaks = list(peaks)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash; costs two hashes on average, whatever the size."""
        peak, complete = leaf, self.size
        while complete & 1:
            peak = node_hash(self.peaks.pop(), peak)
            complete >>= 1
        self.peaks.append(peak)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root

    def copy(self) -> CompactRange:
        """The same range, to be continued apart."""
        return CompactRange(self.size, self.peaks)


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162, 2.1.3.2. Raises Unproven unless `leaf` is leaf `index` of the tree with this root."""
    if not 0 <= index < size:
        raise Unproven(f"the tree of size {size} has no entry {index}")
    number, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise Unproven("the inclusion proof is too long")
        if number & 1 or number == last:
            computed = node_hash(sibling, computed)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        number, last = number >> 1, last >> 1
    if last or computed != root:
        raise Unproven(f"entry {index} is not in the tree of size {size} with the signed root")


def check_consistency(first: int, second: int, proof: Sequence[bytes], root: bytes, later: bytes) -> None:
    """RFC 9162, 2.1.4.2. Raises Unproven unless the tree of size `second` only appends to the first."""
    if not 0 <= first <= second:
        raise Unproven(f"a tree of size {second} cannot follow one of size {first}")
    if first in {0, second}:
        if proof or root != (later if first else EMPTY_ROOT):
            raise Unproven(f"two different trees of size {first}: forked")
        return
    old, new = _folded(first, second, proof, root)
    if old != root or new != later:
        raise Unproven(f"the tree of size {second} does not continue the tree of size {first}: forked")


def _folded(first: int, second: int, proof: Sequence[bytes], root: bytes) -> tuple[bytes, bytes]:
    """The roots of both trees as the proof's hashes give them."""
    path = list(proof)
    if not path:
        raise Unproven("the consistency proof is empty")
    if first & (first - 1) == 0:
        path.insert(0, root)
    number, last = first - 1, second - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    old = new = path[0]
    for node in path[1:]:
        if last == 0:
            raise Unproven("the consistency proof is too long")
        if number & 1 or number == last:
            old, new = node_hash(node, old), node_hash(node, new)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            new = node_hash(new, node)
        number, last = number >> 1, last >> 1
    if last:
        raise Unproven("the consistency proof is too short")
    return old, new


@dataclass(frozen=True)
class VerifierKey:
    """A key to check note signatures with: `name+id+base64`, as c2sp.org/signed-note writes it."""

    name: str
    kind: int
    public: bytes

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read a key. Raises Unproven when it is none, or its id is not its own."""
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        material = _unbase64(encoded, "the key")
        if not name or len(material) != _KEY_BYTES or material[0] not in {NOTE_KEY, WITNESS_KEY}:
            raise Unproven("that is no key: expected NAME+ID+BASE64 of an Ed25519 key")
        key = cls(name, material[0], material[1:])
        if key.id.hex() != key_id:
            raise Unproven(f"the id of the key of {name} does not belong to it")
        return key

    @property
    def id(self) -> bytes:
        """The four bytes by which signature lines name the key."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        material = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{material}"

    def signed(self, body: bytes, signature: bytes) -> bool:
        """Whether this is the key's signature of a note's text; for a witness, of its cosignature."""
        if self.kind == WITNESS_KEY:
            stamp, signature = signature[:8], signature[8:]
            body = b"cosignature/v1\ntime %d\n" % int.from_bytes(stamp, "big") + body
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, body)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class Checkpoint:
    """A signed tree head. `lines` are the signatures, still to be checked: (key name, key id, signature)."""

    origin: str
    size: int
    root: bytes
    body: bytes
    lines: tuple[tuple[str, bytes, bytes], ...]

    @classmethod
    def parse(cls, note: str) -> Checkpoint:
        """Read a checkpoint note. Raises Unproven when it is malformed."""
        text, gap, signatures = note.rpartition("\n\n")
        body = text + "\n"
        parts = body.split("\n")
        if not gap or len(parts) < _BODY_LINES + 1 or not parts[0] or not _decimal(parts[1]):
            raise Unproven("that is no checkpoint: expected origin, size, root and signatures")
        lines = []
        for line in signatures.splitlines():
            name, _, encoded = line.removeprefix(SIGNATURE_MARK).partition(" ")
            if not line.startswith(SIGNATURE_MARK):
                raise Unproven("the checkpoint has a line that is no signature")
            material = _unbase64(encoded, "a signature")
            lines.append((name, material[:4], material[4:]))
        return cls(parts[0], int(parts[1]), _unbase64(parts[2], "the root"), body.encode(), tuple(lines))

    def signed_by(self, key: VerifierKey) -> bool:
        """Whether the checkpoint carries a good signature of `key`."""
        return any(
            (name, key_id) == (key.name, key.id) and key.signed(self.body, signature)
            for name, key_id, signature in self.lines
        )


def open_checkpoint(note: str, *keys: VerifierKey) -> Checkpoint:
    """The checkpoint, if its log signed it under its own name with one of these keys. Raises Unproven.

    A log whose key was rotated has several: all that are trusted are given.
    """
    checkpoint = Checkpoint.parse(note)
    if not any(checkpoint.origin == key.name and checkpoint.signed_by(key) for key in keys):
        names = " or ".join(sorted({key.name for key in keys}))
        raise Unproven(f"the checkpoint of size {checkpoint.size} is not signed by the given key of {names}")
    return checkpoint


@dataclass(frozen=True)
class InclusionProof:
    """A tlog-proof: where an entry stands, the hashes on its way to the root, and the signed root."""

    index: int
    hashes: tuple[bytes, ...]
    note: str

    @classmethod
    def parse(cls, text: str) -> InclusionProof:
        """Read a proof. Raises Unproven when it is malformed."""
        head, gap, note = text.partition("\n\n")
        first, *lines = head.split("\n")
        words = lines[0].split(" ") if lines else []
        if first != PROOF_HEAD or not gap or len(words) != len(("index", "N")) or not _decimal(words[1]):
            raise Unproven(f"that is no inclusion proof: expected {PROOF_HEAD}, an index and hashes")
        hashes = tuple(_unbase64(line, "a hash of the proof") for line in lines[1:])
        return cls(int(words[1]), hashes, note)

    def __str__(self) -> str:
        lines = [PROOF_HEAD, f"index {self.index}", *(base64.b64encode(h).decode() for h in self.hashes)]
        return "\n".join(lines) + "\n\n" + self.note

    def check(self, data: bytes, *keys: VerifierKey) -> Checkpoint:
        """The checkpoint under which `data` is proven to be in the log of these keys. Raises Unproven."""
        checkpoint = open_checkpoint(self.note, *keys)
        check_inclusion(leaf_hash(data), self.index, checkpoint.size, self.hashes, checkpoint.root)
        return checkpoint


def _decimal(text: str) -> bool:
    return text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")


def _unbase64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unproven(f"{what} is not base64") from None
