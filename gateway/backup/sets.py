"""The folder of backups: sets in `sets/`, each whole or not there, and PostgreSQL's archived log in `wal/`.

A set is made under a name that nobody takes for one, and gets its own when all of it is on the disk. What an
interrupted backup leaves is removed by the next one. Sets can be copied to other places by any program.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.backup.encryption import Passed, measure
from gateway.backup.manifest import MANIFEST, Manifest, is_id, parse_manifest
from gateway.errors import Conflict, FileUnusable, NotFound, SettingsInvalid
from gateway.key_files import locked, sync_folder

_UNFINISHED = ".unfinished"


@dataclass(frozen=True, slots=True)
class BackupSet:
    """A set on the disk. `seal` is the SHA-256 of its manifest, which names all else by hash."""

    path: Path
    manifest: Manifest
    seal: str

    @classmethod
    def read(cls, path: Path) -> BackupSet:
        """Read a set's manifest, without looking at its files. Raises FileUnusable, NotFound."""
        file = path / MANIFEST
        try:
            text = file.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"There is no backup at {path}: expected a folder with {MANIFEST}.") from None
        except OSError as error:
            raise FileUnusable(f"{file} cannot be read: {error.strerror}.") from None
        return cls(path, parse_manifest(text, str(file)), hashlib.sha256(text).hexdigest())

    def file(self, name: str) -> Path:
        """Where a file of the set is. Raises NotFound when the set has none of this name."""
        if all(one.name != name for one in self.manifest.files):
            raise NotFound(f"The set {self.manifest.id} has no {name}: it is a set of {self.manifest.kind}.")
        return self.path / name

    def check(self, passed: Passed = lambda _: None) -> None:
        """Compare every file with the manifest. Raises FileUnusable for the first that is another."""
        before = 0
        for file in self.manifest.files:
            found = measure(self.path / file.name, lambda count, base=before: passed(base + count))  # type: ignore[misc]
            before += found.bytes
            if (found.bytes, found.sha256) != (file.bytes, file.sha256):
                raise FileUnusable(
                    f"{self.path / file.name} is not the file that the manifest names: expected {file.bytes} "
                    f"bytes with SHA-256 {file.sha256}, got {found.bytes} bytes. Take another copy, or set."
                )


class BackupFolder:
    """All backups of one installation. Processes may share the folder; one makes a set at a time."""

    def __init__(self, root: Path) -> None:
        self.sets = root / "sets"
        self.wal = root / "wal"

    @classmethod
    def named(cls, root: Path | None) -> BackupFolder:
        """The folder of the settings. Raises SettingsInvalid when none is named there."""
        if root is None:
            raise SettingsInvalid(["GAPURA_BACKUP_FOLDER: expected the folder of the backups, got none"])
        return cls(root)

    def all(self) -> Sequence[BackupSet]:
        """Every finished set, oldest first. Raises FileUnusable for one whose manifest cannot be read."""
        if not self.sets.is_dir():
            return []
        return [BackupSet.read(path) for path in sorted(self.sets.iterdir()) if is_id(path.name)]

    def get(self, set_id: str) -> BackupSet:
        """The set of this name. Raises NotFound, FileUnusable."""
        if not is_id(set_id):
            raise NotFound(f"There is no backup {set_id}: see `gapura backup list`.")
        return BackupSet.read(self.sets / set_id)

    def newest_with_database(self, *, ended_by: datetime | None = None) -> BackupSet:
        """The newest set from which the database can be restored, to that moment if one is given."""
        fitting = [
            one
            for one in self.all()
            if one.manifest.database_file and (ended_by is None or one.manifest.ended_at <= ended_by)
        ]
        if not fitting:
            before = f" that was ended by {ended_by.isoformat()}" if ended_by else ""
            raise NotFound(f"{self.sets} holds no backup of a database{before}.")
        return fitting[-1]

    def newest_with_keys(self) -> BackupSet:
        """The newest set that holds the keys. Raises NotFound."""
        fitting = [one for one in self.all() if one.manifest.key_files]
        if not fitting:
            raise NotFound(f"{self.sets} holds no backup of the keys.")
        return fitting[-1]

    @contextmanager
    def beginning(self, set_id: str) -> Iterator[Path]:
        """An empty folder in which to make a set; `finish` makes it one, else it is removed at the end.

        Waits while another process makes one. Raises Conflict for a name in use.
        """
        self.sets.mkdir(mode=0o750, parents=True, exist_ok=True)
        with locked(self.sets):
            for left in self.sets.glob(f"*{_UNFINISHED}"):
                shutil.rmtree(left)
            if (self.sets / set_id).exists():
                raise Conflict(f"There is a backup {set_id} already.")
            folder = self.sets / f"{set_id}{_UNFINISHED}"
            folder.mkdir(mode=0o750)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def finish(self, folder: Path, manifest: Manifest) -> BackupSet:
        """Write the manifest and give the set its name: from now on it counts."""
        text = manifest.model_dump_json(indent=1).encode() + b"\n"
        file = folder / MANIFEST
        file.touch(mode=0o640)
        file.write_bytes(text)
        with file.open("rb") as written:
            os.fsync(written.fileno())
        sync_folder(folder)
        final = self.sets / manifest.id
        folder.rename(final)
        sync_folder(self.sets)
        return BackupSet(final, manifest, hashlib.sha256(text).hexdigest())

    def remove(self, one: BackupSet) -> None:
        """Remove a set: first it is no set any more, then its files go."""
        going = one.path.with_name(one.path.name + _UNFINISHED)
        one.path.rename(going)
        sync_folder(self.sets)
        shutil.rmtree(going)
