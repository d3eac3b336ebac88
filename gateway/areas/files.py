"""A map in a GeoJSON file, plain or gzipped, read as a layer of a map server is.

RFC 7946 has coordinates in WGS 84, longitude first; a file that says otherwise is refused as a whole. Its
features are believed or rejected one by one in `connectors.big.areas`.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from connectors.big.areas import BIG_ATTRIBUTES, PLAIN_ATTRIBUTES, AttributeNames
from connectors.big.codes import Level
from connectors.big.layers import AreaPage, BigLayers, in_wgs84
from gateway.areas.importing import Wanted
from gateway.errors import FileUnusable

_PAGE_SIZE = 500


class GeoJsonFile:
    """Drives the reading of a file, as `FeatureDriver` says. Gives every feature, whatever `where` asks.

    Raises FileUnusable when it is made.
    """

    grouped = False

    def __init__(self, path: Path) -> None:
        self._features = _read_features(path)
        self.announced = len(self._features)

    def attributes(self, level: Level) -> AttributeNames:
        """BIG's names of codes where the first feature has them, else plain `code` and `name`."""
        first = self._features[0]
        properties = first.get("properties") if isinstance(first, dict) else None
        names = {str(name).upper() for name in properties} if isinstance(properties, dict) else set()
        return BIG_ATTRIBUTES if names & set(BIG_ATTRIBUTES.codes[level]) else PLAIN_ATTRIBUTES

    async def check(self, code_names: tuple[str, ...]) -> None:
        """Return: whatever is wrong was found when the file was read."""
        del code_names

    async def pages(
        self,
        where: tuple[tuple[str, ...], str] | None,  # noqa: ARG002 - a number counts the file's features
        group_by: tuple[str, ...],  # noqa: ARG002 - all of it is there anyway
    ) -> AsyncGenerator[Sequence[Any], None]:
        """Every feature, in order."""
        for start in range(0, len(self._features), _PAGE_SIZE):
            yield self._features[start : start + _PAGE_SIZE]


async def read_file(path: Path, wanted: Wanted) -> AsyncGenerator[AreaPage, None]:
    """The wanted areas of a file; what lies outside `within` is passed over. Raises FileUnusable."""
    file = GeoJsonFile(path)
    layers = BigLayers(file, file.attributes(wanted.level))
    async with aclosing(layers.pull(wanted.level, wanted.edition, wanted.within)) as pages:
        async for page in pages:
            meant = tuple(one for one in page.rejected if one.reason != "not_in_region")
            yield replace(page, rejected=meant)


def _read_features(path: Path) -> list[Any]:
    try:
        content = path.read_bytes()
        document = orjson.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    except (OSError, EOFError, zlib.error) as error:
        raise FileUnusable(f"{path}: cannot be read ({type(error).__name__})") from None
    except orjson.JSONDecodeError:
        raise FileUnusable(f"{path}: is no JSON; expected a GeoJSON FeatureCollection") from None
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or document.get("type") != "FeatureCollection":
        raise FileUnusable(f"{path}: is no GeoJSON FeatureCollection")
    if not features:
        raise FileUnusable(f"{path}: has no features")
    if not in_wgs84(document):
        raise FileUnusable(f"{path}: is not in WGS 84: export it as EPSG:4326, longitude first")
    return features
