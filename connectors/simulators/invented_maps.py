"""Layers for BIG's simulator that need no map: regions by their real codes and names, with invented borders.

Indonesia becomes a rectangle, and every region a rectangle within that of the region above it, so that
neighbours touch and nothing overlaps. MUST NOT be taken for where a region lies: each row says so in REMARK.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from connectors.big.codes import LEVELS, Level, ancestry, level_of
from connectors.simulators.big import Feature, village

REMARK = "LATIHAN: batas rekaan, bukan batas wilayah"
# The services that hold a level at BIG, which has no layer of provinces.
SERVICES: Mapping[str, Level] = {
    "BATASWILAYAH/BATAS_KABKOTA_AR": "regency",
    "BATASWILAYAH/BATAS_KECAMATAN_AR": "district",
    "BATASWILAYAH/BATAS_DESAKEL_AR": "village",
}
_CODES = ("KDPPUM", "KDPKAB", "KDCPUM", "KDEPUM")
_NAMES = ("WADMPR", "WADMKK", "WADMKC", "WADMKD")
# West, south, east, north in degrees.
Rectangle = tuple[float, float, float, float]
_COUNTRY: Rectangle = (95.0, -11.0, 141.0, 6.0)
_DECIMALS = 6

Regions = Callable[[], Iterable[tuple[str, str]]]


class InventedLayers(Mapping[str, Sequence[Feature]]):
    """The rows of each of SERVICES, drawn when they are first asked for.

    `regions` gives code and name of every region of the country. Every regency and district has a row; of
    the villages those in `villages`, because all 84 000 are more than a training needs.
    """

    def __init__(self, regions: Regions, villages: Collection[str]) -> None:
        self._regions = regions
        self._villages = frozenset(villages)
        self._drawn: dict[Level, list[Feature]] = {}

    def __getitem__(self, service: str) -> Sequence[Feature]:
        level = SERVICES[service]
        if not self._drawn:
            self._drawn = self._draw()
        return self._drawn[level]

    def __iter__(self) -> Iterator[str]:
        return iter(SERVICES)

    def __len__(self) -> int:
        return len(SERVICES)

    def _draw(self) -> dict[Level, list[Feature]]:
        names = dict(self._regions())
        places = rectangles(names)
        drawn: dict[Level, list[Feature]] = {level: [] for level in LEVELS}
        for code in sorted(names):
            level = level_of(code)
            if level != "village" or code in self._villages:
                drawn[level].append(_row(code, names, places[code]))
        return drawn


def rectangles(codes: Iterable[str]) -> dict[str, Rectangle]:
    """Where each region is drawn; `codes` MUST hold every region above each of them.

    >>> rectangles(["11", "11.01", "11.02"])["11.02"]
    (118.0, -11.0, 141.0, 6.0)
    """
    below: defaultdict[str, list[str]] = defaultdict(list)
    for code in sorted(codes):
        below[code.rpartition(".")[0]].append(code)
    places = {"": _COUNTRY}
    waiting = [""]
    while waiting:
        parent = waiting.pop()
        children = below.get(parent, [])
        places.update(zip(children, _divided(places[parent], len(children)), strict=True))
        waiting += children
    del places[""]
    return places


def _divided(whole: Rectangle, count: int) -> list[Rectangle]:
    """`count` rectangles of one size, in rows from the south; the last places may stay empty."""
    if not count:
        return []
    west, south, east, north = whole
    columns = min(count, math.ceil(math.sqrt(count * (east - west) / (north - south))))
    rows = math.ceil(count / columns)
    xs = [round(west + (east - west) * at / columns, _DECIMALS) for at in range(columns + 1)]
    ys = [round(south + (north - south) * at / rows, _DECIMALS) for at in range(rows + 1)]
    places = (divmod(number, columns) for number in range(count))
    return [(xs[column], ys[row], xs[column + 1], ys[row + 1]) for row, column in places]


def _row(code: str, names: Mapping[str, str], place: Rectangle) -> Feature:
    """One region with BIG's attributes; those of levels below it are null."""
    said: dict[str, Any] = dict.fromkeys((*_CODES, *_NAMES)) | {"REMARK": REMARK, "TIPADM": None}
    for (_, above), its_code, its_name in zip(ancestry(code), _CODES, _NAMES, strict=False):
        said |= {its_code: above, its_name: names[above]}
    return village(code, names[code], _polygon(place), **said)


def _polygon(place: Rectangle) -> dict[str, Any]:
    west, south, east, north = place
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}
