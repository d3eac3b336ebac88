"""Where a point lies, per level and day; at sea and on a border it is said so."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from shapely.geometry import shape

from gateway.areas.files import read_file
from gateway.areas.importing import AreaImport, Comparison, Wanted
from gateway.areas.locating import Located, locate
from gateway.database import Database
from gateway.errors import BadInput
from gateway.registry.regions import load_regions
from tests.gateway.areas.maps import NEW, NOW, OLD, area, imported

pytestmark = pytest.mark.anyio

TODAY = date(2026, 11, 21)
SHARED = Path(__file__).parents[4] / "shared" / "data"
needs_boundaries = pytest.mark.skipif(
    not (SHARED / "regencies.geojson").is_file(), reason="real boundaries are not on this machine"
)


async def test_each_level_names_the_region_of_a_point(database: Database) -> None:
    await imported(database, area("35", "Jawa Timur", (112, -8)), level="province")
    await imported(database, area("35.78", "Kota Surabaya", (112, -8)), area("35.25", "Gresik", (111, -8)))
    assert locate(database, 112.75, -7.25, TODAY) == [
        Located("province", NEW, (("35", "Jawa Timur"),)),
        Located("regency", NEW, (("35.78", "Kota Surabaya"),)),
    ]


async def test_a_point_at_sea_lies_nowhere_and_one_on_a_border_in_both(database: Database) -> None:
    await imported(database, area("35.78", "Kota Surabaya", (112, -8)), area("35.25", "Gresik", (111, -8)))
    assert [one.regions for one in locate(database, 120, -5, TODAY)] == [()]
    (border,) = locate(database, 112, -7.5, TODAY)
    assert border.regions == (("35.25", "Gresik"), ("35.78", "Kota Surabaya"))


async def test_the_day_chooses_the_edition_and_a_level_it_lacks_comes_from_the_one_before(
    database: Database,
) -> None:
    surabaya = area("35.78", "Kota Surabaya", (112, -8))
    older = replace(surabaya, edition=OLD.name)
    await imported(database, older, edition=OLD)
    await imported(database, area("35", "Jawa Timur", (112, -8), OLD), level="province", edition=OLD)
    await imported(database, surabaya)
    assert [(one.level, one.edition) for one in locate(database, 112.5, -7.5, TODAY)] == [
        ("province", OLD),
        ("regency", NEW),
    ]
    assert [one.edition for one in locate(database, 112.5, -7.5, date(2025, 4, 24))] == [OLD, OLD]
    assert locate(database, 112.5, -7.5, date(2019, 12, 31)) == []


@pytest.mark.parametrize("point", [(-7.25, 112.75), (float("nan"), -7), (112, float("inf")), (0, 0)])
async def test_a_point_far_from_indonesia_is_taken_for_a_mistake(
    database: Database, point: tuple[float, float]
) -> None:
    with pytest.raises(BadInput, match="longitude comes first"):
        locate(database, *point, TODAY)


@needs_boundaries
async def test_real_regencies_are_imported_whole_and_hold_their_cities(database: Database) -> None:
    load_regions(database)
    wanted = Wanted(NEW, "regency")
    importing = AreaImport(database, wanted, source="regencies.geojson", clock=lambda: NOW)
    report = await importing(read_file(SHARED / "regencies.geojson", wanted))
    assert (report.read, report.new, report.rejected.total()) == (514, 514, 0)
    assert report.registry == Comparison(both=514, map_only=0, registry_only=0)
    cities = {
        "35.78": (112.75, -7.25),  # Surabaya
        "31.71": (106.83, -6.18),  # Jakarta Pusat
        "12.71": (98.67, 3.59),  # Medan
        "73.71": (119.43, -5.15),  # Makassar
        "91.71": (140.70, -2.56),  # Jayapura
        "51.71": (115.22, -8.65),  # Denpasar
    }
    for code, point in cities.items():
        (found,) = locate(database, *point, TODAY)
        assert [region for region, _ in found.regions] == [code]
    assert [one.regions for one in locate(database, 110, -12, TODAY)] == [()]


@needs_boundaries
async def test_a_point_inside_any_real_regency_is_located_in_it(database: Database) -> None:
    """Oracle: a point that shapely itself takes from inside each border of the file."""
    wanted = Wanted(NEW, "regency")
    importing = AreaImport(database, wanted, source="regencies.geojson", clock=lambda: NOW)
    await importing(read_file(SHARED / "regencies.geojson", wanted))
    features = json.loads((SHARED / "regencies.geojson").read_text(encoding="utf-8"))["features"]
    elsewhere = []
    for feature in features[::7]:
        code = feature["properties"]["code"]
        inside = shape(feature["geometry"]).representative_point()
        (found,) = locate(database, inside.x, inside.y, TODAY)
        if [region for region, _ in found.regions] != [code]:
            elsewhere.append((code, found.regions))
    assert elsewhere == []
