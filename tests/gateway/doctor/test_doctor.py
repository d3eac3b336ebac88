"""The doctor before gateways that are well, and before every illness that an operator meets."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import insert

from gateway.audit.log import add_entries
from gateway.audit.tables import audit_checks, audit_tiles, audit_witnesses
from gateway.audit.transparency import open_log
from gateway.database import Database
from gateway.doctor.examination import examine
from gateway.doctor.findings import Finding, is_ill
from gateway.doctor.machine import ending_certificate
from gateway.doctor.sources import examine_site
from gateway.installation import open_keys
from gateway.settings import load_settings
from gateway.sources.training import training, training_people
from tests.certificates import Authority
from tests.conftest import empty_postgres_database
from tests.gateway.audit.logs import outcome
from tests.living import LivingGateway, free_port, stocked_gateway

PASSWORD = "rahasia-sekali"
# A test's own server forgets at a power cut, and we are its superuser; it cannot be taken for well.
OF_THE_TEST_SERVER = {"durability", "role"}


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LivingGateway]:
    """A home with keys, people and a database, as before `gapura serve`."""
    if request.param == "sqlite":
        with stocked_gateway(tmp_path, f"sqlite:///{tmp_path / 'gapura.db'}") as gateway:
            yield gateway
        return
    with (
        empty_postgres_database(request.getfixturevalue("postgres_server")) as url,
        stocked_gateway(tmp_path, url) as gateway,
    ):
        yield gateway


def _findings(
    site: LivingGateway, now: datetime | None = None, *, ask_sources: bool = False, **settings: str
) -> list[Finding]:
    environment = {**site.settings.environment(), **{f"GAPURA_{k.upper()}": v for k, v in settings.items()}}
    clock = (lambda: now) if now else lambda: datetime.now(UTC)
    return list(examine(clock, environment=environment, ask_sources=ask_sources))


def _about(findings: list[Finding], *levels: str) -> set[str]:
    return {finding.about for finding in findings if finding.level in levels}


def _said(findings: list[Finding], about: str) -> str:
    return " | ".join(
        f"{finding.level}: {finding.said} -> {finding.do}" for finding in findings if finding.about == about
    )


@contextmanager
def _database(site: LivingGateway) -> Iterator[Database]:
    database = Database(site.settings.effective_database_url)
    try:
        yield database
    finally:
        database.close()


def _contents(folder: Path) -> Mapping[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_mode)
        for path in folder.rglob("*")
        if not path.name.startswith("gapura.db")
    }


def test_a_gateway_that_is_well_is_found_well_and_nothing_is_changed(site: LivingGateway) -> None:
    with _database(site) as database:  # what was stocked some time ago waits for a gateway
        keys = open_keys(database, site.settings.home / "keys")
        log = open_log(database, keys, site.settings.issuer, lambda: datetime.now(UTC))
        while log.sequencer.integrate():
            pass
        log.sequencer.sign()
    before = _contents(site.settings.home)
    findings = _findings(site)
    expected = set() if "sqlite" in site.settings.database_url else OF_THE_TEST_SERVER
    # How full the disk of a machine of tests is, is not ours to say.
    assert _about(findings, "wrong", "unknown") - {"disk"} == expected, findings
    looked_at = {
        "settings",
        "disk",
        "keys",
        "database",
        "schema",
        "log",
        "checkpoint",
        "agreements",
        "backup",
        "replica",
    }
    assert looked_at <= {finding.about for finding in findings}
    # A test's own server archives nothing, which is worth a look; SQLite has nothing to archive.
    assert ("archive" in _about(findings, "notice")) == bool(expected)
    assert _contents(site.settings.home) == before


def test_a_database_that_is_away_is_wrong_and_what_it_hides_is_unknown(site: LivingGateway) -> None:
    url = f"postgresql://gapura_serving:{PASSWORD}@127.0.0.1:{free_port()}/gapura"
    findings = _findings(site, ask_sources=True, database_url=url)
    assert "nobody answers" in _said(findings, "database")
    assert _about(findings, "unknown") >= {"schema", "log", "backup", "archive", "replica", "sources"}
    assert "GiB free" in _said(findings, "disk")
    assert is_ill(findings)
    assert PASSWORD not in str(findings)


def test_where_nothing_is_yet_nothing_is_made(tmp_path: Path) -> None:
    home = tmp_path / "home"
    findings = list(
        examine(lambda: datetime.now(UTC), environment={"GAPURA_HOME": str(home)}, ask_sources=True)
    )
    assert {"keys", "database"} <= _about(findings, "wrong")
    assert "gapura migrate" in _said(findings, "database")
    assert not home.exists()


def test_every_problem_of_the_settings_is_told_and_nothing_else_is_looked_at() -> None:
    environment = {"GAPURA_PROT": "1", "GAPURA_PORT": "x", "GAPURA_DATABASE_URL": f"mysql://a:{PASSWORD}@b/c"}
    findings = list(examine(lambda: datetime.now(UTC), environment=environment))
    assert [finding.about for finding in findings] == ["settings"] * len(findings)
    assert len(findings) >= 2
    assert PASSWORD not in str(findings)


def test_keys_that_others_may_read_are_named_with_what_to_do(site: LivingGateway) -> None:
    master = site.settings.home / "keys" / "master.key"
    master.chmod(0o644)
    assert f"chmod 0600 {master}" in _said(_findings(site), "keys")


def test_lost_keys_are_missed_and_never_made_anew(site: LivingGateway) -> None:
    keys = site.settings.home / "keys"
    content = (keys / "master.key").read_text(encoding="ascii")
    (keys / "master.key").unlink()
    assert "has no master key" in _said(_findings(site), "keys")
    for signing in keys.glob("signing-*"):
        signing.unlink()
    assert "no key that signs tokens" in _said(_findings(site), "keys")
    assert not list(keys.glob("signing-*"))
    assert not (keys / "master.key").exists()
    assert content not in str(_findings(site))


def test_keys_of_another_gateway_are_told_apart(site: LivingGateway) -> None:
    master = site.settings.home / "keys" / "master.key"
    with _database(site) as database:
        open_keys(database, site.settings.home / "keys")
    master.chmod(0o600)
    master.write_text("0" * 64, encoding="ascii")
    assert "belong to another database" in _said(_findings(site), "keys")


def test_a_log_that_stands_still_is_told_with_the_age_of_what_waits(site: LivingGateway) -> None:
    now = datetime.now(UTC)
    with _database(site) as database, database.unit_of_work() as connection:
        add_entries(connection, [outcome(1).seal(bytes(32))])
    findings = _findings(site, now + timedelta(minutes=10))
    assert "log" in _about(findings, "wrong")
    assert "GapuraLogNotIntegrated" in _said(findings, "log")


def test_a_tree_that_is_not_what_was_signed_is_found_by_its_newest_checkpoint(site: LivingGateway) -> None:
    with _database(site) as database:
        log = open_log(
            database, open_keys(database, site.settings.home / "keys"), site.url, lambda: datetime.now(UTC)
        )
        with database.unit_of_work() as connection:
            add_entries(connection, [outcome(1).seal(bytes(32))])
        log.sequencer.step()
        assert "is signed and fits the tree" in _said(_findings(site), "checkpoint")
        with database.unit_of_work() as connection:
            width = len(log.ledger.tile(0, 0, log.ledger.head().size) or b"")  # type: ignore[union-attr]
            connection.execute(audit_tiles.update().values(hashes=bytes(width)))
    findings = _findings(site)
    assert "the newest is not good" in _said(findings, "checkpoint")
    assert "checkpoint" in _about(findings, "wrong")


@contextmanager
def _answering(dated: datetime, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Somebody who answers under the site's name, by a clock of their own."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def date_time_string(self, timestamp: float | None = None) -> str:
            del timestamp
            return format_datetime(dated, usegmt=True)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            del format, args

    server = HTTPServer(("127.0.0.1", 0), Answering)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(("minutes", "level"), [(0, "good"), (3, "wrong"), (-3, "wrong")])
def test_the_sites_own_clock_is_compared(tmp_path: Path, minutes: int, level: str) -> None:
    with _answering(datetime.now(UTC) + timedelta(minutes=minutes)) as address:
        settings = load_settings({"GAPURA_HOME": str(tmp_path), "GAPURA_PUBLIC_URL": address})
        findings = list(examine_site(settings, lambda: datetime.now(UTC)))
    assert "answers with status 200" in _said(findings, "site")
    assert [finding.level for finding in findings if finding.about == "clock"] == [level]


def test_a_site_with_tls_is_judged_by_the_authorities_that_this_machine_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    authority = Authority()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*authority.issue("site", until=now + timedelta(hours=20)).write(tmp_path, "site"))
    with _answering(now, tls) as address:
        settings = load_settings({"GAPURA_HOME": str(tmp_path), "GAPURA_PUBLIC_URL": address})
        (strange,) = examine_site(settings, lambda: now)
        assert "does not trust the certificate" in strange.said
        monkeypatch.setenv("SSL_CERT_FILE", authority.root.write(tmp_path, "root")[0])
        findings = list(examine_site(settings, lambda: now))
    assert "answers with status 200" in _said(findings, "site")
    assert "in 0 days" in _said(findings, "certificates")


def test_a_site_that_does_not_answer_is_worth_a_look(tmp_path: Path) -> None:
    settings = load_settings({"GAPURA_HOME": str(tmp_path), "GAPURA_PORT": str(free_port())})
    (finding,) = examine_site(settings, lambda: datetime.now(UTC))
    assert finding.level == "notice"


def test_what_a_check_found_and_witnesses_that_fell_silent_are_told(site: LivingGateway) -> None:
    now = datetime.now(UTC)
    with _database(site) as database, database.unit_of_work() as connection:
        row = {"asked_by": "ani", "begun_at": now, "seen_at": now, "ended_at": now, "done": 1, "total": 1}
        connection.execute(
            insert(audit_checks).values(id=outcome(1).exchange_id, finding="entry 7 was changed", **row)
        )
        connection.execute(insert(audit_witnesses).values(name="bpk", key="x", added_at=now))
    findings = _findings(site)
    assert "entry 7 was changed" in _said(findings, "log")
    assert "bpk" in _said(findings, "witnesses")


@pytest.mark.parametrize(
    ("days", "level"), [(40, "good"), (20, "notice"), (3, "wrong"), (-1, "wrong")], ids=str
)
def test_a_certificate_is_told_in_time_and_loudly_at_last(days: int, level: str) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert ending_certificate("site.pem", now + timedelta(days=days), now).level == level


def test_the_certificates_of_the_settings_are_looked_at(tmp_path: Path) -> None:
    certificate, _ = Authority().issue("site").write(tmp_path, "site")
    environment = {
        "GAPURA_HOME": str(tmp_path / "home"),
        "GAPURA_CERTIFICATES": f"{certificate}, {tmp_path / 'lost.pem'}",
    }
    findings = list(examine(lambda: datetime.now(UTC), environment=environment))
    assert "site.crt ends" in _said(findings, "certificates")
    assert "lost.pem cannot be read" in _said(findings, "certificates")


def test_a_source_that_answers_is_well_and_one_that_is_gone_is_named(site: LivingGateway) -> None:
    with _database(site) as database:
        people = training_people(database, 5)
    with training(people, site.settings.home) as simulators:
        well = _findings(site, ask_sources=True)
        assert "good: dukcapil answers" in _said(well, "sources")
        assert "calls left of today's quota" in _said(well, "sources")
        simulators.stop("dukcapil")
        ill = _findings(site, ask_sources=True)
    assert "wrong: dukcapil:" in _said(ill, "sources")
    assert "good: dukcapil" not in _said(ill, "sources")


def test_a_role_that_may_change_evidence_is_told(site: LivingGateway) -> None:
    if "sqlite" in site.settings.database_url:
        pytest.skip("SQLite has no roles")
    said = _said(_findings(site), "role")
    assert "superuser" in said
    assert "DELETE on audit_" in said


def test_bad_news_never_comes_without_what_to_do() -> None:
    with pytest.raises(ValueError, match="what to do"):
        Finding("disk", "wrong", "full")


def test_the_command_says_it_for_people_and_for_programs(site: LivingGateway) -> None:
    (site.settings.home / "keys" / "master.key").chmod(0o604)
    said = site.gapura("doctor", "--no-sources", status=1)
    assert "WRONG  keys" in said
    assert "-> chmod 0600" in said
    told = json.loads(site.gapura("doctor", "--no-sources", "--json", status=1))
    assert {"about", "level", "said", "do"} == set(told[0])
    assert any(one["about"] == "keys" and one["level"] == "wrong" for one in told)
