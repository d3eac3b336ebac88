"""Copies the key folder, and the files that the settings name, into one archive; puts the keys back.

Keys are small and matter more than anything: without them pseudonyms, access histories and the log's
signature end. So the archive is made and read in memory, and its plain form MUST NOT touch a disk but as the
key folder itself. A key folder that is there is never written into.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from gateway.backup.unpacking import copied, members
from gateway.errors import Conflict, FileUnusable
from gateway.key_files import locked

KEYS_FOLDER = "keys"
SETTINGS_FOLDER = "settings"


def archive_keys(folder: Path, settings_files: Mapping[str, Path]) -> tuple[BinaryIO, tuple[str, ...]]:
    """The key folder as a tar, and the names of its files.

    The folder and those in it are held against changes meanwhile. `settings_files` go with it, each under its
    setting's name. Raises FileUnusable when a file cannot be read or there are no keys.
    """
    archive = io.BytesIO()
    try:
        with tarfile.open(fileobj=archive, mode="w") as tar:
            with ExitStack() as stack:
                for held in (folder, *[path for path in folder.iterdir() if path.is_dir()]):
                    stack.enter_context(locked(held))
                names = names_in(folder)
                for name in names:
                    tar.add(folder / name, f"{KEYS_FOLDER}/{name}", recursive=False)
            for setting, path in settings_files.items():
                tar.add(path.resolve(), f"{SETTINGS_FOLDER}/{setting}-{path.name}", recursive=False)
    except OSError as error:
        raise FileUnusable(f"{error.filename or folder} cannot be read: {error.strerror}.") from None
    if not names:
        raise FileUnusable(f"{folder} holds no keys: is GAPURA_HOME the gateway's?")
    archive.seek(0)
    return archive, names


def names_in(folder: Path) -> tuple[str, ...]:
    """The names of the key files that are there now."""
    if not folder.is_dir():
        return ()
    # One that is being written has a name with a dot.
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return tuple(str(path.relative_to(folder)) for path in files)


def unpack_keys(archive: BinaryIO, folder: Path | None, settings_folder: Path | None) -> list[str]:
    """Put keys and settings files into new folders of mode 0700, or nowhere; gives the names of the keys."""
    places = {KEYS_FOLDER: folder, SETTINGS_FOLDER: settings_folder}
    names = []
    for path, content in members(archive):
        root, *rest = path.parts
        if content is None:
            continue
        if root not in places or not rest:
            raise FileUnusable("The backup of the keys holds a file that is neither key nor settings.")
        place = places[root]
        target = None if place is None else place.joinpath(*rest)
        if target is not None:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        copied(content, target)
        if root == KEYS_FOLDER:
            names.append("/".join(rest))
    return names


def refuse_present(folder: Path) -> None:
    """Raise Conflict when the folder holds anything."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(
            f"{folder} is there and not empty; nothing is ever restored over something. Move it away first: "
            "what is in it may be all that is left."
        )
