"""The region of a point, per level, by the edition that is in force on a day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import shapely
from sqlalchemy import Connection, select

from connectors.big.areas import Area
from connectors.big.codes import LEVELS, Edition, Level, edition_on
from connectors.big.index import RegionIndex
from gateway.areas.editions import levels_of, read_editions
from gateway.areas.tables import areas
from gateway.database import Database
from gateway.errors import BadInput

# As `connectors.big.areas` believes coordinates of Indonesia; swapped axes fall outside.
_LONGITUDES, _LATITUDES = (90.0, 145.0), (-15.0, 10.0)


@dataclass(frozen=True, slots=True)
class Located:
    """What one level says of a point: no region at sea, two or more on a border, each code with its name."""

    level: Level
    edition: Edition
    regions: tuple[tuple[str, str], ...]


def locate(database: Database, longitude: float, latitude: float, day: date) -> list[Located]:
    """The region of a point (WGS 84, degrees) on a day, for each level that an edition then in force has.

    Of several editions in force, the one that began last and has the level. Raises BadInput for a point far
    from Indonesia, StoreUnavailable.
    """
    if not (_LONGITUDES[0] <= longitude <= _LONGITUDES[1] and _LATITUDES[0] <= latitude <= _LATITUDES[1]):
        raise BadInput(
            "The point is far from Indonesia: longitude comes first, 90 to 145, then latitude, -15 to 10."
        )
    with database.reading() as connection:
        return [
            Located(level, edition, _claims(connection, edition, level, longitude, latitude))
            for level, edition in _in_force(connection, day)
        ]


def _in_force(connection: Connection, day: date) -> Iterator[tuple[Level, Edition]]:
    held = {edition: levels_of(connection, edition) for edition in read_editions(connection)}
    for level in LEVELS:
        edition = edition_on((one for one, levels in held.items() if level in levels), day)
        if edition is not None:
            yield level, edition


def _claims(
    connection: Connection, edition: Edition, level: Level, longitude: float, latitude: float
) -> tuple[tuple[str, str], ...]:
    near = select(areas.c.code, areas.c.name, areas.c.as_of, areas.c.geometry).where(
        areas.c.edition == edition.name,
        areas.c.level == level,
        areas.c.west <= longitude,
        areas.c.east >= longitude,
        areas.c.south <= latitude,
        areas.c.north >= latitude,
    )
    found = {
        row.code: Area(row.code, row.name, level, shapely.from_wkb(row.geometry), edition.name, row.as_of)
        for row in connection.execute(near)
    }
    (codes,) = RegionIndex(found.values()).claims_on([longitude], [latitude])
    return tuple((code, found[code].name) for code in codes)
