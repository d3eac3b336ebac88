"""`gapura reversals`: the names come from a file, and two accounts are named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.app import build_services
from gateway.commands.reversals import app
from gateway.demo import stage
from gateway.errors import Conflict, NotPermitted, RoleMissing
from gateway.registry.tables import people
from gateway.settings import load_settings
from gateway.staff.roles import INSTALLATION


@pytest.fixture
def names_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with some people, two staff, and a file with one person's pseudonym."""
    monkeypatch.setenv("GAPURA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GAPURA_DATABASE_URL", raising=False)
    settings = load_settings()
    stage.prepare(settings, 50, lambda _words: lambda _share: None, lambda _: None)
    services = build_services(settings)
    for staff_id, roles in (("oni", {"operator", "approver"}), ("oka", {"approver"})):
        services.staff.accounts.add(
            INSTALLATION, id=staff_id, name=staff_id, roles=frozenset(roles), reason="hired"
        )
    with services.database.reading() as connection:
        one = connection.execute(people.select().limit(1)).one()
    file = tmp_path / "names.txt"
    file.write_text(services.names.keyring.read("kesehatan").name(one.id) + "\n")
    (tmp_path / "nik").write_text(one.nik)
    services.close()
    return file


@pytest.fixture
def command() -> Callable[..., Result]:
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_two_named_people_undo_a_pseudonym_by_command(
    command: Callable[..., Result], names_file: Path, tmp_path: Path
) -> None:
    basis = ("--legal-basis", "court_order", "--reference", "12/2026", "--reason", "fraud")
    source = ("--from", str(names_file))
    asked = command("request", "kesehatan", *source, *basis, "--as", "oni")
    assert asked.exit_code == 0, asked.output
    one = asked.output.split()[0]
    reason = ("--reason", "read")
    assert isinstance(command("approve", one, *reason, "--as", "oni").exception, NotPermitted)
    assert isinstance(command("perform", one, *source, "--as", "oka").exception, RoleMissing)
    assert isinstance(command("perform", one, *source, "--as", "oni").exception, Conflict)
    assert "approved, to be performed before" in command("approve", one, *reason, "--as", "oka").output
    performed = command("perform", one, *source, "--as", "oni")
    assert json.loads(performed.output)["nik"] == (tmp_path / "nik").read_text()
    assert names_file.read_text().strip() not in performed.output
    assert "performed" in command("list").output
    assert isinstance(command("refuse", one, *reason, "--as", "oka").exception, Conflict)
