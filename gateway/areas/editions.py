"""Which editions and layers the store holds, and which of them are in force on a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from connectors.big.codes import LEVELS, Edition, Level
from gateway.areas.tables import area_editions, area_layers
from gateway.database import Database


@dataclass(frozen=True, slots=True)
class Layer:
    """One level of an edition, as it was imported last. `source` is a map server's host or a file's name."""

    edition: Edition
    level: Level
    source: str
    areas: int
    imported_at: datetime


def read_editions(connection: Connection) -> list[Edition]:
    """Every edition, the oldest first."""
    columns = (area_editions.c.name, area_editions.c.valid_from, area_editions.c.valid_until)
    rows = connection.execute(select(*columns).order_by(area_editions.c.valid_from))
    return [Edition(*row) for row in rows]


def levels_of(connection: Connection, edition: Edition) -> frozenset[Level]:
    """The levels that an edition has a layer of."""
    held = select(area_layers.c.level).where(area_layers.c.edition == edition.name)
    return frozenset(connection.execute(held).scalars())


def layers(database: Database) -> list[Layer]:
    """Every layer, by edition from the oldest and by level from provinces down. Raises StoreUnavailable."""
    with database.reading() as connection:
        editions = {edition.name: edition for edition in read_editions(connection)}
        rows = connection.execute(select(area_layers)).all()
    found = [Layer(editions[row.edition], row.level, row.source, row.areas, row.imported_at) for row in rows]
    return sorted(found, key=lambda one: (one.edition.valid_from, LEVELS.index(one.level)))
