"""BIG, the geospatial agency: administrative areas, pulled from its map server into the gateway's own store.

No exchange ever waits for a map server, so this is no `Connector` but a source to import from. BIG runs
ArcGIS Server; no public WFS or OGC API Features of BIG is known, and the other drivers (wfs.py,
ogc_features.py) are for whoever serves the same layers that way. What of a feature is believed is decided
in areas.py.

ArcGIS says its errors under HTTP status 200, caps every answer, and omits on some versions the flag that
says so: the number of features is therefore asked beforehand, and a layer read incompletely is a failure.

A page of borders is slow and large beside an answer about a person, and the source's settings have to allow
it, as MAP_SERVER_LIMITS do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.big.areas import (
    BIG_ATTRIBUTES,
    Area,
    AttributeNames,
    FeatureDriver,
    Merging,
    Reading,
    RejectedFeature,
    Tally,
)
from connectors.big.codes import LEVELS, Edition, Level, level_of
from connectors.transport.client import Transport
from connectors.transport.failures import (
    BrokenContract,
    Misconfigured,
    Overloaded,
    Rejected,
    ServerFault,
    SourceFailure,
    TooLarge,
)
from connectors.transport.wire import Reply

# Where BIG serves boundaries; it asks nobody who they are.
BIG_ADDRESS: Final = "https://geoservices.big.go.id/rbi/rest/services"
BIG_LAYERS: Final[Mapping[Level, str]] = {
    "regency": "/BATASWILAYAH/BATAS_KABKOTA_AR/MapServer/0",
    "district": "/BATASWILAYAH/BATAS_KECAMATAN_AR/MapServer/0",
    "village": "/BATASWILAYAH/BATAS_DESAKEL_AR/MapServer/0",
}
# What a map server's settings are where nobody says otherwise; times in seconds, sizes in bytes.
MAP_SERVER_LIMITS: Final[Mapping[str, int]] = {
    "attempt_timeout_s": 60,
    "max_body_bytes": 50_000_000,
    "concurrency": 2,
}
# ArcGIS Server's own cap is commonly 1000; a thousand detailed villages may exceed what we are ready to read.
PAGE_SIZE = 500
# An import has no caller who waits; this covers the transport's retries of one page.
PATIENCE_S = 120.0
_TEXT_FIELD = "esriFieldTypeString"
_POLYGON = "esriGeometryPolygon"
_WGS84_NAMES = frozenset({"EPSG:4326", "URN:OGC:DEF:CRS:OGC:1.3:CRS84", "URN:OGC:DEF:CRS:EPSG::4326"})
_TOKEN_CODES = frozenset({401, 403, 498, 499})


@dataclass(frozen=True, slots=True)
class AreaPage:
    """What one page of a layer completed.

    `read` counts the layer's features so far, `announced` how many there are, if that was said.
    """

    areas: tuple[Area, ...]
    rejected: tuple[RejectedFeature, ...]
    read: int
    announced: int | None = None


class BigLayers:
    """Areas of one level at a time, through whichever driver reads that layer."""

    def __init__(self, driver: FeatureDriver, attributes: AttributeNames = BIG_ATTRIBUTES) -> None:
        self._driver = driver
        self._attributes = attributes

    async def check(self, level: Level) -> None:
        """Return when the layer can be read as configured. Raises SourceFailure."""
        await self._driver.check(self._attributes.codes[level])

    async def pull(
        self, level: Level, edition: Edition, within: str | None = None
    ) -> AsyncGenerator[AreaPage, None]:
        """Every area of a layer, or of a province, regency or district of it; each area once and whole.

        An area that is drawn in several features is given when its last one was read: at once from a server
        that sorts, else on the last page. Raises SourceFailure; what was given until then is no complete
        layer and MUST NOT replace one. Close the generator (`aclosing`) when leaving it early.
        """
        reading = Reading(level, edition, self._attributes, within)
        where = self._where(within, level)
        number, merging = 0, None
        async with aclosing(self._driver.pages(where, self._attributes.codes[level])) as pages:
            async for page in pages:
                merging = merging or Merging(grouped=self._driver.grouped)
                complete: list[Area | RejectedFeature] = []
                for feature in page:
                    number += 1
                    read = reading.area(feature, number)
                    complete += merging.add(number, read) if isinstance(read, Area) else [read]
                yield _page(complete, number, self._driver.announced)
        if merging is not None:
            yield _page(merging.rest(), number, self._driver.announced)

    def _where(self, within: str | None, level: Level) -> tuple[tuple[str, ...], str] | None:
        if within is None:
            return None
        above = level_of(within)
        if LEVELS.index(above) > LEVELS.index(level):
            raise ValueError(f"a {above} holds no {level}")
        return self._attributes.codes[above], within


def _page(complete: list[Area | RejectedFeature], read: int, announced: int | None) -> AreaPage:
    areas = tuple(one for one in complete if isinstance(one, Area))
    rejected = tuple(one for one in complete if isinstance(one, RejectedFeature))
    return AreaPage(areas, rejected, read, announced)


@dataclass(frozen=True, slots=True)
class _LayerInfo:
    fields: Mapping[str, str]  # name in folded case -> name
    types: Mapping[str, str]
    id_field: str | None
    page_size: int
    can_page: bool
    can_sort: bool

    def named(self, spellings: tuple[str, ...]) -> str | None:
        return next(
            (self.fields[name.casefold()] for name in spellings if name.casefold() in self.fields), None
        )

    def code_field(self, spellings: tuple[str, ...]) -> str:
        """The layer's name of a field of codes. A code that is no text has lost digits, or is a date."""
        name = self.named(spellings)
        if name is None:
            raise Misconfigured(f"the layer has no field {' or '.join(spellings)}: is it the right layer?")
        if self.types[name] != _TEXT_FIELD:
            raise Misconfigured(
                f"field {name} of the layer is of type {self.types[name][:40]}, which loses codes: "
                "its owner must publish it as text"
            )
        return name


@dataclass(slots=True)
class ArcGisLayer:
    """Reads a layer of an ArcGIS REST map or feature service as GeoJSON.

    `path` leads from the transport's base_url to the layer, as those of BIG_LAYERS do.
    `tolerance_deg` lets the server drop detail below it: 0.0001 is 11 m. Neighbours are simplified each for
    itself, so points that near to a border may fall between two areas. Without `sort`, areas in several
    pieces are whole at the end only, which holds the layer in memory until then.
    """

    transport: Transport
    path: str
    page_size: int = PAGE_SIZE
    tolerance_deg: float | None = None
    sort: bool = True
    patience_s: float = PATIENCE_S
    grouped: bool = field(default=False, init=False)
    announced: int | None = field(default=None, init=False)

    async def check(self, code_names: tuple[str, ...]) -> None:
        """As FeatureDriver says."""
        (await self._info()).code_field(code_names)

    async def pages(
        self, where: tuple[tuple[str, ...], str] | None, group_by: tuple[str, ...]
    ) -> AsyncGenerator[Sequence[Any], None]:
        """As FeatureDriver says."""
        info = await self._info()
        code_field = info.code_field(group_by)
        clause = "1=1" if where is None else _equals(info.code_field(where[0]), where[1])
        self.grouped = self.sort and info.can_sort
        self.announced = await self._count(clause)
        tally = Tally(self.announced)
        question = self._question(clause, info, code_field)
        size = min(self.page_size, info.page_size)
        while tally.read or tally.short:  # not at all, where there is nothing to read
            document, size = await self._largest_page(question, tally.read, size)
            features, more = document["features"], _says_more(document)
            tally.add(features)
            if features:
                yield features
            elif more:
                raise BrokenContract("the map server says that there is more, and gives nothing")
            if not features or not (more or tally.short):
                break
            if not info.can_page:
                raise Misconfigured("the map server cannot page (ArcGIS Server before 10.3) and has more")
        tally.close()

    def _question(self, clause: str, info: _LayerInfo, code_field: str) -> dict[str, str]:
        question = {
            "f": "geojson",
            "where": clause,
            "outFields": "*",
            "returnGeometry": "true",
            "returnZ": "false",
            "returnM": "false",
            "outSR": "4326",
            "geometryPrecision": "6",
        }
        if self.grouped:
            question["orderByFields"] = ",".join([code_field, *([info.id_field] if info.id_field else [])])
        if self.tolerance_deg is not None:
            question["maxAllowableOffset"] = str(self.tolerance_deg)
        return question

    async def _largest_page(self, question: dict[str, str], offset: int, size: int) -> tuple[Any, int]:
        """A page, and the size it had: half as large as often as it takes to be readable."""
        while True:
            paged = {**question, "resultOffset": str(offset), "resultRecordCount": str(size)}
            try:
                document = await self._ask("/query", paged)
            except TooLarge:
                if size == 1:
                    raise
                size //= 2
                continue
            _check_collection(document)
            return document, size

    async def _count(self, clause: str) -> int:
        document = await self._ask("/query", {"f": "json", "where": clause, "returnCountOnly": "true"})
        count = document.get("count")
        if type(count) is not int or count < 0:
            raise BrokenContract("the map server does not say how many features there are")
        return count

    async def _info(self) -> _LayerInfo:
        return _layer_info(await self._ask("", {"f": "json"}))

    async def _ask(self, suffix: str, params: Mapping[str, str]) -> dict[str, Any]:
        deadline = asyncio.get_running_loop().time() + self.patience_s
        reply = await self.transport.send(
            "GET",
            self.path + suffix,
            deadline=deadline,
            params=params,
            headers={"accept": "application/geo+json, application/json;q=0.9"},
            judge=_judge,
        )
        document: dict[str, Any] = reply.data
        return document


def _equals(field_name: str, code: str) -> str:
    quoted = code.replace("'", "''")
    return f"{field_name} = '{quoted}'"


def _judge(reply: Reply) -> None:
    """Raise the error that ArcGIS hides under status 200. Its words are not repeated."""
    if not isinstance(reply.data, dict):
        raise BrokenContract("the map server answers with JSON that is no object")
    if "error" in reply.data:
        error = reply.data["error"]
        code = error.get("code") if isinstance(error, dict) else None
        raise _failure(code if type(code) is int else 0)


def _failure(code: int) -> SourceFailure:
    said = f"the map server answers with error {code}"
    if code in _TOKEN_CODES:
        return Misconfigured(f"{said}: the layer is not public, ask its owner", alive=True)
    if code == 404:  # noqa: PLR2004 - as in HTTP
        return Misconfigured(f"{said}: no such layer, check its path", alive=True)
    if code == 429:  # noqa: PLR2004 - as in HTTP
        return Overloaded(said)
    if 400 <= code < 500:  # noqa: PLR2004 - as HTTP's classes of status
        return Rejected(f"{said}: it refuses this question; does the layer exist?", status=code)
    return ServerFault(said)


def _layer_info(document: dict[str, Any]) -> _LayerInfo:
    if document.get("geometryType") != _POLYGON:
        raise Misconfigured("this is no layer of surfaces: check the path, which ends in the layer's number")
    if "geojson" not in str(document.get("supportedQueryFormats", "geoJSON")).casefold():
        raise Misconfigured("the map server does not offer GeoJSON (ArcGIS Server before 10.4)")
    types = _field_types(document.get("fields"))
    fields = {name.casefold(): name for name in types}
    if len(fields) != len(types):
        raise BrokenContract("the layer has two fields whose names differ in case only")
    abilities = document.get("advancedQueryCapabilities")
    abilities = abilities if isinstance(abilities, dict) else {}
    most = document.get("maxRecordCount")
    return _LayerInfo(
        fields,
        types,
        next((name for name, kind in types.items() if kind == "esriFieldTypeOID"), None),
        most if type(most) is int and most > 0 else PAGE_SIZE,
        can_page=abilities.get("supportsPagination") is True,
        can_sort=abilities.get("supportsOrderBy") is True,
    )


def _field_types(fields: Any) -> dict[str, str]:
    types: dict[str, str] = {}
    for one in fields if isinstance(fields, list) else []:
        if isinstance(one, dict) and isinstance(one.get("name"), str) and isinstance(one.get("type"), str):
            types[one["name"]] = one["type"]
    if not types:
        raise BrokenContract("the layer does not say which fields it has")
    return types


def _check_collection(document: dict[str, Any]) -> None:
    if document.get("type") != "FeatureCollection" or not isinstance(document.get("features"), list):
        raise BrokenContract("the map server answers with something else than features")
    if not in_wgs84(document):
        raise BrokenContract("the map server answers in other coordinates than WGS 84")


def in_wgs84(document: Mapping[str, Any]) -> bool:
    """Whether a GeoJSON collection is in WGS 84: it says so, or says nothing (RFC 7946)."""
    crs = document.get("crs")
    if crs is None:
        return True
    named = crs.get("properties") if isinstance(crs, dict) else None
    return isinstance(named, dict) and str(named.get("name")).upper() in _WGS84_NAMES


def _says_more(document: dict[str, Any]) -> bool:
    """`exceededTransferLimit`, beside the features or, in GeoJSON of ArcGIS Server, among properties."""
    properties = document.get("properties")
    told = properties if isinstance(properties, dict) else {}
    return document.get("exceededTransferLimit") is True or told.get("exceededTransferLimit") is True
