"""A driver for layers served as OGC API Features (OGC 17-069r4), read by following its next links.

Coordinates are CRS84, longitude first, as the standard has it unless another is asked for. A next link is
the server's word, so it is followed only where it stays with the same collection of the same server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from connectors.big.areas import Tally
from connectors.transport.client import Transport
from connectors.transport.failures import BrokenContract

PAGE_SIZE = 500
PATIENCE_S = 120.0
_ACCEPT = {"accept": "application/geo+json, application/json;q=0.9"}
_CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"


@dataclass(slots=True)
class OgcFeatures:
    """Reads /collections/`collection`/items. `collection` is percent-encoded where it has to be."""

    transport: Transport
    collection: str
    page_size: int = PAGE_SIZE
    patience_s: float = PATIENCE_S
    grouped: bool = field(default=False, init=False)  # sorting is not part of the standard's core
    announced: int | None = field(default=None, init=False)

    async def check(self, code_names: tuple[str, ...]) -> None:  # noqa: ARG002 - the core lists no attributes
        """Return when the collection exists and gives features."""
        await self._ask({"f": "json", "limit": "1"})

    async def pages(
        self,
        where: tuple[tuple[str, ...], str] | None,
        group_by: tuple[str, ...],  # noqa: ARG002 - part of the seam
    ) -> AsyncGenerator[Sequence[Any], None]:
        """As FeatureDriver says. The filter is sent under the attribute's first name, spelled as it is."""
        params: dict[str, str] | None = {"f": "json", "limit": str(self.page_size)}
        if where is not None:
            params = {**(params or {}), where[0][0]: where[1]}
        asked: list[dict[str, str]] = []
        tally: Tally | None = None
        while params is not None:
            if params in asked:
                raise BrokenContract("a next link of the map server leads back to a page already read")
            asked.append(params)
            document, crs = await self._ask(params)
            _check_page(document, crs)
            if tally is None:
                matched = document.get("numberMatched")
                self.announced = matched if type(matched) is int else None
                tally = Tally(self.announced)
            tally.add(document["features"])
            yield document["features"]
            params = self._next(document)
        if tally is not None:
            tally.close()

    @property
    def _path(self) -> str:
        return f"/collections/{self.collection}/items"

    async def _ask(self, params: Mapping[str, str]) -> tuple[Any, str | None]:
        deadline = asyncio.get_running_loop().time() + self.patience_s
        reply = await self.transport.send(
            "GET", self._path, deadline=deadline, params=params, headers=_ACCEPT
        )
        return reply.data, reply.headers.get("content-crs")

    def _next(self, document: Mapping[str, Any]) -> dict[str, str] | None:
        links = document.get("links")
        targets = {
            link["href"]
            for link in (links if isinstance(links, list) else [])
            if isinstance(link, dict) and link.get("rel") == "next" and isinstance(link.get("href"), str)
        }
        if len(targets) > 1:
            raise BrokenContract("the map server gives several next links")
        return self._params(targets.pop()) if targets else None

    def _params(self, href: str) -> dict[str, str]:
        """The query of a next link that stays here; whether it says http or https does not matter."""
        base = f"{self.transport.settings.base_url.rstrip('/')}{self._path}"
        try:
            target = urlsplit(urljoin(base, href))
            pairs = parse_qsl(target.query, keep_blank_values=True, strict_parsing=True, max_num_fields=50)
        except ValueError:
            raise BrokenContract("the map server gives a next link that is no address") from None
        ours = urlsplit(base)
        if (target.netloc, target.path) != (ours.netloc, ours.path) or len(dict(pairs)) != len(pairs):
            raise BrokenContract(
                "a next link of the map server leads away from base_url: configure its own address"
            )
        return dict(pairs)


def _check_page(document: Any, crs: str | None) -> None:
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or document.get("type") != "FeatureCollection":
        raise BrokenContract("the map server answers with something else than features")
    if crs is not None and crs.strip().strip("<>") != _CRS84:
        raise BrokenContract("the map server answers in other coordinates than CRS84")
    returned = document.get("numberReturned")
    if type(returned) is int and returned != len(features):
        raise BrokenContract("the map server gives another number of features than it says")
