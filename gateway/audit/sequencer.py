"""Gives committed entries their place in the tree, and signs what it has come to.

Appending only leaves a leaf in `audit_pending`; whoever runs the sequencer moves leaves into the tree in
order, counts on the way which questions were asked (`gateway.audit.shapes`), lists what was placed for those
who search (`gateway.audit.listing`), and tells whoever follows the log. One sequencer is at work at a time
over all workers and nodes. Each step is one transaction, so a death at any instant leaves the step done or
not begun. It MUST NOT sign a tree that does not continue the last signed one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, and_, bindparam, delete, exists, insert, select, text
from sqlalchemy.dialects import postgresql, sqlite

from gateway.advisory_locks import AdvisoryLock
from gateway.array_literals import of_bytes, of_numbers
from gateway.audit.ledger import stored_tree, tree_size
from gateway.audit.listing import list_placed
from gateway.audit.months import span_of, within
from gateway.audit.placed import Follower, Placed
from gateway.audit.proofs import leaf_hash
from gateway.audit.shapes import count_shapes
from gateway.audit.signing import NoteKey, signed_checkpoint
from gateway.audit.tables import (
    audit_checkpoints,
    audit_entries,
    audit_identity,
    audit_leaves,
    audit_pending,
    audit_tiles,
)
from gateway.database import Database
from gateway.errors import Conflict

# Any constant does; it only has to be the same for every process, and not the one of the migrations.
# One batch holds SQLite's single write lock, and the interpreter while it reads its entries: some ten
# milliseconds, which an append can wait.
_BATCH = 512
_PAUSE_S = 0.5
_CHECKPOINT_EVERY = timedelta(seconds=2)
_ONLY = 1
_OF_ENTRY = ("kind", "exchange_id", "at", "consumer_id", "entry", "subjects")
_NEXT = select(audit_pending.c.sequence).order_by(audit_pending.c.sequence)
_WAITING = (
    select(
        audit_pending.c.sequence,
        audit_pending.c.sha256,
        *(audit_entries.c[name] for name in _OF_ENTRY),
    )
    .outerjoin(
        audit_entries,
        and_(audit_entries.c.sequence == audit_pending.c.sequence, within(audit_entries.c.sequence)),
    )
    .where(within(audit_pending.c.sequence))
    .order_by(audit_pending.c.sequence)
)

_TAKE_ONE = delete(audit_pending).where(audit_pending.c.sequence == bindparam("placed"))
_STORE_ARRAYS = text(
    "INSERT INTO audit_leaves (leaf_index, sequence, sha256) "
    "SELECT CAST(:first AS bigint) + number - 1, sequence, sha256 "
    "FROM unnest(CAST(:sequences AS bigint[]), CAST(:digests AS bytea[])) "
    "WITH ORDINALITY AS placed (sequence, sha256, number)"
)
_TAKE_ARRAY = text("DELETE FROM audit_pending WHERE sequence = ANY(CAST(:sequences AS bigint[]))")


class LogForked(Conflict):
    """The tree does not continue its last signed checkpoint: somebody changed it, or an old copy is back."""

    code = "log_forked"


def log_origin(database: Database, proposed: str) -> str:
    """The log's name: `proposed` if it has none yet, for ever after what it was first given."""
    with database.unit_of_work() as connection:
        chosen = select(audit_identity.c.origin)
        if (origin := connection.execute(chosen).scalar()) is None:
            dialect = sqlite if database.is_sqlite else postgresql
            first = dialect.insert(audit_identity).values(id=_ONLY, origin=proposed)
            connection.execute(first.on_conflict_do_nothing())
            origin = connection.execute(chosen).scalar_one()
    return str(origin)


class Signers(Protocol):
    """Whoever knows by which keys a checkpoint is signed."""

    def signers(self, connection: Connection, at: datetime) -> Sequence[NoteKey]:
        """The keys of this moment, at least one, all of the same log."""
        ...


class Sequencer:
    """Integrates and signs. Any number of processes may run one on the same database."""

    def __init__(self, database: Database, keys: Signers, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock

    async def run(self, failed: Callable[[BaseException], None], followers: Sequence[Follower] = ()) -> None:
        """Step for ever, a short pause between; `failed` is told what went wrong, and the next step tries."""
        while True:
            try:
                while not await asyncio.to_thread(self.step, followers):
                    pass
            except Exception as error:  # noqa: BLE001 - a database outage must not end the sequencer
                failed(error)
            await asyncio.sleep(_PAUSE_S)

    def step(self, followers: Sequence[Follower] = ()) -> bool:
        """Integrate a batch of what waits; says whether nothing was left, and has then signed.

        It signs if the last checkpoint is old enough. Blocks. Raises StoreUnavailable, LogForked.
        """
        if self.integrate(followers=followers) == _BATCH:
            return False
        self.sign(not_after=self._clock() - _CHECKPOINT_EVERY)
        return True

    def integrate(self, limit: int = _BATCH, followers: Sequence[Follower] = ()) -> int:
        """Move up to `limit` leaves into the tree; returns how many, 0 when another sequencer is at it.

        In the same transaction `followers` take in what was placed.
        """
        with self._database.reading() as connection:
            if not connection.execute(select(exists(select(audit_pending.c.sequence)))).scalar():
                return 0
        with self._alone() as connection:
            if connection is None:
                return 0
            rows = connection.execute(_WAITING.limit(limit), span_of(connection, _NEXT.limit(limit))).all()
            if rows:
                first = self._place(connection, [(sequence, bytes(digest)) for sequence, digest, *_ in rows])
                placed = [
                    Placed.read(sequence, kind, *of_entry)
                    for sequence, _, kind, *of_entry in rows
                    if kind  # an entry that is gone is for the verifier to find
                ]
                count_shapes(connection, placed)
                list_placed(connection, placed)
                for follower in followers:
                    follower.follow(connection, first, first + len(rows), placed)
            return len(rows)

    def sign(self, *, not_after: datetime | None = None) -> bool:
        """Sign the tree as it is, if it has grown; returns whether a checkpoint was made.

        With `not_after` only if the last checkpoint is from then or earlier. Raises LogForked.
        """
        with self._alone() as connection:
            if connection is None:
                return False
            size, last = tree_size(connection), _last_checkpoint(connection)
            if not size or (last and (last.size == size or (not_after is not None and last.at > not_after))):
                return False
            tree = stored_tree(connection)
            if last and (last.size > size or tree.root(last.size) != bytes(last.root)):
                raise LogForked(
                    f"The audit tree of {size} entries does not continue its checkpoint of {last.size}. "
                    "Nothing is signed any more: run `gapura audit verify` and keep the database as it is."
                )
            now, root = self._clock(), tree.root()
            note = signed_checkpoint(self._keys.signers(connection, now), size, root, now)
            connection.execute(insert(audit_checkpoints).values(size=size, at=now, root=root, note=note))
            return True

    def _place(self, connection: Connection, rows: Sequence[tuple[int, bytes]]) -> int:
        """Put them behind the tree's leaves; gives the first one's place."""
        tree = stored_tree(connection)
        first = tree.size
        tree.append(leaf_hash(digest) for _, digest in rows)
        # Of the waiting ones by their numbers: a smaller one than these may have been committed meanwhile.
        if self._database.is_sqlite:
            leaves = [
                {"leaf_index": first + number, "sequence": sequence, "sha256": digest}
                for number, (sequence, digest) in enumerate(rows)
            ]
            connection.execute(insert(audit_leaves), leaves)
            connection.execute(_TAKE_ONE, [{"placed": sequence} for sequence, _ in rows])
        else:
            sequences = of_numbers(sequence for sequence, _ in rows)
            digests = of_bytes(digest for _, digest in rows)
            connection.execute(_STORE_ARRAYS, {"first": first, "sequences": sequences, "digests": digests})
            connection.execute(_TAKE_ARRAY, {"sequences": sequences})
        dialect = sqlite if self._database.is_sqlite else postgresql
        store = dialect.insert(audit_tiles)
        store = store.on_conflict_do_update(
            index_elements=[audit_tiles.c.level, audit_tiles.c.tile_index],
            set_={"hashes": store.excluded.hashes},
        )
        connection.execute(
            store,
            [
                {"level": level, "tile_index": index, "hashes": hashes}
                for (level, index), hashes in tree.grown.items()
            ],
        )
        return first

    @contextmanager
    def _alone(self) -> Iterator[Connection | None]:
        """A transaction that no other sequencer is in; None where one is at work. SQLite has one writer."""
        with self._database.unit_of_work() as connection:
            if self._database.is_sqlite:
                yield connection
                return
            lock = text(f"SELECT pg_try_advisory_xact_lock({AdvisoryLock.LOG_INTEGRATION:d})")
            yield connection if connection.execute(lock).scalar() else None


def _last_checkpoint(connection: Connection) -> Any:
    return connection.execute(
        select(audit_checkpoints.c.size, audit_checkpoints.c.at, audit_checkpoints.c.root)
        .order_by(audit_checkpoints.c.size.desc())
        .limit(1)
    ).first()
