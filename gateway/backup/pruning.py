"""Removes backups that have had their time: what was erased from the database ends with its last backup.

The newest set of a database and the newest set with keys stay, however old: an installation whose backups
have stopped MUST NOT lose its last ones to a timer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.backup.disk import refusals_told
from gateway.backup.sets import BackupFolder, BackupSet
from gateway.backup.wal_archive import WalArchive


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, and from which moment on the database can still be restored (None: it cannot)."""

    sets: Sequence[BackupSet]
    segments: int
    from_moment: datetime | None


@refusals_told()
def prune(folder: BackupFolder, keep_days: int, now: datetime) -> Pruned:
    """Remove the sets that are older than so many days, and the archived log that only they needed."""
    every = folder.all()
    kept = {
        *[one.path for one in every if one.manifest.database_file][-1:],
        *[one.path for one in every if one.manifest.key_files][-1:],
        *[one.path for one in every if one.manifest.ended_at > now - timedelta(days=keep_days)],
    }
    going = [one for one in every if one.path not in kept]
    for one in going:
        folder.remove(one)
    left = [one for one in every if one.path in kept and one.manifest.database_file]
    positions = [one.manifest.position for one in left if one.manifest.position is not None]
    segments = WalArchive(folder.wal).remove_before(positions[0]) if positions else 0
    return Pruned(going, segments, left[0].manifest.ended_at if left else None)
