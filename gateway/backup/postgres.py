"""Copies a PostgreSQL as a whole by its own `pg_basebackup`, and checks such a copy against its own manifest.

A base backup and not a dump: only that leads, with the archived log, to any moment, and it costs the time of
reading the files, whatever the indexes. It comes as one stream that is encrypted before it touches a disk,
with the log that it needs to be consistent, so that a set stands alone; a temporary slot holds that log until
it is fetched. The account needs REPLICATION, and nothing else. A password MUST NOT reach a command line.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gateway.backup.manifest import Position
from gateway.backup.unpacking import copied, members
from gateway.errors import FileUnusable, NotFound, SettingsInvalid, StoreUnavailable

_TOOL = "pg_basebackup"
_OLDEST = 15
_OPTIONS = (
    *("--pgdata=-", "--format=tar", "--wal-method=fetch", "--manifest-checksums=SHA256"),
    *("--verbose", "--no-password"),
    "--checkpoint=fast",  # at once, not over minutes: a set is whole to the moment at which it was begun
)
_LOG_MANIFEST = PurePosixPath("backup_manifest")
_LOG_FOLDER = "pg_wal"
_POINT = re.compile(r"write-ahead log (start|end) point: ([0-9A-F]+/[0-9A-F]+)(?: on timeline (\d+))?")
_DEBIAN = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class Server:
    """What the server says of itself before it is copied. `bytes` is about how much there is to copy."""

    system: str
    version: str
    segment_bytes: int
    bytes: int


class BaseBackup:
    """A running `pg_basebackup`: its `stream` is to be read to the end, then `position` is known."""

    def __init__(self, server: Server, process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
        self.server = server
        self._process = process
        self._said = said

    @property
    def stream(self) -> BinaryIO:
        """The tar of the data folder."""
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe
        return self._process.stdout  # type: ignore[return-value] # a buffered pipe

    def position(self) -> Position:
        """Where the copy stands in the log. Raises StoreUnavailable when the server ended it."""
        status = self._process.wait()
        self._said.seek(0)
        words = self._said.read().decode(errors="replace")
        points = {kind: (lsn, timeline) for kind, lsn, timeline in _POINT.findall(words)}
        if status or {*points} != {"start", "end"}:
            last = next(
                (line for line in reversed(words.splitlines()) if "error" in line.lower()), words[-300:]
            )
            raise StoreUnavailable(f"PostgreSQL gave no whole copy of itself: {last.strip()}")
        (start, timeline), (end, _) = points["start"], points["end"]
        return Position(
            system=self.server.system,
            server_version=self.server.version,
            segment_bytes=self.server.segment_bytes,
            timeline=int(timeline),
            start=start,
            end=end,
        )


@contextmanager
def base_backup(url: str, label: str) -> Iterator[BaseBackup]:
    """Begin to copy the server at `url` (postgresql://...); ended, if it is not over, with the block.

    Raises NotFound without `pg_basebackup`, SettingsInvalid when the account may not, StoreUnavailable.
    """
    tool = _tool()
    how = conninfo_to_dict(url.replace("postgresql+psycopg://", "postgresql://", 1))
    password = how.pop("password", None)
    environment = {**os.environ, "LC_ALL": "C"} | ({"PGPASSWORD": str(password)} if password else {})
    command = [tool, "--dbname", make_conninfo("", **how), f"--label={label}", *_OPTIONS]
    with _log_kept(url) as server, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, env=environment)  # noqa: S603
        try:
            yield BaseBackup(server, process, said)
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


@contextmanager
def _log_kept(url: str) -> Iterator[Server]:
    """Have the server keep its log meanwhile: a slot that ends with this connection, however it ends."""
    slot = f"gapura_backup_{secrets.token_hex(4)}"
    plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
    try:
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute("SELECT pg_create_physical_replication_slot(%s, true, true)", [slot])
            yield _server(connection)
    except psycopg.errors.InsufficientPrivilege:
        raise SettingsInvalid(
            [
                (
                    "GAPURA_BACKUP_DATABASE_URL: expected a role with REPLICATION, such as gapura_backup of "
                    "deploy/postgresql/roles.sql"
                )
            ]
        ) from None
    except psycopg.OperationalError as error:
        raise StoreUnavailable(
            f"PostgreSQL does not let a backup begin ({type(error).__name__}): is GAPURA_BACKUP_DATABASE_URL "
            "right, has its role this password, and does pg_hba.conf let it in?"
        ) from None


def _server(connection: psycopg.Connection[tuple[object, ...]]) -> Server:
    row = connection.execute(
        "SELECT (SELECT system_identifier::text FROM pg_control_system()), "
        "current_setting('server_version'), current_setting('server_version_num')::int, "
        "(SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size'), "
        "(SELECT sum(pg_database_size(oid))::bigint FROM pg_database "
        "WHERE has_database_privilege(oid, 'CONNECT'))"
    ).fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    system, version, number, segment_bytes, size = row
    if int(str(number)) // 10_000 < _OLDEST:
        raise SettingsInvalid([f"PostgreSQL {version}: expected {_OLDEST} or newer"])
    return Server(str(system), str(version).split()[0], int(str(segment_bytes)), int(str(size or 0)))


def _tool() -> str:
    """PostgreSQL's own program: the one that is found first, else the newest of Debian's."""
    if found := shutil.which(_TOOL):
        return found
    by_version = sorted(_DEBIAN.glob(f"*/bin/{_TOOL}"), key=lambda path: int(path.parts[-3]))
    if not by_version:
        raise NotFound(f"{_TOOL} is not on this machine: apt-get install postgresql-client.")
    return str(by_version[-1])


def unpack(
    stream: BinaryIO, folder: Path | None, passed: Callable[[int], None], *, aside: Mapping[str, str]
) -> None:
    """Unpack a base backup into an empty folder, or nowhere, and compare it with PostgreSQL's own manifest.

    Files that are keys of `aside` get the name beside it. Raises FileUnusable for a file that is missing,
    other than the manifest says, or beside it.
    """
    found: dict[str, tuple[int, str]] = {}
    listed: dict[str, tuple[int, str]] | None = None
    before = 0
    for path, content in members(stream):
        if content is None:
            if folder is not None:
                (folder / path).mkdir(mode=0o700, parents=True, exist_ok=True)
            continue
        if path == _LOG_MANIFEST:
            listed = _listed(content.read())
            continue
        target = None if folder is None else folder / aside.get(str(path), path)
        if target is not None:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        found[str(path)] = copied(content, target)
        before += found[str(path)][0]
        passed(before)
    if listed is None:
        raise FileUnusable("The base backup has no backup_manifest of PostgreSQL's: it is not whole.")
    # The log has checksums of its own, and most of it is not in the manifest.
    names = {name for name in {*found, *listed} if PurePosixPath(name).parts[0] != _LOG_FOLDER}
    if wrong := sorted(name for name in names if found.get(name) != listed.get(name)):
        raise FileUnusable(
            f"The base backup is not as PostgreSQL's manifest says: see {', '.join(wrong[:3])}."
        )


def _listed(text: bytes) -> dict[str, tuple[int, str]]:
    """What PostgreSQL's manifest lists: by name the length and SHA-256."""
    try:
        files = json.loads(text)["Files"]
        return {
            _name_of(file): (
                int(file["Size"]),
                str(file["Checksum"]) if file["Checksum-Algorithm"] == "SHA256" else "",
            )
            for file in files
        }
    except (ValueError, KeyError, TypeError):
        raise FileUnusable("PostgreSQL's backup_manifest cannot be read.") from None


def _name_of(file: Mapping[str, str]) -> str:
    """PostgreSQL writes a name in hexadecimal where it is no UTF-8."""
    encoded = file.get("Encoded-Path")
    return file["Path"] if encoded is None else os.fsdecode(bytes.fromhex(encoded))
