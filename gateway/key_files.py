"""Files that hold keys: private, whole or not there at all, never changed, and erased on purpose only.

What is here knows nothing of what a key is for. Key material MUST NOT reach an error or a log.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gateway.errors import FileUnusable

# File systems stamp changes in ticks of some milliseconds: a folder that was read within the tick of its
# last change may have changed again under the same stamp.
_STAMP_SETTLES_S = 1.0
# Wider than the time stamps of any file system that keys should lie on.
_STAMP_STEP_NS = 1_000_000


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock against other processes and threads; a dead holder's lock ends with it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Hold the folder's lock for a change, after which its stamp is another one than ever before.

    The file system's own stamps come in ticks, and two changes within one look alike.
    """
    with locked(folder):
        before = stamp_of(folder)
        try:
            yield
        finally:
            after = max(stamp_of(folder), before + _STAMP_STEP_NS)
            os.utime(folder, ns=(after, after))


def private_folder(folder: Path) -> None:
    """Make the folder with mode 0700 if it is missing. Raises FileUnusable if others have access to it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_if_shared(folder, "0700")


def stamp_of(folder: Path) -> int:
    """What changes whenever a file of the folder comes or goes."""
    return os.stat(folder).st_mtime_ns  # noqa: PTH116 - on every request; Path.stat costs twice


def settled(stamp: int) -> int | None:
    """The stamp, if a later change of the folder is sure to have another one; None if it may not yet."""
    # Deliberately the system's clock: it is compared with the file system's.
    return stamp if time.time() - stamp / 1e9 > _STAMP_SETTLES_S else None


def write_once(path: Path, content: str) -> None:
    """Write a private file so that it is there whole or not at all, even after a power cut."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def erase(path: Path) -> bool:
    """Overwrite a file, remove it and see both to the disk; gives whether there was one.

    That is as much as a program can do: a copying file system, an SSD's spare blocks and every backup may
    keep what was there.
    """
    with suppress(FileNotFoundError):
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        sync_folder(path.parent)
        return True
    return False


def sync_folder(folder: Path) -> None:
    """See to the disk which files the folder holds."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_private(path: Path) -> str:
    """The text of a file that only its owner has access to. Raises FileUnusable."""
    try:
        _refuse_if_shared(path, "0600")
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise FileUnusable(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise FileUnusable(f"{path} is no key file: it is not text. Restore it from its backup.") from None


def _refuse_if_shared(path: Path, wanted_mode: str) -> None:
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise FileUnusable(
            f"{path} holds keys and has mode {mode:04o}: others than its owner have access. "
            f"Expected {wanted_mode}: run chmod {wanted_mode} {path}"
        )
