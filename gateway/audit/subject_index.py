"""Which entries speak of whom: what makes a person's access history a look-up instead of a reading of years.

Entries are indexed after the tree has placed them, in the order of their leaves, so that appending pays
nothing for it and a death at any instant leaves the index where it was. A reader is never told less than was
committed: it looks through what waits as well. The index knows people by the log's keyed hashes alone, can be
made anew from the entries, and MUST NOT be evidence: the sealed entries are.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, Select, delete, func, insert, or_, select, update
from sqlalchemy import text as sql
from sqlalchemy.dialects import postgresql, sqlite

from gateway.array_literals import of_bytes, of_numbers
from gateway.audit.months import span_of, within
from gateway.audit.placed import Placed
from gateway.audit.tables import (
    audit_entries,
    audit_leaves,
    audit_pending,
    audit_subjects,
    audit_subjects_progress,
)
from gateway.database import Database
from gateway.errors import NotFound, Retryable
from policies.dictionary import Text

_ONLY = 1
_PAUSE_S = 1.0
# One step holds SQLite's single write lock: an entry has up to a thousand subjects, most have one.
_ENTRIES_PER_STEP = 4_096
_SUBJECTS_PER_STEP = 4_096
_ENTRIES_AT_A_TIME = 128
# As many subjects with their outcomes; the sequencer is not held up by more.
_TEXT_OF_A_FOLLOWER = 64 * _SUBJECTS_PER_STEP
_DIGESTS_PER_DELETE = 500
# What a reader may catch up with by itself; more is behind only after a migration, and takes a while.
_STEPS_OF_A_READER = 20


@dataclass(frozen=True, slots=True)
class Mention:
    """One entry that speaks of a subject. `text` is None once it was erased."""

    sequence: int
    exchange_id: UUID
    kind: str
    at: datetime
    consumer_id: str | None
    text: str | None
    outcome: str | None


class SubjectIndex:
    """Finds the entries of a subject by its keyed hash. Thread-safe; any number of processes may run one."""

    def __init__(self, database: Database, *, may_write: bool = True) -> None:
        """Of a replica, which takes no writes, only `mentions` and what else reads can be called."""
        self._database = database
        self._may_write = may_write

    async def run(self, failed: Callable[[BaseException], None]) -> None:
        """Index for ever what is placed, a short pause between; `failed` is told what went wrong."""
        while True:
            try:
                while not await asyncio.to_thread(self.step):
                    pass
            except Exception as error:  # noqa: BLE001 - a database outage must not end the index
                failed(error)
            await asyncio.sleep(_PAUSE_S)

    def step(self) -> bool:
        """Index the next placed entries; says whether nothing was left. Blocks. Raises StoreUnavailable."""
        with self._database.reading() as connection:
            if _indexed(connection) >= _placed(connection):
                return True
        # Not durable: a step that a power cut takes is done again.
        with self._database.unit_of_work(durable=False) as connection:
            first = _lock_progress(connection)
            subjects, behind = _next_subjects(connection, first)
            _store(connection, subjects)
            connection.execute(update(audit_subjects_progress).values(leaf_index=behind))
            return behind >= _placed(connection)

    def follow(self, connection: Connection, first: int, end: int, placed: Sequence[Placed]) -> None:
        """Index what was placed, unless it is much, or earlier leaves wait for it. See `Follower`."""
        if sum(len(one.subjects or "") for one in placed) > _TEXT_OF_A_FOLLOWER:
            return
        if _lock_progress_at(connection, first):
            rows = [row for one in placed for row in _rows_of(one.sequence, one.subjects)]
            _store(connection, rows)
            connection.execute(update(audit_subjects_progress).values(leaf_index=end))

    def rebuild(self) -> None:
        """Forget the index, so that it is made anew from the entries."""
        with self._database.unit_of_work() as connection:
            _lock_progress(connection)
            connection.execute(delete(audit_subjects))
            connection.execute(update(audit_subjects_progress).values(leaf_index=0))

    def mentions(self, hashes: Sequence[str], *, limit: int, before: int | None = None) -> Sequence[Mention]:
        """The newest entries that speak of any of these hashes, the newest first, numbered below `before`.

        An intent whose exchange has an outcome is left to the outcome. Everything committed when this began
        is found. Of an entry that speaks of several hashes, the first one's outcome is given. Raises
        Retryable while the index is far behind.
        """
        with self._database.reading() as connection:
            # In this order: what leaves the waiting line meanwhile has its place, and is not indexed yet.
            waiting = [one for one in _waiting(connection, hashes) if before is None or one.sequence < before]
            indexed_to, placed = _indexed(connection), _placed(connection)
            complete = indexed_to >= placed
            if not complete and not self._may_write and placed - indexed_to <= _ENTRIES_PER_STEP:
                unindexed = _unindexed(connection, hashes, indexed_to)
                waiting += [one for one in unindexed if before is None or one.sequence < before]
                complete = True
            indexed = _found(connection, hashes, before, limit) if complete else {}
        if not complete:
            self._catch_up()
            with self._database.reading() as connection:
                indexed = _found(connection, hashes, before, limit)
        found = {one.sequence: one for one in waiting} | indexed
        newest = sorted(found.values(), key=lambda one: one.sequence, reverse=True)
        return newest[:limit]

    def sequence_of(self, exchange_id: UUID) -> int:
        """The number of an exchange's or act's last entry, to go on reading before it. Raises NotFound."""
        query = select(func.max(audit_entries.c.sequence)).where(audit_entries.c.exchange_id == exchange_id)
        with self._database.reading() as connection:
            sequence: int | None = connection.execute(query).scalar()
        if sequence is None:
            raise NotFound(
                Text(
                    "Log tidak mempunyai catatan dengan nomor ini.", "The log has no entry of this reference."
                )
            )
        return sequence

    def sources_asked(self, exchange_ids: Sequence[UUID]) -> dict[UUID, tuple[str, ...]]:
        """The outside sources that these exchanges asked, as their intents say."""
        query = select(audit_entries.c.exchange_id, audit_entries.c.entry).where(
            audit_entries.c.exchange_id.in_(exchange_ids), audit_entries.c.kind == "intent"
        )
        with self._database.reading() as connection:
            return {
                exchange_id: tuple(json.loads(text)["sources"])
                for exchange_id, text in connection.execute(query)
                if text is not None
            }

    def _catch_up(self) -> None:
        for _ in range(_STEPS_OF_A_READER if self._may_write else 0):
            if self.step():
                return
        raise Retryable(
            "The index of access histories is being made; try again in a few minutes.",
            code="history_not_ready",
        )


def forget_subjects(connection: Connection, erased: Iterable[tuple[int, str]]) -> None:
    """Take entries out of the index, whose subjects (their JSON text) the caller's transaction erases.

    MUST be called before the erasing, so that no other process indexes them in between.
    """
    _lock_progress(connection)
    for sequence, text in erased:
        digests = [digest for digest, _ in _subjects_of(text)]
        for start in range(0, len(digests), _DIGESTS_PER_DELETE):
            connection.execute(
                delete(audit_subjects).where(
                    audit_subjects.c.subject_hash.in_(digests[start : start + _DIGESTS_PER_DELETE]),
                    audit_subjects.c.sequence == sequence,
                )
            )


_ENTRY = select(
    audit_entries.c.sequence,
    audit_entries.c.exchange_id,
    audit_entries.c.kind,
    audit_entries.c.at,
    audit_entries.c.consumer_id,
    audit_entries.c.entry,
)
_outcomes = audit_entries.alias("outcomes")
# A scalar subquery, because PostgreSQL may read the whole log to answer an EXISTS within an OR.
_SPEAKS_FOR_ITSELF = or_(
    audit_entries.c.kind != "intent",
    select(_outcomes.c.sequence)
    .where(_outcomes.c.exchange_id == audit_entries.c.exchange_id, _outcomes.c.kind == "outcome")
    .scalar_subquery()
    .is_(None),
)


def _found(connection: Connection, hashes: Sequence[str], end: int | None, limit: int) -> dict[int, Mention]:
    query: Select[Any] = (
        _ENTRY.add_columns(audit_subjects.c.outcome, audit_subjects.c.subject_hash)
        .join(audit_subjects, audit_subjects.c.sequence == audit_entries.c.sequence)
        .where(audit_subjects.c.subject_hash.in_([bytes.fromhex(one) for one in hashes]))
        .where(_SPEAKS_FOR_ITSELF)
        .order_by(audit_subjects.c.sequence.desc())
        .limit(limit * len(hashes))  # one entry may speak of each
    )
    if end is not None:
        query = query.where(audit_subjects.c.sequence < end)
    found: dict[int, Mention] = {}
    rows = connection.execute(query).all()
    for row in sorted(rows, key=lambda row: hashes.index(bytes(row.subject_hash).hex())):
        *mention, _ = row
        found.setdefault(row.sequence, Mention(*mention))
    return found


def _waiting(connection: Connection, hashes: Sequence[str]) -> Iterator[Mention]:
    """Entries that the tree has not placed yet: a handful, unless no gateway runs."""
    return _read_through(
        connection, hashes, _ENTRY.join(audit_pending, audit_pending.c.sequence == audit_entries.c.sequence)
    )


def _unindexed(connection: Connection, hashes: Sequence[str], first: int) -> Iterator[Mention]:
    """Entries from a leaf on, of which the index says nothing yet."""
    placed = _ENTRY.join(audit_leaves, audit_leaves.c.sequence == audit_entries.c.sequence)
    return _read_through(connection, hashes, placed.where(audit_leaves.c.leaf_index >= first))


def _read_through(connection: Connection, hashes: Sequence[str], entries: Select[Any]) -> Iterator[Mention]:
    query = entries.add_columns(audit_entries.c.subjects).where(
        or_(*(audit_entries.c.subjects.contains(one) for one in hashes)), _SPEAKS_FOR_ITSELF
    )
    wanted = [bytes.fromhex(one) for one in hashes]
    for *entry, subjects in connection.execute(query):
        outcomes = dict(_subjects_of(subjects))
        outcome = next((outcomes[digest] for digest in wanted if digest in outcomes), None)
        yield Mention(*[*entry, outcome])


# Number of the entry, keyed hash, outcome.
_Row = tuple[int, bytes, str | None]


def _next_subjects(connection: Connection, first: int) -> tuple[list[_Row], int]:
    """The rows for the next leaves, and the first leaf that they leave for later."""
    # Not by the entries that there are: a rebuilding passes over months that were detached.
    end = min(first + _ENTRIES_PER_STEP, _placed(connection))
    leaves = audit_leaves.c.leaf_index.between(first, end - 1)
    query = (
        select(audit_leaves.c.leaf_index, audit_leaves.c.sequence, audit_entries.c.subjects)
        .join(audit_entries, audit_entries.c.sequence == audit_leaves.c.sequence)
        .where(leaves, within(audit_entries.c.sequence))
        .order_by(audit_leaves.c.leaf_index)
    )
    span = span_of(connection, select(audit_leaves.c.sequence).where(leaves))
    rows: list[_Row] = []
    with closing(connection.execute(query, span).yield_per(_ENTRIES_AT_A_TIME)) as entries:
        for leaf_index, sequence, subjects in entries:
            if len(rows) >= _SUBJECTS_PER_STEP:
                return rows, leaf_index
            rows += _rows_of(sequence, subjects)
    return rows, max(first, end)


def _rows_of(sequence: int, subjects: str | None) -> Iterator[_Row]:
    return ((sequence, digest, outcome) for digest, outcome in _subjects_of(subjects))


def _store(connection: Connection, rows: Sequence[_Row]) -> None:
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        names = ("sequence", "subject_hash", "outcome")
        connection.execute(insert(audit_subjects), [dict(zip(names, row, strict=True)) for row in rows])
        return
    sequences, digests, outcomes = zip(*rows, strict=True)
    columns = {"sequences": of_numbers(sequences), "digests": of_bytes(digests), "outcomes": list(outcomes)}
    connection.execute(_STORE_ARRAYS, columns)


_STORE_ARRAYS = sql(
    "INSERT INTO audit_subjects (subject_hash, sequence, outcome) SELECT * FROM "
    "unnest(CAST(:digests AS bytea[]), CAST(:sequences AS bigint[]), CAST(:outcomes AS text[]))"
)


def _subjects_of(text: str | None) -> Iterator[tuple[bytes, str | None]]:
    """Hash and outcome of each subject of an entry, once, however often it was asked about."""
    known: dict[str, str | None] = {}
    for subject in orjson.loads(text) if text else ():
        digest, outcome = subject if isinstance(subject, list) else (subject, None)
        known.setdefault(digest, outcome)
    return ((bytes.fromhex(digest), outcome) for digest, outcome in known.items())


def _indexed(connection: Connection) -> int:
    return connection.execute(select(audit_subjects_progress.c.leaf_index)).scalar() or 0


def _placed(connection: Connection) -> int:
    """How many leaves there are; they are numbered without a gap."""
    last: int | None = connection.execute(select(func.max(audit_leaves.c.leaf_index))).scalar()
    return 0 if last is None else last + 1


def _lock_progress_at(connection: Connection, leaf_index: int) -> bool:
    """Whether the index is at this leaf, and nobody else is at it: then it is the caller's."""
    if not leaf_index:
        _begin_progress(connection)
    at = select(audit_subjects_progress.c.leaf_index).with_for_update(skip_locked=True)
    return connection.execute(at).scalar() == leaf_index


def _lock_progress(connection: Connection) -> int:
    """Where the index is; no other transaction moves it before this one ends."""
    _begin_progress(connection)
    locked = select(audit_subjects_progress.c.leaf_index).with_for_update()
    return int(connection.execute(locked).scalar_one())


def _begin_progress(connection: Connection) -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    begin = dialect.insert(audit_subjects_progress).values(id=_ONLY, leaf_index=0)
    connection.execute(begin.on_conflict_do_nothing())
