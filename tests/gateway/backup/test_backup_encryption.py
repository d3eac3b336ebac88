"""Nothing is read without the key, nothing that was changed is believed, no private key lies open."""

from __future__ import annotations

import errno
import gzip
import io
import os
from pathlib import Path
from typing import BinaryIO

import pyrage
import pytest
from pyrage.x25519 import Identity

from gateway.backup.encryption import (
    decrypted,
    encrypt,
    measure,
    read_identities,
    recipients_of,
)
from gateway.errors import FileUnusable, SettingsInvalid

CONTENT = os.urandom(300_000) + bytes(3_000_000)


@pytest.fixture(scope="module")
def identity() -> Identity:
    return Identity.generate()


@pytest.fixture
def file(tmp_path: Path, identity: Identity) -> Path:
    target = tmp_path / "content.gz.age"
    written = encrypt(io.BytesIO(CONTENT), target, [identity.to_public(), Identity.generate().to_public()])
    assert written == measure(target)
    return target


def read(file: Path, *identities: Identity) -> bytes:
    with decrypted(file, identities) as content:
        return content.read()


def test_what_was_encrypted_comes_back_and_took_no_more_room_than_it_had_to_say(
    file: Path, identity: Identity
) -> None:
    assert read(file, identity) == CONTENT
    assert file.stat().st_size < 400_000
    assert CONTENT[:16] not in file.read_bytes()


def test_the_format_is_the_common_one(file: Path, identity: Identity) -> None:
    assert gzip.decompress(pyrage.decrypt(file.read_bytes(), [identity])) == CONTENT


def test_another_key_is_told_that_it_is_another(file: Path) -> None:
    with pytest.raises(FileUnusable, match="not encrypted to this private key"):
        read(file, Identity.generate())


@pytest.mark.parametrize("place", [100, 70_000, -20])
def test_a_changed_byte_is_found(file: Path, identity: Identity, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    with pytest.raises(FileUnusable):
        read(file, identity)


@pytest.mark.parametrize("left", [0, 50, 1_000, 70_000, -1, -70_000])
def test_a_file_that_ends_early_is_found(file: Path, identity: Identity, left: int) -> None:
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(FileUnusable):
        read(file, identity)


def test_damage_is_found_even_behind_what_was_read(file: Path, identity: Identity) -> None:
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(FileUnusable, match="damaged"), decrypted(file, [identity]) as content:
        assert content.read(10) == CONTENT[:10]


def test_whoever_stops_reading_because_of_an_error_hears_of_that_error(
    file: Path, identity: Identity
) -> None:
    def stop(content: BinaryIO) -> None:
        content.read(10)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), decrypted(file, [identity]) as content:
        stop(content)


def test_what_the_disk_refuses_is_told(tmp_path: Path, identity: Identity) -> None:
    class Failing(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(FileUnusable, match=r"could not be written: .*Input/output error"):
        encrypt(Failing(), tmp_path / "content", [identity.to_public()])


def test_without_a_public_key_nothing_is_encrypted_and_so_nothing_backed_up() -> None:
    for given in ("", " , ", "age1notakey", str(Identity.generate())):
        with pytest.raises(SettingsInvalid) as refusal:
            recipients_of(given)
        assert "AGE-SECRET-KEY" not in str(refusal.value)
    keys = [str(Identity.generate().to_public()) for _ in range(2)]
    assert [*map(str, recipients_of(f"{keys[0]}, {keys[1]}"))] == keys


@pytest.mark.parametrize("content", ["", "# nothing\n", "age1qqq\n", "AGE-SECRET-KEY-1XX\n"])
def test_a_file_without_a_private_key_is_refused_without_being_quoted(tmp_path: Path, content: str) -> None:
    file = tmp_path / "backup.key"
    file.touch(mode=0o600)
    file.write_text(content)
    with pytest.raises(FileUnusable, match="is no private key") as refusal:
        read_identities(file, lambda: "")
    assert "1XX" not in str(refusal.value)


def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "backup.key"
    file.write_text(str(Identity.generate()))
    file.chmod(0o640)
    with pytest.raises(FileUnusable, match="0600"):
        read_identities(file, lambda: "")
