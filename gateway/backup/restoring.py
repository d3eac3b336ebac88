"""Puts a backup back where nothing is: every hash is checked before anything is touched.

PostgreSQL's data folder gets its base backup, the archived log up to the wanted moment, and the settings by
which the server replays it; the server is started by whoever runs it. Until all of that is there the folder
lacks its control file, without which no server starts on it: a restore that was interrupted cannot be taken
for a whole one. It MUST NOT write over anything, and MUST leave nothing behind when it fails.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pyrage.x25519 import Identity

from gateway.backup import postgres
from gateway.backup.disk import refusals_told
from gateway.backup.encryption import decrypted
from gateway.backup.key_copy import refuse_present, unpack_keys
from gateway.backup.manifest import DATABASES, KEYS, Position
from gateway.backup.sets import BackupSet
from gateway.backup.sqlite import put_in_place, refuse_unsound, traces_of
from gateway.backup.unpacking import copied, give_to_owner_of_parent
from gateway.backup.wal import Chain
from gateway.backup.wal_archive import WalArchive
from gateway.errors import Conflict, FileUnusable
from gateway.key_files import sync_folder

_CONTROL, _CONTROL_ASIDE = "global/pg_control", "global/pg_control.unfinished"
_LOG = "pg_wal"
_DONE = "pg_wal/archive_status"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Way:
    """How a recovery goes: the archived files it reads after the set, and the moment to which they are whole.

    `until` is the wanted end, None for all there is; `timeline` the wanted one, None for the latest. What is
    restored as a copy to look into archives nothing: it would begin a history that later restores follow.
    """

    names: tuple[str, ...]
    whole_to: datetime
    until: datetime | None
    timeline: int | None
    as_copy: bool


def find_way(
    one: BackupSet,
    archive: WalArchive,
    until: datetime | None = None,
    timeline: int | None = None,
    *,
    as_copy: bool = False,
) -> Way:
    """Which archived files lead from a set of PostgreSQL's to `until`.

    Raises FileUnusable when the archive does not lead so far, Conflict for a moment before the set's end.
    """
    manifest, position = one.manifest, _position(one)
    if until is not None and until < manifest.ended_at:
        raise Conflict(
            f"The set {manifest.id} is consistent from {manifest.ended_at.isoformat()} on, and cannot be "
            f"taken back to {until.isoformat()}: take a set that was ended before."
        )
    chain = archive.after(position, timeline)
    whole_to = archive.notes[chain.segments[-1]].completed_at if chain.segments else manifest.begun_at
    if chain.missing and (until is None or until > whole_to):
        raise FileUnusable(
            f"{archive.folder} lacks {chain.missing}, though later ones are there: the way ends at "
            f"{whole_to.isoformat()}. Find the file in another copy of the archive, restore with --to "
            "that moment or an earlier one, or follow another history with --timeline."
        )
    if until is not None and until > whole_to:
        raise FileUnusable(
            f"{archive.folder} leads to {whole_to.isoformat()} and not to {until.isoformat()}. Leave --to "
            "out to restore all there is, or name an earlier moment."
        )
    histories = [note.name for note in archive.notes.values() if note.text is not None]
    return Way((*histories, *_needed(chain, archive, until)), whole_to, until, timeline, as_copy)


def _needed(chain: Chain, archive: WalArchive, until: datetime | None) -> Sequence[str]:
    """Up to the first segment that was completed after the wanted end, and one more for its commits' ends."""
    if until is None:
        return chain.segments
    later = [n for n, name in enumerate(chain.segments) if archive.notes[name].completed_at > until]
    return chain.segments[: later[0] + 2] if later else chain.segments


@refusals_told()
def restore_postgres(
    one: BackupSet,
    archive: WalArchive,
    way: Way,
    identities: Sequence[Identity],
    data: Path,
    progress: Progress = lambda _what, _done, _total: None,
) -> None:
    """Fill an empty or missing data folder, so that a server that is started on it recovers along `way`.

    Raises Conflict for a folder that is not empty, FileUnusable for whatever is wrong with the backup.
    """
    if (data / _CONTROL_ASIDE).exists():
        raise Conflict(f"{data} holds a restore that was interrupted: remove the folder, and begin again.")
    refuse_present(data)
    total = sum(file.bytes for file in one.manifest.files)
    one.check(lambda done: progress("checking the set", done, total))
    archive.check(way.names, lambda done, count: progress("checking the log", done, count))
    with _filled(data):
        with decrypted(one.file(DATABASES["postgresql"]), identities) as stream:
            postgres.unpack(
                stream, data, lambda done: progress("database", done, 0), aside={_CONTROL: _CONTROL_ASIDE}
            )
        _put_log(data, archive, way.names, identities, progress)
        _tell_server(data, way)
        give_to_owner_of_parent(data)
        os.sync()
        (data / _CONTROL_ASIDE).rename(data / _CONTROL)
        sync_folder(data / "global")


@refusals_told()
def restore_sqlite(one: BackupSet, identities: Sequence[Identity], database: Path) -> None:
    """Put an embedded database back as a new file of mode 0600. Raises Conflict, FileUnusable."""
    if traces := traces_of(database):
        raise Conflict(
            f"{', '.join(map(str, traces))}: something is there, and nothing is ever restored over "
            "something. Move it away first."
        )
    one.check()
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy = database.with_name(f".{database.name}.unfinished")
    copy.unlink(missing_ok=True)
    try:
        with decrypted(one.file(DATABASES["sqlite"]), identities) as content:
            copied(content, copy)
        refuse_unsound(copy)
        give_to_owner_of_parent(copy)
        put_in_place(copy, database)
    finally:
        copy.unlink(missing_ok=True)


@refusals_told()
def restore_keys(
    one: BackupSet, identities: Sequence[Identity], folder: Path, settings_folder: Path
) -> list[str]:
    """Fill an empty or missing key folder; gives the names of the keys.

    The settings files of then go into a folder of their own, for people to compare. Raises Conflict,
    FileUnusable.
    """
    refuse_present(folder)
    refuse_present(settings_folder)
    one.check()
    with decrypted(one.file(KEYS), identities) as archive, _filled(folder), _filled(settings_folder):
        names = unpack_keys(archive, folder, settings_folder)
        for made in (folder, settings_folder):
            give_to_owner_of_parent(made)
        os.sync()
    return names


def _position(one: BackupSet) -> Position:
    if one.manifest.position is None:
        raise Conflict(
            f"The set {one.manifest.id} is of {one.manifest.kind}: only a PostgreSQL can be taken to a "
            "moment."
        )
    return one.manifest.position


@contextmanager
def _filled(folder: Path) -> Iterator[None]:
    """Fill a folder that is empty or missing; what was put there is removed when the block raises."""
    was_there = folder.exists()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    try:
        yield
    except BaseException:
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        if not was_there:
            folder.rmdir()
        raise


def _put_log(
    data: Path, archive: WalArchive, names: Sequence[str], identities: Sequence[Identity], progress: Progress
) -> None:
    """Put the archived files where the server looks for them, marked as archived: they are."""
    (data / _DONE).mkdir(mode=0o700, parents=True, exist_ok=True)
    for number, name in enumerate(names, start=1):
        target = data / _LOG / name
        target.unlink(missing_ok=True)  # a history that came with the base backup, too
        archive.put(name, target, identities)
        (data / _DONE / f"{name}.done").touch(mode=0o600)
        progress("log", number, len(names))


def _tell_server(data: Path, way: Way) -> None:
    """Have the server recover when it is started, and serve when it is through."""
    # An earlier restore may have left a target in the file that was backed up. They are emptied first:
    # PostgreSQL takes even an empty target that comes after another one for a second target.
    targets = ("recovery_target", "recovery_target_name", "recovery_target_xid", "recovery_target_lsn")
    settings = {
        **dict.fromkeys(targets, ""),
        "recovery_target_time": way.until.isoformat() if way.until else "",
        "recovery_target_timeline": str(way.timeline or "latest"),
        "recovery_target_inclusive": "on",
        "recovery_target_action": "promote",
        # What is needed lies in pg_wal already, decrypted here: the server needs no private key.
        "restore_command": "false",
        **({"archive_mode": "off"} if way.as_copy else {}),
    }
    with (data / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
        file.write("\n# gapura restore\n")
        file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    (data / "recovery.signal").touch(mode=0o600)
