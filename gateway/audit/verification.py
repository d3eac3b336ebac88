"""Checks the log in its database, and writes it out for others to check.

The checking itself is `gateway.audit.verifier`, the same lines that an auditor runs elsewhere; here entries
and tree hashes are read for it, in chunks, as they are. It MUST NOT repair anything.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, and_, case, func, or_, select

from gateway.audit.ledger import tree_size
from gateway.audit.months import attached_from, span_of, within
from gateway.audit.proofs import VerifierKey, open_checkpoint
from gateway.audit.tables import audit_checkpoints, audit_entries, audit_leaves, audit_pending, audit_tiles
from gateway.audit.tree import HASH_BYTES, TILE_WIDTH, folded
from gateway.audit.verifier import Finding, Found, Report, check_log
from gateway.database import Database

_CHUNK = 4_096
Progress = Callable[[int, int], None]


def verify(
    database: Database,
    *keys: VerifierKey,
    first: int = 0,
    last: int | None = None,
    kept_notes: Sequence[str] = (),
    progress: Progress = lambda _done, _total: None,
) -> Report:
    """Recompute the log and name the first thing wrong with it, if anything is.

    All hashes are recomputed up to every signed root; texts are read from entry `first` to `last` only
    (inclusive). `kept_notes` are checkpoints that somebody kept elsewhere: they tell when a database was
    rolled back as a whole. Raises Unproven when a checkpoint is not signed by any of the log's `keys`.
    """
    with database.reading() as connection:
        notes = connection.execute(select(audit_checkpoints.c.note)).scalars().all()
        checkpoints = [open_checkpoint(note, *keys) for note in (*notes, *kept_notes)]
        signed: int = connection.execute(select(func.max(audit_checkpoints.c.size))).scalar() or 0
        total = max(tree_size(connection), signed)
        span = range(first, total if last is None else last + 1)
        found = _counted(_entries(connection, total, span), total, progress)
        report = check_log(found, _leaf_hashes(connection, total), checkpoints)
        finding = report.finding or _inner_hashes(connection) or _unlogged(connection, total)
        return replace(report, finding=finding)


def dump(database: Database, *keys: VerifierKey) -> Iterator[bytes]:
    """The whole log as JSON lines, for the stand-alone verifier: checkpoints, tree hashes, entries.

    `keys` are told for people to compare; nobody trusts a key that comes with the evidence.
    """
    with database.reading() as connection:
        notes = connection.execute(select(audit_checkpoints.c.note).order_by(audit_checkpoints.c.size))
        total = tree_size(connection)
        head = {"gapura_log": 1, "keys": [*map(str, keys)], "checkpoints": list(notes.scalars())}
        yield json.dumps(head).encode() + b"\n"
        hashes = _leaf_hashes(connection, total)
        for number, row in enumerate(_rows(connection, total, range(total))):
            if number % TILE_WIDTH == 0:
                tile = b"".join(itertools.islice(hashes, TILE_WIDTH))
                yield json.dumps({"leaf_hashes": base64.b64encode(tile).decode()}).encode() + b"\n"
            line = {"entry": row.entry} if row.entry is not None else {"sha256": bytes(row.sha256).hex()}
            if row.detached:
                line = {"detached": line["sha256"]}
            if row.subjects is not None:
                line |= {"subjects": row.subjects, "blind": bytes(row.blind or b"").hex()}
            yield json.dumps(line, ensure_ascii=False).encode() + b"\n"


def _entries(connection: Connection, total: int, span: range) -> Iterator[Found]:
    for row in _rows(connection, total, span):
        digest = bytes(row.sha256)
        if row.detached:
            yield Found(digest, missing="month")
            continue
        if row.leaf_index not in span and row.kind != "act":
            yield Found(digest)
            continue
        found = Found.of(
            None if row.entry is None else row.entry.encode(),
            digest,
            None if row.subjects is None else row.subjects.encode(),
            None if row.blind is None else bytes(row.blind),
        )
        if found.digest != digest and not found.fault:
            found = replace(found, fault="its text is not the one whose hash was recorded")
        yield found


def _rows(connection: Connection, total: int, span: range) -> Iterator[Row[Any]]:
    """Leaves in order with what they stand for; texts only in `span`, but those of acts everywhere."""
    told = or_(
        and_(audit_leaves.c.leaf_index >= span.start, audit_leaves.c.leaf_index < span.stop),
        audit_entries.c.kind == "act",
    )
    columns = [audit_entries.c.entry, audit_entries.c.subjects, audit_entries.c.blind]
    chosen = (
        select(
            audit_leaves.c.leaf_index,
            audit_leaves.c.sha256,
            audit_entries.c.kind,
            and_(audit_entries.c.kind.is_(None), audit_leaves.c.sequence < attached_from(connection)).label(
                "detached"
            ),
            *(case((told, column)).label(column.name) for column in columns),
        )
        .outerjoin(
            audit_entries,
            and_(audit_entries.c.sequence == audit_leaves.c.sequence, within(audit_entries.c.sequence)),
        )
        .order_by(audit_leaves.c.leaf_index)
        .limit(_CHUNK)
    )
    numbers = select(audit_leaves.c.sequence).order_by(audit_leaves.c.leaf_index).limit(_CHUNK)
    after = -1
    while True:
        here = and_(audit_leaves.c.leaf_index > after, audit_leaves.c.leaf_index < total)
        rows = connection.execute(chosen.where(here), span_of(connection, numbers.where(here))).all()
        if not rows:
            return
        yield from rows
        after = rows[-1].leaf_index


def _leaf_hashes(connection: Connection, total: int) -> Iterator[bytes]:
    """The tree's own hashes of its leaves; ends early where a tile is missing or short."""
    for index, tile in _tiles(connection, 0):
        for number in range(len(tile) // HASH_BYTES):
            if index * TILE_WIDTH + number >= total:
                return
            yield tile[number * HASH_BYTES : (number + 1) * HASH_BYTES]


def _tiles(connection: Connection, level: int) -> Iterator[tuple[int, bytes]]:
    """The tiles of a level in order, up to the first that is missing."""
    chosen = (
        select(audit_tiles.c.tile_index, audit_tiles.c.hashes)
        .where(audit_tiles.c.level == level)
        .order_by(audit_tiles.c.tile_index)
        .limit(TILE_WIDTH)
    )
    index = 0
    while rows := connection.execute(chosen.where(audit_tiles.c.tile_index >= index)).all():
        for row in rows:
            if row.tile_index != index:
                return
            yield index, bytes(row.hashes)
            index += 1


def _inner_hashes(connection: Connection) -> Finding | None:
    """Compare every hash above the leaves with the tile under it: proofs are made of them."""
    for level in range(1, 8):
        below = (tile for _, tile in _tiles(connection, level - 1) if len(tile) == TILE_WIDTH * HASH_BYTES)
        for index, tile in _tiles(connection, level):
            for number in range(len(tile) // HASH_BYTES):
                under, place = next(below, None), index * TILE_WIDTH + number
                if under is None or folded(under) != tile[number * HASH_BYTES : (number + 1) * HASH_BYTES]:
                    words = f"the tree's inner hash number {place} of level {level} is not that of its leaves"
                    return Finding(place * TILE_WIDTH**level, "changed", words)
    return None


def _unlogged(connection: Connection, total: int) -> Finding | None:
    """An entry that stands in no leaf and waits for none was put there by another hand."""
    count: int = connection.execute(
        select(func.count())
        .select_from(audit_entries)
        .outerjoin(audit_leaves, audit_leaves.c.sequence == audit_entries.c.sequence)
        .outerjoin(audit_pending, audit_pending.c.sequence == audit_entries.c.sequence)
        .where(audit_leaves.c.leaf_index.is_(None), audit_pending.c.sequence.is_(None))
    ).scalar_one()
    return Finding(total, "inserted", f"{count} entries stand beside the tree") if count else None


def _counted(found: Iterator[Found], total: int, progress: Progress) -> Iterator[Found]:
    for number, entry in enumerate(found, start=1):
        yield entry
        if number % _CHUNK == 0 or number == total:
            progress(number, total)
