"""`[big]` of `sources.toml`: the map server that areas are pulled from, and its layer of each level.

Without the section it is BIG's own, which asks nobody who they are. Strict as the rest of the file: all
problems are told at once, and nothing that stands there is repeated.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from connectors.big.areas import FeatureDriver
from connectors.big.codes import Edition, Level
from connectors.big.layers import BIG_ADDRESS, BIG_LAYERS, MAP_SERVER_LIMITS, ArcGisLayer, AreaPage, BigLayers
from connectors.big.ogc_features import OgcFeatures
from connectors.big.wfs import WfsLayer
from connectors.kind import OwnKeys
from connectors.transport.client import Transport
from connectors.transport.settings import SourceSettings
from gateway.errors import NotFound, SettingsInvalid
from gateway.sources.reading import Reading

SECTION = "big"
Driver = Literal["arcgis", "ogc_features", "wfs"]
# What a layer is called: a path of an ArcGIS service, an OGC collection, a WFS feature type. It becomes part
# of an address or of a question.
_LAYER = re.compile(r"[A-Za-z0-9_:./-]{1,200}")


class _MapKeys(OwnKeys):
    driver: Driver = "arcgis"
    # By level. A path like those of BIG_LAYERS, a collection, or a feature type, as the driver wants.
    layers: dict[Level, str] = Field(default_factory=lambda: dict(BIG_LAYERS))
    page_size: int = Field(500, ge=1, le=10_000)
    # ArcGIS only: the detail that the server may drop, in degrees.
    tolerance_deg: float | None = Field(None, gt=0, le=0.01)
    # WFS only: what follows base_url, and further parameters of the address, such as MapServer's `map`.
    path: str = ""
    extra: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MapServer:
    """A map server as configured."""

    settings: SourceSettings
    _keys: _MapKeys

    async def pull(
        self, level: Level, edition: Edition, within: str | None
    ) -> AsyncGenerator[AreaPage, None]:
        """The layer of a level, as `BigLayers.pull` says. Raises NotFound where no layer holds the level."""
        async with Transport(self.settings) as transport:
            layers = BigLayers(self.driver(level, transport))
            async with aclosing(layers.pull(level, edition, within)) as pages:
                async for page in pages:
                    yield page

    async def check(self) -> None:
        """Return when every layer that is configured can be read. Raises SourceFailure."""
        async with Transport(self.settings) as transport:
            for level in self._keys.layers:
                await BigLayers(self.driver(level, transport)).check(level)

    def driver(self, level: Level, transport: Transport) -> FeatureDriver:
        """What reads the layer of a level through `transport`. Raises NotFound where there is none."""
        keys = self._keys
        if level not in keys.layers:
            known = ", ".join(keys.layers)
            raise NotFound(f"No layer of this map server holds a {level}; configured levels: {known}.")
        name = keys.layers[level]
        match keys.driver:
            case "arcgis":
                return ArcGisLayer(transport, name, keys.page_size, keys.tolerance_deg)
            case "ogc_features":
                return OgcFeatures(transport, name, keys.page_size)
            case "wfs":
                return WfsLayer(transport, keys.path, name, keys.page_size, extra=keys.extra)


def read_map_server(path: Path | None) -> MapServer:
    """The map server of the file at `path`; BIG's own without a path or a section.

    Raises SettingsInvalid with every problem of the section.
    """
    section = {} if path is None else _section(path)
    reading = Reading(path or Path())
    if not isinstance(section, Mapping):
        raise SettingsInvalid([f"{path}: {SECTION} is not a section: write [{SECTION}]"])
    # BIG asks for no credentials, so a section needs no folder of them.
    given = {**MAP_SERVER_LIMITS, "base_url": BIG_ADDRESS, "credentials_folder": "", **section}
    read = reading.section(SECTION, given, _MapKeys)
    settings = reading.source(SECTION, SECTION, read[0]) if read else None
    if read:
        reading.problems += _layer_problems(read[1], elsewhere="base_url" in section)
    if read is None or settings is None or reading.problems:
        raise SettingsInvalid([f"{path}: {problem}" for problem in reading.problems])
    return MapServer(settings, read[1])


def _layer_problems(keys: _MapKeys, *, elsewhere: bool) -> list[str]:
    problems = []
    if not all(map(_LAYER.fullmatch, keys.layers.values())):
        problems.append(f"[{SECTION}.layers]: letters, digits and _ : . / - name a layer")
    if keys.driver == "arcgis" and not all(name.startswith("/") for name in keys.layers.values()):
        problems.append(f"[{SECTION}.layers]: for arcgis, a path that begins with /")
    if (keys.driver != "arcgis" or elsewhere) and "layers" not in keys.model_fields_set:
        problems.append(f"[{SECTION}.layers] is missing: which layer of this server holds which level?")
    return problems


def _section(path: Path) -> Any:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")).get(SECTION, {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        # The parser's own words may quote the file.
        raise SettingsInvalid([f"{path}: cannot be read as TOML: {type(error).__name__}"]) from None
