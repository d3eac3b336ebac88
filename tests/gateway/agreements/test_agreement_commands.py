"""`gapura agreements` as administrators run it who keep policies in git."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner, Result

from gateway.agreements.lifecycle import ACTS, State
from gateway.commands.agreements import app
from gateway.commands.staff import app as staff_app
from gateway.errors import BadInput, Conflict, NotFound
from tests.gateway.agreements.bureau import NAME, SHIPPED, WIDER, wider
from tests.policies.test_mistakes import HURRIED

Run = Callable[..., Result]


@pytest.fixture
def gapura(tmp_path: Path) -> Run:
    environment = {"GAPURA_HOME": str(tmp_path / "home")}

    def run(*words: str, ends_with: int = 0, refused_as: type[Exception] | None = None) -> Result:
        result = CliRunner().invoke(app, words, env=environment)
        if refused_as is not None:
            assert isinstance(result.exception, refused_as), result.output
        else:
            assert result.exit_code == ends_with, (result.output, result.exception)
        return result

    for staff_id, role in (("ani", "author"), ("oka", "approver"), ("oki", "approver"), ("oda", "operator")):
        added = CliRunner().invoke(
            staff_app, ["add", staff_id, "--name", staff_id, "--role", role], env=environment
        )
        assert added.exit_code == 0, added.output
    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "git"
    shutil.copytree(SHIPPED, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return copy


@pytest.fixture
def widened(folder: Path) -> Path:
    """A folder in which an agreement opens more."""
    text, cases = wider()
    (folder / "agreements" / f"{NAME}.yaml").write_bytes(text)
    (folder / "agreements" / f"{NAME}.cases.yaml").write_bytes(cases)
    return folder


def test_a_change_goes_from_a_file_into_force_and_to_its_end(gapura: Run, widened: Path) -> None:
    assert "all hold" in gapura("check", str(widened)).stdout
    told = gapura("diff", str(widened / "agreements" / f"{NAME}.yaml")).stdout
    assert "widening" in told
    assert "hanya tahun dan bulan" in told or "tahun dan bulan saja" in told
    assert "only as year and month" in told
    applied = gapura("apply", str(widened), "--as", "ani", "--activate", "--reason", "CONTOH 1").stdout
    assert f"agreement/{NAME} version 2: submitted" in applied
    assert "An approver who wrote no part of it" in applied
    held = gapura("activate", NAME, "--as", "ani", ends_with=1).stdout
    assert "widening_needs_approval" in held
    assert "role_missing" in gapura("approve", NAME, "--as", "ani", ends_with=1).stdout
    assert "approved by oka" in gapura("approve", NAME, "--as", "oka").stdout
    assert "active" in gapura("activate", NAME, "--as", "ani").stdout
    assert "reason_missing" in gapura("suspend", NAME, "--as", "oda", ends_with=1).stdout
    gapura("suspend", NAME, "--as", "oka", "--reason", "incident")
    assert f"agreement/{NAME}  2  suspended" in gapura("list").stdout
    assert "second_person" in gapura("resume", NAME, "--as", "oka", "--reason", "over", ends_with=1).stdout
    gapura("resume", NAME, "--as", "oki", "--reason", "over")
    gapura("revoke", NAME, "--as", "oda", "--reason", "ended")
    lines = gapura("history", NAME).stdout.splitlines()
    acts = [line.split()[5] for line in lines]
    assert acts == [*("revoke", "resume", "suspend", "activate", "approve", "submit", "edit"), "activate"]
    assert all("@console" in line for line in lines)


def test_what_is_handed_in_can_be_withdrawn_or_handed_back(gapura: Run, widened: Path) -> None:
    gapura("apply", str(widened), "--as", "ani")
    gapura("submit", NAME, "--as", "ani")
    gapura("refuse", NAME, "--as", "oka", "--reason", "say why the month is needed")
    gapura("submit", NAME, "--as", "ani")
    shown = json.loads(
        gapura("withdraw", NAME, "--as", "ani", "--reason", "later", "--format", "json").stdout
    )
    assert (shown["state"], shown["version"]) == ("draft", 2)


def test_every_act_but_editing_has_a_command() -> None:
    names = {
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    }
    assert set(ACTS) - {"edit"} <= names


def test_export_and_apply_change_nothing(gapura: Run, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    gapura("export", out)
    assert "unchanged" in gapura("apply", out, "--as", "ani", "--activate").stdout
    applied = json.loads(gapura("apply", out, "--as", "ani", "--format", "json").stdout)
    assert {one["outcome"] for one in applied} == {"unchanged"}
    exported = json.loads(gapura("export", out, "--format", "json").stdout)
    assert exported["removed"] == exported["left_out"] == []


def test_a_text_with_mistakes_is_told_by_check_and_apply_in_the_same_words(gapura: Run, folder: Path) -> None:
    text = "\n".join(line.split("## ")[0].rstrip() for line in HURRIED.splitlines())
    (folder / "agreements" / "sample.yaml").write_text(text, "utf-8")
    checked = json.loads(gapura("check", str(folder), "--format", "json", ends_with=1).stdout)["problems"]
    applied = json.loads(gapura("apply", str(folder), "--as", "ani", "--format", "json", ends_with=1).stdout)
    (sample,) = [one for one in applied if one["name"] == "sample"]
    told = [one["what"]["en"] for one in sample["remains"] if one["code"] == "does_not_hold"]
    assert len(told) >= 20
    assert told == [problem[problem.index("sample.yaml:") :] for problem in checked]


def test_list_and_show_tell_what_is_in_force(gapura: Run) -> None:
    listed = json.loads(gapura("list", "--format", "json").stdout)
    assert {one["state"] for one in listed} == {"active"}
    # Expired by its last day alone: nobody did anything.
    assert {one["policy"]: one["standing"] for one in listed}[
        "agreement/dinsos-jatim-flood-relief"
    ] == "expired"
    assert {"dictionary/fields", "programme/pbi-jk", f"agreement/{NAME}"} <= {one["policy"] for one in listed}
    shown = gapura("show", "bps-official-statistics").stdout
    assert "generalise (to: age_band; years: 10)" in shown
    assert "CONTOH-PKS-006/2026" in shown
    assert "family-card number" in shown
    assert "programme: PKH" in gapura("show", "programme/pkh").stdout
    text = json.loads(gapura("show", "dictionary/fields", "--format", "json").stdout)["text"]
    assert text == (SHIPPED / "fields.yaml").read_text("utf-8")
    assert NAME in str(gapura("show", "nothing", refused_as=NotFound).exception)


def test_a_draft_is_compared_with_what_is_in_force_or_with_any_other_version(
    gapura: Run, widened: Path
) -> None:
    gapura("apply", str(widened), "--as", "ani")
    told = json.loads(gapura("diff", NAME, "--format", "json").stdout)
    assert (told["against"], told["direction"]) == (1, "widening")
    assert f"-  {WIDER[0]}" in " ".join(told["lines"]).replace("     # to plan", "")
    assert json.loads(gapura("diff", NAME, "--against", "2", "--format", "json").stdout)["lines"] == []
    assert "the same in every clause" in gapura("diff", "dictionary/fields", "--against", "1").stdout


def test_nobody_acts_as_an_account_that_is_unknown_or_disabled(
    gapura: Run, tmp_path: Path, widened: Path
) -> None:
    gapura("apply", str(widened), "--as", "nobody", refused_as=NotFound)
    environment = {"GAPURA_HOME": str(tmp_path / "home")}
    CliRunner().invoke(staff_app, ["disable", "ani"], env=environment)
    gapura("apply", str(widened), "--as", "ani", refused_as=Conflict)
    gapura("show", "ministry/x", refused_as=BadInput)


def test_help_teaches_the_life_cycle_and_each_acts_role() -> None:
    told = CliRunner().invoke(app, ["--help"]).output
    for state in get_args(State):
        assert f" {state} " in told
    assert " expired " in told
    for act in sorted(set(ACTS) - {"edit"}):
        assert "role" in CliRunner().invoke(app, [act, "--help"]).output
