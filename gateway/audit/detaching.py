"""Detaching old months: what their entries say leaves the log's tables, and their hashes stay for ever.

The tree, its checkpoints and every proof of a later entry hold as before, and the whole log can still be
recomputed, from hashes alone where the months were. The log says who ordered it before anything is gone, so
that whoever checks it finds as many gone as were ordered, and no more. A detached month is a table of its
own that nobody but the schema's owner can read: to be kept elsewhere, and then dropped. It takes the owner of
the tables; whoever serves MUST NOT be able to.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, delete, func, select, text, update

from gateway.audit.entry import act
from gateway.audit.log import BLIND_BYTES, add_entries
from gateway.audit.months import NUMBERS_PER_MONTH, month_of, months_after
from gateway.audit.tables import (
    audit_entries,
    audit_leaves,
    audit_listed,
    audit_months,
    audit_pending,
    audit_subjects_progress,
)
from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.errors import BadInput, Conflict, NotFound
from gateway.overview.tables import traffic_progress

# What is reported and reviewed (semesters, a year's limits, incidents) looks no further back.
KEPT_MONTHS = 24
_DIVIDED = ("audit_entries", "audit_subjects")
_PATIENCE_S = 10
_PAUSE_S = 0.05
_ROWS_AT_A_TIME = 50_000


@dataclass(frozen=True, slots=True)
class Detached:
    """`tables` are what the month was; `entries` is of how many, from the first on, hashes alone are left."""

    tables: tuple[str, ...]
    entries: int


def detach(
    database: Database,
    month: date,
    *,
    order: str,
    actor: str,
    at: datetime,
    integrate: Callable[[], object],
) -> Detached:
    """Detach the oldest month that is still in the log; the very first holds what was before it, too.

    `order` is the reference of the rule or decision, and names no person. Killed in between, an order
    stands that nobody has followed yet: run it again. Blocks. Raises BadInput for a month that is too
    young, NotFound where there are no months, Conflict for one that is not the oldest or not finished, and
    StoreUnavailable.
    """
    if not order.strip():
        raise BadInput("Detaching needs the reference of the rule or decision that it follows.")
    if database.is_sqlite:
        raise NotFound("The log on SQLite is one table, and has no months to detach.")
    if month > months_after(month_of(civil_day(at)), -KEPT_MONTHS):
        raise BadInput(
            f"Expected a month that ended {KEPT_MONTHS - 1} months ago or earlier: later ones are read."
        )
    with database.unit_of_work() as connection:
        end = _end_of_oldest(connection, month)
        last, entries = _finished(connection, end)
        sealed = act(
            actor=actor,
            act="audit.detach",
            object_id=f"months/until/{month:%Y-%m}",
            object_sha256=None,
            reason=order,
            at=at,
            last=last,
            entries=entries,
        ).seal(os.urandom(BLIND_BYTES))
        add_entries(connection, [sealed])
    _wait_for_place(database, sealed.entry.exchange_id, integrate)
    tables = _take_out(database, month, end, at)
    _forget_listed(database, end)
    return Detached(tables, entries)


def _end_of_oldest(connection: Connection, month: date) -> int:
    """The first number after the month, if it is the oldest that is attached."""
    attached = select(audit_months).where(audit_months.c.detached_at.is_(None)).order_by(audit_months.c.month)
    oldest = connection.execute(attached.limit(1)).one()
    if oldest.month != month:
        raise Conflict(
            f"Expected the oldest month of the log, {oldest.month:%Y-%m}: they are detached in order."
        )
    return int(oldest.first_sequence) + NUMBERS_PER_MONTH


def _finished(connection: Connection, end: int) -> tuple[int, int]:
    """The last leaf before a number, and how many there are, if all have been placed, indexed and counted."""
    waiting = select(func.count()).select_from(audit_pending).where(audit_pending.c.sequence < end)
    placed = select(func.max(audit_leaves.c.leaf_index), func.count()).where(audit_leaves.c.sequence < end)
    last, entries = connection.execute(placed).one()
    behind = [
        connection.execute(select(progress.c.leaf_index)).scalar() or 0
        for progress in (audit_subjects_progress, traffic_progress)
    ]
    if connection.execute(waiting).scalar() or (last is not None and min(behind) <= last):
        raise Conflict(
            "Not every entry of the month is placed, indexed and counted yet: is a gateway running?"
        )
    return -1 if last is None else int(last), int(entries)


def _wait_for_place(database: Database, reference: object, integrate: Callable[[], object]) -> None:
    placed = (
        select(audit_leaves.c.leaf_index)
        .join(audit_entries, audit_entries.c.sequence == audit_leaves.c.sequence)
        .where(audit_entries.c.exchange_id == reference)
    )
    until = time.monotonic() + _PATIENCE_S
    while True:
        integrate()  # which does nothing while another process is at it
        with database.reading() as connection:
            if connection.execute(placed).first() is not None:
                return
        if time.monotonic() > until:
            raise Conflict("The order is in the log, but has no place in its tree yet: try again.")
        time.sleep(_PAUSE_S)


def _take_out(database: Database, month: date, end: int, at: datetime) -> tuple[str, ...]:
    tables = []
    with database.unit_of_work() as connection:
        # Everybody waits behind whoever waits for this lock: rather be refused, and run again.
        connection.execute(text("SET LOCAL lock_timeout = '1s'"))
        for whole in _DIVIDED:
            part = _part_up_to(connection, whole, end)
            connection.execute(text(f"ALTER TABLE {whole} DETACH PARTITION {part}"))
            tables.append(part)
        connection.execute(text(f"ALTER TABLE {tables[0]} ALTER COLUMN sequence DROP DEFAULT"))
        connection.execute(update(audit_months).where(audit_months.c.month == month).values(detached_at=at))
    return tuple(tables)


def _part_up_to(connection: Connection, whole: str, end: int) -> str:
    """The partition whose numbers end before `end`."""
    query = text(
        "SELECT parts.oid::regclass::text FROM pg_inherits JOIN pg_class parts ON parts.oid = inhrelid "
        "WHERE inhparent = CAST(:whole AS regclass) AND pg_get_expr(relpartbound, parts.oid) LIKE :bound"
    )
    return str(connection.execute(query, {"whole": whole, "bound": f"%TO ('{end}')"}).scalar_one())


def _forget_listed(database: Database, end: int) -> None:
    """Take them out of what searches read, some at a time."""
    some = select(audit_listed.c.sequence).where(audit_listed.c.sequence < end).limit(_ROWS_AT_A_TIME)
    forget = delete(audit_listed).where(audit_listed.c.sequence.in_(some.scalar_subquery()))
    while True:
        with database.unit_of_work() as connection:
            if not connection.execute(forget).rowcount:
                return
