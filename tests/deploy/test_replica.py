"""Reports and access histories from a streaming replica: as of when is told, and the primary stands by."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import func, insert, select, text

from gateway.audit.tables import audit_entries, audit_shapes
from gateway.database import Database
from gateway.doctor.copies import examine_archive, examine_replica
from gateway.errors import NotFound, StoreUnavailable
from gateway.grants import REPORTING, SERVING, grant
from gateway.lanes import Last, Procedure, open_lane
from gateway.migrations import migrate
from gateway.replica import AsOf, Reports, open_reports
from gateway.rights.history import Histories
from gateway.rights.usage_report import usage_report
from gateway.settings import load_settings
from gateway.vitals.archive import ArchiveStanding, archive_standing
from tests.deploy.servers import (
    PostgresServer,
    needs_servers,
    postgres_server,
    replica_of,
    run,
    throwaway_folder,
)
from tests.gateway.rights.logged import ANI, Log

pytestmark = needs_servers
ROLES = Path(__file__).parents[2] / "deploy" / "postgresql" / "roles.sql"
_SOON = {"wal_retrieve_retry_interval": "200ms"}
_ARCHIVING = {"archive_mode": "on", "archive_command": "true"}
BEGIN = datetime(2026, 11, 22, 3, tzinfo=UTC)
PORT = text("SELECT inet_server_port()")


@dataclass
class Pair:
    """A primary with the shipped roles and the newest schema, its replica, and a clock that is moved."""

    primary: PostgresServer
    replica: PostgresServer
    report_url: str
    serving: Database
    now: datetime = BEGIN
    told: list[tuple[str, str]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1_000)))

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def tell(self, _name: str, *, level: str = "info", **fields: Any) -> None:
        self.told.append((level, str(fields["source"])))

    def on_replica(self, statement: str) -> None:
        with psycopg.connect(self.replica.url(dbname="gapura"), autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="module")
def servers() -> Iterator[Pair]:
    with ExitStack() as stack:
        folder = stack.enter_context(throwaway_folder("replica"))
        primary = stack.enter_context(postgres_server(folder / "primary", conf=_ARCHIVING))
        roles = shutil.copy(ROLES, folder / "primary")
        run(primary.folder, "psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(roles), primary.url())
        _ask_for_a_password(primary)
        with closing(Database(primary.url("gapura_owner", "gapura"))) as owner:
            migrate(owner)
            grant(owner)
        replica = stack.enter_context(replica_of(primary, folder / "replica", name="reports", conf=_SOON))
        passwords = folder / "passwords"
        passwords.write_text(f"127.0.0.1:*:gapura:{REPORTING}:for reports alone\n")
        passwords.chmod(0o600)
        serving = stack.enter_context(closing(Database(primary.url(SERVING, "gapura"))))
        yield Pair(primary, replica, f"{replica.url(REPORTING, 'gapura')}?passfile={passwords}", serving)


def _ask_for_a_password(server: PostgresServer) -> None:
    """Of who reports, as a site does; the others are trusted here."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {REPORTING} PASSWORD 'for reports alone'".encode())
    rules = server.data / "pg_hba.conf"
    asked = f"host gapura {REPORTING} 127.0.0.1/32 scram-sha-256\n"
    rules.write_text(asked + rules.read_text())
    server.reload()


@pytest.fixture
def pair(servers: Pair) -> Pair:
    """With a replica that runs and has replayed what there is."""
    if not servers.replica.is_running():
        servers.replica.start()
    servers.on_replica("SELECT pg_wal_replay_resume()")
    servers.told.clear()
    return servers


@pytest.fixture
def reports(pair: Pair) -> Iterator[Reports]:
    primary = pair.primary.url(SERVING, "gapura")
    addresses = {"GAPURA_DATABASE_URL": primary, "GAPURA_DATABASE_REPORT_URL": pair.report_url}
    settings = load_settings({**addresses, "GAPURA_REPORT_LAG_S": "60"})
    with closing(Database(primary)) as database:
        opened = open_reports(settings, database, lambda: pair.now, pair.tell)
        _until(lambda: _port(opened) == pair.replica.port, pair)
        pair.told.clear()
        yield opened


def _until(holds: Any, pair: Pair) -> None:
    """Wait for the replica to hear of the primary; the clock goes on, for failures are remembered."""
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        pair.pass_by(11)
        time.sleep(0.05)


def _port(reports: Reports) -> int:
    def ask(database: Database) -> int:
        with database.reading() as connection:
            return int(connection.execute(PORT).scalar_one())

    return reports(ask).value


def _shapes(reports: Reports) -> AsOf[int]:
    def count(database: Database) -> int:
        with database.reading() as connection:
            return connection.execute(select(func.count()).select_from(audit_shapes)).scalar_one()

    return reports(count)


def _write(pair: Pair) -> None:
    row = {"day": pair.now.date(), "sha256": uuid4().hex, "shape": "{}", "exchanges": 1, "samples": []}
    with pair.serving.unit_of_work() as connection:
        connection.execute(insert(audit_shapes).values(row))


def test_what_was_committed_before_a_report_is_in_it(pair: Pair, reports: Reports) -> None:
    for _ in range(20):
        before = _shapes(reports).value
        _write(pair)
        pair.pass_by(1)
        told = _shapes(reports)
        assert (told.value, told.as_of) == (before + 1, pair.now)
    assert _port(reports) == pair.replica.port
    assert pair.told == []


def test_a_replica_that_is_behind_is_read_with_its_moment_and_past_the_limit_not_at_all(
    pair: Pair, reports: Reports
) -> None:
    before, known = _shapes(reports).value, pair.now
    pair.on_replica("SELECT pg_wal_replay_pause()")
    pair.pass_by(20)
    _write(pair)
    pair.pass_by(40)
    late = _shapes(reports)
    assert (late.value, late.as_of) == (before, known)
    pair.pass_by(1)
    fresh = _shapes(reports)
    assert (fresh.value, fresh.as_of) == (before + 1, pair.now)
    assert pair.told == [("warning", "primary")]
    pair.on_replica("SELECT pg_wal_replay_resume()")
    _until(lambda: _port(reports) == pair.replica.port, pair)
    assert pair.told[-1] == ("info", "replica")


def test_without_the_replica_reports_are_read_from_the_primary_and_it_is_left_alone_for_a_while(
    pair: Pair, reports: Reports
) -> None:
    pair.replica.stop("immediate")
    assert _port(reports) == pair.primary.port
    pair.replica.start()
    assert _port(reports) == pair.primary.port
    pair.pass_by(11)
    _until(lambda: _port(reports) == pair.replica.port, pair)
    assert pair.told == [("warning", "primary"), ("info", "replica")]


def test_while_the_primary_is_away_reports_go_on_for_as_long_as_the_replica_may_be_late(
    pair: Pair, reports: Reports
) -> None:
    known = _shapes(reports)
    pair.primary.stop("immediate")
    try:
        pair.pass_by(60)
        assert _shapes(reports) == AsOf(known.value, known.as_of)
        pair.pass_by(1)
        with pytest.raises(StoreUnavailable):
            _shapes(reports)
    finally:
        pair.primary.start()


def test_what_the_replica_does_not_know_is_for_the_primary_to_say(reports: Reports) -> None:
    asked: list[Database] = []

    def not_here(database: Database) -> str:
        asked.append(database)
        if len(asked) == 1:
            raise NotFound("Not yet.")
        return "here"

    assert reports(not_here).value == "here"
    assert len({id(one) for one in asked}) == 2


def test_an_access_history_from_the_replica_lacks_nothing_that_was_committed(
    pair: Pair, reports: Reports
) -> None:
    log = Log(pair.serving)
    log.now = pair.now
    own = Histories(pair.serving, log.index, lambda: pair.now, reports)
    written: list[UUID] = []
    for step in ("indexed", "placed", "waiting"):
        written.append(log.write((ANI, "released")))
        if step != "waiting":
            log.place()
        if step == "indexed":
            log.index.step()
        pair.pass_by(1)
        told = own.read([ANI])
        assert [one.reference for one in told.accesses] == written[::-1]
        assert told.as_of == pair.now
    assert pair.told == []  # all of it from the replica
    assert usage_report_source(reports) == pair.replica.port


def usage_report_source(reports: Reports) -> int:
    """Where the semester's report is read."""

    def read(database: Database) -> int:
        usage_report(database, "2026-S2")
        return int(database.engine.url.port or 0)

    return reports(read).value


def test_whoever_reports_writes_nowhere(pair: Pair) -> None:
    writable = f"{pair.report_url}&options=-c%20default_transaction_read_only%3Doff"
    primary = writable.replace(f":{pair.replica.port}/", f":{pair.primary.port}/")
    for address, error in (
        (writable, errors.ReadOnlySqlTransaction),
        (primary, errors.InsufficientPrivilege),
    ):
        for statement in ("DELETE FROM audit_shapes", "UPDATE audit_entries SET entry = NULL"):
            with psycopg.connect(address) as connection, pytest.raises(error):
                connection.execute(statement.encode())


@pytest.mark.anyio
async def test_a_lane_reads_its_password_from_the_file_too(pair: Pair) -> None:
    def counting() -> Procedure[int]:
        (rows,) = yield Last([(select(func.count()).select_from(audit_shapes), {})])
        return int(rows[0][0])

    with closing(Database(pair.report_url)) as database:
        assert await open_lane(database, "reports", writes=False)(counting()) >= 0


def _said_of(pair: Pair, url: str, *, within_s: float = 60) -> str:
    return " | ".join(f"{one.level}: {one.said}" for one in examine_replica(pair.serving, url, 60, within_s))


def test_the_doctor_says_of_the_replica_whether_reports_can_be_read_there(pair: Pair) -> None:
    said = _said_of(pair, pair.report_url)
    assert re.search(r"good: \S+ follows, \d+\.\d\d s behind \| good: has the database's schema", said), said
    pair.on_replica("SELECT pg_wal_replay_pause()")
    _write(pair)
    assert "notice: " in (late := _said_of(pair, pair.report_url, within_s=0.05))
    assert "was still behind after 0.05 s" in late
    pair.on_replica("SELECT pg_wal_replay_resume()")
    assert "wrong: " in (promoted := _said_of(pair, pair.primary.url(SERVING, "gapura")))
    assert "takes writes: it follows nobody" in promoted
    pair.replica.stop("immediate")
    away = _said_of(pair, pair.report_url)
    assert away.startswith("notice: nobody answers at 127.0.0.1")
    assert "for reports alone" not in away


def test_the_doctor_tells_a_copy_of_another_server_from_a_replica(pair: Pair, postgres_server: str) -> None:
    said = _said_of(pair, postgres_server)
    assert said.startswith("wrong: ")
    assert said.endswith("is a copy of another server")


def _archive(pair: Pair, archive_command: str, *, when: Callable[[ArchiveStanding], bool]) -> ArchiveStanding:
    """How the role that serves sees the archive, once it is so with this command."""
    with psycopg.connect(pair.primary.url(dbname="gapura"), autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET archive_command = '{archive_command}'".encode())
        connection.execute("SELECT pg_reload_conf()")
        until = time.monotonic() + 60
        while True:
            # The archiver may hear of the command only after it has had a segment by the one before.
            connection.execute("SELECT pg_logical_emit_message(true, 'test', 'something to archive')")
            connection.execute("SELECT pg_switch_wal()")
            time.sleep(0.1)
            with pair.serving.reading() as reading:
                standing = archive_standing(reading)
            assert standing is not None
            if when(standing):
                return standing
            assert time.monotonic() < until, standing


def _keeps_up(standing: ArchiveStanding) -> bool:
    return standing.waiting == 0 and not standing.is_failing


def test_an_archive_that_stands_still_or_fails_is_late_and_one_that_keeps_up_is_not(pair: Pair) -> None:
    assert _archive(pair, "true", when=_keeps_up).late_s == 0
    # Without a command the server waits, tries nothing, and nothing fails.
    still = _archive(pair, "", when=lambda one: one.waiting == 1)
    assert (still.is_failing, still.late_s) == (False, still.idle_s)
    failing = _archive(pair, "false", when=lambda one: one.is_failing)
    assert failing.late_s == failing.idle_s > 0
    assert "notice: the last try failed; the last file got into it " in _archive_said(pair)
    assert _archive(pair, "true", when=_keeps_up).late_s == 0
    assert _archive_said(pair).startswith("good: ")
    with closing(Database(pair.replica.url(dbname="gapura"))) as replica, replica.reading() as connection:
        assert archive_standing(connection) is None  # that is its primary's work


def _archive_said(pair: Pair) -> str:
    return " | ".join(f"{one.level}: {one.said}" for one in examine_archive(pair.serving))


def test_a_replica_that_became_a_primary_is_no_longer_read(pair: Pair, reports: Reports) -> None:
    pair.replica.promote()
    assert _port(reports) == pair.primary.port
    with pair.serving.reading() as connection:
        assert connection.execute(select(func.count()).select_from(audit_entries)).scalar_one() >= 0
