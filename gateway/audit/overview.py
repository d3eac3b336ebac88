"""How the log stands: its size, its newest signed checkpoints, and who cosigned them when. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from gateway.audit.ledger import tree_size
from gateway.audit.tables import (
    audit_checkpoints,
    audit_cosignatures,
    audit_pending,
    audit_withdrawn_witnesses,
    audit_witnesses,
)
from gateway.database import Database


@dataclass(frozen=True, slots=True)
class Cosigned:
    """That a witness cosigned a checkpoint, and when its cosignature came (UTC)."""

    witness: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Head:
    """A signed checkpoint: how many entries it covers, since when, and its cosignatures."""

    size: int
    at: datetime
    root: str
    cosignatures: tuple[Cosigned, ...]


@dataclass(frozen=True, slots=True)
class WitnessStanding:
    """A witness that is known here, and the last checkpoint that it cosigned, if any.

    Since `withdrawn_at`, if that is said, nothing of it is accepted any more.
    """

    name: str
    key: str
    added_at: datetime
    size: int | None
    at: datetime | None
    withdrawn_at: datetime | None


@dataclass(frozen=True, slots=True)
class LogOverview:
    """`entries` have their place in the tree, `waiting` ones get it within a second; `heads` newest first."""

    entries: int
    waiting: int
    heads: Sequence[Head]
    witnesses: Sequence[WitnessStanding]


def overview(database: Database, count: int = 10) -> LogOverview:
    """The log as it stands, with its newest `count` checkpoints. Blocks; raises StoreUnavailable."""
    with database.reading() as connection:
        waiting = connection.execute(select(func.count()).select_from(audit_pending)).scalar_one()
        return LogOverview(tree_size(connection), waiting, _heads(connection, count), _witnesses(connection))


def _heads(connection: Connection, count: int) -> list[Head]:
    one = audit_checkpoints.c
    chosen = select(one.size, one.at, one.root).order_by(one.size.desc()).limit(count)
    rows = connection.execute(chosen).all()
    sizes = [row.size for row in rows]
    by_size: dict[int, list[Cosigned]] = {size: [] for size in sizes}
    of_sizes = select(audit_cosignatures).where(audit_cosignatures.c.size.in_(sizes))
    for row in connection.execute(of_sizes.order_by(audit_cosignatures.c.witness)):
        by_size[row.size].append(Cosigned(row.witness, row.at))
    return [Head(row.size, row.at, bytes(row.root).hex(), tuple(by_size[row.size])) for row in rows]


def _witnesses(connection: Connection) -> list[WitnessStanding]:
    one = audit_cosignatures
    # The newest first, and only the first: a witness of years has cosigned hundreds of thousands.
    last = (
        select(one.c.size)
        .where(one.c.witness == audit_witnesses.c.name)
        .order_by(one.c.size.desc())
        .limit(1)
        .scalar_subquery()
    )
    found = audit_cosignatures.alias("found")
    chosen = (
        select(audit_witnesses, found.c.size, found.c.at, audit_withdrawn_witnesses.c.withdrawn_at)
        .select_from(audit_witnesses)
        .outerjoin(audit_withdrawn_witnesses, audit_withdrawn_witnesses.c.name == audit_witnesses.c.name)
        .outerjoin(found, (found.c.witness == audit_witnesses.c.name) & (found.c.size == last))
        .order_by(audit_witnesses.c.name)
    )
    return [WitnessStanding(*row) for row in connection.execute(chosen)]
