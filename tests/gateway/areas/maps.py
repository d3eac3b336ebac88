"""A small country for the tests of maps: squares of one degree, and pages as a server gives them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from shapely.geometry import box, mapping

from connectors.big.areas import Area, RejectedFeature
from connectors.big.codes import Edition, Level, level_of
from connectors.big.layers import AreaPage
from gateway.areas.importing import AreaImport, ImportReport, Wanted
from gateway.database import Database

NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)
OLD = Edition("contoh-2020", date(2020, 1, 1))
NEW = Edition("contoh-2025", date(2025, 4, 25))
Place = tuple[float, float]


def area(
    code: str, name: str, place: Place = (112, -8), edition: Edition = NEW, as_of: date | None = None
) -> Area:
    west, south = place
    surface = box(west, south, west + 1, south + 1)
    return Area(code, name, level_of(code), surface, edition.name, as_of or edition.valid_from)


async def pages(
    *areas: Iterable[Area], rejected: Iterable[RejectedFeature] = (), ends_with: Exception | None = None
) -> AsyncGenerator[AreaPage, None]:
    """Each of `areas` as a page; the rejected come with the last one."""
    read = 0
    for number, page in enumerate(areas, 1):
        given = tuple(page)
        refused = tuple(rejected) if number == len(areas) else ()
        read += len(given) + len(refused)
        yield AreaPage(given, refused, read)
    if ends_with is not None:
        raise ends_with


async def imported(
    database: Database,
    *areas: Area,
    level: Level = "regency",
    edition: Edition = NEW,
    within: str | None = None,
    rejected: Iterable[RejectedFeature] = (),
) -> ImportReport:
    """Import these areas as one page."""
    wanted = Wanted(edition, level, within)
    importing = AreaImport(database, wanted, source="tests", clock=lambda: NOW)
    return await importing(pages(areas, rejected=rejected))


def write_geojson(path: Path, squares: Mapping[str, tuple[str, Place]], **members: Any) -> Path:
    """A file of somebody's own: code -> name and south-western corner."""
    features = [
        {
            "type": "Feature",
            "properties": {"code": code, "name": name},
            "geometry": mapping(box(west, south, west + 1, south + 1)),
        }
        for code, (name, (west, south)) in squares.items()
    ]
    document = {"type": "FeatureCollection", **members, "features": features}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path
