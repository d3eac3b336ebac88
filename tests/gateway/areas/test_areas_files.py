"""A map in a file is read as a server's layer is: plain or gzipped, BIG's attributes or code and name."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from shapely.geometry import box, mapping

from connectors.big.areas import Area, RejectedFeature
from connectors.simulators.big import village
from gateway.areas.files import read_file
from gateway.areas.importing import Wanted
from gateway.errors import FileUnusable
from tests.gateway.areas.maps import NEW, Place, write_geojson

pytestmark = pytest.mark.anyio

SQUARES: dict[str, tuple[str, Place]] = {
    "35.78": ("Kota Surabaya", (112, -8)),
    "51.03": ("Badung", (115, -9)),
    "3525": ("Gresik", (111, -8)),
}


async def read(path: Path, wanted: Wanted) -> tuple[list[Area], list[RejectedFeature]]:
    pages = [page async for page in read_file(path, wanted)]
    assert {page.announced for page in pages} <= {pages[-1].read}
    areas = [area for page in pages for area in page.areas]
    return areas, [one for page in pages for one in page.rejected]


async def test_code_and_name_are_enough(tmp_path: Path) -> None:
    areas, rejected = await read(write_geojson(tmp_path / "a.geojson", SQUARES), Wanted(NEW, "regency"))
    assert [(area.code, area.name, area.as_of) for area in areas] == [
        ("35.78", "Kota Surabaya", NEW.valid_from),
        ("51.03", "Badung", NEW.valid_from),
    ]
    assert [(one.number, one.reason) for one in rejected] == [(3, "bad_code")]


async def test_a_gzipped_file_says_the_same(tmp_path: Path) -> None:
    plain = write_geojson(tmp_path / "a.geojson", SQUARES)
    packed = tmp_path / "a.geojson.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    wanted = Wanted(NEW, "regency")
    assert await read(packed, wanted) == await read(plain, wanted)


async def test_what_lies_outside_the_region_asked_for_is_passed_over_without_a_word(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "a.geojson", SQUARES)
    areas, rejected = await read(path, Wanted(NEW, "regency", within="51"))
    assert [area.code for area in areas] == ["51.03"]
    assert [(one.number, one.reason) for one in rejected] == [(3, "bad_code")], "it may lie inside"


async def test_an_export_of_big_s_own_layer_is_read_by_its_attributes(tmp_path: Path) -> None:
    row = village("35.78.08.1003", "Jagir", mapping(box(112, -8, 113, -7)))
    lower = {name.lower(): value for name, value in row.attributes.items()} | {"code": "of something else"}
    document = {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},
        "features": [{"type": "Feature", "properties": lower, "geometry": row.geometry}],
    }
    path = tmp_path / "desa.geojson"
    path.write_text(json.dumps(document), encoding="utf-8")
    (area,), rejected = await read(path, Wanted(NEW, "village", within="35.78"))
    assert (area.code, area.name, str(area.as_of)) == ("35.78.08.1003", "Jagir", "2023-12-31")
    assert rejected == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b'{"type": "FeatureCollection", "features": [', "no JSON"),
        (b"[]", "no GeoJSON FeatureCollection"),
        (b'{"type": "Feature", "features": []}', "no GeoJSON FeatureCollection"),
        (b'{"type": "FeatureCollection", "features": []}', "no features"),
        (
            b'{"type": "FeatureCollection", "features": [{}], "crs": {"properties": {"name": "EPSG:3857"}}}',
            "not in WGS 84",
        ),
        (b'{"type": "FeatureCollection", "features": [{}], "crs": "EPSG:4326"}', "not in WGS 84"),
    ],
)
async def test_a_file_that_is_no_map_is_refused_as_a_whole(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "a.geojson"
    path.write_bytes(content)
    with pytest.raises(FileUnusable, match=told):
        await read(path, Wanted(NEW, "regency"))


async def test_a_missing_or_cut_file_is_told_without_its_content(tmp_path: Path) -> None:
    packed = gzip.compress(b"x" * 10_000)
    contents: dict[str, Any] = {"cut.gz": packed[:-9], "plain.gz": b"{}", "none.geojson": None}
    for name, content in contents.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(FileUnusable, match="cannot be read"):
            await read(tmp_path / name, Wanted(NEW, "regency"))


@pytest.mark.parametrize("features", [[None], [{}], [{"properties": None}], [{"properties": {"code": 3}}]])
async def test_features_that_are_none_are_rejected_one_by_one(tmp_path: Path, features: list[Any]) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    areas, rejected = await read(path, Wanted(NEW, "regency"))
    assert areas == []
    assert len(rejected) == 1
