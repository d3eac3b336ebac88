"""In which area a point lies. A point that two areas claim lies in neither: nobody can tell on a border."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import shapely

from connectors.big.areas import Area


class RegionIndex:
    """In which area a point lies. Holds areas of one level and edition, which may not overlap by intent."""

    def __init__(self, areas: Iterable[Area]) -> None:
        kept = list(areas)
        if len({(area.level, area.edition) for area in kept}) > 1:
            raise ValueError("areas of one level and edition are needed: others overlap them")
        self._codes = [area.code for area in kept]
        self._surfaces = np.array([area.geometry for area in kept], dtype=object)
        shapely.prepare(self._surfaces)
        self._tree = shapely.STRtree(self._surfaces)

    def region_of(self, longitude: float, latitude: float) -> str | None:
        """The code of the only area that covers the point, or None: on a border, nobody can tell."""
        return self.regions_of([longitude], [latitude])[0]

    def regions_of(self, longitudes: Sequence[float], latitudes: Sequence[float]) -> list[str | None]:
        """The same for many points at once, in order. What is no number lies nowhere."""
        claims = self.claims_on(longitudes, latitudes)
        return [codes[0] if len(codes) == 1 else None for codes in claims]

    def claims_on(self, longitudes: Sequence[float], latitudes: Sequence[float]) -> list[tuple[str, ...]]:
        """The codes of all areas that cover each point, sorted: none at sea, two or more on a border."""
        xs, ys = np.asarray(longitudes, dtype=float), np.asarray(latitudes, dtype=float)
        claims: list[list[str]] = [[] for _ in range(len(xs))]
        known = np.flatnonzero(np.isfinite(xs) & np.isfinite(ys))
        if known.size and self._codes:
            # By bounding box first; then the prepared surfaces, which a predicate of the tree would not use.
            near, areas = self._tree.query(shapely.points(xs[known], ys[known]))
            points = known[near]
            inside = shapely.intersects_xy(self._surfaces[areas], xs[points], ys[points])
            for point, area in zip(points[inside], areas[inside], strict=True):
                claims[point].append(self._codes[area])
        return [tuple(sorted(codes)) for codes in claims]
