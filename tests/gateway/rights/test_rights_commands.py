"""`gapura rights` as an auditor runs it, on a gateway that has answered questions."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.errors import BadInput, Conflict, FileUnusable, NotFound, RoleMissing
from gateway.registry.personas import persona
from tests.living import LivingGateway

Run = Callable[..., Result]
ME = ("--as", "ani", "--reason", "Surat 1/2026")


@pytest.fixture(scope="module")
def gapura(gateway: LivingGateway) -> Run:
    settings = gateway.settings
    environment = {
        "GAPURA_HOME": str(settings.home),
        "GAPURA_DATABASE_URL": settings.effective_database_url,
        "GAPURA_PORT": str(settings.port),
    }

    def run(*words: str, refused_as: type[Exception] | None = None, **more: Any) -> Result:
        result = CliRunner().invoke(app, words, env=environment, **more)
        if refused_as is None:
            assert result.exit_code == 0, (result.output, result.exception)
        else:
            assert isinstance(result.exception, refused_as), (result.output, result.exception)
        return result

    for staff_id, role in (("ani", "auditor"), ("budi", "author")):
        run("staff", "add", staff_id, "--name", staff_id, "--role", role)
    question = {"purpose": "pbi-jk-eligibility", "programme": "PBI-JK"}
    subjects = [{"ref": "1", "nik": persona("eligible").nik}]
    answer = gateway.post("bpjs-kesehatan", "/v1/eligibility", {**question, "subjects": subjects})
    assert answer.status_code == 200
    return run


def test_a_history_is_read_by_a_number_that_is_never_on_the_command_line(gapura: Run, tmp_path: Path) -> None:
    nik = persona("eligible").nik
    told = gapura("rights", "history", "--nik-file", "-", *ME, input=f"{nik}\n").stdout
    assert "menanyakan kelayakan tentang PBI-JK; dijawab layak" in told
    assert nik not in told
    assert "tentang orang ini" in told
    assert "Anda" not in told, "an auditor reads about somebody else"
    in_english = gapura("rights", "history", "--nik-file", "-", "--language", "en", *ME, input=nik).stdout
    assert "asked about eligibility on PBI-JK; answered: eligible" in in_english
    assert not {"Orang", "Daftar", "menanyakan", "dijawab", "tentang"} & set(in_english.split())
    file = tmp_path / "nik.txt"
    file.write_text(nik)
    said = json.loads(gapura("rights", "history", "--nik-file", str(file), "--format", "json", *ME).stdout)
    assert said["accesses"][1]["operation"] == "rights.history_read"
    assert "you" not in said["words"]["en"].split()
    (person,) = said["people"]
    assert person in gapura("rights", "history", "--person-id", person, *ME).stdout


def test_only_an_auditor_reads_and_only_for_a_reason(gapura: Run) -> None:
    asked = ("rights", "history", "--nik-file", "-")
    nik = persona("eligible").nik
    gapura(*asked, "--as", "budi", "--reason", "x", input=nik, refused_as=RoleMissing)
    gapura(*asked, "--as", "nobody", "--reason", "x", input=nik, refused_as=NotFound)
    gapura(*asked, "--as", "ani", "--reason", " ", input=nik, refused_as=BadInput)
    gapura(*asked, *ME, input="no number", refused_as=BadInput)
    gapura("rights", "history", "--nik-file", "/nowhere", *ME, refused_as=FileUnusable)


def test_a_copy_is_written_for_its_owner_alone(gapura: Run, tmp_path: Path) -> None:
    page, plain = tmp_path / "copy.html", tmp_path / "copy.json"
    asked = ("rights", "export", "--nik-file", "-", *ME)
    gapura(*asked, "--html", str(page), "--json", str(plain), input=persona("eligible").nik)
    assert {file.stat().st_mode & 0o777 for file in (page, plain)} == {0o600}
    name = persona("eligible").row()["Nama"]
    assert name in page.read_text()
    assert name in {
        one["value"] for one in json.loads(plain.read_text())["held"] if one["field"] == "full_name"
    }
    gapura(*asked, input=persona("eligible").nik, refused_as=BadInput)


def test_an_incident_from_the_first_count_to_the_last_letter(gapura: Run, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    span = ("--from", (now - timedelta(hours=1)).isoformat(), "--to", now.isoformat())
    asked = ("rights", "incident", "--consumer", "bpjs-kesehatan", *span)
    opened = gapura(*asked, "--known-at", now.isoformat(), *ME).stdout
    assert "1 people were told of" in opened
    incident_id = opened.split()[0]
    assert incident_id in gapura("rights", "incidents", "--as", "ani").stdout

    ids = tmp_path / "ids.txt"
    told = gapura("rights", "incident-people", incident_id, "--output", str(ids), *ME).stdout
    assert told.startswith("1 of 1 people")
    assert UUID(ids.read_text().strip())
    assert ids.stat().st_mode & 0o777 == 0o600

    letters = tmp_path / "letters"
    gapura("rights", "incident-notices", incident_id, "--as", "ani", "--output", str(letters))
    assert incident_id in (letters / "laporan-lembaga.txt").read_text()
    done = ("rights", "incident-told", incident_id, "people", *ME)
    assert "people: told" in gapura(*done).stdout
    gapura(*done, refused_as=Conflict)
    gapura(*asked, "--known-at", "yesterday", *ME, refused_as=BadInput)
    gapura(*asked, "--known-at", "2026-01-01T00:00", *ME, refused_as=BadInput)


def test_reports_are_written_as_the_files_name_asks(gapura: Run, tmp_path: Path) -> None:
    days = ("--from", "2026-01-01", "--to", "2036-12-31", "--as", "ani")
    for name, mark in (("record.json", '"bpjs-pbi-jk"'), ("record.html", "<!doctype html>")):
        gapura("rights", "processing", "bpjs-pbi-jk", *days, "--output", str(tmp_path / name))
        assert mark in (tmp_path / name).read_text()
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["volume"][0]["exchanges"]["answered"] >= 1
    gapura("rights", "processing", "none", *days, "--output", str(tmp_path / "x"), refused_as=NotFound)
    for name, mark in (("usage.json", '"semester": "2026-S2"'), ("usage.csv", "month,calls,consumer")):
        gapura("rights", "usage", "2026-S2", "--as", "ani", "--output", str(tmp_path / name))
        assert mark in (tmp_path / name).read_text()


def test_the_index_is_made_anew_and_says_the_same(gapura: Run) -> None:
    gapura("rights", "reindex")
    told = gapura("rights", "history", "--nik-file", "-", *ME, input=persona("eligible").nik).stdout
    assert "dijawab layak" in told
