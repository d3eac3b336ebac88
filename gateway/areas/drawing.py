"""Borders as a browser draws them: GeoJSON of one level, simplified until it is small enough to be sent.

Neighbours keep their common border, islets that nobody could see on the screen are dropped, and no region is
dropped whole. MUST NOT be used to say where a point lies: `locating` does, from the borders as imported.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import orjson
import shapely
from sqlalchemy import Connection, or_, select

from connectors.big.codes import LEVELS, WIDTHS, Edition, edition_on
from gateway.areas.editions import levels_of, read_editions
from gateway.areas.tables import area_layers, areas
from gateway.database import Database
from gateway.errors import NotFound
from gateway.registry.tables import regions

DrawnLevel = Literal["province", "regency"]
MOST_BYTES = 1_200_000
# Part of every ETag: another number where the same borders are drawn otherwise.
_WAY = 1
# Of a whole country on a screen 1 000 pixels wide, a pixel is 0.05 degrees; of a province, a tenth of it.
_FIRST_TOLERANCE_DEG = {True: 0.01, False: 0.001}
_DECIMALS = {True: 3, False: 4}
# A part is dropped where it is smaller than a square of so many tolerances.
_ISLET_SIDES = 2.0
_MOST_KEPT = 48


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is to be drawn: a level of the edition in force, of the country or of a province.

    `drawn_from` is the level that the map has: provinces are put together from regencies where need be.
    `mark` changes whenever the drawing does.
    """

    edition: Edition
    level: DrawnLevel
    drawn_from: DrawnLevel
    province: str | None
    mark: str


class Drawings:
    """Draws, and keeps what it drew as long as nothing of it changes. Blocks. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._drawing = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def of(self, level: DrawnLevel, province: str | None, day: date) -> Drawing:
        """What the borders of a level are drawn from on a day. Raises NotFound where none are imported."""
        with self._database.reading() as connection:
            held = {edition: levels_of(connection, edition) for edition in read_editions(connection)}
            ways: tuple[DrawnLevel, ...] = ("province", "regency") if level == "province" else ("regency",)
            for drawn_from in ways:
                edition = edition_on((one for one, levels in held.items() if drawn_from in levels), day)
                if edition is not None:
                    revision = _revision(connection, edition, drawn_from)
                    said = f"{_WAY} {edition.name} {drawn_from} {revision} {level} {province}"
                    mark = hashlib.sha256(said.encode()).hexdigest()[:20]
                    return Drawing(edition, level, drawn_from, province, mark)
        raise NotFound(
            "No borders are imported: run `gapura areas import big --level regency`.", code="no_areas"
        )

    def draw(self, drawing: Drawing) -> bytes:
        """The GeoJSON: a feature for each region with its `code` and `name`, none larger than MOST_BYTES."""
        with self._drawing:  # who asks meanwhile for the same waits for it, rather than drawing too
            if drawing.mark not in self._kept:
                self._kept[drawing.mark] = self._drawn(drawing)
                if len(self._kept) > _MOST_KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(drawing.mark)
            return self._kept[drawing.mark]

    def _drawn(self, drawing: Drawing) -> bytes:
        with self._database.reading() as connection:
            rows = connection.execute(_areas_of(drawing)).all()
            named = regions.c.valid_to.is_(None), regions.c.level == LEVELS.index(drawing.level) + 1
            known = connection.execute(select(regions.c.code, regions.c.name).where(*named))
            names = {row.code: row.name for row in known}
        surfaces = shapely.from_wkb([row.geometry for row in rows])
        codes = [row.code[: WIDTHS[drawing.level]] for row in rows]
        if drawing.level == drawing.drawn_from:
            names |= {row.code: row.name for row in rows}
        country = drawing.province is None
        tolerance = _FIRST_TOLERANCE_DEG[country]
        while True:
            simple = shapely.coverage_simplify(_seen(surfaces, tolerance), tolerance)
            content = _geojson(drawing, _joined(codes, simple), names, _DECIMALS[country])
            if len(content) <= MOST_BYTES:
                return content
            tolerance *= 2


def _revision(connection: Connection, edition: Edition, level: DrawnLevel) -> int:
    of_layer = area_layers.c.edition == edition.name, area_layers.c.level == level
    return int(connection.execute(select(area_layers.c.revision).where(*of_layer)).scalar_one())


def _areas_of(drawing: Drawing) -> Any:
    return (
        select(areas.c.code, areas.c.name, areas.c.geometry)
        .where(areas.c.edition == drawing.edition.name, areas.c.level == drawing.drawn_from)
        .where(_within(areas.c.code, drawing))
        .order_by(areas.c.code)
    )


def _within(code: Any, drawing: Drawing) -> Any:
    if drawing.province is None:
        return code.is_not(None)
    return or_(code == drawing.province, code.startswith(f"{drawing.province}."))


def _seen(surfaces: Any, tolerance: float) -> list[Any]:
    """Of each surface the parts that can be seen; the largest always."""
    parts, owners = shapely.get_parts(surfaces, return_index=True)
    sizes = shapely.area(parts)
    largest = np.zeros(len(surfaces))
    np.maximum.at(largest, owners, sizes)
    kept = (sizes >= (_ISLET_SIDES * tolerance) ** 2) | (sizes == largest[owners])
    return list(shapely.multipolygons(parts[kept], indices=owners[kept]))


def _joined(codes: Sequence[str], surfaces: Sequence[Any]) -> dict[str, Any]:
    """One surface for each code."""
    parts: defaultdict[str, list[Any]] = defaultdict(list)
    for code, surface in zip(codes, surfaces, strict=True):
        parts[code].append(surface)
    return {code: one[0] if len(one) == 1 else shapely.union_all(one) for code, one in parts.items()}


def _geojson(drawing: Drawing, surfaces: Mapping[str, Any], names: Mapping[str, str], decimals: int) -> bytes:
    features = [
        {
            "type": "Feature",
            "properties": {"code": code, "name": names.get(code, code)},
            "geometry": {"type": "MultiPolygon", "coordinates": _polygons(surface, decimals)},
        }
        for code, surface in sorted(surfaces.items())
    ]
    edition = drawing.edition
    return orjson.dumps(
        {"type": "FeatureCollection", "edition": edition.name, "level": drawing.level, "features": features}
    )


def _polygons(surface: Any, decimals: int) -> list[list[list[list[float]]]]:
    parts = [part for part in shapely.get_parts(surface) if part.geom_type == "Polygon"]
    return [[_ring(ring, decimals) for ring in (part.exterior, *part.interiors)] for part in parts]


def _ring(ring: Any, decimals: int) -> list[list[float]]:
    """The points without those that rounding made equal; at least the four that GeoJSON wants."""
    rounded: list[list[float]] = shapely.get_coordinates(ring).round(decimals).tolist()
    points = [point for at, point in enumerate(rounded) if not at or point != rounded[at - 1]]
    return points if len(points) >= 4 else rounded  # noqa: PLR2004 - RFC 7946
