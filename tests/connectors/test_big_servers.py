"""The three drivers against map servers that others wrote: the same villages come out of each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from shapely.geometry import MultiPolygon, box, mapping, shape

from connectors.big.areas import Area, Edition, FeatureDriver, RejectedFeature
from connectors.big.layers import ArcGisLayer, BigLayers
from connectors.big.ogc_features import OgcFeatures
from connectors.big.wfs import WfsLayer
from connectors.simulators.big import Feature, village
from connectors.transport.client import Transport
from connectors.transport.failures import Misconfigured, Rejected
from connectors.transport.settings import SourceSettings
from tests.connectors.map_servers import (
    koop,
    mapserver,
    needs_koop,
    needs_mapserver,
    needs_pygeoapi,
    pygeoapi,
    write_layer,
)

EDITION = Edition("contoh-2025", date(2025, 4, 25))
CODES = [f"35.78.01.10{number:02d}" for number in range(1, 5)] + ["51.71.01.1001"]


def square(west: float, south: float = -7) -> dict[str, Any]:
    surface: dict[str, Any] = mapping(box(west, south, west + 0.1, south + 0.1))
    return surface


RING = shape(
    {
        "type": "Polygon",
        "coordinates": [
            [[120, -3], [121, -3], [121, -2], [120, -2], [120, -3]],
            [[120.4, -2.6], [120.4, -2.4], [120.6, -2.4], [120.6, -2.6], [120.4, -2.6]],
        ],
    }
)
ROWS = [
    *(village(code, f"Désa {number} & Baru", square(110 + number)) for number, code in enumerate(CODES[:3])),
    village(CODES[3], "Berlubang", mapping(RING)),
    village(CODES[4], "Seberang", mapping(MultiPolygon([shape(square(115)), shape(square(116))]))),
    village(CODES[0], "Désa 0 & Baru", square(110.5)),
    village(CODES[0], "Tanpa kode", square(117), KDEPUM=None, KDEBPS="3578011009"),
]


def geojson(rows: list[Feature]) -> list[dict[str, Any]]:
    return [
        {
            "type": "Feature",
            "id": number,
            "properties": {"OBJECTID": number, **row.attributes},
            "geometry": row.geometry,
        }
        for number, row in enumerate(rows, 1)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("maps")
    write_layer(made, "villages", geojson(ROWS))
    return made


@pytest.fixture(scope="module")
def koop_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    made = tmp_path_factory.mktemp("koop")
    fields = [{"name": name, "type": "String"} for name in ROWS[0].attributes]
    declared = {"fields": [{"name": "OBJECTID", "type": "Integer"}, *fields], "idField": "OBJECTID"}
    write_layer(made, "villages", geojson(ROWS), metadata={**declared, "maxRecordCount": 2})
    guessed = [village(CODES[0], "Tebakan", square(111), KDEPUM=3578011001)]
    write_layer(made, "guessed", geojson(guessed))
    with koop(made) as address:
        yield address


@pytest.fixture(scope="module")
def pygeoapi_address(folder: Path) -> Iterator[str]:
    with pygeoapi(folder) as address:
        yield address


@pytest.fixture(scope="module")
def mapserver_address(folder: Path) -> Iterator[str]:
    with mapserver(folder) as address:
        yield address


def transport_to(address: str) -> Transport:
    return Transport(SourceSettings(name="maps", base_url=address, attempt_timeout_s=30))


async def pulled(
    driver: FeatureDriver, within: str | None = None
) -> tuple[list[Area], list[RejectedFeature], int]:
    pages = [page async for page in BigLayers(driver).pull("village", EDITION, within)]
    areas = [area for page in pages for area in page.areas]
    return areas, [one for page in pages for one in page.rejected], len(pages)


async def assert_all_are_read(driver: FeatureDriver) -> None:
    await driver.check(("KDEPUM",))
    areas, rejected, pages = await pulled(driver)
    by_code = {area.code: area for area in areas}
    assert sorted(by_code) == CODES
    assert len(areas) == len(CODES)
    assert [one.reason for one in rejected] == ["no_code"]
    assert pages > 3, "paging was forced"
    assert {area.as_of for area in areas} == {date(2023, 12, 31)}
    assert by_code[CODES[0]].name == "Désa 0 & Baru"
    expected = {
        CODES[0]: MultiPolygon([shape(square(110)), shape(square(110.5))]),
        CODES[1]: shape(square(111)),
        CODES[3]: RING,
        CODES[4]: MultiPolygon([shape(square(115)), shape(square(116))]),
    }
    for code, surface in expected.items():
        difference = by_code[code].geometry.symmetric_difference(surface).area
        assert difference == pytest.approx(0, abs=1e-9), code


async def assert_one_province_is_read(driver: FeatureDriver) -> None:
    areas, rejected, _ = await pulled(driver, within="51")
    assert [area.code for area in areas] == [CODES[4]]
    assert rejected == []


@needs_koop
@pytest.mark.anyio
async def test_koop_is_read_over_arcgis_rest(koop_address: str) -> None:
    async with transport_to(koop_address) as transport:
        driver = ArcGisLayer(transport, "/villages/FeatureServer/0", page_size=2)
        await assert_all_are_read(driver)
        await assert_one_province_is_read(driver)


@needs_koop
@pytest.mark.anyio
async def test_a_layer_of_which_koop_guesses_that_codes_are_numbers_is_refused(koop_address: str) -> None:
    async with transport_to(koop_address) as transport:
        with pytest.raises(Misconfigured, match=r"KDEPUM .*esriFieldType(Integer|Double|BigInteger)"):
            await pulled(ArcGisLayer(transport, "/guessed/FeatureServer/0"))


@needs_koop
@pytest.mark.anyio
async def test_a_layer_that_koop_does_not_have_is_a_failure(koop_address: str) -> None:
    async with transport_to(koop_address) as transport:
        with pytest.raises((Misconfigured, Rejected)):
            await pulled(ArcGisLayer(transport, "/nowhere/FeatureServer/0", patience_s=5))


@needs_pygeoapi
@pytest.mark.anyio
async def test_pygeoapi_is_read_over_ogc_api_features(pygeoapi_address: str) -> None:
    async with transport_to(pygeoapi_address) as transport:
        driver = OgcFeatures(transport, "villages", page_size=2)
        await assert_all_are_read(driver)
        await assert_one_province_is_read(driver)
        with pytest.raises(Rejected):
            await pulled(OgcFeatures(transport, "nowhere"))


@needs_mapserver
@pytest.mark.anyio
async def test_mapserver_is_read_over_wfs_with_its_latitudes_first(mapserver_address: str) -> None:
    async with transport_to(mapserver_address) as transport:
        driver = WfsLayer(transport, "/wfs", "ms:villages", page_size=2)
        await assert_all_are_read(driver)
        await assert_one_province_is_read(driver)
        with pytest.raises(Rejected):
            await pulled(WfsLayer(transport, "/wfs", "ms:nowhere"))


@needs_mapserver
@pytest.mark.anyio
async def test_mapserver_does_write_latitudes_first_so_that_the_driver_has_to_turn_them(
    mapserver_address: str,
) -> None:
    params = {
        "service": "WFS",
        "version": "2.0.0",
        "request": "GetFeature",
        "typeNames": "ms:villages",
        "count": "1",
        "srsName": "urn:ogc:def:crs:EPSG::4326",
    }
    async with transport_to(mapserver_address) as transport:
        reply = await transport.send("GET", "/wfs", deadline=float("inf"), params=params, expect=None)
    text = reply.body.decode()
    assert 'srsName="urn:ogc:def:crs:EPSG::4326"' in text
    first = text.partition("<gml:posList")[2].partition(">")[2].split()[:2]
    latitude, longitude = (float(number) for number in first)
    assert (round(latitude, 1), round(longitude, 1)) in {
        (-7.0, 110.1),
        (-6.9, 110.1),
        (-6.9, 110.0),
        (-7.0, 110.0),
    }
