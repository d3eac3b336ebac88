"""Which keys a database belongs to: its pseudonyms and audit hashes mean nothing under others.

A lost or foreign key folder would otherwise be filled with new keys in silence, rename every person towards
every sector, and cut the audit log off from its people.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from sqlalchemy import Column, Integer, String, Table, insert, select

from gateway.database import Database, metadata
from gateway.errors import SettingsInvalid
from gateway.keys import Keys
from gateway.master_key import fetch_master_key, load_key_source

installation = Table(
    "installation",
    metadata,
    Column("id", Integer, primary_key=True),
    # SHA-256 of a key that is derived for this purpose alone: recognises the master key, tells nothing of it.
    Column("keys_mark", String(64), nullable=False),
)
_ONLY = 1


def mark_of(keys: Keys) -> str:
    """By what a database recognises the keys that it was begun with."""
    return hashlib.sha256(keys.derive("installation mark")).hexdigest()


def open_keys(database: Database, folder: Path, source: Path | None = None) -> Keys:
    """Open the keys that this database was begun with; a new database is bound to those that are given.

    `source` is the file that says where the master key is kept; None means in the folder. Raises
    SettingsInvalid when the folder has lost them or holds others, FileUnusable when a file is bad,
    KeysUnavailable when their keeper cannot be asked.
    """
    master = None if source is None else fetch_master_key(load_key_source(source))
    with database.reading() as connection:
        bound_to = connection.execute(select(installation.c.keys_mark)).scalar()
    if bound_to is not None and master is None and not Keys.present(folder):
        raise SettingsInvalid(
            [f"This database was begun with keys that are not in {folder}: put them back from the backup"]
        )
    keys = Keys.open(folder, master)
    mark = mark_of(keys)
    if bound_to is None:
        with database.unit_of_work() as connection:
            if connection.execute(select(installation.c.keys_mark)).scalar() is None:
                connection.execute(insert(installation).values(id=_ONLY, keys_mark=mark))
    elif bound_to != mark:
        where = source or folder
        raise SettingsInvalid(
            [f"The keys in {where} are not those that this database was begun with: put the right ones back"]
        )
    return keys
