"""PostgreSQL's archived write-ahead log: what `archive_command` hands over, encrypted, each with a note.

The note is written last, and only with it a file counts. It names the hashes of what was given and of what
lies there, so that the archive is checked without a key, and a server that hands the same file over again,
as it does after a crash, is told that all is well. A different file under a name that is taken is refused:
two servers that write into one archive would destroy it. An archived file MUST NOT change.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from pyrage.x25519 import Identity, Recipient

from gateway.backup.disk import refusals_told
from gateway.backup.encryption import SUFFIX, decrypted, encrypt, measure
from gateway.backup.manifest import Hash, Position
from gateway.backup.unpacking import copied
from gateway.backup.wal import (
    ARCHIVED,
    HISTORY,
    SEGMENT,
    Chain,
    chain,
    legs,
    newest_timeline,
    position_of,
    segment_number,
)
from gateway.errors import BadInput, Conflict, FileUnusable
from gateway.key_files import sync_folder

_NOTE = ".json"
_UNFINISHED = ".unfinished"
# Of a segment's first page: magic, flags, timeline, address, length left over, padding; then the system.
_SYSTEM_AT = struct.Struct("=HHIQI4xQ")
_UNKNOWN_SYSTEM = ""

Progress = Callable[[int, int], None]


class Note(BaseModel):
    """What is known of one archived file without decrypting it.

    `completed_at` is when the server last wrote to it: whatever it had acknowledged by then is in this file
    or in an earlier one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    gapura_wal: Literal[1] = 1
    name: str
    system: str
    completed_at: AwareDatetime
    plain_sha256: Hash
    bytes: int
    sha256: Hash
    # The file itself, where it is no data: from where a timeline branched off.
    text: str | None = None


class WalArchive:
    """One folder of archived files. A server writes into it, others read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @refusals_told()
    def add(self, file: Path, recipients: Sequence[Recipient]) -> bool:
        """Archive a file of PostgreSQL's; gives whether it is new here. On the disk when this returns.

        Raises BadInput for a file that is none of PostgreSQL's, FileUnusable, and Conflict when the archive
        has another file of this name.
        """
        if not ARCHIVED.fullmatch(file.name):
            raise BadInput(f"{file.name} is no file of a write-ahead log: expected %p of archive_command.")
        plain = measure(file)
        if self._has(file.name, plain.sha256):
            return False
        target = self.file_of(file.name)
        unfinished = target.with_name(target.name + _UNFINISHED)
        unfinished.unlink(missing_ok=True)
        with file.open("rb") as content:
            written = encrypt(content, unfinished, recipients)
        unfinished.replace(target)
        sync_folder(self.folder)
        note = Note(
            name=file.name,
            system=_system_of(file),
            completed_at=datetime.fromtimestamp(file.stat().st_mtime, UTC),
            plain_sha256=plain.sha256,
            bytes=written.bytes,
            sha256=written.sha256,
            text=file.read_text(encoding="ascii") if HISTORY.fullmatch(file.name) else None,
        )
        self._write(note)
        return True

    @cached_property
    def notes(self) -> Mapping[str, Note]:
        """What the archive holds, by name; read once. Raises FileUnusable for a note that cannot be read."""
        if not self.folder.is_dir():
            return {}
        return {note.name: note for note in map(_read_note, sorted(self.folder.glob(f"*{_NOTE}")))}

    def file_of(self, name: str) -> Path:
        """Where an archived file lies, encrypted."""
        return self.folder / f"{name}{SUFFIX}"

    def after(self, position: Position, timeline: int | None = None) -> Chain:
        """What a recovery reads after a base backup, on the latest timeline or on a given one.

        Raises FileUnusable when the archive is another server's, or has no such timeline.
        """
        names = [*self.notes]
        self._refuse_other_server(position)
        target = newest_timeline(position.timeline, names) if timeline is None else timeline
        histories = {
            int(name[:8], 16): note.text for name, note in self.notes.items() if note.text is not None
        }
        way = legs(position.timeline, target, histories, position.segment_bytes)
        return chain(_first_after(position), way, names, position.segment_bytes)

    def check(self, names: Sequence[str], progress: Progress = lambda _done, _total: None) -> None:
        """Compare archived files with their notes. Raises FileUnusable for the first that is another."""
        for number, name in enumerate(names, start=1):
            note, found = self.notes[name], measure(self.file_of(name))
            if (found.bytes, found.sha256) != (note.bytes, note.sha256):
                raise FileUnusable(
                    f"{self.file_of(name)} is not the file that was archived: expected {note.bytes} bytes "
                    f"with SHA-256 {note.sha256}, got {found.bytes} bytes. Take another copy of the archive."
                )
            progress(number, len(names))

    def put(self, name: str, target: Path, identities: Sequence[Identity]) -> None:
        """Decrypt an archived file to where a server looks for it. Raises FileUnusable."""
        with decrypted(self.file_of(name), identities) as content:
            found = copied(content, target)
        self._refuse_other(name, found[1])

    def prove(self, name: str, identities: Sequence[Identity]) -> None:
        """Decrypt an archived file to nowhere. Raises FileUnusable."""
        with decrypted(self.file_of(name), identities) as content:
            found = copied(content, None)
        self._refuse_other(name, found[1])

    def _refuse_other(self, name: str, sha256: str) -> None:
        if sha256 != self.notes[name].plain_sha256:
            raise FileUnusable(f"{self.file_of(name)} does not hold the file that its note names.")

    def remove_before(self, position: Position) -> int:
        """Remove the segments that no set from `position` on needs; gives how many. Histories stay."""
        first = segment_of(position)
        going = [
            note
            for name, note in self.notes.items()
            if not HISTORY.fullmatch(name) and segment_number(name, position.segment_bytes) < first
        ]
        for note in going:
            (self.folder / f"{note.name}{_NOTE}").unlink()
            self.file_of(note.name).unlink(missing_ok=True)
        return len(going)

    def _has(self, name: str, plain_sha256: str) -> bool:
        path = self.folder / f"{name}{_NOTE}"
        if not path.exists():
            return False
        if _read_note(path).plain_sha256 != plain_sha256:
            raise Conflict(
                f"{self.folder} has another {name} already: two servers write into one archive, or this one "
                "was made anew. Give this server a folder of its own."
            )
        return True

    def _write(self, note: Note) -> None:
        path = self.folder / f"{note.name}{_NOTE}"
        unfinished = path.with_name(path.name + _UNFINISHED)
        with unfinished.open("wb") as file:
            file.write(note.model_dump_json(exclude_none=True).encode())
            file.flush()
            os.fsync(file.fileno())
        unfinished.chmod(0o640)
        unfinished.replace(path)
        sync_folder(self.folder)

    def _refuse_other_server(self, position: Position) -> None:
        others = {note.system for note in self.notes.values()} - {position.system, _UNKNOWN_SYSTEM}
        if others:
            raise FileUnusable(
                f"{self.folder} holds the log of another server than the set's: expected system "
                f"{position.system}, got {', '.join(sorted(others))}. Each server needs its own folder."
            )


def segment_of(position: Position) -> int:
    """The first segment that a base backup is replayed from."""
    return position_of(position.start) // position.segment_bytes


def _first_after(position: Position) -> int:
    """The segment after those that came with the base backup itself."""
    return (position_of(position.end) - 1) // position.segment_bytes + 1


def _read_note(path: Path) -> Note:
    try:
        return Note.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise FileUnusable(
            f"{path} is no note of an archived file. Take another copy of the archive."
        ) from None


def _system_of(file: Path) -> str:
    """The number of the server that wrote a segment; empty for what is no whole segment."""
    if not SEGMENT.fullmatch(file.name):
        return _UNKNOWN_SYSTEM
    with file.open("rb") as content:
        head = content.read(_SYSTEM_AT.size)
    if len(head) < _SYSTEM_AT.size:
        raise FileUnusable(f"{file} is no segment of a write-ahead log: it is shorter than a page's head.")
    return str(_SYSTEM_AT.unpack(head)[-1])
