"""Areas on their way in, kept in a temporary file until all of them have come.

Only what is new or changed is kept, so that importing a layer again hardly touches the disk, and the
database is written in one short transaction at the end rather than held open for as long as a server takes.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import date
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self

import orjson
import shapely

from connectors.big.areas import Area


class Arrivals:
    """Rows of the table `areas` in a file that is gone when this is closed, or the process dies."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 - closed when this is

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, area: Area, fingerprint: str) -> None:
        """Keep one area."""
        west, south, east, north = area.geometry.bounds
        row = {
            "edition": area.edition,
            "code": area.code,
            "level": area.level,
            "name": area.name,
            "as_of": area.as_of,
            "fingerprint": fingerprint,
            "west": west,
            "south": south,
            "east": east,
            "north": north,
            "geometry": b64encode(shapely.to_wkb(area.geometry, output_dimension=2)).decode(),
        }
        self._file.write(orjson.dumps(row) + b"\n")

    def rows(self) -> Iterator[dict[str, Any]]:
        """All that was kept, in order."""
        self._file.seek(0)
        for line in self._file:
            row: dict[str, Any] = orjson.loads(line)
            row["as_of"] = date.fromisoformat(row["as_of"])
            row["geometry"] = b64decode(row["geometry"])
            yield row
