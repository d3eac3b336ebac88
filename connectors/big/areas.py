"""Administrative areas as the gateway believes them: a dotted Kemendagri code, a name, and where it lies.

The pure part of reading maps. Maps come from elsewhere and are often wrong: codes lost to a wrong field
type, BPS codes that look alike, swapped axes, broken rings. Whatever is doubtful is rejected with a reason;
nothing here repairs a code.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import shapely
from shapely.errors import ShapelyError
from shapely.geometry import MultiPolygon, Polygon, box, shape

from connectors.big.codes import LEVELS, WIDTHS, Edition, Level, is_code
from connectors.transport.failures import BrokenContract

Surface: TypeAlias = Polygon | MultiPolygon
Reason = Literal[
    "no_feature",
    "no_code",
    "not_text",
    "bad_code",
    "contradiction",
    "not_in_region",
    "no_name",
    "no_geometry",
    "bad_geometry",
    "not_in_indonesia",
]

# With room at sea. Swapped axes and metres fall outside whatever their values: no latitude reaches 90.
_INDONESIA = box(90, -15, 145, 10)
# Simplified borders cross themselves a little; mending one that loses more than this would invent a border.
_MENDED_AREA_SHARE = 0.01
_METADATA_DATE = re.compile(r"TASWIL[0-9]*?((?:19|20)[0-9]{2})([01][0-9])([0-3][0-9])_")


@dataclass(frozen=True, slots=True)
class Area:
    """One administrative area. `geometry` is WGS 84, longitude first, and valid; `as_of` dates the border."""

    code: str
    name: str
    level: Level
    geometry: Surface = field(repr=False)
    edition: str
    as_of: date

    @property
    def fingerprint(self) -> str:
        """Equal for equal areas, however their rings are written down: an import skips what it has."""
        drawn = shapely.to_wkb(shapely.normalize(self.geometry), byte_order=1, output_dimension=2)
        said = f"{self.code}\0{self.name}\0{self.level}\0{self.edition}\0{self.as_of}\0".encode()
        return hashlib.sha256(said + drawn).hexdigest()


@dataclass(frozen=True, slots=True)
class RejectedFeature:
    """A feature that is not believed. `number` counts the layer's features from 1, in the order read.

    `code` is the well-formed code that it claims to draw, None where it claims none.
    """

    number: int
    reason: Reason
    detail: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class AttributeNames:
    """What a map calls codes and names, per level; spelled in any case. Several names say the same thing."""

    codes: Mapping[Level, tuple[str, ...]]
    names: Mapping[Level, tuple[str, ...]]
    metadata: str | None = None


# The Kemendagri codes of BIG. Its BPS codes (KDPBPS ... KDEBPS) are often null, cut short or numbers, and
# some BPS codes in Papua are Kemendagri codes of other regencies: they are not read at all.
BIG_ATTRIBUTES = AttributeNames(
    codes=dict(zip(LEVELS, (("KDPPUM",), ("KDPKAB", "KDBPUM"), ("KDCPUM",), ("KDEPUM",)), strict=True)),
    names=dict(zip(LEVELS, (("WADMPR",), ("WADMKK",), ("WADMKC",), ("WADMKD",)), strict=True)),
    metadata="METADATA",
)
# A file of somebody's own.
PLAIN_ATTRIBUTES = AttributeNames(
    codes=dict.fromkeys(LEVELS, ("code",)), names=dict.fromkeys(LEVELS, ("name",))
)


class FeatureDriver(Protocol):
    """A way to read one layer. It raises SourceFailure, also where the layer was not read completely."""

    async def check(self, code_names: tuple[str, ...]) -> None:
        """Return when the layer can be read as configured and has one of these attributes, if it says."""
        ...

    def pages(
        self, where: tuple[tuple[str, ...], str] | None, group_by: tuple[str, ...]
    ) -> AsyncGenerator[Sequence[Any], None]:
        """Pages of features as GeoJSON in WGS 84, longitude first, not believed yet.

        `where` is an attribute (any of the names) and the value that it must have; None asks for all.

        `group_by` names the attribute by whose value features are best given side by side.
        """
        ...

    @property
    def grouped(self) -> bool:
        """Whether the pages being given keep features of one group side by side. Known at the first page."""
        ...

    @property
    def announced(self) -> int | None:
        """How many features the pages being given will hold, if that was said. Known at the first page."""
        ...


class Tally:
    """Holds a paged source to its word: `announced` features, none of them twice. Raises BrokenContract."""

    def __init__(self, announced: int | None) -> None:
        self._announced = announced
        self._seen: set[Hashable] = set()
        self.read = 0

    @property
    def short(self) -> bool:
        """Whether features are known to be missing yet."""
        return self._announced is not None and self.read < self._announced

    def add(self, features: Sequence[Any]) -> None:
        """Count one page."""
        self.read += len(features)
        for feature in features:
            identity = feature.get("id") if isinstance(feature, dict) else None
            if isinstance(identity, str | int):
                if identity in self._seen:
                    raise BrokenContract("the map server gives a feature twice: its paging does not work")
                self._seen.add(identity)
        if self._announced is not None and self.read > self._announced:
            raise self._mismatch()

    def close(self) -> None:
        """Nothing follows."""
        if self.short:
            raise self._mismatch()

    def _mismatch(self) -> BrokenContract:
        return BrokenContract(
            f"the map server announced {self._announced} features and gave {self.read}: if the layer was "
            "just being changed, read it again; otherwise its paging does not work"
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """How features become areas of one level and edition; `within` is a code that covers them all."""

    level: Level
    edition: Edition
    attributes: AttributeNames = BIG_ATTRIBUTES
    within: str | None = None

    def area(self, feature: Any, number: int) -> Area | RejectedFeature:
        """The area that a GeoJSON feature draws, or why it is not believed. Raises nothing."""
        try:
            return self._area(feature)
        except _DoubtfulError as doubt:
            return RejectedFeature(number, doubt.reason, doubt.detail, self._claimed(feature))

    def _area(self, feature: Any) -> Area:
        if not isinstance(feature, dict) or not isinstance(feature.get("properties"), dict):
            raise _DoubtfulError("no_feature", "not a GeoJSON feature with properties")
        said = _Attributes(feature["properties"])
        code = self._code(said)
        name = said.text(self.attributes.names[self.level])
        if name is None:
            raise _DoubtfulError("no_name", f"{'/'.join(self.attributes.names[self.level])} is empty")
        metadata = said.text_if_any((self.attributes.metadata or "",))
        surface = read_surface(feature.get("geometry"))
        as_of = metadata_date(metadata or "") or self.edition.valid_from
        return Area(code, " ".join(name.split()), self.level, surface, self.edition.name, as_of)

    def _claimed(self, feature: Any) -> str | None:
        properties = feature.get("properties") if isinstance(feature, dict) else None
        said = _Attributes(properties if isinstance(properties, dict) else {})
        with suppress(_DoubtfulError):
            code = said.text_if_any(self.attributes.codes[self.level])
            return code if is_code(code, self.level) else None
        return None

    def _code(self, said: _Attributes) -> str:
        spellings = self.attributes.codes[self.level]
        code = said.text(spellings)
        if code is None:
            raise _DoubtfulError("no_code", f"{'/'.join(spellings)} is empty")
        if not is_code(code, self.level):
            raise _DoubtfulError("bad_code", f"{spellings[0]} holds no dotted code of a {self.level}")
        for level in LEVELS[: LEVELS.index(self.level)]:
            above = self.attributes.codes[level]
            parent = said.text_if_any(above) if above != spellings else None
            if parent is not None and parent != code[: WIDTHS[level]]:
                raise _DoubtfulError("contradiction", f"{spellings[0]} is not below {above[0]}")
        if self.within is not None and code != self.within and not code.startswith(f"{self.within}."):
            raise _DoubtfulError("not_in_region", f"{spellings[0]} is not within the region asked for")
        return code


class _DoubtfulError(Exception):
    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.detail = detail


class _Attributes:
    """A feature's properties by name in any case; texts only, for a number was a code once."""

    def __init__(self, properties: Mapping[str, Any]) -> None:
        self._values: dict[str, list[Any]] = {}
        for name, value in properties.items():
            self._values.setdefault(str(name).casefold(), []).append(value)

    def text(self, spellings: tuple[str, ...]) -> str | None:
        if any(value is not None and type(value) is not str for value in self._given(spellings)):
            raise _DoubtfulError("not_text", f"{'/'.join(spellings)} is not a text")
        return self.text_if_any(spellings)

    def text_if_any(self, spellings: tuple[str, ...]) -> str | None:
        texts = {value.strip() for value in self._given(spellings) if type(value) is str} - {""}
        if len(texts) > 1:
            raise _DoubtfulError("contradiction", f"{'/'.join(spellings)} says two things")
        return texts.pop() if texts else None

    def _given(self, spellings: tuple[str, ...]) -> list[Any]:
        return [value for name in spellings for value in self._values.get(name.casefold(), [])]


def metadata_date(text: str) -> date | None:
    """The day in BIG's METADATA, as in TASWIL1000020231231_DATA_BATAS_DESAKELURAHAN."""
    if found := _METADATA_DATE.search(text):
        try:
            return date(*(int(part) for part in found.groups()))
        except ValueError:
            return None
    return None


def read_surface(document: Any) -> Surface:
    """A valid surface in Indonesia from a GeoJSON geometry."""
    if document is None:
        raise _DoubtfulError("no_geometry", "the feature has no geometry")
    kind = document.get("type") if isinstance(document, dict) else None
    if kind not in ("Polygon", "MultiPolygon"):
        raise _DoubtfulError("bad_geometry", "the geometry is no Polygon or MultiPolygon")
    try:
        drawn = shapely.force_2d(shape(document))
    except (
        ShapelyError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ):
        raise _DoubtfulError("bad_geometry", "its coordinates cannot be read") from None
    if drawn.is_empty:
        raise _DoubtfulError("no_geometry", "the geometry is empty")
    if not np.isfinite(shapely.get_coordinates(drawn)).all():
        raise _DoubtfulError("bad_geometry", "a coordinate is no finite number")
    if not _INDONESIA.covers(box(*drawn.bounds)):
        raise _DoubtfulError(
            "not_in_indonesia", "it lies elsewhere: are the axes swapped, or is it not WGS 84 in degrees?"
        )
    return _mended(drawn)


def _mended(drawn: shapely.Geometry) -> Surface:
    whole = drawn if drawn.is_valid else shapely.make_valid(drawn, method="structure", keep_collapsed=False)
    changed = abs(whole.area - drawn.area)
    if not isinstance(whole, Polygon | MultiPolygon) or not whole.area > 0:
        raise _DoubtfulError("bad_geometry", "it encloses nothing")
    if changed > _MENDED_AREA_SHARE * whole.area:
        raise _DoubtfulError("bad_geometry", "its border crosses itself too much to know what it encloses")
    return whole


class Merging:
    """Makes one area of the features that share its code. Which are complete depends on the order read.

    `grouped` promises that they come side by side; without that, nothing is complete before the end.
    """

    def __init__(self, *, grouped: bool) -> None:
        self._grouped = grouped
        self._parts: dict[str, list[tuple[int, Area]]] = {}
        self._done: set[str] = set()

    def add(self, number: int, part: Area) -> list[Area | RejectedFeature]:
        """What is complete now. `number` is the feature's. Raises BrokenContract if not side by side."""
        complete: list[Area | RejectedFeature] = []
        if self._grouped and part.code not in self._parts:
            complete = self.rest()
            if part.code in self._done:
                raise BrokenContract("the map server does not sort as it was asked to: read it unsorted")
        self._parts.setdefault(part.code, []).append((number, part))
        return complete

    def rest(self) -> list[Area | RejectedFeature]:
        """What is left when nothing follows."""
        complete = [one for parts in self._parts.values() for one in _merged(parts)]
        self._done.update(self._parts)
        self._parts.clear()
        return complete


def _merged(parts: list[tuple[int, Area]]) -> list[Area | RejectedFeature]:
    """One area, as old as its oldest part. Parts of different names may be two areas: none is kept."""
    first = parts[0][1]
    if len(parts) == 1:
        return [first]
    if len({part.name.casefold() for _, part in parts}) > 1:
        return [
            RejectedFeature(
                number, "contradiction", "features with this code have different names", part.code
            )
            for number, part in parts
        ]
    whole = shapely.union_all([part.geometry for _, part in parts])
    as_of = min(part.as_of for _, part in parts)
    return [Area(first.code, first.name, first.level, whole, first.edition, as_of)]
