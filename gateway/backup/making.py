"""Makes a backup set: database first, keys after it, then the manifest, then a line in the audit log.

The keys come after the database's moment, so that every salt which the database knows is among them. The set
names the newest checkpoint from before it began, which it therefore holds; the log names the set's manifest
by its hash, which proves later that a set is the one that was made here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from alembic.migration import MigrationContext
from pyrage.x25519 import Recipient
from sqlalchemy import make_url

from gateway.audit.entry import act
from gateway.audit.ledger import Ledger
from gateway.audit.log import BLIND_BYTES, add_entries
from gateway.backup.disk import refusals_told
from gateway.backup.encryption import Encrypted, encrypt
from gateway.backup.key_copy import archive_keys, names_in
from gateway.backup.manifest import DATABASES, KEYS, Kind, LogHead, Manifest, Position, SetFile, id_of
from gateway.backup.postgres import base_backup
from gateway.backup.sets import BackupFolder, BackupSet
from gateway.backup.sqlite import snapshot
from gateway.database import Database
from gateway.staff.roles import Staff

Progress = Callable[[str, int, int], None]
# How the log calls the act; its object_sha256 is the set's seal.
MADE = "backup.made"


@dataclass(frozen=True, slots=True)
class Site:
    """What is backed up: the key folder, the files that the settings name, and the database's address."""

    keys: Path
    settings_files: Mapping[str, Path]
    database_url: str = field(repr=False)


@refusals_told()
def make_set(
    site: Site,
    database: Database,
    folder: BackupFolder,
    recipients: Sequence[Recipient],
    *,
    actor: Staff,
    clock: Callable[[], datetime],
    progress: Progress = lambda _what, _done, _total: None,
) -> BackupSet:
    """Back up database and keys; the act is in the audit log. Raises what copying and encrypting raise.

    `progress` is told what is copied, how many plain bytes have passed and of about how many.
    """
    begun_at = clock()
    schema, head = _revision(database), _newest_checkpoint(database)
    kind: Kind = "sqlite" if database.is_sqlite else "postgresql"
    with folder.beginning(id_of(begun_at)) as place:
        target, position = place / DATABASES[kind], None
        if kind == "sqlite":
            written = _copy_sqlite(site.database_url, target, recipients, progress)
        else:
            written, position = _copy_postgres(site.database_url, target, recipients, progress)
        kept, names = _copy_keys(site, place, recipients)
        manifest = Manifest(
            **_common(begun_at, clock(), kind, recipients),
            files=(_set_file(target, written), kept),
            key_files=names,
            schema_revision=schema,
            position=position,
            log=head,
        )
        made = folder.finish(place, manifest)
    _write_down(database, made, actor, clock())
    return made


@refusals_told()
def make_key_set(
    site: Site, folder: BackupFolder, recipients: Sequence[Recipient], *, clock: Callable[[], datetime]
) -> BackupSet | None:
    """Back up the keys alone; None when the newest set has the same ones already.

    A key file is written once and never changed, so the same names are the same keys. Not in the audit log:
    it is for every few minutes.
    """
    newest = [one.manifest.key_files for one in folder.all() if one.manifest.key_files][-1:]
    if newest == [names_in(site.keys)]:
        return None
    begun_at = clock()
    with folder.beginning(id_of(begun_at)) as place:
        kept, names = _copy_keys(site, place, recipients)
        common = _common(begun_at, clock(), "keys", recipients)
        return folder.finish(place, Manifest(**common, files=(kept,), key_files=names))


def _copy_sqlite(url: str, target: Path, recipients: Sequence[Recipient], progress: Progress) -> Encrypted:
    with snapshot(Path(str(make_url(url).database))) as copy, copy.open("rb") as content:
        size = copy.stat().st_size
        return encrypt(content, target, recipients, lambda done: progress("database", done, size))


def _copy_postgres(
    url: str, target: Path, recipients: Sequence[Recipient], progress: Progress
) -> tuple[Encrypted, Position]:
    with base_backup(url, f"gapura {target.parent.name}") as copy:
        about = copy.server.bytes
        written = encrypt(
            copy.stream, target, recipients, lambda done: progress("database", done, max(done, about))
        )
        return written, copy.position()


def _copy_keys(site: Site, place: Path, recipients: Sequence[Recipient]) -> tuple[SetFile, tuple[str, ...]]:
    archive, names = archive_keys(site.keys, site.settings_files)
    return _set_file(place / KEYS, encrypt(archive, place / KEYS, recipients)), names


def _set_file(path: Path, written: Encrypted) -> SetFile:
    return SetFile(name=path.name, bytes=written.bytes, sha256=written.sha256)


def _common(
    begun_at: datetime, ended_at: datetime, kind: Kind, recipients: Sequence[Recipient]
) -> dict[str, Any]:
    """What every manifest says."""
    return {
        "id": id_of(begun_at),
        "kind": kind,
        "gapura": version("gapura"),
        "begun_at": begun_at,
        "ended_at": ended_at,
        "recipients": tuple(map(str, recipients)),
    }


def _revision(database: Database) -> str | None:
    with database.reading() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _newest_checkpoint(database: Database) -> LogHead | None:
    head = Ledger(database).head()
    return None if head is None else LogHead(size=head.size, note=head.note, cosigned_by=head.witnesses)


def _write_down(database: Database, made: BackupSet, actor: Staff, at: datetime) -> None:
    entry = act(
        actor=actor.actor,
        act=MADE,
        object_id=f"backup/{made.manifest.id}",
        object_sha256=made.seal,
        reason=made.manifest.kind,
        at=at,
    )
    with database.unit_of_work() as connection:
        add_entries(connection, [entry.seal(os.urandom(BLIND_BYTES))])
