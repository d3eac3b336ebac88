"""`gapura agreements preview | impact` on the machine itself, with a registry of invented people."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from gateway.agreements.store import PolicyStore
from gateway.audit.tables import audit_entries
from gateway.cli import app
from gateway.database import Database
from gateway.errors import BadInput, NotFound, RoleMissing
from gateway.registry.personas import EXPORT_COLUMNS, PERSONAS, persona
from tests.gateway.agreements.bureau import ANI, NAME, Clock, narrower

Run = Callable[..., Result]
STAFF = {"ani": "author", "adi": "auditor"}
PBI = ("--operation", "eligibility", "--programme", "PBI-JK")


def _invoked(home: Path, *words: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, words, env={"GAPURA_HOME": str(home)}, input=typed)


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the personas in its registry, and a draft that narrows; only copied from."""
    home = tmp_path_factory.mktemp("furnished")
    rows = home / "people.csv"
    with rows.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, EXPORT_COLUMNS)
        writer.writeheader()
        writer.writerows(one.row() for one in PERSONAS)
    for words in (
        ("registry", "import", str(rows)),
        *(("staff", "add", one, "--name", one, "--role", role) for one, role in STAFF.items()),
        ("agreements", "list"),
    ):
        done = _invoked(home, *words)
        assert done.exit_code == 0, (done.output, done.exception)
    database = Database(f"sqlite:///{home / 'gapura.db'}")
    PolicyStore(database, Clock()).save_draft("agreement", NAME, *narrower(), ANI)
    database.close()
    return home


@pytest.fixture
def gapura(furnished: Path, tmp_path: Path) -> Run:
    """Commands in such a home."""
    shutil.copytree(furnished, tmp_path, dirs_exist_ok=True)

    def run(*words: str, refused_as: type[Exception] | None = None, typed: str = "") -> Result:
        result = _invoked(tmp_path, *words, typed=typed)
        if refused_as is not None:
            assert isinstance(result.exception, refused_as), (result.output, result.exception)
        else:
            assert result.exit_code == 0, (result.output, result.exception)
        return result

    return run


def acts(folder: Path) -> list[dict[str, object]]:
    database = Database(f"sqlite:///{folder / 'gapura.db'}")
    with database.reading() as connection:
        rows = connection.execute(select(audit_entries.c.entry).where(audit_entries.c.kind == "act"))
        told = [json.loads(text) for text in rows.scalars()]
    database.close()
    return [act for act in told if act["act"] == "policy.preview"]


def test_a_preview_says_for_each_side_what_leaves_and_by_which_clause(gapura: Run, tmp_path: Path) -> None:
    told = gapura("agreements", "preview", NAME, "--persona", "eligible", *PBI).stdout
    assert f"{NAME} version 2 (draft), as bpjs-kesehatan" in told
    assert "otherwise: birth_date" in told
    assert f"Agreement {NAME} version 1, clause `fields.birth_date: generalise (to: year)`." in told
    assert "cases:" in told
    shown = json.loads(
        gapura("agreements", "preview", NAME, "--persona", "eligible", *PBI, "--format", "json").stdout
    )
    assert (shown["differences"], shown["synthetic"]) == (["birth_date"], True)
    assert acts(tmp_path) == []


def test_for_a_reason_somebody_who_may_acts_and_it_is_in_the_log(gapura: Run, tmp_path: Path) -> None:
    """The number is typed and not an argument, so that no shell keeps it."""
    number = f"{persona('eligible').nik}\n"
    asked = ("agreements", "preview", NAME, *PBI, "--reason", "ND-3/PDK/2026")
    gapura(*asked, refused_as=RoleMissing, typed=number)
    gapura(*asked, "--as", "ani", refused_as=RoleMissing, typed=number)
    told = gapura(*asked, "--as", "adi", typed=number).stdout
    assert number.strip() not in told
    (act,) = acts(tmp_path)
    assert (act["actor"], act["reason"]) == ("adi@console", "ND-3/PDK/2026")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((NAME, "--persona", "nobody"), BadInput),
        ((NAME, "--persona", "eligible", "--claim", "full_name"), BadInput),
        ((NAME, "--persona", "eligible", "--version", "9"), NotFound),
        (("no-such-agreement", "--persona", "eligible"), NotFound),
        (("programme/pbi-jk", "--persona", "eligible"), BadInput),
    ],
)
def test_what_cannot_be_tried_is_told(gapura: Run, words: tuple[str, ...], error: type[Exception]) -> None:
    gapura("agreements", "preview", *words, *PBI, refused_as=error)


def test_an_impact_is_told_in_sentences_and_for_programmes(gapura: Run) -> None:
    told = gapura("agreements", "impact", NAME, "--days", "3").stdout
    assert f"{NAME} version 2 (draft): 0 of 0 exchanges from" in told
    shown = json.loads(gapura("agreements", "impact", NAME, "--format", "json").stdout)
    assert (shown["exchanges"], shown["consumers"]) == (0, [])
