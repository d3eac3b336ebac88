"""BIG's map server as a real HTTP server: ArcGIS REST, read-only and anonymous, with its habits and faults.

What it serves MUST be synthetic, or be marked as such by whoever runs it. It understands the few SQL-like
filters that its clients use, and answers everything else as ArcGIS does: an error object under status 200.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

Fault = Literal[
    "error_500",
    "error_400",
    "token_required",
    "no_limit_flag",
    "flag_without_end",
    "page_lost",
    "page_repeated",
    "web_mercator",
    "truncated",
    "html",
    "http_503",
]
_ERRORS = {
    "error_500": (500, "Error performing query operation"),
    "error_400": (400, "Failed to execute query."),
    "token_required": (499, "Token Required"),
}
# Attributes in the order of BIG's village layer.
# fmt: off
_ATTRIBUTES = (
    "NAMOBJ", "FCODE", "REMARK", "METADATA", "SRS_ID", "KDBBPS", "KDCBPS", "KDCPUM", "KDEBPS", "KDEPUM",
    "KDPBPS", "KDPKAB", "KDPPUM", "LUASWH", "TIPADM", "WADMKC", "WADMKD", "WADMKK", "WADMPR", "WIADKC",
    "WIADKK", "WIADPR", "WIADKD", "UUPP", "LCODE", "SHAPE_Leng", "SHAPE_Area",
)
# fmt: on
_NUMBERS = frozenset({"LUASWH", "TIPADM", "SHAPE_Leng", "SHAPE_Area"})
_EVERYTHING = re.compile(r"\s*1\s*=\s*1\s*")
_CONDITION = re.compile(r"\s*(\w+)\s*(=|LIKE)\s*'((?:[^']|'')*)'\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Feature:
    """One row of a layer: attributes as BIG names them, and a GeoJSON geometry in WGS 84."""

    attributes: Mapping[str, Any]
    geometry: Mapping[str, Any] | None


def village(
    code: str,
    name: str,
    geometry: Mapping[str, Any] | None,
    *,
    regency: str = "CONTOH",
    surveyed: str = "20231231",
    **changed: Any,
) -> Feature:
    """A village with BIG's attributes; BPS codes are null, as they often are. `changed` overrides some."""
    attributes = dict.fromkeys(_ATTRIBUTES) | {
        "NAMOBJ": name,
        "FCODE": "BA03070040",
        "REMARK": "Wilayah Administrasi Desa/Kelurahan",
        "METADATA": f"TASWIL10000{surveyed}_DATA_BATAS_DESAKELURAHAN",
        "SRS_ID": "SRGI 2013",
        "KDPPUM": code[:2],
        "KDPKAB": code[:5],
        "KDCPUM": code[:8],
        "KDEPUM": code,
        "TIPADM": 2 if code[-4:-3] == "1" else 1,
        "WADMPR": "Provinsi Contoh",
        "WADMKK": regency,
        "WADMKC": "Kecamatan Contoh",
        "WADMKD": name,
    }
    return Feature(attributes | changed, geometry)


@dataclass
class BigSimulator:
    """`app` serves `layers` ("BATASWILAYAH/BATAS_DESAKEL_AR" -> rows) below /rbi/rest/services, layer 0 each.

    `next_answers` holds faults; each is used up by one /query that wants features. `types` are wrong types
    of fields, such as {"KDEPUM": "esriFieldTypeDate"}: values that the type does not hold become null.
    `asked` holds the parameters of every /query.
    """

    layers: Mapping[str, Sequence[Feature]]
    max_records: int = 1000
    lower_case: bool = False
    flag_in: Literal["top", "properties"] = "properties"
    types: Mapping[str, str] = field(default_factory=dict)
    can_page: bool = True
    can_sort: bool = True
    next_answers: deque[Fault] = field(default_factory=deque)
    asked: list[dict[str, str]] = field(default_factory=list)
    app: Starlette = field(init=False)

    def __post_init__(self) -> None:
        layer = "/rbi/rest/services/{folder}/{service}/MapServer/{number}"
        self.app = Starlette(
            routes=[
                Route(layer, self._layer, methods=["GET", "POST"]),
                Route(f"{layer}/query", self._query, methods=["GET", "POST"]),
            ]
        )

    async def _layer(self, request: Request) -> Response:
        if self._rows(request) is None:
            return _error(404, "Service not found")
        names = [("OBJECTID", "esriFieldTypeOID"), *((name, self._type(name)) for name in _ATTRIBUTES)]
        return JSONResponse(
            {
                "currentVersion": 10.81,
                "id": 0,
                "name": request.path_params["service"],
                "type": "Feature Layer",
                "geometryType": "esriGeometryPolygon",
                "fields": [{"name": self._spelled(name), "type": kind} for name, kind in names],
                "maxRecordCount": self.max_records,
                "supportedQueryFormats": "JSON, geoJSON, PBF",
                "advancedQueryCapabilities": {
                    "supportsPagination": self.can_page,
                    "supportsOrderBy": self.can_sort,
                },
            }
        )

    async def _query(self, request: Request) -> Response:
        given = dict(request.query_params) or {
            key: str(value) for key, value in (await request.form()).items()
        }
        self.asked.append(given)
        rows = self._rows(request)
        if rows is None:
            return _error(404, "Service not found")
        found = _where(rows, given.get("where", ""))
        if found is None:
            return _error(400, "Unable to complete operation.", "'where' clause is invalid.")
        if given.get("returnCountOnly") == "true":
            return JSONResponse({"count": len(found)})
        fault = self.next_answers.popleft() if self.next_answers else None
        return _broken(fault) or self._page(found, given, fault)

    def _page(
        self, found: list[tuple[int, Feature]], given: Mapping[str, str], fault: Fault | None
    ) -> Response:
        if given.get("f") != "geojson" or given.get("outSR") not in (None, "4326"):
            return _error(400, "Invalid or missing input parameters.", "only f=geojson and outSR=4326")
        if self.can_sort and (order := given.get("orderByFields", "")):
            first = order.split(",")[0].strip().upper()
            found = sorted(found, key=lambda row: (str(row[1].attributes.get(first) or ""), row[0]))
        offset = int(given.get("resultOffset", "0")) if self.can_page else 0
        size = min(int(given.get("resultRecordCount", self.max_records)), self.max_records)
        if fault == "page_repeated":
            offset = max(0, offset - 1)
        page = [] if fault == "page_lost" else found[offset : offset + size]
        more = offset + size < len(found) and fault != "no_limit_flag"
        document: dict[str, Any] = {
            "type": "FeatureCollection",
            "crs": {
                "type": "name",
                "properties": {"name": "EPSG:3857" if fault == "web_mercator" else "EPSG:4326"},
            },
            "features": [self._feature(number, row) for number, row in page],
        }
        if more or fault == "flag_without_end":
            flag = {"exceededTransferLimit": True}
            document |= flag if self.flag_in == "top" else {"properties": flag}
        body = json.dumps(document).encode()
        return Response(
            body[: len(body) // 2] if fault == "truncated" else body, media_type="application/geo+json"
        )

    def _feature(self, number: int, row: Feature) -> dict[str, Any]:
        properties = {self._spelled("OBJECTID"): number} | {
            self._spelled(name): self._stored(name, value) for name, value in row.attributes.items()
        }
        return {"type": "Feature", "id": number, "geometry": row.geometry, "properties": properties}

    def _rows(self, request: Request) -> Sequence[Feature] | None:
        place = request.path_params
        return self.layers.get(f"{place['folder']}/{place['service']}") if place["number"] == "0" else None

    def _type(self, name: str) -> str:
        usual = "esriFieldTypeDouble" if name in _NUMBERS else "esriFieldTypeString"
        return self.types.get(name, usual)

    def _stored(self, name: str, value: Any) -> Any:
        if self._type(name) == "esriFieldTypeDate":
            return None
        if name in self.types and self._type(name) == "esriFieldTypeDouble" and isinstance(value, str):
            return float(value) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value) else None
        return value

    def _spelled(self, name: str) -> str:
        return name.lower() if self.lower_case else name


def _broken(fault: Fault | None) -> Response | None:
    """An answer that has nothing to do with the question, or None."""
    if fault in _ERRORS:
        return _error(*_ERRORS[fault])
    if fault == "html":
        return HTMLResponse("<html><body>ArcGIS Web Adaptor</body></html>")
    return PlainTextResponse("Service Unavailable", 503) if fault == "http_503" else None


def _error(code: int, message: str, *details: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message, "details": list(details)}})


def _where(rows: Sequence[Feature], clause: str) -> list[tuple[int, Feature]] | None:
    """The rows that a filter lets through, each with its OBJECTID, or None for one not understood."""
    numbered = list(enumerate(rows, 1))
    if _EVERYTHING.fullmatch(clause):
        return numbered
    if not (found := _CONDITION.fullmatch(clause)):
        return None
    name, operator, quoted = found.groups()
    wanted = re.escape(quoted.replace("''", "'"))
    pattern = re.compile(wanted.replace("%", ".*") if operator.upper() == "LIKE" else wanted)
    return [
        (number, row)
        for number, row in numbered
        if pattern.fullmatch(str(row.attributes.get(name.upper()) or ""))
    ]
