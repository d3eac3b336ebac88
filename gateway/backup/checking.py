"""Checks a backup without restoring it: every hash, the way through the log and, with a key, all content.

Without a private key it says that nothing has changed since it was made; with one, that it can be restored.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pyrage.x25519 import Identity

from gateway.backup import postgres
from gateway.backup.encryption import decrypted
from gateway.backup.key_copy import unpack_keys
from gateway.backup.manifest import DATABASES, KEYS
from gateway.backup.restoring import find_way
from gateway.backup.sets import BackupFolder, BackupSet
from gateway.backup.sqlite import refuse_unsound
from gateway.backup.unpacking import copied
from gateway.backup.wal_archive import WalArchive
from gateway.errors import FileUnusable

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Sound:
    """What a check found. `whole_to` is the last moment to which the database can be restored with this set.

    It is None for a set of keys alone. `segments` counts the archived files that lead there.
    """

    one: BackupSet
    whole_to: datetime | None
    segments: int
    decrypted: bool


def check_set(
    folder: BackupFolder,
    one: BackupSet,
    identities: Sequence[Identity] = (),
    scratch: Path | None = None,
    progress: Progress = lambda _what, _done, _total: None,
) -> Sound:
    """Check one set, and the archived log from it on. Raises FileUnusable for the first thing wrong.

    With private keys, everything is decrypted and compared; only an SQLite database is written somewhere for
    that, in a private folder under `scratch`, and removed.
    """
    total = sum(file.bytes for file in one.manifest.files)
    one.check(lambda done: progress("checking the set", done, total))
    whole_to, names = one.manifest.begun_at if one.manifest.database_file else None, tuple[str, ...]()
    archive = WalArchive(folder.wal)
    if one.manifest.position is not None:
        way = find_way(one, archive)
        whole_to, names = way.whole_to, way.names
        archive.check(names, lambda done, count: progress("checking the log", done, count))
    if identities:
        _decrypt_all(one, identities, scratch, progress)
        for number, name in enumerate(names, start=1):
            archive.prove(name, identities)
            progress("decrypting the log", number, len(names))
    return Sound(one, whole_to, len(names), bool(identities))


def _decrypt_all(
    one: BackupSet, identities: Sequence[Identity], scratch: Path | None, progress: Progress
) -> None:
    with decrypted(one.file(KEYS), identities) as archive:
        names = unpack_keys(archive, None, None)
    if sorted(names) != sorted(one.manifest.key_files):
        raise FileUnusable(f"{one.file(KEYS)} holds other keys than its manifest says.")
    if one.manifest.kind == "postgresql":
        with decrypted(one.file(DATABASES["postgresql"]), identities) as stream:
            postgres.unpack(stream, None, lambda done: progress("decrypting", done, 0), aside={})
    elif one.manifest.kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=scratch) as place:
            copy = Path(place) / "database.db"
            with decrypted(one.file(DATABASES["sqlite"]), identities) as content:
                copied(content, copy)
            refuse_unsound(copy)
