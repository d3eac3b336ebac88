"""Copies an embedded SQLite database while it is in use, by SQLite's own online backup.

The copy is one moment of the database, taken in one step: in smaller ones, a busy gateway would have it begin
anew for ever. It lies unencrypted beside the database itself, in a folder of mode 0700, until it is
encrypted.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gateway.errors import FileUnusable, NotFound, StoreUnavailable

_COMPANIONS = ("-wal", "-shm", "-journal")


@contextmanager
def snapshot(database: Path) -> Iterator[Path]:
    """A copy of the database as it is now; removed with the block. Raises NotFound, StoreUnavailable."""
    if not database.is_file():
        raise NotFound(f"There is no database {database}.")
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=database.parent) as folder:
        copy = Path(folder) / "database.db"
        try:
            with (
                closing(sqlite3.connect(database.resolve().as_uri() + "?mode=ro", uri=True)) as source,
                closing(sqlite3.connect(copy)) as target,
            ):
                source.backup(target)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{database} could not be copied ({error.sqlite_errorname}).") from None
        yield copy


def refuse_unsound(copy: Path) -> None:
    """Raise FileUnusable when SQLite finds the file's structure damaged."""
    try:
        with closing(sqlite3.connect(copy.resolve().as_uri() + "?mode=ro&immutable=1", uri=True)) as opened:
            found = opened.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError:
        found = None
    if found != ("ok",):
        raise FileUnusable("The backup holds no sound SQLite database.")


def traces_of(database: Path) -> list[Path]:
    """The files of a database that are there: a restored one would be ruined by an old log beside it."""
    companions = [database.with_name(database.name + end) for end in _COMPANIONS]
    return [path for path in (database, *companions) if path.exists()]


def put_in_place(copy: Path, database: Path) -> None:
    """Give a restored copy its name, on the disk when this returns."""
    with copy.open("rb") as file:
        os.fsync(file.fileno())
    copy.rename(database)
