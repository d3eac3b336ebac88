"""The folder in which whoever submits a run through the API finds what Dukcapil handed over.

Somebody with access to the machine puts extracts there; over HTTP they are told by name and nothing else, so
that a request can name no other file. MUST NOT open one: that is the run's work.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from gateway.errors import NotFound

# Below the gateway's home.
EXTRACT_FOLDER = "extracts"
EXTRACT_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
_NAME = re.compile(EXTRACT_NAME)


@dataclass(frozen=True, slots=True)
class ExtractOnDisk:
    """A file, or a folder of `files` partitions, with its size in bytes and when it was last written to."""

    name: str
    kind: Literal["file", "folder"]
    files: int
    bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class ExtractFolder:
    """The extracts of one gateway."""

    path: Path

    def all(self) -> Sequence[ExtractOnDisk]:
        """What lies there, the newest first; what has a name that no run can be given is left out."""
        if not self.path.is_dir():
            return []
        found = [_described(one) for one in self.path.iterdir() if one.exists() and _NAME.fullmatch(one.name)]
        return sorted(found, key=lambda one: (one.modified_at, one.name), reverse=True)

    def path_of(self, name: str) -> str:
        """The path of an extract. Raises NotFound."""
        path = self.path / name
        if not _NAME.fullmatch(name) or not path.exists():
            raise NotFound(
                f"There is no such extract in the folder {EXTRACT_FOLDER} of the gateway's home: see "
                "GET /admin/v1/reconciliations/extracts."
            )
        return str(path.resolve())


def _described(path: Path) -> ExtractOnDisk:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    stats = [one.stat() for one in (path, *files)]
    return ExtractOnDisk(
        path.name,
        "file" if path.is_file() else "folder",
        len(files),
        sum(one.stat().st_size for one in files),
        datetime.fromtimestamp(int(max(one.st_mtime for one in stats)), UTC),
    )
