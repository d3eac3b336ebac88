"""What a backup set says of itself: one JSON file, readable without any key.

It names every file of the set with its length and hash, and how far the log had come when the set was begun.
A file that no manifest names is no part of a backup. It MUST NOT hold a secret or anything about a person.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import FileUnusable

MANIFEST = "manifest.json"
KEYS = "keys.tar.gz.age"
DATABASES = {"postgresql": "database.tar.gz.age", "sqlite": "database.db.gz.age"}

Kind = Literal["postgresql", "sqlite", "keys"]
Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Lsn = Annotated[str, Field(pattern="^[0-9A-F]{1,8}/[0-9A-F]{1,8}$")]

_ID_FORMAT = "%Y%m%dT%H%M%S%fZ"
_ID = re.compile(r"\d{8}T\d{12}Z")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SetFile(_Part):
    """One encrypted file of a set, as it lies on the disk."""

    name: Annotated[str, Field(pattern="^[a-z][a-z.]*$")]
    bytes: int
    sha256: Hash


class Position(_Part):
    """Where a base backup stands in its server's write-ahead log.

    From `start` on it is replayed, and at `end` it is consistent. `system` is the server's own number, by
    which another server's log is told apart.
    """

    system: str
    server_version: str
    segment_bytes: int
    timeline: int
    start: Lsn
    end: Lsn


class LogHead(_Part):
    """The newest checkpoint when the set was begun: the set holds at least these entries."""

    size: int
    note: str
    cosigned_by: tuple[str, ...] = ()


class Manifest(_Part):
    """A whole set. Moments are UTC.

    The database of a set is whole to `begun_at` at least: what was committed by then is in it. `key_files`
    are the names of the key files, which are no secrets.
    """

    gapura_backup: Literal[1] = 1
    id: str
    kind: Kind
    gapura: str
    begun_at: AwareDatetime
    ended_at: AwareDatetime
    recipients: tuple[str, ...]
    files: tuple[SetFile, ...]
    key_files: tuple[str, ...]
    schema_revision: str | None = None
    position: Position | None = None
    log: LogHead | None = None

    @property
    def database_file(self) -> SetFile | None:
        """The file with the database; None in a set of keys alone."""
        return next((file for file in self.files if file.name in DATABASES.values()), None)


def id_of(begun_at: datetime) -> str:
    """The name of a set that was begun then (UTC): names sort as the sets were made."""
    return begun_at.strftime(_ID_FORMAT)


def is_id(name: str) -> bool:
    """Whether a folder of this name can be a set."""
    return _ID.fullmatch(name) is not None


def parse_manifest(text: bytes, where: str) -> Manifest:
    """Read a manifest. Raises FileUnusable when it is none, or one of a later version."""
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
        places = sorted({".".join(map(str, problem["loc"])) or "JSON" for problem in problems})
        raise FileUnusable(
            f"{where} is no manifest of a backup that this version reads: see {', '.join(places[:5])}."
        ) from None
