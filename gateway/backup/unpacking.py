"""Unpacks what was backed up into new, private files and folders, and takes nothing outside of them.

A backup's encryption does not say who wrote it: an archive MUST NOT be able to name a place other than below
the folder that it is unpacked into, to bring links or devices, or to write over a file.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from gateway.errors import FileUnusable

_CHUNK = 1 << 20


def new_private(path: Path) -> BinaryIO:
    """A new file of mode 0600, to be written. Raises FileExistsError."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def members(archive: BinaryIO) -> Iterator[tuple[PurePosixPath, BinaryIO | None]]:
    """The folders (None) and files of a tar stream, in its order; each file is to be read before the next.

    Raises FileUnusable for a member that is neither, or leads elsewhere.
    """
    with tarfile.open(fileobj=archive, mode="r|") as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts or not (member.isreg() or member.isdir()):
                raise FileUnusable("The backup holds a member that is no plain file or folder of its own.")
            content = tar.extractfile(member) if member.isreg() else None
            yield path, content  # type: ignore[misc] # an ExFileObject reads as a BinaryIO does


def copied(content: BinaryIO, target: Path | None) -> tuple[int, str]:
    """Write a member to a new private file, or nowhere; gives its length and its SHA-256, hexadecimal."""
    digest, size = hashlib.sha256(), 0
    file = None if target is None else new_private(target)
    try:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if file is not None:
                file.write(chunk)
    finally:
        if file is not None:
            file.close()
    return size, digest.hexdigest()


def give_to_owner_of_parent(target: Path) -> None:
    """When run as root: let whoever owns the folder around it own the target and all that is in it."""
    if os.geteuid() != 0:
        return
    owner = target.parent.stat()
    for path in (target, *(target.rglob("*") if target.is_dir() else ())):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
