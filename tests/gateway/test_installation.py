from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.database import Database
from gateway.errors import SettingsInvalid
from gateway.installation import open_keys
from gateway.keys import Keys


def test_a_database_stays_with_the_keys_that_it_was_begun_with(database: Database, tmp_path: Path) -> None:
    first = open_keys(database, tmp_path / "keys")
    assert open_keys(database, tmp_path / "keys").audit_key == first.audit_key


def test_lost_keys_are_told_and_not_replaced(database: Database, tmp_path: Path) -> None:
    open_keys(database, tmp_path / "keys")
    shutil.move(tmp_path / "keys", tmp_path / "elsewhere")
    with pytest.raises(SettingsInvalid, match="backup"):
        open_keys(database, tmp_path / "keys")
    assert not Keys.present(tmp_path / "keys")


def test_the_keys_of_another_installation_are_refused(database: Database, tmp_path: Path) -> None:
    open_keys(database, tmp_path / "keys")
    Keys.open(tmp_path / "others")
    with pytest.raises(SettingsInvalid, match="not those"):
        open_keys(database, tmp_path / "others")
