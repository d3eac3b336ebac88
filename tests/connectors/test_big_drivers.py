"""What the OGC drivers make of odd, hostile or cut off answers: features that can be told, or a failure."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import box, mapping, shape
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.big.areas import FeatureDriver
from connectors.big.ogc_features import OgcFeatures
from connectors.big.wfs import WfsLayer
from connectors.transport.client import Transport
from connectors.transport.failures import (
    BrokenContract,
    GarbledAnswer,
    Misconfigured,
    Rejected,
    ServerFault,
    SourceFailure,
)
from connectors.transport.settings import SourceSettings
from tests.connectors.simulated import Stage, served

STAGE = Stage()
SQUARE = box(112, -7, 112.5, -6.5)
URN = "urn:ogc:def:crs:EPSG::4326"
LATITUDE_FIRST = "-7 112 -6.5 112 -6.5 112.5 -7 112.5 -7 112"
LONGITUDE_FIRST = "112 -7 112 -6.5 112.5 -6.5 112.5 -7 112 -7"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(STAGE) as url:
        yield url


@pytest.fixture
async def transport(address: str) -> AsyncIterator[Transport]:
    async with Transport(SourceSettings(name="maps", base_url=address, backoff_base_s=0.001)) as opened:
        yield opened


def answering(answer: Callable[[Request], Response]) -> None:
    STAGE.app = Starlette(routes=[Route("/wfs", answer), Route("/collections/villages/items", answer)])


async def read(driver: FeatureDriver) -> list[Any]:
    return [feature async for page in driver.pages(None, ("KDEPUM",)) for feature in page]


def polygon(positions: str, srs: str | None = URN, attributes: str = "") -> str:
    named = "" if srs is None else f'srsName="{srs}"'
    ring = f"<gml:LinearRing><gml:posList{attributes}>{positions}</gml:posList></gml:LinearRing>"
    return f"<gml:Polygon {named}><gml:exterior>{ring}</gml:exterior></gml:Polygon>"


def gml(geometry: str, *, matched: str = "1", prologue: str = "", returned: str = "1") -> bytes:
    return (
        f'<?xml version="1.0"?>{prologue}<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0" '
        'xmlns:gml="http://www.opengis.net/gml/3.2" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xmlns:ms="urn:ms" numberMatched="{matched}" numberReturned="{returned}"><wfs:member>'
        f'<ms:v gml:id="v.1"><ms:KDEPUM>35.78.01.1001</ms:KDEPUM><ms:KDEBPS xsi:nil="true"/>'
        f"<ms:geom>{geometry}</ms:geom></ms:v></wfs:member></wfs:FeatureCollection>"
    ).encode()


HITS = (
    gml("", returned="0")
    .replace(gml("").partition(b"<wfs:member>")[2], b"</wfs:FeatureCollection>")
    .replace(b"<wfs:member>", b"")
)


def serving_gml(body: bytes, status: int = 200) -> None:
    answering(
        lambda request: (
            Response(HITS, media_type="text/xml")
            if status == 200 and request.query_params.get("resultType") == "hits"
            else Response(body, status, media_type="text/xml")
        )
    )


def wfs(transport: Transport) -> WfsLayer:
    return WfsLayer(transport, "/wfs", "ms:v", patience_s=5)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("srs", "positions"),
    [
        (URN, LATITUDE_FIRST),
        ("http://www.opengis.net/def/crs/EPSG/0/4326", LATITUDE_FIRST),
        ("urn:x-ogc:def:crs:EPSG:6.9:4326", LATITUDE_FIRST),
        ("EPSG:4326", LONGITUDE_FIRST),
        ("http://www.opengis.net/gml/srs/epsg.xml#4326", LONGITUDE_FIRST),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", LONGITUDE_FIRST),
    ],
)
async def test_the_name_of_the_axes_decides_which_comes_first(
    transport: Transport, srs: str, positions: str
) -> None:
    serving_gml(gml(polygon(positions, srs)))
    [feature] = await read(wfs(transport))
    assert shape(feature["geometry"]).equals(SQUARE)
    assert feature["id"] == "v.1"
    assert feature["properties"] == {"KDEPUM": "35.78.01.1001", "KDEBPS": None}


@pytest.mark.anyio
@pytest.mark.parametrize("srs", [None, "", "EPSG:3857", "urn:ogc:def:crs:EPSG::23830", "4326"])
async def test_axes_without_a_known_name_are_a_failure_and_never_a_guess(
    transport: Transport, srs: str | None
) -> None:
    serving_gml(gml(polygon(LATITUDE_FIRST, srs)))
    with pytest.raises(BrokenContract, match="axes"):
        await read(wfs(transport))


@pytest.mark.anyio
@pytest.mark.parametrize(
    "surface",
    [
        f'<gml:MultiSurface srsName="{URN}"><gml:surfaceMember>'
        + polygon(LATITUDE_FIRST, None)
        + "</gml:surfaceMember></gml:MultiSurface>",
        f'<gml:Surface srsName="{URN}"><gml:patches>'
        + polygon(LATITUDE_FIRST, None).replace("gml:Polygon", "gml:PolygonPatch")
        + "</gml:patches></gml:Surface>",
        polygon("-7 112 9 -6.5 112 9 -6.5 112.5 9 -7 112.5 9 -7 112 9", URN, ' srsDimension="3"'),
        polygon(LATITUDE_FIRST)
        .replace("<gml:posList>", "<gml:pos>")
        .replace("</gml:posList>", "</gml:pos>")
        .replace("-7 112 ", "-7 112</gml:pos><gml:pos>", 1),
    ],
)
async def test_surfaces_are_read_however_gml_writes_them(transport: Transport, surface: str) -> None:
    serving_gml(gml(surface))
    [feature] = await read(wfs(transport))
    assert shape(feature["geometry"]).equals(SQUARE)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "surface",
    [
        polygon("-7 112 -6.5"),
        polygon("a b c d"),
        polygon(LATITUDE_FIRST, attributes=' srsDimension="4"'),
        polygon(LATITUDE_FIRST).replace("exterior", "outside"),
        "<gml:MultiSurface>" * 400 + "</gml:MultiSurface>" * 400,
    ],
)
async def test_a_geometry_that_cannot_be_read_is_told_as_such(transport: Transport, surface: str) -> None:
    serving_gml(gml(surface))
    [feature] = await read(wfs(transport))
    assert feature["geometry"] == {"type": "unreadable"}


@pytest.mark.anyio
async def test_xml_with_a_dtd_is_not_read(transport: Transport) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    serving_gml(gml("&b;", prologue=bomb))
    with pytest.raises(BrokenContract, match="DTD"):
        await read(wfs(transport))


def exception(code: str) -> bytes:
    return (
        '<ows:ExceptionReport xmlns:ows="http://www.opengis.net/ows/1.1">'
        f'<ows:Exception exceptionCode="{code}"><ows:ExceptionText>35.78</ows:ExceptionText>'
        "</ows:Exception></ows:ExceptionReport>"
    ).encode()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "status", "failure"),
    [
        (exception("InvalidParameterValue"), 400, Rejected),
        (exception("InvalidParameterValue"), 200, Rejected),
        (exception("35.78 is no code"), 200, Rejected),
        (exception("OperationProcessingFailed"), 403, ServerFault),
        (b"<html>Forbidden", 403, Misconfigured),
        (b"<html><body/></html>", 200, GarbledAnswer),
        (b"", 200, GarbledAnswer),
    ],
)
async def test_what_a_wfs_says_instead_of_features_becomes_the_failure_that_it_is(
    transport: Transport, body: bytes, status: int, failure: type[SourceFailure]
) -> None:
    serving_gml(body, status)
    with pytest.raises(failure) as raised:
        await read(wfs(transport))
    assert "35" not in raised.value.cause


@pytest.mark.anyio
async def test_another_number_of_features_than_announced_is_a_failure(transport: Transport) -> None:
    serving_gml(gml(polygon(LATITUDE_FIRST), returned="2"))
    with pytest.raises(BrokenContract, match="another number"):
        await read(wfs(transport))


WHOLE = gml(polygon(LATITUDE_FIRST))


@settings(deadline=None, max_examples=60)
@given(end=st.integers(0, len(WHOLE) - 1))
def test_half_a_gml_document_has_no_features(end: int) -> None:
    from connectors.big.wfs import _parsed  # noqa: PLC0415 - the private reader, without a socket for each half

    with pytest.raises(GarbledAnswer):
        _parsed(WHOLE[:end])


def collection(*ids: int, next_href: str | None = None, **members: Any) -> dict[str, Any]:
    features = [{"type": "Feature", "id": one, "properties": {}, "geometry": mapping(SQUARE)} for one in ids]
    links = [] if next_href is None else [{"rel": "next", "href": next_href}]
    return {"type": "FeatureCollection", "features": features, "links": links, **members}


def serving_pages(*pages: dict[str, Any], crs: str | None = None) -> None:
    headers = {} if crs is None else {"Content-Crs": crs}

    def answer(request: Request) -> Response:
        page = pages[int(request.query_params.get("page", "0"))]
        return Response(json.dumps(page), media_type="application/geo+json", headers=headers)

    answering(answer)


def ogc(transport: Transport) -> OgcFeatures:
    return OgcFeatures(transport, "villages", patience_s=5)


@pytest.mark.anyio
async def test_next_links_are_followed_whether_relative_or_under_another_scheme(
    transport: Transport, address: str
) -> None:
    elsewhere = address.replace("http:", "https:")
    serving_pages(
        collection(1, next_href="?page=1", numberMatched=3),
        collection(2, next_href=f"{elsewhere}/collections/villages/items?page=2"),
        collection(3),
        crs="<http://www.opengis.net/def/crs/OGC/1.3/CRS84>",
    )
    assert [feature["id"] for feature in await read(ogc(transport))] == [1, 2, 3]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("pages", "words"),
    [
        ([collection(1, next_href="http://127.0.0.1:1/collections/villages/items?page=1")], "leads away"),
        ([collection(1, next_href="/collections/others/items?page=1")], "leads away"),
        ([collection(1, next_href="../../../elsewhere?page=1")], "leads away"),
        ([collection(1, next_href="?page=1&page=2")], "leads away"),
        ([collection(1, next_href="http://[")], "no address"),
        ([collection(1, next_href="?page=1"), collection(2, next_href="?page=1")], "leads back"),
        ([collection(1, next_href="?page=1"), collection(1)], "twice"),
        ([collection(1, numberMatched=2)], "announced 2 features and gave 1"),
        ([collection(1, numberReturned=2)], "another number"),
        ([{"type": "FeatureCollection"}], "something else"),
        ([collection(1) | {"type": "Feature"}], "something else"),
    ],
)
async def test_paging_that_cannot_be_right_is_a_failure(
    transport: Transport, pages: list[dict[str, Any]], words: str
) -> None:
    serving_pages(*pages)
    with pytest.raises(BrokenContract, match=words):
        await read(ogc(transport))


@pytest.mark.anyio
async def test_other_coordinates_than_longitude_and_latitude_are_refused(transport: Transport) -> None:
    serving_pages(collection(1), crs="<http://www.opengis.net/def/crs/EPSG/0/4326>")
    with pytest.raises(BrokenContract, match="CRS84"):
        await read(ogc(transport))
