"""The witness's side: another party follows the log, and cosigns what continues what it saw before.

Everything comes over HTTP from a log that is not trusted: the checkpoint must be signed by the key that the
witness was given, and the tree rebuilt from tiles must continue the last one. What was cosigned is on the
witness's disk before the cosignature leaves, so that no death makes it sign two histories.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.audit.proofs import Checkpoint, VerifierKey, check_consistency, open_checkpoint
from gateway.audit.signing import NoteKey
from gateway.audit.tree import HASH_BYTES, TILE_WIDTH, Tree, tile_path

# path below the log's prefix -> what stands there
Fetch = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Witness:
    """One witness of one log. `state` is the file with the last checkpoint that it cosigned.

    `log_keys` are those of the log that the witness was given and trusts; after a rotation, old and new.
    """

    log_keys: Sequence[VerifierKey]
    own_key: NoteKey
    state: Path

    def cosign(self, fetch: Fetch, at: datetime) -> tuple[Checkpoint, str]:
        """The log's newest checkpoint, and it as a note with the witness's signature line added.

        Raises Unproven when the log is not its own, went back, or shows another history than before.
        """
        note = fetch("checkpoint").decode()
        checkpoint = open_checkpoint(note, *self.log_keys)
        if seen := self._seen():
            if seen.size < checkpoint.size:
                proof = _tree(checkpoint.size, fetch).consistency_proof(seen.size, checkpoint.size)
            else:
                proof = []
            check_consistency(seen.size, checkpoint.size, proof, seen.root, checkpoint.root)
        cosigned = checkpoint.body.decode() + "\n" + self.own_key.line(checkpoint.body, at)
        _replace(self.state, note)
        return checkpoint, cosigned

    def _seen(self) -> Checkpoint | None:
        if not self.state.exists():
            return None
        return open_checkpoint(self.state.read_text(encoding="utf-8"), *self.log_keys)


def _tree(size: int, fetch: Fetch) -> Tree:
    """The tree of a size as the log's tiles give it; what they hold is checked by what it is used for."""

    def read(level: int, index: int) -> bytes:
        width = min(TILE_WIDTH, size // TILE_WIDTH**level - index * TILE_WIDTH)
        return fetch(tile_path(level, index, width))[: width * HASH_BYTES]

    return Tree(size, read)


def _replace(path: Path, text: str) -> None:
    """Put the text where the file is, whole or not at all, on disk before this returns."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
