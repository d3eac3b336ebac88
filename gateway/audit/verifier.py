"""Checks a log or a bundle from the outside, with Python and `cryptography` alone.

`gapura audit verifier > verify.py` prints this and `gateway.audit.proofs` as one file, so that an auditor,
a court or a partner can check evidence without the gateway; the gateway checks itself with the same lines.
It MUST NOT import anything else of the project, MUST NOT trust a key that the evidence itself brings, and
MUST NOT write or send anything but words.

    python verify.py bundle bundle.json --key VKEY ... [--request FILE] [--response FILE] [--witness VKEY ...]
    python verify.py log log.jsonl --key VKEY ... [--checkpoint FILE ...]

`--key` is repeated for a log whose key was rotated: each key that is given is trusted.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

from gateway.audit.proofs import (
    Checkpoint,
    CompactRange,
    InclusionProof,
    Unproven,
    VerifierKey,
    leaf_hash,
    open_checkpoint,
)

Item = TypeVar("Item")
# How far to look ahead to tell a dropped entry from an inserted or a moved one.
_WINDOW = 32
_HASH_BYTES = 32
# What an act says that orders something to be gone: of which entry what; up to which entry how many.
_ORDERS = {"audit.erase": ("object_sha256", "scope"), "audit.detach": ("last", "entries")}


@dataclass(frozen=True)
class Found:
    """One entry as it was found. `digest` is the SHA-256 of its text, or of the text that was erased.

    `fault` is what is wrong within; `missing` what is gone: `payload` or `subjects`, erased, or its `month`.
    """

    digest: bytes
    fault: str = ""
    missing: str = ""
    orders: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, entry: bytes | None, digest: bytes, subjects: bytes | None, blind: bytes | None) -> Found:
        """Judge one entry by itself; `digest` counts only where the text is gone."""
        if entry is None:
            return cls(digest, missing="payload")
        found = hashlib.sha256(entry).digest()
        try:
            head = json.loads(entry)
            seal = head.get("subjects_sha256")
        except (ValueError, AttributeError):
            return cls(found, fault="its text is no JSON object")
        if subjects is not None:
            sound = seal == hashlib.sha256((blind or b"") + subjects).hexdigest()
            return cls(found, fault="" if sound else "its subjects are not those that were logged")
        if seal:
            return cls(found, missing="subjects")
        order = _ORDERS.get(str(head.get("act"))) if head.get("kind") == "act" else None
        return cls(found, orders=((str(head.get(order[0])), str(head.get(order[1]))),) if order else ())


@dataclass(frozen=True)
class Finding:
    """The first thing wrong with a log: at which entry, of which kind, in words."""

    index: int
    kind: str
    words: str

    def __str__(self) -> str:
        return f"entry {self.index}: {self.kind}: {self.words}"


@dataclass(frozen=True)
class Report:
    """What a check of a log came to. What is `erased`, or one of so many `detached`, is so by its orders."""

    entries: int
    checkpoints: int
    erased: tuple[int, ...]
    finding: Finding | None
    detached: int = 0


class _Ahead(Generic[Item]):
    """An iterator with a view of what comes next."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = iter(items)
        self._next: deque[Item] = deque()

    def __call__(self, count: int) -> list[Item]:
        self._next.extend(islice(self._items, max(0, count - len(self._next))))
        return list(self._next)

    def first(self) -> Item | None:
        ahead = self(1)
        return ahead[0] if ahead else None

    def take(self) -> Item | None:
        self.first()
        return self._next.popleft() if self._next else None


class _Walk:
    """One walk over a log: entries as found beside the hashes that the tree holds, up to signed roots."""

    def __init__(self, found: Iterable[Found], held: Iterable[bytes], start: CompactRange) -> None:
        self.found, self.held, self.range = _Ahead(found), _Ahead(held), start
        self.good = start.size  # no entry before this one is in doubt
        self.missing: list[tuple[int, str, str]] = []
        self.orders: set[tuple[str, str]] = set()
        self.detached, self.last_detached = 0, -1

    def to_checkpoint(self, checkpoint: Checkpoint) -> Finding | None:
        """Walk until the tree has the checkpoint's size, and compare the roots."""
        while self.range.size < checkpoint.size:
            if finding := self._step():
                return finding if self._held_is_signed(checkpoint) else self._rewritten(checkpoint, finding)
        if self.range.root() != checkpoint.root:
            return self._rewritten(checkpoint, None)
        self.good = checkpoint.size
        return None

    def to_end(self) -> Finding | None:
        """Walk over what no checkpoint covers yet."""
        while self.found.first() is not None or self.held.first() is not None:
            if finding := self._step():
                return finding
        return None

    def unexplained(self) -> Finding | None:
        """The first entry whose content is gone without an order to erase it."""
        for index, digest, what in self.missing:
            if not {(digest, what), (digest, "payload")} & self.orders:
                return Finding(index, "dropped", f"its {what} is gone and no entry orders the erasure")
        numbers = [(int(one), int(two)) for one, two in self.orders if one.isdecimal() and two.isdecimal()]
        allowed = any(self.last_detached <= last and self.detached <= count for last, count in numbers)
        if self.detached and not allowed:
            words = f"{self.detached} up to it are gone, and no entry orders so many to be detached"
            return Finding(self.last_detached, "dropped", words)
        return None

    def _step(self) -> Finding | None:
        index, entry, held = self.range.size, self.found.first(), self.held.first()
        if entry is None:
            return Finding(index, "truncated", "the log ends before it, but more was signed or hashed")
        leaf = leaf_hash(entry.digest)
        if leaf != held:
            return Finding(index, *self._difference())
        if entry.fault:
            return Finding(index, "changed", entry.fault)
        if entry.missing == "month":
            self.detached, self.last_detached = self.detached + 1, index
        elif entry.missing:
            self.missing.append((index, entry.digest.hex(), entry.missing))
        self.orders.update(entry.orders)
        self.range.append(leaf)
        self.found.take()
        self.held.take()
        return None

    def _difference(self) -> tuple[str, str]:
        entries = [leaf_hash(entry.digest) for entry in self.found(_WINDOW)]
        hashes = self.held(_WINDOW)
        if not hashes:
            return "inserted", "the tree holds no such entry"
        logged, present = entries[0] in hashes, hashes[0] in entries
        if logged and present:
            return "reordered", "another entry was logged here, and this one elsewhere"
        if logged:
            return "dropped", "the entry that was logged here is gone"
        if present:
            return "inserted", "no such entry was logged here"
        return "changed", "it is not the entry that was logged here"

    def _held_is_signed(self, checkpoint: Checkpoint) -> bool:
        """Whether the tree's own hashes give the signed root, so that the entries are to blame."""
        tree = self.range.copy()
        while tree.size < checkpoint.size and (held := self.held.take()) is not None:
            tree.append(held)
        return tree.size == checkpoint.size and tree.root() == checkpoint.root

    def _rewritten(self, checkpoint: Checkpoint, finding: Finding | None) -> Finding:
        """The tree's own hashes do not give the signed root: the entries may, or nothing does."""
        if finding and finding.kind == "truncated":
            return finding
        tree = self.range.copy()
        while tree.size < checkpoint.size and (entry := self.found.take()) is not None:
            tree.append(leaf_hash(entry.digest))
        if finding and tree.size == checkpoint.size and tree.root() == checkpoint.root:
            return Finding(
                finding.index, "changed", "the entry is as signed, but the tree's hash of it is not"
            )
        words = f"an entry from here up to {checkpoint.size - 1} is not the one that was signed"
        return Finding(self.good, "forked", words)


def check_log(
    found: Iterable[Found],
    held: Iterable[bytes],
    checkpoints: Sequence[Checkpoint],
    *,
    start: CompactRange | None = None,
) -> Report:
    """Recompute a log from its entries and name the first bad one.

    `held` are the leaf hashes that the tree keeps, `checkpoints` are opened ones. With `start` the
    iterators begin at that size, and what lies before is taken as given.
    """
    walk = _Walk(found, held, (start or CompactRange()).copy())
    finding = None
    due = sorted((c for c in checkpoints if c.size >= walk.range.size), key=lambda c: c.size)
    for checkpoint in due:
        if finding := walk.to_checkpoint(checkpoint):
            break
    finding = finding or walk.to_end() or walk.unexplained()
    erased = tuple(index for index, _, _ in walk.missing)
    return Report(walk.range.size, len(due), erased, finding, walk.detached)


def read_dump(lines: Iterable[bytes]) -> tuple[list[str], Iterator[Found], Iterator[bytes]]:
    """The checkpoints, entries and tree hashes of a dump, which `gapura audit dump` writes as JSON lines.

    The entries and hashes are to be walked side by side, once. Raises Unproven for a malformed line.
    """
    parsed = (_json_line(line) for line in lines)
    head = next(parsed, {})
    if head.get("gapura_log") != 1:
        raise Unproven("that is no dump of a log: the first line must say gapura_log 1")
    entries: deque[Found] = deque()
    hashes: deque[bytes] = deque()

    def pull(queue: deque[Any]) -> Iterator[Any]:
        while True:
            while not queue:
                line = next(parsed, None)
                if line is None:
                    return
                if "leaf_hashes" in line:
                    joined = base64.b64decode(line["leaf_hashes"])
                    hashes.extend(joined[i : i + _HASH_BYTES] for i in range(0, len(joined), _HASH_BYTES))
                else:
                    entries.append(_dumped(line))
            yield queue.popleft()

    return list(head.get("checkpoints", [])), pull(entries), pull(hashes)


def _dumped(line: dict[str, Any]) -> Found:
    try:
        if "detached" in line:
            return Found(bytes.fromhex(line["detached"]), missing="month")
        texts = (line.get(name) for name in ("entry", "subjects"))
        entry, subjects = (None if text is None else text.encode() for text in texts)
        blind = bytes.fromhex(line.get("blind") or "")
        return Found.of(entry, bytes.fromhex(line.get("sha256", "")), subjects, blind)
    except (AttributeError, TypeError, ValueError):
        return Found(b"", fault="its line cannot be read")


def _json_line(line: bytes) -> dict[str, Any]:
    parsed = None
    with suppress(ValueError):
        parsed = json.loads(line)
    # A line that cannot be read stands for an entry that cannot be read: it is named by its place.
    return parsed if isinstance(parsed, dict) else {"entry": None, "sha256": None}


def check_bundle(
    bundle: dict[str, Any],
    *keys: VerifierKey,
    request: bytes | None = None,
    response: bytes | None = None,
    witnesses: Sequence[VerifierKey] = (),
) -> list[str]:
    """What the bundle proves, sentence by sentence. Raises Unproven at the first thing that it does not."""
    entry = json.loads(bundle["entry"])
    digest = hashlib.sha256(bundle["entry"].encode()).digest()
    proof = InclusionProof.parse(bundle["proof"])
    checkpoint = proof.check(digest, *keys)
    proven = [
        f"Entry {proof.index} of {checkpoint.origin} is in its signed tree of {checkpoint.size} entries.",
        f"The entry speaks of {_spoken_of(entry)}.",
    ]
    _refuse_retold(bundle, entry)
    agreement = bundle.get("agreement")
    if agreement and agreement.get("text") is not None:
        if hashlib.sha256(agreement["text"].encode()).hexdigest() != entry["agreement"]["sha256"]:
            raise Unproven("the agreement's text is not the one that the entry names by its hash")
        proven.append(f"The text of agreement {agreement['id']} is the one that was in force.")
    for name, message in (("request", request), ("response", response)):
        if message is None:
            continue
        if entry.get("kind") == "act":
            raise Unproven(f"the entry is of an administrative act, which has no {name}")
        salted = hashlib.sha256(bytes.fromhex(bundle["salt"]) + message).hexdigest()
        if salted != entry.get(f"{name}_hash"):
            raise Unproven(f"the given {name} is not the one that was logged")
        proven.append(f"The given {name} is, byte for byte, the one that was logged.")
    registered = "the consumer's name, sector and keys, as registered"
    beside = "who uses the account" if entry.get("kind") == "act" else registered
    proven.append(f"Not covered by this proof: {beside}.")
    for witness in witnesses:
        if not checkpoint.signed_by(witness):
            raise Unproven(f"{witness.name} has not cosigned the checkpoint of size {checkpoint.size}")
        proven.append(f"{witness.name} cosigned it: no other history was shown to that witness.")
    return proven


def _spoken_of(entry: Mapping[str, Any]) -> str:
    if entry.get("kind") == "act":
        done = f"{entry['actor']} did {entry['act']} to {entry['object']} at {entry['at']}"
        return f"act {entry['act_id']}: {done}"
    asked = f"{entry['consumer']} asked ({entry['operation']}) at {entry['at']}; {entry['outcome']}"
    return f"exchange {entry['exchange_id']}: {asked}"


def _refuse_retold(bundle: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
    """What the bundle says beside the entry, for people to read, must be what the entry says."""
    given, ruled = bundle.get("agreement") or {}, entry.get("agreement") or {}
    parts = ("id", "version", "sha256")
    told = {
        "consumer": ((bundle.get("consumer") or {}).get("id"), entry.get("consumer")),
        "fields": (bundle.get("fields"), entry.get("fields", {})),
        "agreement": tuple({part: one.get(part) for part in parts} for one in (given, ruled)),
    }
    for part, (said, logged) in told.items():
        if said != logged:
            raise Unproven(f"what the bundle says of the {part} is not what the entry says")


def main(arguments: Sequence[str] | None = None, say: Callable[[str], object] = print) -> int:
    """Check what the arguments name; 0 when it is proven, 1 when it is not."""
    parser = argparse.ArgumentParser(description="Checks evidence of a Gapura gateway, offline.")
    parser.add_argument("what", choices=("bundle", "log"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--key", action="append", required=True, help="the log's, from who you trust")
    parser.add_argument("--checkpoint", type=Path, action="append", default=[], help="kept elsewhere")
    parser.add_argument("--request", type=Path)
    parser.add_argument("--response", type=Path)
    parser.add_argument("--witness", action="append", default=[], help="a key that must have cosigned")
    given = parser.parse_args(arguments)
    try:
        keys = [VerifierKey.parse(text) for text in given.key]
        proven = _bundle(given, keys) if given.what == "bundle" else _log(given, keys)
    except Unproven as reason:
        say(f"NOT PROVEN: {reason}")
        return 1
    except (OSError, ValueError, KeyError, TypeError) as error:
        say(f"NOT PROVEN: {given.file} cannot be read as a {given.what} ({type(error).__name__})")
        return 1
    for sentence in proven:
        say(sentence)
    return 0


def _bundle(given: argparse.Namespace, keys: Sequence[VerifierKey]) -> list[str]:
    return check_bundle(
        json.loads(given.file.read_bytes()),
        *keys,
        request=given.request.read_bytes() if given.request else None,
        response=given.response.read_bytes() if given.response else None,
        witnesses=[VerifierKey.parse(text) for text in given.witness],
    )


def _log(given: argparse.Namespace, keys: Sequence[VerifierKey]) -> list[str]:
    with given.file.open("rb") as lines:
        notes, found, held = read_dump(lines)
        notes += [path.read_text(encoding="utf-8") for path in given.checkpoint]
        report = check_log(found, held, [open_checkpoint(note, *keys) for note in notes])
    if report.finding:
        raise Unproven(str(report.finding))
    erased = f"; erased under an order: {', '.join(map(str, report.erased))}" if report.erased else ""
    apart = f"; detached under an order, hashes alone: {report.detached}" if report.detached else ""
    return [f"{report.entries} entries agree with {report.checkpoints} signed checkpoints{erased}{apart}."]


if __name__ == "__main__":
    sys.exit(main())
