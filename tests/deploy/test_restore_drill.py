"""The drill: a backup under load, everything destroyed, put back by the commands, and the log proven whole.

A real PostgreSQL archives its log by the shipped settings; callers ask without a pause; then server, data and
keys are gone at once. What is counted is printed: how much was lost, and how long until the next answer.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import psycopg
import pytest
from pyrage.x25519 import Identity
from sqlalchemy import func, select

from gateway.audit.erasure import erase
from gateway.audit.proofs import Checkpoint, VerifierKey
from gateway.audit.signing import witness_key
from gateway.audit.tables import audit_entries
from gateway.audit.transparency import open_log
from gateway.audit.witness import Witness
from gateway.audit.witnesses import accept_cosignatures, add_witness
from gateway.backup.encryption import read_identities
from gateway.backup.restoring import find_way, restore_postgres
from gateway.backup.sets import BackupFolder
from gateway.backup.wal_archive import WalArchive
from gateway.database import Database
from gateway.demo import stage
from gateway.grants import SERVING
from gateway.installation import open_keys
from gateway.oauth.client import GatewayClient
from gateway.settings import Settings, load_settings
from tests.deploy import servers
from tests.deploy.archiving import SHIPPED, archiving, give_to_server
from tests.deploy.callers import Callers, Request
from tests.deploy.servers import PostgresServer, needs_servers
from tests.deploy.site import STOP
from tests.living import LivingGateway, free_port

OWNER, BACKUP = "gapura_owner", "gapura_backup"
CALLERS = 3
_WAIT_S = 60
NEVER = datetime.max.replace(tzinfo=UTC)

pytestmark = needs_servers


@dataclass
class Drill:
    """A site, what its callers were told, and what an operator has in hand when everything else is gone."""

    folder: Path
    gateway: LivingGateway
    identity: Path
    cosigned: Path
    port: int
    requests: list[Request] = field(default_factory=list)
    clock_offset_s: float = field(default_factory=lambda: time.time() - time.monotonic())
    moment: datetime = NEVER
    # The stated point: the end of the last archived segment when all was lost.
    whole_to: datetime = NEVER
    pseudonyms: list[str] = field(default_factory=list)
    destroyed_at: float = 0.0
    old_token_said: int = 0
    recovery_s: dict[str, float] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return self.gateway.settings

    @property
    def identities(self) -> list[Identity]:
        return read_identities(self.identity, lambda: "")

    @property
    def backups(self) -> BackupFolder:
        return BackupFolder(self.folder / "backups")

    def acknowledged(self) -> list[tuple[datetime, UUID]]:
        """When each answer was there, and its exchange."""
        return [
            (datetime.fromtimestamp(one.ended + self.clock_offset_s, UTC), one.exchange_id)
            for one in self.requests
            if one.answered and one.exchange_id is not None
        ]

    def owner(self, port: int) -> LivingGateway:
        """Where an operator types commands as the role that owns the tables."""
        url = f"postgresql://{OWNER}@127.0.0.1:{port}/gapura"
        return LivingGateway(self.settings.model_copy(update={"database_url": url}))

    def restored(self, name: str, *more: str) -> Path:
        """The folder of a server whose data folder the command has filled."""
        place = self.folder / name
        give_to_server(place)
        identity = ("--identity", str(self.identity))
        self.gateway.gapura("restore", "database", "--into", str(place / "data"), *identity, *more)
        return place


@pytest.fixture(scope="module")
def drill() -> Iterator[Drill]:
    """Everything up to the destruction."""
    found = servers.programs()
    assert found is not None
    with ExitStack() as stack:
        patched = stack.enter_context(pytest.MonkeyPatch.context())
        patched.setenv("PATH", f"{found}:{os.environ['PATH']}")
        folder = stack.enter_context(servers.throwaway_folder("drill"))
        identity = Identity.generate()
        conf = archiving(stack, folder, str(identity.to_public()))
        server = stack.enter_context(servers.postgres_server(folder / "first", conf=conf))
        yield from _drilled(stack, folder, server, identity)


def _drilled(stack: ExitStack, folder: Path, server: PostgresServer, identity: Identity) -> Iterator[Drill]:
    roles = shutil.copy(SHIPPED / "roles.sql", server.folder)
    servers.run(server.folder, "psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(roles), server.url())
    environment = {
        "GAPURA_HOME": str(folder / "home"),
        "GAPURA_DATABASE_URL": server.url(SERVING, "gapura"),
        "GAPURA_BACKUP_DATABASE_URL": server.url(BACKUP, "gapura"),
        "GAPURA_BACKUP_FOLDER": str(folder / "backups"),
        "GAPURA_BACKUP_RECIPIENTS": str(identity.to_public()),
    }
    gateway = LivingGateway(load_settings(environment, port=free_port()))
    stack.callback(gateway.http.close)
    stack.callback(gateway.stop)
    drill = Drill(folder, gateway, folder / "backup.key", folder / "cosigned", server.port)
    drill.identity.touch(mode=0o600)
    drill.identity.write_text(str(identity), encoding="ascii")
    drill.owner(server.port).gapura("migrate", "--grant")
    stage.prepare(gateway.settings, 300, lambda _words: lambda _share: None, lambda _: None)
    gateway.start()
    _live_and_die(stack, drill, server)
    yield drill


def _live_and_die(stack: ExitStack, drill: Drill, server: PostgresServer) -> None:
    witness = _witness(drill)
    https = [stack.enter_context(httpx.Client(trust_env=False, timeout=30)) for _ in range(CALLERS)]
    clients = [stage.client_for(drill.settings, STOP.consumer, http) for http in https]
    drill.pseudonyms = _pseudonyms(drill.gateway.client(STOP.consumer))
    callers = Callers(clients, patient=0)
    with callers:
        callers.wait_for_calm(3)
        drill.gateway.gapura("backup", "make")
        callers.wait_for_calm(5)
        drill.moment = datetime.now(UTC)
        callers.wait_for_calm(5)
        beyond = _entries(drill.settings)
        _archive(drill, server)
        callers.wait_for_calm(2)
        _wait_until_signed(drill, beyond)  # or the checkpoint may be one of before the moment
        _cosign(drill, witness)
        _archive(drill, server)
        callers.wait_for_calm(5)  # what is acknowledged from here on is in no archived segment
        drill.destroyed_at = time.time()
        drill.gateway.stop(signal.SIGKILL)
        _kill(server)
    drill.requests = callers.requests
    drill.whole_to = max(note.completed_at for note in WalArchive(drill.backups.wal).notes.values())
    shutil.rmtree(server.data)
    for path in drill.settings.home.iterdir():
        if path.name != "demo-consumers":  # which are the agencies', and elsewhere
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _wait_until_signed(drill: Drill, size: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        note = drill.gateway.http.get(f"{drill.gateway.url}/log/checkpoint").raise_for_status().text
        if Checkpoint.parse(note).size >= size:
            return
        time.sleep(0.1)
    raise AssertionError(f"expected a checkpoint over {size} entries within a minute, got none")


def _entries(settings: Settings) -> int:
    with closing(Database(settings.database_url)) as database, database.reading() as connection:
        return connection.execute(select(func.count()).select_from(audit_entries)).scalar_one()


def _pseudonyms(partner: GatewayClient) -> list[str]:
    answer = partner.post(STOP.path, STOP.body)
    assert answer.status_code == 200, answer.text
    return [result["pseudonym"] for result in answer.json()["results"]]


def _witness(drill: Drill) -> Witness:
    keys = [VerifierKey.parse(line) for line in drill.gateway.gapura("audit", "key").splitlines()]
    own = witness_key("bpk.go.id/saksi", b"w" * 32)
    with closing(Database(drill.settings.database_url)) as database:
        add_witness(database, str(own.verifier), actor="drill", reason="drill", at=datetime.now(UTC))
    return Witness(keys, own, drill.folder / "witnessed")


def _cosign(drill: Drill, witness: Witness) -> None:
    """Have the witness cosign the newest checkpoint, and keep what it says, as a witness does."""

    def fetch(path: str) -> bytes:
        return drill.gateway.http.get(f"{drill.gateway.url}/log/{path}").raise_for_status().content

    _, note = witness.cosign(fetch, datetime.now(UTC))
    with closing(Database(drill.settings.database_url)) as database:
        accept_cosignatures(database, note, datetime.now(UTC))
    drill.cosigned.write_text(note, encoding="utf-8")


def _archive(drill: Drill, server: PostgresServer) -> None:
    """End the segment that is being written, as `archive_timeout` does, and wait until it is archived."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        row = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
    assert row is not None
    _until(lambda: row[0] in WalArchive(drill.backups.wal).notes, lambda: server.log)


def _kill(server: PostgresServer) -> None:
    """SIGKILL for the server and each of its processes."""
    pid = int((server.data / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for one in (pid, *map(int, children)):
        os.kill(one, signal.SIGKILL)
    _until(lambda: not any(Path(f"/proc/{one}/fd").exists() for one in (pid, *children)), lambda: "")


def _until(holds: Callable[[], bool], why: Callable[[], str]) -> None:
    until = time.monotonic() + _WAIT_S
    while not holds():
        assert time.monotonic() < until, why()
        time.sleep(0.02)


def _takes_writes(server: PostgresServer) -> bool:
    try:
        with psycopg.connect(server.url()) as connection:
            row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    except psycopg.OperationalError:
        return False
    return row == (False,)


@contextmanager
def recovered(folder: Path, port: int) -> Iterator[PostgresServer]:
    """A server on a restored data folder, through with its recovery."""
    with servers.restored_server(folder, port=port) as server:
        _until(lambda: _takes_writes(server), lambda: server.log)
        yield server


@pytest.fixture(scope="module")
def again(drill: Drill) -> Iterator[Drill]:
    """The site as an operator has brought it back, on the server's old address."""
    began = time.monotonic()
    drill.gateway.gapura("restore", "keys", "--identity", str(drill.identity))
    place = drill.restored("second")
    drill.recovery_s["files are back"] = time.monotonic() - began
    with recovered(place, drill.port):
        drill.recovery_s["PostgreSQL takes writes"] = time.monotonic() - began
        owner = drill.owner(drill.port)
        said = owner.gapura("restore", "finish", "--checkpoint", str(drill.cosigned), "--reason", "drill")
        assert "It is sound" in said
        assert "cosigned by bpk.go.id/saksi" in said
        assert "names the restored set" not in said  # nobody said which
        drill.recovery_s["the log is proven"] = time.monotonic() - began
        drill.gateway.start()
        drill.old_token_said = drill.gateway.post(STOP.consumer, STOP.path, STOP.body).status_code
        partner = stage.client_for(drill.settings, STOP.consumer, drill.gateway.http)
        assert _pseudonyms(partner) == drill.pseudonyms
        drill.recovery_s["the next answer"] = time.monotonic() - began
        yield drill


def logged(settings: Settings) -> set[UUID]:
    with closing(Database(settings.database_url)) as database, database.reading() as connection:
        chosen = select(audit_entries.c.exchange_id).where(audit_entries.c.kind == "outcome")
        return {*connection.execute(chosen).scalars()}


def test_no_exchange_that_was_acknowledged_before_the_stated_point_is_lost(
    again: Drill, record_property: Callable[[str, object], None]
) -> None:
    there, acknowledged = logged(again.settings), again.acknowledged()
    due = [exchange for at, exchange in acknowledged if at <= again.whole_to]
    assert len(due) > 2 * CALLERS
    assert [exchange for exchange in due if exchange not in there] == []
    lost = [at for at, exchange in acknowledged if exchange not in there]
    gone_for = [again.destroyed_at - at.timestamp() for at in lost]
    title = "restore drill x figure"
    figures = {
        "acknowledged": str(len(acknowledged)),
        "of them before the stated point": f"{len(due)}, none lost",
        "lost, all of them after it": f"{len(lost)}",
        "loss goes back by (RPO)": f"{max(gone_for, default=0):.1f} s",
        **{f"{what} (RTO)": f"{taken:.1f} s" for what, taken in again.recovery_s.items()},
    }
    for what, figure in figures.items():
        record_property(title, [what, "figure", figure])


def test_the_restored_log_holds_the_last_cosigned_checkpoint_and_grows_on(again: Drill) -> None:
    said = again.gateway.gapura("audit", "verify", "--checkpoint", str(again.folder / "witnessed"))
    assert "agree with" in said
    size = Checkpoint.parse(again.cosigned.read_text()).size
    found = re.search(r"(\d+) entries agree", said)
    assert found
    assert int(found[1]) > size


def test_a_token_from_before_is_refused_and_a_new_one_leads_to_the_same_pseudonyms(again: Drill) -> None:
    assert again.old_token_said == httpx.codes.UNAUTHORIZED  # the rest is what `again` waits for


def test_the_backup_can_be_verified_to_its_last_byte(again: Drill) -> None:
    said = again.gateway.gapura("backup", "verify", "--identity", str(again.identity))
    assert "Every file decrypts and is whole" in said
    assert again.whole_to.strftime("%Y-%m-%d %H:%M:%S") in said
    assert "Every file is the one that was made" in again.gateway.gapura("backup", "verify")


def test_no_backup_holds_anything_that_can_be_read(again: Drill) -> None:
    with closing(Database(again.settings.database_url)) as database, database.reading() as connection:
        [origin] = connection.exec_driver_sql("SELECT origin FROM audit_identity").scalars()
    readable = [
        path.name
        for path in (again.folder / "backups").rglob("*.age")
        if not path.read_bytes().startswith(b"age-encryption.org/v1") or origin.encode() in path.read_bytes()
    ]
    assert readable == []


def test_a_restore_to_an_earlier_moment_ends_there_and_says_what_was_lost(again: Drill) -> None:
    moment = again.moment
    before = [exchange for at, exchange in again.acknowledged() if at < moment - timedelta(milliseconds=50)]
    erased, dump = before[-1], again.folder / "later.jsonl"
    _erase(again, erased)
    again.gateway.gapura("audit", "dump", str(dump))
    place, port = again.restored("third", "--to", moment.isoformat(), "--copy"), free_port()
    with recovered(place, port):
        owner = again.owner(port)
        there = logged(owner.settings)
        assert {*before} <= there
        late = [exchange for at, exchange in again.acknowledged() if at > moment + timedelta(seconds=1)]
        assert not there & {*late}
        finish = ("restore", "finish", "--checkpoint", str(again.cosigned), "--reason", "import of 22 Nov")
        assert "THE LOG HAS BEEN ROLLED BACK" in owner.gapura(*finish, status=1)
        said = owner.gapura(*finish, "--accept-loss", "--later-log", str(dump))
        assert "1 entries erased again" in said
        assert "lost: " in said
        assert "witness.add" not in said  # that one is not lost
        assert "/2, and signed" in said
        assert "agree with" in owner.gapura("audit", "verify")
        assert _text_of(owner.settings, erased) == [None]


def _erase(drill: Drill, exchange: UUID) -> None:
    settings = drill.settings
    with closing(drill_database := Database(drill.owner(drill.port).settings.database_url)):
        keys = open_keys(drill_database, settings.home / "keys")
        log = open_log(drill_database, keys, settings.issuer, lambda: datetime.now(UTC))
        erase(
            drill_database,
            exchange,
            scope="payload",
            order="PTUN-8/2026",
            actor="drill",
            at=datetime.now(UTC),
            integrate=log.sequencer.integrate,
        )


def _text_of(settings: Settings, exchange: UUID) -> list[str | None]:
    with closing(Database(settings.database_url)) as database, database.reading() as connection:
        chosen = select(audit_entries.c.entry).where(audit_entries.c.exchange_id == exchange)
        return [*connection.execute(chosen).scalars()]


def test_a_role_without_replication_is_told_which_one_it_takes(again: Drill) -> None:
    serving = again.settings.model_copy(update={"backup_database_url": ""})
    before = len(again.backups.all())
    assert "expected a role with REPLICATION" in LivingGateway(serving).gapura("backup", "make", status=2)
    assert len(again.backups.all()) == before
    assert [*again.backups.sets.glob("*.unfinished")] == []


def test_a_segment_that_is_missing_is_named_before_anything_is_touched(again: Drill, tmp_path: Path) -> None:
    shutil.copytree(again.folder / "backups", tmp_path / "backups")
    archive = WalArchive(tmp_path / "backups" / "wal")
    one = BackupFolder(tmp_path / "backups").newest_with_database()
    assert one.manifest.position is not None
    first, *later = archive.after(one.manifest.position).segments
    assert later
    archive.file_of(first).unlink()
    (archive.folder / f"{first}.json").unlink()
    said = again.gateway.gapura(
        *("restore", "database", "--from", str(tmp_path / "backups"), "--into", str(tmp_path / "data")),
        *("--identity", str(again.identity)),
        status=2,
    )
    assert "lacks" in said
    assert first[8:] in said
    assert not (tmp_path / "data").exists()


def test_a_restore_that_dies_leaves_nothing_on_which_a_server_would_start(
    again: Drill, tmp_path: Path
) -> None:
    one, archive = again.backups.newest_with_database(), WalArchive(again.backups.wal)
    data, seen = tmp_path / "data", []

    def die(what: str, _done: int, _total: int) -> None:
        if what == "log":
            seen.extend(path.name for path in (data / "global").glob("pg_control*"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore_postgres(one, archive, find_way(one, archive), again.identities, data, die)
    assert seen == ["pg_control.unfinished"]
    assert not data.exists()
