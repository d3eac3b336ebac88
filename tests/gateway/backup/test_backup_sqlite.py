"""An installation on SQLite, by the commands: backed up in use, lost, put back; and each way to fail."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyrage.x25519 import Identity
from sqlalchemy import select

from gateway.audit.log import add_entries
from gateway.audit.proofs import Checkpoint
from gateway.audit.tables import audit_entries
from gateway.audit.transparency import open_log
from gateway.backup.encryption import read_identities
from gateway.backup.pruning import prune
from gateway.backup.sets import BackupFolder
from gateway.backup.sqlite import snapshot
from gateway.database import Database
from gateway.errors import FileUnusable
from gateway.installation import open_keys
from gateway.settings import load_settings
from tests.gateway.audit.logs import outcome
from tests.living import LivingGateway

IDENTITY = Identity.generate()


@pytest.fixture
def gateway(tmp_path: Path, migrated_sqlite: Path) -> Iterator[LivingGateway]:
    """An installation with its keys and a log, not served."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    shutil.copyfile(migrated_sqlite, home / "gapura.db")
    environment = {
        "GAPURA_HOME": str(home),
        "GAPURA_BACKUP_FOLDER": str(tmp_path / "backups"),
        "GAPURA_BACKUP_RECIPIENTS": str(IDENTITY.to_public()),
    }
    (tmp_path / "backup.key").touch(mode=0o600)
    (tmp_path / "backup.key").write_text(str(IDENTITY))
    gateway = LivingGateway(load_settings(environment))
    gateway.gapura("audit", "key")
    yield gateway
    gateway.http.close()


def write(gateway: LivingGateway, *numbers: int) -> None:
    database = Database(gateway.settings.effective_database_url)
    with database.unit_of_work() as connection:
        add_entries(connection, [outcome(number).seal(bytes(32)) for number in numbers])
    database.close()


def exchanges(gateway: LivingGateway) -> set[int]:
    database = Database(gateway.settings.effective_database_url)
    with database.reading() as connection:
        chosen = select(audit_entries.c.exchange_id).where(audit_entries.c.kind == "outcome")
        found = {one.int for one in connection.execute(chosen).scalars()}
    database.close()
    return found


def checkpoint(gateway: LivingGateway, file: Path) -> Path:
    """Have the log signed, as a gateway that serves does, and keep its newest checkpoint elsewhere."""
    settings = gateway.settings
    database = Database(settings.effective_database_url)
    keys = open_keys(database, settings.home / "keys")
    log = open_log(database, keys, settings.issuer, lambda: datetime.now(UTC))
    log.sequencer.step()
    head = log.ledger.head()
    database.close()
    assert head is not None
    file.write_text(head.note, encoding="utf-8")
    return file


def lose(gateway: LivingGateway) -> None:
    shutil.rmtree(gateway.settings.home)
    gateway.settings.home.mkdir(mode=0o700)


def restored(gateway: LivingGateway, *more: str) -> None:
    identity = ("--identity", str(gateway.settings.home.parent / "backup.key"))
    gateway.gapura("restore", "keys", *identity, *more)
    gateway.gapura(
        "restore", "database", *identity, "--into", str(gateway.settings.home / "gapura.db"), *more
    )


def test_what_was_there_when_it_was_backed_up_is_there_again(gateway: LivingGateway, tmp_path: Path) -> None:
    write(gateway, 1, 2)
    kept = checkpoint(gateway, tmp_path / "kept")
    before = {path.name: path.read_text() for path in (gateway.settings.home / "keys").glob("*.*")}
    assert "cosigned by nobody" in gateway.gapura("backup", "make")
    write(gateway, 3)
    assert "Every file decrypts" in gateway.gapura(
        "backup", "verify", "--identity", str(tmp_path / "backup.key")
    )
    lose(gateway)
    restored(gateway)
    assert exchanges(gateway) == {1, 2}
    keys = gateway.settings.home / "keys"
    assert {path.name: path.read_text() for path in keys.glob("*.*")} == before
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys.glob("*.*")} == {0o600}
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    said = gateway.gapura("restore", "finish", "--checkpoint", str(kept), "--reason", "drill")
    assert "It is sound" in said
    assert "agree with" in gateway.gapura("audit", "verify", "--checkpoint", str(kept))


def test_a_transaction_that_is_not_over_is_not_in_the_copy(gateway: LivingGateway, tmp_path: Path) -> None:
    file = gateway.settings.home / "gapura.db"
    database = Database(gateway.settings.effective_database_url)
    with database.unit_of_work() as connection:
        add_entries(connection, [outcome(9).seal(bytes(32))])
        with snapshot(file) as copy:
            assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
            shutil.copyfile(copy, tmp_path / "copy.db")
    database.close()
    copied = Database(f"sqlite:///{tmp_path / 'copy.db'}")
    with copied.reading() as connection:
        assert connection.execute(select(audit_entries.c.sequence)).all() == []
    copied.close()
    assert [*file.parent.glob(".backup-*")] == []


def test_a_log_that_came_back_too_short_is_said_loudly_and_goes_on_under_a_new_name(
    gateway: LivingGateway, tmp_path: Path
) -> None:
    write(gateway, 1, 2)
    gateway.gapura("backup", "make")
    write(gateway, 3, 4, 5)
    kept = checkpoint(gateway, tmp_path / "kept")
    lose(gateway)
    restored(gateway)
    finish = ("restore", "finish", "--checkpoint", str(kept), "--reason", "fire in the server room")
    said = gateway.gapura(*finish, status=1)
    assert "THE LOG HAS BEEN ROLLED BACK" in said
    assert "LOG TELAH MUNDUR" in said
    assert "may serve" not in said
    said = gateway.gapura(*finish, "--accept-loss")
    name = Checkpoint.parse(kept.read_text()).origin
    assert f"in the log {name}/2, and signed" in said
    assert f"signed checkpoints of {name}/2" in gateway.gapura("audit", "verify")
    # Whoever still holds the old checkpoint sees what was lost, for ever.
    said = gateway.gapura("audit", "verify", "--checkpoint", str(kept), status=1)
    assert "truncated" in said or "forked" in said


def test_nothing_is_restored_over_something(gateway: LivingGateway, tmp_path: Path) -> None:
    gateway.gapura("backup", "make")
    home, identity = gateway.settings.home, ("--identity", str(tmp_path / "backup.key"))
    before = (home / "gapura.db").read_bytes()
    assert "nothing is ever restored over" in gateway.gapura("restore", "keys", *identity, status=2)
    into = ("--into", str(home / "gapura.db"))
    assert "nothing is ever restored over" in gateway.gapura(
        "restore", "database", *identity, *into, status=2
    )
    assert (home / "gapura.db").read_bytes() == before


def test_another_private_key_restores_nothing_and_leaves_nothing(
    gateway: LivingGateway, tmp_path: Path
) -> None:
    gateway.gapura("backup", "make")
    lose(gateway)
    (tmp_path / "backup.key").write_text(str(Identity.generate()))
    identity = ("--identity", str(tmp_path / "backup.key"))
    into = ("--into", str(gateway.settings.home / "gapura.db"))
    assert "not encrypted to this private key" in gateway.gapura("restore", "keys", *identity, status=2)
    assert "not encrypted to this private key" in gateway.gapura(
        "restore", "database", *identity, *into, status=2
    )
    assert [*gateway.settings.home.iterdir()] == []


@pytest.mark.parametrize("name", ["database.db.gz.age", "keys.tar.gz.age", "manifest.json"])
def test_a_set_that_was_changed_is_refused(gateway: LivingGateway, tmp_path: Path, name: str) -> None:
    gateway.gapura("backup", "make")
    [one] = BackupFolder(tmp_path / "backups").all()
    content = bytearray((one.path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (one.path / name).write_bytes(content[:-10] if name == "manifest.json" else content)
    said = gateway.gapura("backup", "verify", status=2)
    assert name in said
    lose(gateway)
    into = ("--into", str(gateway.settings.home / "gapura.db"))
    assert name in gateway.gapura(
        "restore", "database", "--identity", str(tmp_path / "backup.key"), *into, status=2
    )
    assert [*gateway.settings.home.iterdir()] == []


def test_an_interrupted_backup_is_none_and_the_next_one_clears_it_away(
    gateway: LivingGateway, tmp_path: Path
) -> None:
    folder = BackupFolder(tmp_path / "backups")
    left = folder.sets / "20261122T030000000000Z.unfinished"
    left.mkdir(parents=True)
    (left / "database.db.gz.age").write_bytes(b"half")
    assert "holds no backup" in gateway.gapura("backup", "list")
    with pytest.raises(ZeroDivisionError), folder.beginning("20261122T040000000000Z"):
        raise ZeroDivisionError
    assert [*folder.sets.iterdir()] == []
    gateway.gapura("backup", "make")
    assert [path.name for path in folder.sets.iterdir()] == [one.manifest.id for one in folder.all()]
    assert len(folder.all()) == 1


def test_keys_are_backed_up_by_themselves_when_there_are_new_ones(
    gateway: LivingGateway, tmp_path: Path
) -> None:
    folder = BackupFolder(tmp_path / "backups")
    gateway.gapura("backup", "make", "--keys-only")
    assert "has these keys already" in gateway.gapura("backup", "make", "--keys-only")
    gateway.gapura("keys", "rotate")
    gateway.gapura("backup", "make", "--keys-only")
    first, second = folder.all()
    assert len(second.manifest.key_files) == len(first.manifest.key_files) + 1
    assert "no backup of a database" in gateway.gapura("backup", "verify", status=2)


def test_the_log_vouches_for_the_set_that_was_made_and_for_no_other(
    gateway: LivingGateway, tmp_path: Path
) -> None:
    gateway.gapura("backup", "make")
    [one] = BackupFolder(tmp_path / "backups").all()
    finish = ("restore", "finish", "--no-checkpoint", "--reason", "drill", "--set", one.manifest.id)
    assert "names the restored set by its SHA-256" in gateway.gapura(*finish)
    content = json.loads((one.path / "manifest.json").read_text())
    (one.path / "manifest.json").write_text(json.dumps(content | {"gapura": "another"}))
    assert "somebody has changed the backup" in gateway.gapura(*finish, status=1)


def test_pruning_keeps_the_newest_however_old(gateway: LivingGateway, tmp_path: Path) -> None:
    folder = BackupFolder(tmp_path / "backups")
    for _ in range(3):
        gateway.gapura("backup", "make")
    newest = folder.all()[-1]
    assert prune(folder, 1, datetime.now(UTC)).sets == []
    in_a_year = datetime.now(UTC) + timedelta(days=365)
    pruned = prune(folder, 30, in_a_year)
    assert len(pruned.sets) == 2
    assert [one.path for one in folder.all()] == [newest.path]
    assert pruned.from_moment == newest.manifest.ended_at


def test_a_folder_that_cannot_be_written_is_told_without_a_traceback(
    gateway: LivingGateway, tmp_path: Path
) -> None:
    (tmp_path / "backups").write_text("no folder")
    assert "backups/sets: Not a directory" in gateway.gapura("backup", "make", status=2)


def test_a_private_key_is_made_locked_and_private_and_never_written_over(
    gateway: LivingGateway, tmp_path: Path
) -> None:
    words, file = tmp_path / "passphrase", tmp_path / "new.key"
    words.touch(mode=0o600)
    words.write_text("benar kuda baterai staples\n")
    new_key = ("backup", "new-key", str(file), "--passphrase-file", str(words))
    said = gateway.gapura(*new_key)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "AGE-SECRET-KEY" not in file.read_text() + said
    [identity] = read_identities(file, lambda: "benar kuda baterai staples")
    assert str(identity.to_public()) in said
    with pytest.raises(FileUnusable, match="passphrase"):
        read_identities(file, lambda: "salah")
    assert "never written over" in gateway.gapura(*new_key, status=2)


def test_nothing_is_begun_without_a_folder_and_a_key(gateway: LivingGateway, tmp_path: Path) -> None:
    for missing in ("backup_folder", "backup_recipients"):
        bare = gateway.settings.model_copy(update={missing: None if missing == "backup_folder" else ""})
        assert f"GAPURA_{missing.upper()}" in LivingGateway(bare).gapura("backup", "make", status=2)
    assert not (tmp_path / "backups").exists()
