"""What comes out of a backup: the files that PostgreSQL's own manifest lists, below the folder."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.backup.key_copy import archive_keys, unpack_keys
from gateway.backup.postgres import unpack
from gateway.errors import FileUnusable

FILES = {"PG_VERSION": b"18\n", "base/1/1259": b"rows", "global/pg_control": b"control"}


def manifest(files: Mapping[str, bytes]) -> bytes:
    listed = [
        {
            "Path": name,
            "Size": len(content),
            "Checksum-Algorithm": "SHA256",
            "Checksum": hashlib.sha256(content).hexdigest(),
        }
        for name, content in files.items()
    ]
    return json.dumps({"Files": listed}).encode()


def tar(files: Mapping[str, bytes], *others: tarfile.TarInfo) -> io.BytesIO:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o666
            archive.addfile(info, io.BytesIO(content))
        for other in others:
            archive.addfile(other)
    made.seek(0)
    return made


def unpacked(folder: Path | None, files: Mapping[str, bytes], *others: tarfile.TarInfo) -> None:
    unpack(tar(files, *others), folder, lambda _: None, aside={"global/pg_control": "global/aside"})


def whole(**changed: bytes) -> dict[str, bytes]:
    return {**FILES, "pg_wal/000000010000000000000002": b"log", "backup_manifest": manifest(FILES), **changed}


def test_a_whole_copy_is_unpacked_private_and_what_goes_aside_goes_aside(tmp_path: Path) -> None:
    unpacked(tmp_path, whole())
    found = {str(path.relative_to(tmp_path)): path for path in tmp_path.rglob("*") if path.is_file()}
    assert {*found} == {"PG_VERSION", "base/1/1259", "global/aside", "pg_wal/000000010000000000000002"}
    assert found["base/1/1259"].read_bytes() == b"rows"
    assert {stat.S_IMODE(path.stat().st_mode) for path in found.values()} == {0o600}
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in found.values()} == {0o700}


def test_it_is_compared_without_being_written_anywhere(tmp_path: Path) -> None:
    unpacked(None, whole())
    with pytest.raises(FileUnusable, match=r"base/1/1259"):
        unpacked(None, whole(**{"base/1/1259": b"rowz"}))
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (whole(**{"base/1/1259": b"rows and more"}), "base/1/1259"),
        (whole(**{"base/1/surprise": b""}), "base/1/surprise"),
        ({name: content for name, content in whole().items() if name != "PG_VERSION"}, "PG_VERSION"),
        ({name: content for name, content in whole().items() if name != "backup_manifest"}, "not whole"),
        (whole(backup_manifest=b"{}"), "cannot be read"),
    ],
)
def test_what_is_not_as_postgresqls_manifest_says_is_refused(files: dict[str, bytes], named: str) -> None:
    with pytest.raises(FileUnusable, match=named):
        unpacked(None, files)


def _link() -> tarfile.TarInfo:
    link = tarfile.TarInfo("pg_tblspc/1")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc"
    return link


def _device() -> tarfile.TarInfo:
    device = tarfile.TarInfo("base/null")
    device.type = tarfile.CHRTYPE
    return device


@pytest.mark.parametrize(
    "other", [_link(), _device(), tarfile.TarInfo("../outside"), tarfile.TarInfo("/outside")]
)
def test_what_leads_elsewhere_is_refused(tmp_path: Path, other: tarfile.TarInfo) -> None:
    with pytest.raises(FileUnusable, match="no plain file"):
        unpacked(tmp_path / "data", whole(), other)
    assert not (tmp_path / "outside").exists()


def test_keys_come_back_as_they_were_with_the_settings_beside_them(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    (keys / "sectors").mkdir(parents=True)
    (keys / "master.key").write_text("m")
    (keys / "sectors" / "v1.kesehatan.salt").write_text("s")
    (keys / ".half-written").write_text("x")
    settings = tmp_path / "settings.toml"
    settings.write_text("port = 1")
    archive, names = archive_keys(keys, {"settings_file": settings})
    assert names == ("master.key", "sectors/v1.kesehatan.salt")
    assert [*unpack_keys(archive, tmp_path / "again", tmp_path / "beside")] == [*names]
    assert (tmp_path / "again" / "sectors" / "v1.kesehatan.salt").read_text() == "s"
    assert (tmp_path / "beside" / "settings_file-settings.toml").read_text() == "port = 1"


def test_an_archive_of_keys_with_anything_else_is_refused() -> None:
    with pytest.raises(FileUnusable, match="neither key nor settings"):
        unpack_keys(tar({"authorized_keys": b""}), None, None)


def test_a_folder_without_keys_is_no_key_folder(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    with pytest.raises(FileUnusable, match="holds no keys"):
        archive_keys(tmp_path / "keys", {})
