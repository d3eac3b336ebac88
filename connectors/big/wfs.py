"""A driver for layers served as WFS 2.0 (ISO 19142), as GML 3.2, which every such server can write.

WFS asks for trouble with axes: the same "4326" means latitude first as a URN or an http name, and longitude
first as "EPSG:4326". Here the answer's own srsName decides for every geometry, a name that is not known is a
failure, and areas.py rejects what then does not lie in Indonesia. XML that declares a DTD is not read: there
are no entities to expand.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser
from xml.sax.saxutils import escape

from connectors.big.areas import Tally
from connectors.transport.client import Transport
from connectors.transport.failures import (
    BrokenContract,
    GarbledAnswer,
    Misconfigured,
    Rejected,
    ServerFault,
    TooLarge,
)
from connectors.transport.wire import Reply

PAGE_SIZE = 500
PATIENCE_S = 120.0
_ASKED_CRS = "urn:ogc:def:crs:EPSG::4326"
_GML = "{http://www.opengis.net/gml/3.2}"
_WFS = "{http://www.opengis.net/wfs/2.0}"
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_LATITUDE_FIRST = re.compile(
    r"urn:(?:ogc|x-ogc):def:crs:EPSG:[0-9.]*:4326|https?://www\.opengis\.net/def/crs/EPSG/[0-9.]+/4326"
)
_LONGITUDE_FIRST = re.compile(
    r"EPSG:4326|https?://www\.opengis\.net/gml/srs/epsg\.xml#4326|urn:ogc:def:crs:OGC:[0-9.]*:CRS84|"
    r"https?://www\.opengis\.net/def/crs/OGC/[0-9.]+/CRS84"
)
# With which a WFS 2.0 may give an ExceptionReport (its table D.2): 403 says that processing failed.
_EXCEPTION_STATUSES = frozenset({400, 403, 404})
_SURFACES = frozenset(_GML + name for name in ("Polygon", "Surface", "MultiSurface", "MultiPolygon"))
# A MultiSurface of composite surfaces of patches is 7 deep.
_DEPTH = 10
_UNREADABLE: dict[str, Any] = {"type": "unreadable"}
_PATCHES = frozenset(_GML + name for name in ("Polygon", "PolygonPatch"))
_NAME = re.compile(r"[A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?", re.ASCII)


@dataclass(slots=True)
class WfsLayer:
    """Reads feature type `type_name`, such as ms:batas_desa.

    `path` follows the transport's base_url: /wfs for https://host/cgi-bin/wfs under https://host/cgi-bin.
    """

    transport: Transport
    path: str
    type_name: str
    page_size: int = PAGE_SIZE
    patience_s: float = PATIENCE_S
    # Further parameters that the address needs, such as MapServer's `map`.
    extra: Mapping[str, str] = field(default_factory=dict)
    grouped: bool = field(default=False, init=False)  # sorting is not required of a basic WFS
    announced: int | None = field(default=None, init=False)

    async def check(self, code_names: tuple[str, ...]) -> None:  # noqa: ARG002 - XML has no types to check
        """Return when the feature type exists and gives features."""
        document = await self._ask({"count": "1"})
        _page_features(document)

    async def pages(
        self,
        where: tuple[tuple[str, ...], str] | None,
        group_by: tuple[str, ...],  # noqa: ARG002 - part of the seam
    ) -> AsyncGenerator[Sequence[Any], None]:
        """As FeatureDriver says. The filter is sent under the attribute's first name, spelled as it is."""
        filtered = {} if where is None else {"filter": _equals(where[0][0], where[1])}
        size = self.page_size
        # A page may call the number of matches unknown (MapServer does); a question for it alone may not.
        self.announced = _matched(await self._ask({**filtered, "resultType": "hits"}))
        tally = Tally(self.announced)
        while self.announced is None or tally.short:
            document, size = await self._largest_page(filtered, tally.read, size)
            features = _page_features(document)
            tally.add(features)
            if not features:
                break
            yield features
        tally.close()

    async def _largest_page(self, filtered: dict[str, str], offset: int, size: int) -> tuple[Element, int]:
        """A page, and the size it had: half as large as often as it takes to be readable."""
        while True:
            try:
                paged = {**filtered, "startIndex": str(offset), "count": str(size)}
                return await self._ask(paged), size
            except TooLarge:
                if size == 1:
                    raise
                size //= 2

    async def _ask(self, params: Mapping[str, str]) -> Element:
        deadline = asyncio.get_running_loop().time() + self.patience_s
        question = {
            **self.extra,
            "service": "WFS",
            "version": "2.0.0",
            "request": "GetFeature",
            "typeNames": self.type_name,
            "srsName": _ASKED_CRS,
            **params,
        }
        reply = await self.transport.send(
            "GET",
            self.path,
            deadline=deadline,
            params=question,
            expect=None,  # GML has had several media types
            also_answers=_EXCEPTION_STATUSES,
            judge=_judge,
        )
        return _parsed(reply.body)


def _judge(reply: Reply) -> None:
    """Raise what a WFS says in an ExceptionReport, whatever the status. Its words are not repeated."""
    try:
        document = _parsed(reply.body)
    except GarbledAnswer:
        if reply.status == 403:  # noqa: PLR2004 - as in HTTP
            raise Misconfigured("the map server refuses with status 403: is our address allowed?") from None
        if reply.status == 404:  # noqa: PLR2004 - as in HTTP
            raise Misconfigured("the map server has no such service (status 404): check its path") from None
        raise
    if document.tag.endswith("}ExceptionReport"):
        exception = next((one for one in document if one.tag.endswith("}Exception")), None)
        code = exception.get("exceptionCode", "") if exception is not None else ""
        known = code if re.fullmatch("[A-Za-z]{1,60}", code) else "of no known code"
        if code in ("NoApplicableCode", "OperationProcessingFailed"):
            raise ServerFault(f"the map server answers with exception {known}")
        raise Rejected(f"the map server refuses this question: exception {known}", status=reply.status)
    if document.tag != f"{_WFS}FeatureCollection" or reply.status != 200:  # noqa: PLR2004 - as in HTTP
        raise GarbledAnswer("the map server answers with something else than a WFS 2.0 feature collection")


class _WithoutDtd(TreeBuilder):
    def doctype(self, *_: Any) -> None:
        raise BrokenContract("the map server answers with XML that declares a DTD")


def _parsed(body: bytes) -> Element:
    parser = XMLParser(target=_WithoutDtd())  # noqa: S314 - without a DTD there is nothing to expand
    try:
        parser.feed(body)
        root: Element = parser.close()
    except ParseError:
        raise GarbledAnswer("the map server answers with broken XML") from None
    return root


def _equals(name: str, code: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("no name of an attribute")
    return (
        '<fes:Filter xmlns:fes="http://www.opengis.net/fes/2.0"><fes:PropertyIsEqualTo>'
        f"<fes:ValueReference>{name}</fes:ValueReference><fes:Literal>{escape(code)}</fes:Literal>"
        "</fes:PropertyIsEqualTo></fes:Filter>"
    )


def _matched(document: Element) -> int | None:
    """How many features there are, or None: a server may say "unknown"."""
    text = document.get("numberMatched", "")
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


def _page_features(document: Element) -> list[dict[str, Any]]:
    features = [_feature(one) for member in document.iterfind(f"{_WFS}member") for one in islice(member, 1)]
    returned = document.get("numberReturned", "")
    if returned.isascii() and returned.isdigit() and int(returned) != len(features):
        raise BrokenContract("the map server gives another number of features than it says")
    return features


def _feature(element: Element) -> dict[str, Any]:
    """GeoJSON, longitude first, of a feature in GML. Texts stay texts."""
    properties: dict[str, str | None] = {}
    geometry: dict[str, Any] | None = None
    for one in element:
        name = one.tag.rpartition("}")[2]
        surface = next((part for part in one if part.tag in _SURFACES), None)
        if surface is not None:
            geometry = _surface(surface) if geometry is None else _UNREADABLE  # which of two, nobody says
        elif len(one) == 0:
            text = None if one.get(_NIL) in ("true", "1") else one.text
            # Of two texts for one name neither can be believed.
            properties[name] = text if properties.get(name, text) == text else None
    return {
        "type": "Feature",
        "id": element.get(f"{_GML}id"),
        "properties": properties,
        "geometry": geometry,
    }


def _surface(element: Element) -> dict[str, Any]:
    """A MultiPolygon of all patches, or what areas.py will reject. Raises BrokenContract for unknown axes."""
    polygons = []
    try:
        for patch, order in _patches(element, None, _DEPTH):
            rings = [
                _ring(ring, order)
                for kind in ("exterior", "interior")
                for ring in patch.iterfind(f"{_GML}{kind}/{_GML}LinearRing")
            ]
            if len(patch.findall(f"{_GML}exterior")) != 1 or len(rings) != len(patch):
                return _UNREADABLE
            polygons.append(rings)
    except ValueError:
        return _UNREADABLE
    return {"type": "MultiPolygon", "coordinates": polygons}


def _patches(element: Element, srs: str | None, depth: int) -> Iterator[tuple[Element, str | None]]:
    """Each patch with the srsName that holds for it: its own, or that of what it is part of."""
    if depth == 0:
        raise ValueError("nested too deeply")
    srs = element.get("srsName", srs)
    if element.tag in _PATCHES:
        yield element, srs
        return
    for child in element:
        yield from _patches(child, srs, depth - 1)


def _ring(ring: Element, srs: str | None) -> list[tuple[float, float]]:
    positions = ring.find(f"{_GML}posList")
    each = [positions] if positions is not None else ring.findall(f"{_GML}pos")
    srs = ring.get("srsName", srs)
    dimension = next((one.get("srsDimension") for one in each if one.get("srsDimension")), "2")
    step = int(dimension or "2")
    numbers = [float(number) for one in each for number in (one.text or "").split()]
    if step not in (2, 3) or len(numbers) % step:
        raise ValueError("coordinates do not come in pairs")
    firsts, seconds = numbers[::step], numbers[1::step]
    if _longitude_first(srs):
        return list(zip(firsts, seconds, strict=True))
    return list(zip(seconds, firsts, strict=True))


def _longitude_first(srs: str | None) -> bool:
    if srs is not None and _LONGITUDE_FIRST.fullmatch(srs):
        return True
    if srs is None or not _LATITUDE_FIRST.fullmatch(srs):
        raise BrokenContract(
            "the map server does not say, or not in a known name, in which order its axes are"
        )
    return False
