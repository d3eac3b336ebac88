"""What the log's store knows: tiles, checkpoints and their cosignatures, and where an exchange stands.

Reads only, of what is committed. It MUST NOT show an entry to anybody: who may see one is for the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, func, select

from gateway.audit.proofs import Checkpoint, InclusionProof, VerifierKey
from gateway.audit.signing import cosigned
from gateway.audit.tables import (
    audit_checkpoints,
    audit_cosignatures,
    audit_documents,
    audit_entries,
    audit_leaves,
    audit_tiles,
    audit_withdrawn_witnesses,
    audit_witnesses,
)
from gateway.audit.tree import HASH_BYTES, TILE_WIDTH, Tree
from gateway.database import Database


@dataclass(frozen=True, slots=True)
class Standing:
    """An entry and where it stands: `leaf_index` is None until the sequencer has given it a place."""

    sequence: int
    consumer_id: str | None
    text: str | None
    leaf_index: int | None
    sha256: bytes | None


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A checkpoint with all its signatures, and who cosigned it."""

    size: int
    note: str
    witnesses: tuple[str, ...]


def stored_tree(connection: Connection) -> Tree:
    """The tree as committed, read through its tiles as far as it is asked."""

    def read(level: int, index: int) -> bytes:
        row = connection.execute(
            select(audit_tiles.c.hashes).where(
                audit_tiles.c.level == level, audit_tiles.c.tile_index == index
            )
        ).scalar()
        return bytes(row) if row is not None else b""

    return Tree(tree_size(connection), read)


def tree_size(connection: Connection) -> int:
    """How many leaves have their place."""
    last: int | None = connection.execute(select(func.max(audit_leaves.c.leaf_index))).scalar()
    return 0 if last is None else last + 1


@dataclass(frozen=True, slots=True)
class WithdrawnWitness:
    """A witness's key, and since when (UTC) no cosignature of it is accepted."""

    key: VerifierKey
    withdrawn_at: datetime


def accepted_witnesses(connection: Connection) -> list[VerifierKey]:
    """The keys whose cosignatures are accepted now, by the names of their witnesses."""
    withdrawn = select(audit_withdrawn_witnesses.c.name)
    chosen = select(audit_witnesses.c.key).where(audit_witnesses.c.name.not_in(withdrawn))
    return [
        VerifierKey.parse(key)
        for key in connection.execute(chosen.order_by(audit_witnesses.c.name)).scalars()
    ]


class Ledger:
    """Reads the log of one database. Thread-safe; keeps nothing between calls."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def head(self, *, covering: int = 0) -> SignedHead | None:
        """The newest checkpoint of at least `covering` entries; a cosigned one before an uncosigned one.

        None when no checkpoint covers as much yet. Without `covering` it is simply the newest.
        """
        newest = (
            select(audit_checkpoints.c.size)
            .where(audit_checkpoints.c.size >= covering)
            .order_by(audit_checkpoints.c.size.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            size = None
            if covering:
                size = connection.execute(
                    select(func.max(audit_cosignatures.c.size)).where(audit_cosignatures.c.size >= covering)
                ).scalar()
            if size is None:
                size = connection.execute(newest).scalar()
            return None if size is None else _signed_head(connection, size)

    def head_of(self, size: int) -> SignedHead | None:
        """The checkpoint of exactly this size."""
        with self._database.reading() as connection:
            return _signed_head(connection, size)

    def recent_heads(self, count: int = 20) -> list[tuple[int, tuple[str, ...]]]:
        """The newest checkpoints, each with the names of the witnesses who cosigned it."""
        with self._database.reading() as connection:
            sizes = connection.execute(
                select(audit_checkpoints.c.size).order_by(audit_checkpoints.c.size.desc()).limit(count)
            ).scalars()
            heads = [head for size in sizes if (head := _signed_head(connection, size))]
        return [(head.size, head.witnesses) for head in heads]

    def notes(self) -> list[str]:
        """Every checkpoint of the log, the smallest first, as the log signed them."""
        with self._database.reading() as connection:
            chosen = select(audit_checkpoints.c.note).order_by(audit_checkpoints.c.size)
            return list(connection.execute(chosen).scalars())

    def witnesses(self) -> list[VerifierKey]:
        """The keys whose cosignatures the gateway accepts."""
        with self._database.reading() as connection:
            return accepted_witnesses(connection)

    def withdrawn_witnesses(self) -> list[WithdrawnWitness]:
        """Those whose cosignatures it accepted once; what it holds of them came before the withdrawal."""
        chosen = (
            select(audit_witnesses.c.key, audit_withdrawn_witnesses.c.withdrawn_at)
            .join(audit_withdrawn_witnesses, audit_withdrawn_witnesses.c.name == audit_witnesses.c.name)
            .order_by(audit_witnesses.c.name)
        )
        with self._database.reading() as connection:
            return [WithdrawnWitness(VerifierKey.parse(key), at) for key, at in connection.execute(chosen)]

    def tile(self, level: int, index: int, width: int) -> bytes | None:
        """The first `width` hashes of a tile; None while the signed tree does not need it so wide.

        What no checkpoint covers is not shown: nothing leaves that is not committed to.
        """
        with self._database.reading() as connection:
            if not _covered(connection, level, index, width):
                return None
            row = connection.execute(
                select(audit_tiles.c.hashes).where(
                    audit_tiles.c.level == level, audit_tiles.c.tile_index == index
                )
            ).scalar()
        return bytes(row)[: width * HASH_BYTES] if row is not None else None

    def leaves(self, index: int, width: int) -> list[bytes] | None:
        """The data of the leaves under a tile of level 0: each the SHA-256 of an entry's text."""
        first = index * TILE_WIDTH
        with self._database.reading() as connection:
            if not _covered(connection, 0, index, width):
                return None
            chosen = (
                select(audit_leaves.c.sha256)
                .where(audit_leaves.c.leaf_index.between(first, first + width - 1))
                .order_by(audit_leaves.c.leaf_index)
            )
            return [bytes(digest) for digest in connection.execute(chosen).scalars()]

    def find(self, exchange_id: UUID, kind: str = "outcome") -> Standing | None:
        """The entry of this kind of an exchange (or act), and where it stands."""
        chosen = (
            select(
                audit_entries.c.sequence,
                audit_entries.c.consumer_id,
                audit_entries.c.entry,
                audit_leaves.c.leaf_index,
                audit_leaves.c.sha256,
            )
            .outerjoin(audit_leaves, audit_leaves.c.sequence == audit_entries.c.sequence)
            .where(audit_entries.c.exchange_id == exchange_id, audit_entries.c.kind == kind)
        )
        with self._database.reading() as connection:
            row = connection.execute(chosen).first()
        if row is None:
            return None
        return Standing(row.sequence, row.consumer_id, row.entry, row.leaf_index, row.sha256)

    def proof(self, leaf_index: int) -> InclusionProof | None:
        """The proof that a leaf is in the log, under the best checkpoint; None before one covers it."""
        head = self.head(covering=leaf_index + 1)
        if head is None:
            return None
        with self._database.reading() as connection:
            path = stored_tree(connection).inclusion_proof(leaf_index, head.size)
        return InclusionProof(leaf_index, tuple(path), head.note)

    def consistency(self, first: int, second: int) -> list[bytes]:
        """The proof that the tree of size `second` continues the one of size `first`.

        Raises ValueError for sizes that the tree never had.
        """
        with self._database.reading() as connection:
            return stored_tree(connection).consistency_proof(first, second)

    def document(self, sha256: str) -> str | None:
        """The wording that entries name by this hash; see `gateway.audit.documents`."""
        with self._database.reading() as connection:
            chosen = select(audit_documents.c.text).where(audit_documents.c.sha256 == sha256)
            text: str | None = connection.execute(chosen).scalar()
            return text


def _signed_head(connection: Connection, size: int) -> SignedHead | None:
    note = connection.execute(
        select(audit_checkpoints.c.note).where(audit_checkpoints.c.size == size)
    ).scalar()
    if note is None:
        return None
    chosen = select(audit_cosignatures.c.witness, audit_cosignatures.c.line).where(
        audit_cosignatures.c.size == size
    )
    rows: Sequence[tuple[str, str]] = [
        (row.witness, row.line) for row in connection.execute(chosen.order_by(audit_cosignatures.c.witness))
    ]
    note = cosigned(note, [line for _, line in rows])
    return SignedHead(Checkpoint.parse(note).size, note, tuple(witness for witness, _ in rows))


def _covered(connection: Connection, level: int, index: int, width: int) -> bool:
    signed: int | None = connection.execute(select(func.max(audit_checkpoints.c.size))).scalar()
    needed: int = (index * TILE_WIDTH + width) * TILE_WIDTH**level
    return needed <= (signed or 0)
