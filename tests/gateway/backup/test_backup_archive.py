"""The archive of PostgreSQL's log: what counts, what is refused, and what is missing is named in time."""

from __future__ import annotations

import os
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyrage.x25519 import Identity

from gateway.backup.manifest import Manifest, Position
from gateway.backup.restoring import find_way
from gateway.backup.sets import BackupSet
from gateway.backup.wal_archive import WalArchive
from gateway.errors import BadInput, Conflict, FileUnusable

SEGMENT_BYTES = 1 << 20
SYSTEM = 7_654_321
NOON = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
IDENTITY = Identity.generate()
# A base backup that came with segment 2.
POSITION = Position(
    system=str(SYSTEM),
    server_version="18.0",
    segment_bytes=SEGMENT_BYTES,
    timeline=1,
    start="0/200028",
    end="0/200138",
)


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


class Server:
    """Hands over segments as PostgreSQL does, one for each minute after noon."""

    def __init__(self, folder: Path) -> None:
        self.pg_wal = folder / "pg_wal"
        self.pg_wal.mkdir()
        self.archive = WalArchive(folder / "wal")
        self.archive.folder.mkdir()

    def segment(self, number: int, *, system: int = SYSTEM, content: bytes = b"") -> Path:
        file = self.pg_wal / f"00000001{0:08X}{number:08X}"
        head = struct.pack("=HHIQI4xQ", 0xD116, 2, 1, number * SEGMENT_BYTES, 0, system)
        file.write_bytes((head + content).ljust(SEGMENT_BYTES, b"\0"))
        at = minutes(number).timestamp()
        os.utime(file, (at, at))
        return file

    def archived(self, *numbers: int) -> WalArchive:
        for number in numbers:
            assert self.archive.add(self.segment(number), [IDENTITY.to_public()])
        return WalArchive(self.archive.folder)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


@pytest.fixture
def base(tmp_path: Path) -> BackupSet:
    manifest = Manifest(
        id="20261122T050200000000Z",
        kind="postgresql",
        gapura="0.1.0",
        begun_at=minutes(2),
        ended_at=minutes(2.5),
        recipients=(),
        files=(),
        key_files=(),
        position=POSITION,
    )
    return BackupSet(tmp_path, manifest, "")


def test_a_segment_comes_back_as_it_was_and_lies_there_encrypted(server: Server, tmp_path: Path) -> None:
    file = server.segment(3, content=b"somebody's row")
    server.archive.add(file, [IDENTITY.to_public()])
    assert not [left for left in server.archive.folder.iterdir() if b"row" in left.read_bytes()]
    server.archive.put(file.name, tmp_path / "back", [IDENTITY])
    assert (tmp_path / "back").read_bytes() == file.read_bytes()


def test_the_same_segment_again_is_no_error_and_another_one_of_its_name_is(server: Server) -> None:
    file = server.segment(3)
    assert server.archive.add(file, [IDENTITY.to_public()])
    assert not server.archive.add(file, [IDENTITY.to_public()])
    with pytest.raises(Conflict, match="two servers"):
        server.archive.add(server.segment(3, content=b"x"), [IDENTITY.to_public()])


def test_a_segment_whose_archiving_was_interrupted_is_taken_again(server: Server) -> None:
    file = server.segment(3)
    server.archive.file_of(file.name).write_bytes(b"half")
    assert not server.archive.notes
    assert server.archive.add(file, [IDENTITY.to_public()])
    WalArchive(server.archive.folder).check([file.name])


def test_what_is_no_file_of_the_log_is_refused(server: Server, tmp_path: Path) -> None:
    (tmp_path / "pg_hba.conf").touch()
    with pytest.raises(BadInput, match="archive_command"):
        server.archive.add(tmp_path / "pg_hba.conf", [IDENTITY.to_public()])


def test_the_way_is_whole_to_the_end_of_its_last_segment(server: Server, base: BackupSet) -> None:
    way = find_way(base, server.archived(1, 2, 3, 4, 5))
    assert [name[-1] for name in way.names] == ["3", "4", "5"]
    assert way.whole_to == minutes(5)


def test_without_an_archive_a_set_is_whole_to_its_own_beginning(server: Server, base: BackupSet) -> None:
    assert find_way(base, server.archive).whole_to == base.manifest.begun_at


def test_to_a_moment_only_the_segments_that_lead_there_are_read(server: Server, base: BackupSet) -> None:
    way = find_way(base, server.archived(2, 3, 4, 5, 6, 7), minutes(3.5))
    assert [name[-1] for name in way.names] == ["3", "4", "5"]


def test_a_missing_segment_is_named_and_the_moment_before_it_can_still_be_had(
    server: Server, base: BackupSet
) -> None:
    archive = server.archived(2, 3, 4, 6, 7)
    with pytest.raises(FileUnusable, match=r"lacks 0+10+5, .* ends at 2026-11-22T05:04:00"):
        find_way(base, archive)
    with pytest.raises(FileUnusable, match="lacks"):
        find_way(base, archive, minutes(6))
    assert find_way(base, archive, minutes(3.5)).until == minutes(3.5)


@pytest.mark.parametrize(("moment", "error"), [(2.4, Conflict), (7.1, FileUnusable)])
def test_a_moment_before_the_set_or_after_the_archive_is_refused(
    server: Server, base: BackupSet, moment: float, error: type[Exception]
) -> None:
    with pytest.raises(error):
        find_way(base, server.archived(2, 3, 4, 5, 6, 7), minutes(moment))


def test_the_log_of_another_server_is_refused(server: Server, base: BackupSet) -> None:
    server.archive.add(server.segment(4, system=1), [IDENTITY.to_public()])
    with pytest.raises(FileUnusable, match="another server"):
        find_way(base, server.archived(3))


def test_a_changed_archived_file_is_found_without_a_key(server: Server) -> None:
    archive = server.archived(3)
    [name] = archive.notes
    content = bytearray(archive.file_of(name).read_bytes())
    content[-1] ^= 1
    archive.file_of(name).write_bytes(content)
    with pytest.raises(FileUnusable, match="is not the file that was archived"):
        archive.check([name])


def test_pruning_leaves_what_the_oldest_kept_set_needs(server: Server) -> None:
    archive = server.archived(0, 1, 2, 3)
    assert archive.remove_before(POSITION) == 2
    left = WalArchive(archive.folder)
    assert [name[-1] for name in left.notes] == ["2", "3"]
    left.check([*left.notes])
