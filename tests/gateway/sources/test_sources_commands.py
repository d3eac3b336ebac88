"""The operator's commands on a home of synthetic people, against the simulators as they are served."""

from __future__ import annotations

import asyncio
import csv
import itertools
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from click.testing import Result
from sqlalchemy import func, select, update
from typer.testing import CliRunner

from connectors.simulators.bpjs import members_among
from connectors.simulators.dukcapil import population_row
from connectors.transport.failures import SourceFailure
from gateway.commands import areas, sources
from gateway.commands.simulate import simulate
from gateway.database import Database
from gateway.demo import stage
from gateway.errors import Conflict, NotFound
from gateway.registry.personas import persona
from gateway.registry.tables import enrolments, people
from gateway.settings import load_settings
from gateway.sources.folder import build_sources
from gateway.sources.reports import SourceOverview, report_states
from gateway.sources.training import Training, training, training_people
from tests.gateway.sources.populace import settle
from tests.living import free_port


@dataclass
class Home:
    """A stocked home folder and simulators of its people."""

    folder: Path
    database: Database
    training: Training

    def gapura(self, *arguments: str) -> Result:
        return CliRunner().invoke(sources.app, arguments, env={"GAPURA_HOME": str(self.folder)})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("home")
    settings = load_settings({"GAPURA_HOME": str(folder)})
    stage.prepare(settings, 300, lambda _words: lambda _share: None, lambda _: None)
    database = Database(settings.effective_database_url)
    population = training_people(database, 1000)
    with training(population, folder) as opened:
        yield Home(folder, database, opened)
    database.close()


def test_every_source_of_the_training_answers_a_check(home: Home) -> None:
    for name in ("dukcapil", "bpjs", "PKH", "BPNT", "BST", "big"):
        result = home.gapura("check", name)
        assert result.exit_code == 0, result.output
        assert f"{name} answers" in result.output


def test_a_source_that_is_down_is_told_with_its_cause_and_an_exit_code(home: Home) -> None:
    home.training.stop("bpjs")
    result = home.gapura("check", "bpjs")
    home.training.start("bpjs")
    assert result.exit_code == 1
    assert "bpjs does not answer us" in result.output
    assert "connect" in result.output.lower()
    assert home.gapura("check", "bpjs").exit_code == 0


def test_an_unknown_name_is_told_with_those_that_exist(home: Home) -> None:
    result = home.gapura("check", "nobody")
    assert isinstance(result.exception, NotFound)
    assert "bpjs, dukcapil, PKH" in str(result.exception)


def test_a_pull_fills_enrolments_and_leaves_private_files_without_a_nik(home: Home) -> None:
    result = home.gapura("pull", "PKH")
    assert result.exit_code == 0, result.output
    assert "1 not taken: nobody in the registry holds this NIK" in result.output
    with home.database.reading() as connection:
        of_list = select(func.count()).select_from(enrolments).where(enrolments.c.source == "pkh-list")
        assert connection.execute(of_list).scalar_one() > 0
    assert "0 memberships new or changed" in home.gapura("pull", "PKH").output.replace("\n", " ")
    home.gapura("pull", "BPNT")
    for path in (home.folder / "pulls").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        text = path.read_text()
        assert persona("pkh_member").nik not in text
        assert "35780141018" not in text
    with (home.folder / "pulls" / "BPNT-doubles.csv").open() as file:
        doubles = list(csv.DictReader(file))
    assert {(row["first_programme"], row["second_programme"]) for row in doubles} >= {("BPNT", "PKH")}


def test_the_overview_shows_what_serving_processes_report_and_what_is_left(home: Home) -> None:
    silent = home.gapura()
    assert silent.exit_code == 0, silent.output
    assert "No serving process reported" in silent.output

    async def report() -> None:
        # As a serving process would: one source was asked, one was asked in vain, the others were not.
        opened = build_sources(home.training.file, home.database, lambda: datetime.now(UTC))
        await opened.check("dukcapil")
        home.training.stop("bpjs")
        with pytest.raises(SourceFailure):
            await opened.check("bpjs")
        home.training.start("bpjs")
        report_states(home.database, opened.states(), process="test", now=datetime.now(UTC))
        await opened.aclose()

    asyncio.run(report())
    told = home.gapura().output
    (dukcapil,) = [line.split() for line in told.splitlines() if line.startswith("dukcapil")]
    assert dukcapil[1:3] == ["yes", "closed"]
    assert int(dukcapil[5]) < 10_000
    assert "bpjs: DOWN since " in told
    assert "No serving process" not in told
    for name in ("dukcapil", "bpjs", "pkh-list", "closed", "not asked"):
        assert name in told
    assert "List of BST: never pulled" in told


def test_a_file_that_is_named_counts_instead_of_the_one_in_the_home_folder(
    home: Home, tmp_path: Path
) -> None:
    named = tmp_path / "named.toml"
    named.write_text("")
    for words, env in ((("--file", str(named)), {}), ((), {"GAPURA_SOURCES": str(named)})):
        told = CliRunner().invoke(sources.app, words, env={"GAPURA_HOME": str(home.folder), **env})
        assert told.output.replace("\n", "") == f"No outside source is configured in {named}."


def test_what_failed_before_is_told_as_past_once_the_source_answers_again() -> None:
    now = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    failed, answered = now - timedelta(hours=2), now - timedelta(minutes=5)
    down = SourceOverview("bpjs", 1, False, "open", None, None, failed, "connect refused", failed)
    assert sources.last_failure_told(down, now) == "bpjs: DOWN since 2026-11-22 01:00:00Z: connect refused"
    again = replace(down, reachable=True, breaker="closed", last_success=answered, unavailable_since=None)
    assert sources.last_failure_told(again, now) == (
        "bpjs: answers again since 2026-11-22 02:55:00Z at the latest. "
        "Last failure 2026-11-22 01:00:00Z (2 h ago): connect refused"
    )
    one_question = replace(down, reachable=True, unavailable_since=None, last_success=failed - timedelta(1))
    assert "its last question failed at 2026-11-22 01:00:00Z (2 h ago)" in sources.last_failure_told(
        one_question, now
    )


def test_simulators_do_not_replace_a_configuration_that_somebody_wrote(tmp_path: Path) -> None:
    own = tmp_path / "sources.toml"
    own.write_text("[dukcapil]\n")
    with pytest.raises(Conflict, match="move it away"), training((), tmp_path):
        pass
    assert own.read_text() == "[dukcapil]\n"
    own.unlink()
    for _start in ("first", "second"):
        with training((), tmp_path):
            assert load_settings({"GAPURA_HOME": str(tmp_path)}).sources_file == own


def test_maps_come_from_the_simulator_too_and_every_point_lies_in_one_region(home: Home) -> None:
    env = {"GAPURA_HOME": str(home.folder), "COLUMNS": "200"}
    edition = ("--edition", "latihan", "--valid-from", "2025-04-25")
    for level, told in (
        ("regency", "514 codes in both, 0 only on the map"),
        ("village", "0 only on the map"),
    ):
        words = ["import", "big", "--level", level, *edition]
        done = CliRunner().invoke(areas.app, words, env=env)
        assert done.exit_code == 0, done.output
        assert told in done.output
    where = CliRunner().invoke(areas.app, ["locate", "112.75", "-7.26"], env=env).output
    assert re.search(r"regency \(latihan\): [0-9.]{5} K", where), where


def test_a_new_home_is_made_and_has_nobody_to_simulate(tmp_path: Path) -> None:
    new = {"GAPURA_HOME": str(tmp_path / "new")}
    told = CliRunner().invoke(sources.app, [], env=new)
    assert "No outside source is configured: there is no " in told.output
    simulating = typer.Typer()
    simulating.command()(simulate)
    refused = CliRunner().invoke(simulating, [], env=new)
    assert isinstance(refused.exception, NotFound)
    assert "gapura demo --once" in str(refused.exception)


def test_simulators_refuse_a_registry_with_anybody_real(database: Database) -> None:
    with pytest.raises(NotFound, match="no synthetic people"):
        training_people(database, 10)
    settle(database, {1: "3578014708990001", 2: "3578014708990002"})
    assert len(training_people(database, 10)) == 2
    with database.unit_of_work() as connection:
        connection.execute(update(people).where(people.c.source_key == "test-2").values(synthetic=False))
    with pytest.raises(Conflict, match="not synthetic"):
        training_people(database, 10)


def test_the_simulators_know_people_as_the_registry_says_they_are_known(home: Home) -> None:
    people = training_people(home.database, 1000)
    rows = {row["nik"]: row for row in map(population_row, people)}
    assert rows[persona("duplicate").nik]["dukcapil_state"] == "duplicate"
    assert rows[persona("deceased").nik]["life_status"] == "deceased"
    members = {one.nik: one for one in members_among(people)}
    assert members[persona("pkh_member").nik].segment == "pbi_apbn"


def test_the_command_serves_all_simulators_until_it_is_told_to_stop(home: Home) -> None:
    port = free_port()
    serve = "import typer; from gateway.commands.simulate import simulate; typer.run(simulate)"
    command = [sys.executable, "-c", serve, "--port", str(port), "--without", "bpjs"]
    process = subprocess.Popen(
        command,
        env={"GAPURA_HOME": str(home.folder)},
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            told = list(itertools.takewhile(lambda line: not line.startswith("Serving"), process.stdout))
            assert "bpjs: left down\n" in told
            assert f'base_url = "http://127.0.0.1:{port}/vclaim-rest"\n' in told
            assert home.training.file.stat().st_mode & 0o777 == 0o600
            assert home.gapura("check", "dukcapil").exit_code == 0
            assert home.gapura("check", "bpjs").exit_code == 1
        finally:
            process.terminate()
            home.training.write_configuration()
    assert process.returncode == 0


def test_a_port_that_is_taken_is_named(home: Home, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        busy = Training(training_people(home.database, 1), tmp_path, port)
        with pytest.raises(Conflict, match=str(port)):
            busy.start(busy.names[0])
