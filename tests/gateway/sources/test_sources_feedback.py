"""Data balikan from a file: delivered once whatever happens, and nobody named in what is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import select
from starlette.responses import Response
from typer.testing import CliRunner

from connectors.simulators.dukcapil import DukcapilSimulator
from gateway.audit.entry import SubjectHasher
from gateway.audit.tables import audit_entries
from gateway.commands import sources
from gateway.database import Database
from gateway.errors import FileUnusable, NotFound, SettingsInvalid
from gateway.installation import open_keys
from gateway.settings import load_settings
from gateway.sources.feedback import ROWS_PER_MESSAGE, read_feedback
from tests.connectors.simulated import served
from tests.gateway.sources.populace import write_secrets

SECTION = """
[dukcapil_feedback]
base_url = "{url}"
credentials_folder = "feedback"
path = "/databalikan/api/store"
institution_id = "027"
institution_name = "KEMENTERIAN SOSIAL (CONTOH)"
"""
NIK = "357801140879{}".format


@dataclass
class Desk:
    """An operator's folder, and Dukcapil's simulator that it delivers to."""

    folder: Path
    dukcapil: DukcapilSimulator = field(default_factory=lambda: DukcapilSimulator(()))

    def deliver(self, text: str) -> Result:
        (self.folder / "balikan.csv").write_text(text, encoding="utf-8")
        words = ["feedback", str(self.folder / "balikan.csv"), "--file", str(self.folder / "sources.toml")]
        return CliRunner().invoke(sources.app, words, env={"GAPURA_HOME": str(self.folder)})

    @property
    def returned(self) -> list[str]:
        """Whom Dukcapil has been told something about."""
        return [one["NIK"] for message in self.dukcapil.feedback for one in message["data"]]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    write_secrets(tmp_path / "feedback", token="token-latihan")
    with served(desk.dukcapil.app) as url:
        (tmp_path / "sources.toml").write_text(SECTION.format(url=url))
        yield desk


def people(count: int) -> str:
    rows = "".join(f"{NIK(9000 + number)},YA,{'TIDAK' if number % 2 else ''}\n" for number in range(count))
    return f"NIK,PKH,BPNT\n{rows}"


def test_everybody_of_the_file_is_delivered_with_the_parameters_that_have_a_value(desk: Desk) -> None:
    result = desk.deliver(people(3))
    assert result.exit_code == 0, result.output
    assert "3 people: 3 delivered, 0 already at Dukcapil, 0 messages refused." in result.output
    (message,) = desk.dukcapil.feedback
    assert (message["id_lembaga"], message["nama_lembaga"]) == ("027", "KEMENTERIAN SOSIAL (CONTOH)")
    assert [one["param"] for one in message["data"]] == [
        *([{"PKH": "YA"}], [{"PKH": "YA", "BPNT": "TIDAK"}], [{"PKH": "YA"}])
    ]


def test_a_delivery_that_was_cut_short_goes_on_when_it_is_run_again(desk: Desk) -> None:
    text = people(2 * ROWS_PER_MESSAGE + 1)
    desk.deliver(people(ROWS_PER_MESSAGE))
    desk.dukcapil.feedback_token = "another"
    stopped = desk.deliver(text)
    assert stopped.exit_code == 1
    assert "stopped before row 2" in stopped.output
    assert "credentials" in stopped.output
    desk.dukcapil.feedback_token = "token-latihan"
    again = desk.deliver(text)
    assert again.exit_code == 0, again.output
    assert f"{ROWS_PER_MESSAGE + 1} delivered, {ROWS_PER_MESSAGE} already at Dukcapil" in again.output
    assert f"0 delivered, {2 * ROWS_PER_MESSAGE + 1} already" in desk.deliver(text).output
    assert sorted(desk.returned) == sorted(set(desk.returned))
    assert len(desk.returned) == 2 * ROWS_PER_MESSAGE + 1


def test_a_refused_message_is_told_by_its_rows_and_the_others_go_out(desk: Desk) -> None:
    refusal = Response('{"message": "Parameter Tidak Valid"}', status_code=400, media_type="application/json")
    desk.dukcapil.next_answers.append(refusal)
    result = desk.deliver(people(ROWS_PER_MESSAGE + 2))
    assert result.exit_code == 1
    assert f"Rows 2 to {ROWS_PER_MESSAGE + 1} were refused" in result.output
    assert "2 delivered, 0 already at Dukcapil, 1 messages refused" in result.output


def test_what_is_told_names_nobody(desk: Desk) -> None:
    told = [desk.deliver(people(2)).output, desk.deliver("NIK,PKH\n" + f"{NIK(9001)}\n" * 2).output]
    told.append(str(desk.deliver(f"NIK,PKH\n{NIK(9001)},\n{NIK(9002)[:15]},YA\n").exception))
    assert not [text for text in told if "35780114" in text]


@pytest.mark.parametrize(("token", "state"), [("token-latihan", "complete"), ("another", "incomplete")])
def test_the_log_holds_whom_dukcapil_was_told_of_and_how_it_ended(desk: Desk, token: str, state: str) -> None:
    desk.dukcapil.feedback_token = token
    desk.deliver(people(2))
    settings = load_settings({"GAPURA_HOME": str(desk.folder)})
    database = Database(settings.effective_database_url)
    with database.reading() as connection:
        rows = connection.execute(select(audit_entries).order_by(audit_entries.c.sequence)).all()
    hasher = SubjectHasher(open_keys(database, settings.home / "keys").audit_key)
    database.close()
    begun, ended = (json.loads(row.entry) for row in rows)
    assert (begun["act"], begun["subject_count"]) == ("feedback.begun", 2)
    assert (begun["actor"], begun["object"]) == ("installation@console", "source/dukcapil_feedback")
    assert json.loads(rows[0].subjects) == [hasher.identifier(NIK(9000)), hasher.identifier(NIK(9001))]
    assert (ended["act"], ended["state"]) == ("feedback.ended", state)
    assert ended["delivered"] == len(desk.returned)
    assert not [row for row in rows if "35780114" in row.entry]


def test_a_row_that_is_wrong_keeps_the_whole_file_back_and_every_row_is_told(desk: Desk) -> None:
    text = f"NIK,PKH\n{NIK(9001)},YA\n{NIK(9001)},YA\n\n{NIK(9002)},\n3578,YA\n{NIK(9003)},YA,1\n"
    result = desk.deliver(text)
    assert isinstance(result.exception, FileUnusable)
    for told in (
        "row 3 is about the same NIK as row 2",
        "row 5 returns nothing",
        "row 6: a NIK is 16 digits",
        "row 7 has 3 cells, the heading 2",
    ):
        assert told in str(result.exception)
    assert desk.dukcapil.feedback == []


def test_of_many_wrong_rows_the_first_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    file = tmp_path / "balikan.csv"
    file.write_text("NIK,PKH\n" + "0,YA\n" * 25)
    with pytest.raises(FileUnusable, match="and 5 more") as refusal:
        read_feedback(file)
    assert str(refusal.value).count("row ") == 20


@pytest.mark.parametrize(
    "heading", ["", "PKH", "NIK", "NIK,NIK,PKH", "NIK,PKH,PKH", "nik,PKH", "NIK,Nama Ibu"]
)
def test_a_heading_without_nik_or_parameters_is_refused(tmp_path: Path, heading: str) -> None:
    file = tmp_path / "balikan.csv"
    file.write_text(f"{heading}\n{NIK(9001)},YA\n")
    with pytest.raises(FileUnusable):
        read_feedback(file)


@pytest.mark.parametrize("content", [b"\xff\xfe", b'NIK,PKH\n"1'])
def test_what_is_no_csv_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "balikan.csv"
    file.write_bytes(content)
    with pytest.raises(FileUnusable, match="cannot be read as CSV"):
        read_feedback(file)
    with pytest.raises(FileUnusable, match="FileNotFoundError"):
        read_feedback(tmp_path / "nowhere.csv")


def test_a_spreadsheet_with_indonesian_settings_is_understood(tmp_path: Path) -> None:
    file = tmp_path / "balikan.csv"
    file.write_text(f"\ufeffNIK;PKH\n{NIK(9001)};YA, sejak 2026\n", encoding="utf-8")
    (row,) = read_feedback(file)
    assert (row.number, dict(row.entry.parameters)) == (2, {"PKH": "YA, sejak 2026"})


def test_without_the_service_configured_it_is_said_where_to_configure_it(desk: Desk) -> None:
    (desk.folder / "sources.toml").write_text("")
    result = desk.deliver(people(1))
    assert isinstance(result.exception, NotFound)
    assert "[dukcapil_feedback]" in str(result.exception)


def test_the_services_token_is_kept_as_every_secret_is(desk: Desk) -> None:
    (desk.folder / "feedback" / "token").chmod(0o644)
    result = desk.deliver(people(1))
    assert isinstance(result.exception, SettingsInvalid)
    assert "mode 0644" in str(result.exception)
    assert "token-latihan" not in str(result.exception)
