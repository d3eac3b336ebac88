"""Versions of sector keys: made once, followed, taken back for a while, destroyed with their salts."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select
from typer.testing import CliRunner, Result

from gateway.audit.tables import audit_entries
from gateway.commands.keys import app
from gateway.database import Database
from gateway.errors import BadInput, Conflict, FileUnusable, KeysUnavailable, NotFound
from gateway.installation import open_keys
from gateway.pseudonyms.sector_keys import FOLDER, SectorKeyring
from gateway.pseudonyms.tables import sector_key_versions
from gateway.staff.roles import INSTALLATION
from policies.pseudonym import SectorKeys, UnusablePseudonym, derive_sector_key

pytestmark = pytest.mark.anyio

MASTER = bytes(range(32))
PERSON = UUID("00112233-4455-6677-8899-aabbccddeeff")
BEGIN = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@dataclass
class Site:
    """One machine's key folder over a database, with a clock that the test moves."""

    database: Database
    folder: Path
    now: datetime = BEGIN
    keyring: SectorKeyring = field(init=False)

    def __post_init__(self) -> None:
        self.keyring = self.another_process()

    def another_process(self) -> SectorKeyring:
        return SectorKeyring(self.database, self.folder, MASTER, lambda: self.now)

    async def keys(self) -> SectorKeys:
        return await self.keyring.of("kesehatan")

    async def name(self) -> str:
        return (await self.keys()).name(PERSON)

    async def takes_back(self, name: str) -> bool:
        try:
            return (await self.keys()).person(name) == PERSON
        except UnusablePseudonym:
            return False

    def rotate(self, overlap_days: int = 30) -> None:
        self.keyring.rotate(INSTALLATION, "kesehatan", overlap_days, "letter 1/2026")

    def destroy(self, version: int = 1, **how: bool) -> None:
        self.keyring.destroy(INSTALLATION, "kesehatan", version, "letter 2/2026", **how)

    def salts(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in (self.folder / FOLDER).iterdir()}

    def acts(self) -> list[dict[str, Any]]:
        with self.database.reading() as connection:
            rows = connection.execute(select(audit_entries.c.entry).order_by(audit_entries.c.sequence))
            return [json.loads(text) for text in rows.scalars()]


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    return Site(database, tmp_path / "keys")


async def test_a_sectors_first_key_is_made_when_it_is_needed_and_stays(site: Site) -> None:
    first = await site.name()
    assert first.startswith("v1.kesehatan.")
    assert await site.name() == first
    assert site.another_process().read("kesehatan").name(PERSON) == first
    assert list(site.salts()) == ["v1.kesehatan.salt"]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (site.folder / FOLDER).iterdir()}
    assert modes == {0o600}


async def test_two_sectors_have_keys_of_their_own(site: Site) -> None:
    ours, theirs = await site.name(), (await site.keyring.of("pkh")).name(PERSON)
    assert ours.split(".")[2] != theirs.split(".")[2]


async def test_the_database_holds_nothing_from_which_a_key_could_be_made(site: Site) -> None:
    await site.keys()
    (salt,) = site.salts().values()
    with site.database.reading() as connection:
        row = str(connection.execute(select(sector_key_versions)).one())
    assert salt.strip() not in row
    assert MASTER.hex() not in row


async def test_a_rotation_renames_at_once_in_every_process_and_takes_older_names_back(site: Site) -> None:
    other = site.another_process()
    old = await site.name()
    assert (await other.of("kesehatan")).name(PERSON) == old
    site.rotate(overlap_days=30)
    new = await site.name()
    assert new.startswith("v2.kesehatan.")
    assert (await other.of("kesehatan")).name(PERSON) == new
    assert await site.takes_back(old)
    site.now = BEGIN + timedelta(days=30)
    assert not await site.takes_back(old)
    assert await site.takes_back(new)


async def test_changes_within_one_tick_of_the_file_system_are_all_seen(site: Site) -> None:
    other = site.another_process()
    for version in range(2, 12):
        await other.of("kesehatan")
        site.rotate()
        assert (await other.of("kesehatan")).current.version == version


async def test_an_ended_version_is_destroyed_by_itself_and_on_record(site: Site) -> None:
    old = await site.name()
    site.rotate(overlap_days=1)
    assert site.keyring.destroy_ended() == []
    site.now = BEGIN + timedelta(days=1)
    (destroyed,) = site.keyring.destroy_ended()
    assert (destroyed.version, destroyed.state(site.now)) == (1, "destroyed")
    assert list(site.salts()) == ["v2.kesehatan.salt"]
    assert not await site.takes_back(old)
    assert site.keyring.destroy_ended() == []
    rotated, gone = site.acts()
    assert (rotated["act"], rotated["version"], rotated["object"]) == (
        "sector_key.rotated",
        2,
        "sector/kesehatan",
    )
    assert (gone["act"], gone["version"], gone["actor"]) == (
        "sector_key.destroyed",
        1,
        "installation@console",
    )


async def test_without_its_salt_a_destroyed_versions_names_lead_nowhere_even_with_the_master_key(
    site: Site,
) -> None:
    old = await site.name()
    site.rotate()
    site.destroy(early=True)
    guesses = [derive_sector_key(MASTER, "kesehatan", 1), derive_sector_key(MASTER, "kesehatan", 2)]
    guesses += [
        derive_sector_key(MASTER, "kesehatan", 1, bytes.fromhex(salt.strip()))
        for salt in site.salts().values()
    ]
    for key in guesses:
        with pytest.raises(UnusablePseudonym):
            SectorKeys(key, {1: key, 2: key}).person(old)


async def test_a_destroyed_salt_that_comes_back_from_a_backup_is_not_used_but_erased(site: Site) -> None:
    old = await site.name()
    kept = site.salts()["v1.kesehatan.salt"]
    site.rotate()
    site.destroy(early=True)
    path = site.folder / FOLDER / "v1.kesehatan.salt"
    path.write_text(kept)
    path.chmod(0o600)
    assert not await site.takes_back(old)
    site.keyring.destroy_ended()
    assert not path.exists()


async def test_the_newest_version_and_one_still_taken_back_are_not_destroyed(site: Site) -> None:
    await site.keys()
    with pytest.raises(Conflict, match="in use"):
        site.destroy()
    site.rotate()
    with pytest.raises(Conflict, match="taken back until"):
        site.destroy()
    site.destroy(early=True)
    with pytest.raises(Conflict, match="destroyed already"):
        site.destroy()
    with pytest.raises(NotFound):
        site.destroy(version=7)
    assert list(site.salts()) == ["v2.kesehatan.salt"]


async def test_a_missing_or_exchanged_salt_stops_the_sector_instead_of_renaming_it(site: Site) -> None:
    await site.keys()
    path = site.folder / FOLDER / "v1.kesehatan.salt"
    kept = path.read_text()
    path.unlink()
    with pytest.raises(KeysUnavailable, match="missing"):
        await site.keys()
    path.write_text("0" * 63 + "1\n")
    path.chmod(0o600)
    with pytest.raises(KeysUnavailable, match="not the salt"):
        await site.keys()
    path.write_text("rubbish")
    os.utime(path.parent)
    with pytest.raises(FileUnusable, match="no salt") as refused:
        await site.keys()
    assert "rubbish" not in str(refused.value)
    path.write_text(kept)
    os.utime(path.parent)
    assert (await site.keys()).current.version == 1


async def test_a_second_machine_without_the_salt_refuses_rather_than_making_another(
    site: Site, tmp_path: Path
) -> None:
    await site.keys()
    elsewhere = Site(site.database, tmp_path / "second machine")
    with pytest.raises(KeysUnavailable):
        await elsewhere.keys()
    assert elsewhere.salts() == {}


async def test_a_salt_that_a_crash_left_without_its_row_is_used_and_not_replaced(site: Site) -> None:
    path = site.folder / FOLDER / "v1.kesehatan.salt"
    path.write_text("ab" * 32)
    path.chmod(0o600)
    await site.keys()
    assert site.salts() == {"v1.kesehatan.salt": "ab" * 32}


async def test_a_sector_begun_before_there_were_salts_keeps_its_names(site: Site) -> None:
    row = {"sector": "kesehatan", "version": 1, "made_at": BEGIN, "salted": False}
    with site.database.unit_of_work() as connection:
        connection.execute(insert(sector_key_versions).values(row))
    assert await site.name() == "v1.kesehatan." + derive_name()
    site.rotate(overlap_days=0)
    with pytest.raises(Conflict, match="before versions had salts"):
        site.destroy()
    assert not await site.takes_back("v1.kesehatan." + derive_name())
    assert site.keyring.destroy_ended() == []


def derive_name() -> str:
    return SectorKeys.only(derive_sector_key(MASTER, "kesehatan")).name(PERSON).split(".")[2]


async def test_a_rotation_names_its_reason_and_a_sector_that_exists(site: Site) -> None:
    with pytest.raises(NotFound):
        site.rotate()
    await site.keys()
    with pytest.raises(BadInput, match="reason"):
        site.keyring.rotate(INSTALLATION, "kesehatan", 30, "  ")
    with pytest.raises(BadInput, match="0 to 730 days"):
        site.keyring.rotate(INSTALLATION, "kesehatan", 731, "x")
    assert (await site.keys()).current.version == 1


def test_processes_that_need_a_first_key_together_end_with_the_same(
    database_url: str, tmp_path: Path
) -> None:
    from gateway.migrations import migrate  # noqa: PLC0415 - no fixture: the processes open it themselves

    opened = Database(database_url)
    migrate(opened)
    opened.close()
    program = (
        "import sys\n"
        "from datetime import datetime, UTC\n"
        "from pathlib import Path\n"
        "from uuid import UUID\n"
        "from gateway.database import Database\n"
        "from gateway.pseudonyms.sector_keys import SectorKeyring\n"
        "ring = SectorKeyring(Database(sys.argv[1]), Path(sys.argv[2]), bytes(range(32)), "
        "lambda: datetime.now(UTC))\n"
        "print(ring.read('pkh').name(UUID(int=7)))"
    )
    arguments = [sys.executable, "-c", program, database_url, str(tmp_path / "keys")]
    processes = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {process.communicate()[0] for process in processes}
    assert len(said) == 1
    assert said.pop().startswith("v1.pkh.")


# the commands


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("GAPURA_HOME", str(tmp_path))
    monkeypatch.delenv("GAPURA_DATABASE_URL", raising=False)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_an_operator_rotates_rekeys_and_destroys_by_command(
    command: Callable[..., Result], tmp_path: Path
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'gapura.db'}")
    assert command("sectors").exit_code == 0  # makes the database
    keys = open_keys(database, tmp_path / "keys")
    ring = SectorKeyring(database, tmp_path / "keys", keys.master, lambda: datetime.now(UTC))
    people = [uuid4() for _ in range(3)]
    names = [ring.read("kesehatan").name(person) for person in people]
    (tmp_path / "old.txt").write_text("\n".join([*names, "rubbish"]) + "\n")
    rotated = command("rotate-sector", "kesehatan", "--overlap-days", "30", "--reason", "yearly")
    assert rotated.exit_code == 0, rotated.output
    arguments = ("--from", str(tmp_path / "old.txt"), "--to", str(tmp_path / "new.csv"), "--reason", "letter")
    assert "1 of them unusable" in command("rekey", "kesehatan", *arguments).output
    rows = [line.split(",") for line in (tmp_path / "new.csv").read_text().splitlines()]
    present = ring.read("kesehatan")
    assert rows == [
        ["old", "new"],
        *([old, present.name(person)] for old, person in zip(names, people, strict=True)),
        ["rubbish", ""],
    ]
    assert stat.S_IMODE((tmp_path / "new.csv").stat().st_mode) == 0o600
    assert isinstance(command("rekey", "kesehatan", *arguments).exception, FileUnusable)
    assert command("destroy-sector", "kesehatan", "1", "--early", "--reason", "leak").exit_code == 0
    listed = command("sectors").output
    assert "v1  destroyed" in listed
    assert "v2  current" in listed
    with database.reading() as connection:
        acts = [json.loads(text) for text in connection.execute(select(audit_entries.c.entry)).scalars()]
    assert [act["act"] for act in acts] == [
        "sector_key.rotated",
        "sector_key.rekeyed",
        "sector_key.destroyed",
    ]
    assert (acts[1]["names"], acts[1]["unusable"]) == (4, 1)
    database.close()
