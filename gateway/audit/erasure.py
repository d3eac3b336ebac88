"""Erasure under an order: an entry's texts are deleted, its hash stays, and the log says who ordered it.

Deleting is enough, and better than destroying a key: nothing of the text was ever put elsewhere, the leaf is
a hash of a hash, and the subjects' seal had a random blind that goes with them, so that not even the holder
of the audit key can try people against what is left. The database's own remains end with its next vacuum,
copies in backups with the backups; after a restore the orders in the log say what to erase again. It MUST
NOT erase an act: orders stay readable.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, func, select, update

from gateway.audit.entry import act
from gateway.audit.listing import forget_listed
from gateway.audit.log import BLIND_BYTES, add_entries
from gateway.audit.subject_index import forget_subjects
from gateway.audit.tables import audit_entries, audit_facets, audit_leaves, audit_listed, audit_pending
from gateway.database import Database
from gateway.errors import BadInput, Conflict, NotFound

Scope = Literal["subjects", "payload"]
ERASE = "audit.erase"
_PATIENCE_S = 10
_PAUSE_S = 0.05


def erase(
    database: Database,
    exchange_id: UUID,
    *,
    scope: Scope,
    order: str,
    actor: str,
    at: datetime,
    integrate: Callable[[], object],
) -> int:
    """Erase the subjects, or the whole payload, of every entry of an exchange; gives how many.

    `order` is the reference of the legal order and names no person. `integrate` gives waiting entries their
    place in the tree (`Sequencer.integrate`): the orders stand there before anything is gone, so that whoever
    checks the log meanwhile finds nothing missing. Killed in between, orders stand that nobody has followed
    yet: run it again. Raises NotFound, or Conflict while an entry has no place in the tree yet.
    """
    if not order.strip():
        raise BadInput("An erasure needs the reference of the order it follows.")
    with database.unit_of_work() as connection:
        rows = _present(connection, exchange_id, scope)
        orders = [
            act(
                actor=actor,
                act=ERASE,
                object_id=f"exchange/{exchange_id}",
                object_sha256=bytes(row.sha256).hex(),
                reason=order,
                at=at,
                scope=scope,
            ).seal(os.urandom(BLIND_BYTES))
            for row in rows
        ]
        add_entries(connection, orders)
    _wait_for_places(database, [sealed.entry.exchange_id for sealed in orders], integrate)
    with database.unit_of_work() as connection:
        _empty(connection, rows, scope)
    return len(rows)


def follow_orders(database: Database) -> int:
    """Erase what an order in the log has erased already and a restored backup brought back; gives how many.

    For a database whose waiting entries all have their place. Safe to repeat.
    """
    ordered = (
        select(audit_entries.c.entry)
        .join(audit_listed, audit_listed.c.sequence == audit_entries.c.sequence)
        .join(audit_facets, audit_facets.c.id == audit_listed.c.facet)
        .where(audit_facets.c.kind == "act", audit_facets.c.what == ERASE)
        .order_by(audit_entries.c.sequence)
    )
    with database.reading() as connection:
        orders = [json.loads(text) for text in connection.execute(ordered).scalars() if text is not None]
    count = 0
    for order in orders:
        with database.unit_of_work() as connection:
            rows = _still_present(connection, order)
            if rows:
                _empty(connection, rows, order["scope"])
            count += len(rows)
    return count


def _still_present(connection: Connection, order: Mapping[str, Any]) -> Sequence[Row[*tuple[Any, ...]]]:
    """The entries that an order names and that are not erased."""
    present = audit_entries.c.subjects if order["scope"] == "subjects" else audit_entries.c.entry
    chosen = (
        select(audit_entries.c.sequence, audit_entries.c.subjects)
        .join(audit_leaves, audit_leaves.c.sequence == audit_entries.c.sequence)
        .where(audit_entries.c.exchange_id == UUID(order["object"].removeprefix("exchange/")))
        .where(audit_leaves.c.sha256 == bytes.fromhex(order["object_sha256"]), present.is_not(None))
    )
    return connection.execute(chosen).all()


def _empty(connection: Connection, rows: Sequence[Row[*tuple[Any, ...]]], scope: Scope) -> None:
    gone = {"subjects": None, "blind": None} | ({"entry": None} if scope == "payload" else {})
    forget_subjects(connection, [(row.sequence, row.subjects) for row in rows if row.subjects])
    if scope == "payload":
        forget_listed(connection, [row.sequence for row in rows])
    connection.execute(
        update(audit_entries)
        .where(audit_entries.c.sequence.in_([row.sequence for row in rows]))
        .values(**gone)
    )


def _present(connection: Connection, exchange_id: UUID, scope: Scope) -> Sequence[Row[*tuple[Any, ...]]]:
    """The entries of an exchange of which there is something to erase."""
    present = audit_entries.c.subjects if scope == "subjects" else audit_entries.c.entry
    chosen = (
        select(audit_entries.c.sequence, audit_entries.c.subjects, audit_leaves.c.sha256)
        .outerjoin(audit_leaves, audit_leaves.c.sequence == audit_entries.c.sequence)
        .where(audit_entries.c.exchange_id == exchange_id, audit_entries.c.kind != "act")
        .where(present.is_not(None))
        .order_by(audit_entries.c.sequence)
    )
    rows = connection.execute(chosen).all()
    if not rows:
        raise NotFound(f"The log has nothing to erase of an exchange {exchange_id}.")
    if any(row.sha256 is None for row in rows):
        raise Conflict("The entry has no place in the tree yet: try again in a few seconds.")
    return rows


def _wait_for_places(database: Database, acts: Sequence[UUID], integrate: Callable[[], object]) -> None:
    waiting = (
        select(func.count())
        .select_from(audit_entries)
        .join(audit_pending, audit_pending.c.sequence == audit_entries.c.sequence)
        .where(audit_entries.c.exchange_id.in_(acts))
    )
    until = time.monotonic() + _PATIENCE_S
    while True:
        integrate()  # which does nothing while another process is at it
        with database.reading() as connection:
            if not connection.execute(waiting).scalar():
                return
        if time.monotonic() > until:
            raise Conflict("The order is in the log, but has no place in its tree yet: try again.")
        time.sleep(_PAUSE_S)
