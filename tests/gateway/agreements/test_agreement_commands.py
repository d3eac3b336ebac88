"""`gapura agreements` as administrators run it who keep policies in git."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner, Result

from gateway.agreements.lifecycle import ACTS, State
from gateway.cli import app as main_app
from gateway.commands.agreements import app
from gateway.commands.staff import app as staff_app
from gateway.errors import BadInput, Conflict, NotFound
from tests.gateway.agreements.bureau import NAME, SHIPPED, WIDER, narrower, wider
from tests.policies.test_mistakes import HURRIED

Run = Callable[..., Result]
CONSUMER = "consumer: bpjs-kesehatan"


@pytest.fixture(scope="module")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with five people of the staff; only copied from."""
    home = tmp_path_factory.mktemp("staffed") / "home"
    staff = {"ani": "author", "ade": "author", "oka": "approver", "oki": "approver", "oda": "operator"}
    for staff_id, role in staff.items():
        words = ["add", staff_id, "--name", staff_id, "--role", role]
        added = CliRunner().invoke(staff_app, words, env={"GAPURA_HOME": str(home)})
        assert added.exit_code == 0, added.output
    return home


@pytest.fixture
def gapura(staffed: Path, tmp_path: Path) -> Run:
    environment = {"GAPURA_HOME": str(shutil.copytree(staffed, tmp_path / "home"))}

    def run(*words: str, ends_with: int = 0, refused_as: type[Exception] | None = None) -> Result:
        result = CliRunner().invoke(app, words, env=environment)
        if refused_as is not None:
            assert isinstance(result.exception, refused_as), result.output
        else:
            assert result.exit_code == ends_with, (result.output, result.exception)
        return result

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "git"
    shutil.copytree(SHIPPED, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return copy


@pytest.fixture
def widened(folder: Path) -> Path:
    """A folder in which an agreement opens more."""
    _write(folder, wider())
    return folder


def _write(folder: Path, texts: tuple[bytes, bytes]) -> None:
    for ending, content in zip(("", ".cases"), texts, strict=True):
        (folder / "agreements" / f"{NAME}{ending}.yaml").write_bytes(content)


def test_a_change_goes_from_a_file_into_force_and_to_its_end(gapura: Run, widened: Path) -> None:
    assert "all hold" in gapura("check", str(widened)).stdout
    told = gapura("diff", str(widened / "agreements" / f"{NAME}.yaml")).stdout
    assert "widening" in told
    assert "hanya tahun dan bulan" in told or "tahun dan bulan saja" in told
    assert "only as year and month" in told
    applied = gapura(
        "apply", str(widened), "--as", "ani", "--activate", "--reason", "CONTOH 1", ends_with=3
    ).stdout
    assert f"agreement/{NAME} version 1 -> 2: submitted" in applied
    assert "An approver who wrote no part of it" in applied
    held = gapura("activate", NAME, "--as", "ani", ends_with=1).stdout
    assert "widening_needs_approval" in held
    assert "role_missing" in gapura("approve", NAME, "--as", "ani", ends_with=1).stdout
    assert "approved by oka" in gapura("approve", NAME, "--as", "oka").stdout
    assert "active" in gapura("activate", NAME, "--as", "ani").stdout
    assert "reason_missing" in gapura("suspend", NAME, "--as", "oda", ends_with=1).stdout
    suspended = gapura("suspend", NAME, "--as", "oka", "--reason", "surat 12/PDK/2026").stdout
    for told in (suspended, gapura("list").stdout, gapura("show", NAME).stdout):
        assert re.search(r"suspended since 20\S+ \S+ WIB by oka: surat 12/PDK/2026\n", told)
        assert "resumed by an approver who neither wrote nor suspended it: oki\n" in told
    listed = {one["policy"]: one for one in json.loads(gapura("list", "--format", "json").stdout)}
    assert listed[f"agreement/{NAME}"]["resumable_by"] == ["oki"]
    assert f"agreement/{NAME}  2  suspended" in gapura("list").stdout
    assert "second_person" in gapura("resume", NAME, "--as", "oka", "--reason", "over", ends_with=1).stdout
    gapura("resume", NAME, "--as", "oki", "--reason", "over")
    gapura("revoke", NAME, "--as", "oda", "--reason", "ended")
    lines = gapura("history", NAME).stdout.splitlines()
    acts = [line.split()[5] for line in lines]
    assert acts == [*("revoke", "resume", "suspend", "activate", "approve", "submit", "edit"), "activate"]
    assert all("@console" in line for line in lines)


def test_activating_says_from_which_version_to_which_and_what_that_changes(gapura: Run, folder: Path) -> None:
    _write(folder, narrower())
    told = gapura("apply", str(folder), "--as", "ani", "--activate").stdout
    assert f"agreement/{NAME} version 1 -> 2: active, from the next request on\n" in told
    assert "- fields.birth_date" in told
    assert "loses date of birth" in told


def test_an_applied_folder_ends_as_terraform_plans_do(gapura: Run, folder: Path) -> None:
    """0 where nothing remains, 1 for what has to be mended, 3 for what waits; 2 is any error's."""
    gapura("apply", str(folder), "--as", "ani", ends_with=0)
    _write(folder, wider())
    told = json.loads(gapura("apply", str(folder), "--as", "ani", "--format", "json", ends_with=3).stdout)
    (own,) = [one for one in told if one["name"] == NAME]
    assert (own["before"], own["version"], own["outcome"]) == (1, 2, "draft")
    assert [item["way"] for item in own["items"]] == ["wider"]
    _write(folder, (b"id: x\n", b""))
    told = gapura("apply", str(folder), "--as", "ani", ends_with=1).stdout
    assert "unreadable" in told
    assert "widening" not in told


def test_a_draft_that_only_narrows_says_that_it_is_not_in_force_and_how_it_comes_to_be(
    gapura: Run, folder: Path
) -> None:
    _write(folder, narrower())
    told = gapura("apply", str(folder), "--as", "ani", ends_with=3).stdout
    assert "not_in_force: Not in force yet" in told
    command = f"gapura agreements activate {NAME} --as ani"
    assert f"`{command}`, or `apply --activate`" in told
    told = json.loads(gapura("apply", str(folder), "--as", "ani", "--format", "json", ends_with=3).stdout)
    (own,) = [one for one in told if one["name"] == NAME]
    assert [one["code"] for one in own["remains"]] == ["not_in_force"]
    gapura(*command.split()[2:])
    gapura("apply", str(folder), "--as", "ani", ends_with=0)


def test_only_the_policies_named_are_applied(gapura: Run, widened: Path) -> None:
    (widened / "programmes" / "pkh.yaml").write_text("broken", "utf-8")
    told = gapura("apply", str(widened), NAME, "dictionary/fields", "--as", "ani", ends_with=3).stdout
    assert "pkh" not in told
    assert "1 of 2 policies are unchanged" in told
    gapura("apply", str(widened), "nothing", "--as", "ani", refused_as=NotFound)


def test_a_draft_whose_author_is_gone_is_taken_over_or_discarded(gapura: Run, widened: Path) -> None:
    gapura("apply", str(widened), "--as", "ani", ends_with=3)
    _write(widened, narrower())
    held = gapura("apply", str(widened), NAME, "--as", "ade", ends_with=3).stdout
    assert "being worked on by ani" in held
    gapura("apply", str(widened), NAME, "--as", "ade", "--take-over", ends_with=3)
    shown = json.loads(gapura("show", NAME, "--version", "2", "--format", "json").stdout)
    assert (shown["author"], shown["editors"]) == ("ani", ["ade", "ani"])
    assert "reason_missing" in gapura("discard", NAME, "--as", "oka", ends_with=1).stdout
    assert "version 2: discarded" in gapura("discard", NAME, "--as", "oka", "--reason", "ani left").stdout
    _write(widened, narrower(version=3))
    told = gapura("apply", str(widened), NAME, "--as", "ade", "--activate").stdout
    assert f"agreement/{NAME} version 1 -> 3: active" in told
    assert "version 2   discard   oka@console: ani left" in gapura("history", NAME).stdout


def test_check_sees_that_a_text_changed_and_its_number_did_not(gapura: Run, folder: Path) -> None:
    assert "was not checked" in gapura("check", str(folder)).stdout
    gapura("list")  # a first start fills the store
    assert "was not checked" not in gapura("check", str(folder)).stdout
    path = folder / "agreements" / f"{NAME}.yaml"
    _write(folder, narrower(version=1))
    told = json.loads(gapura("check", str(folder), "--format", "json", ends_with=1).stdout)
    assert told["compared_with_store"]
    (problem,) = told["problems"]
    line = path.read_text("utf-8").splitlines().index("version: 1") + 1
    assert problem.startswith(f"{path}:{line}: version: expected 2, ")
    assert problem.endswith(", got 1, write 2")
    _write(folder, narrower(version=2))
    gapura("check", str(folder))
    gapura("apply", str(folder), "--as", "ani", ends_with=3)
    gapura("check", str(folder))
    gapura("discard", NAME, "--as", "ani", "--reason", "a mistake")
    assert "got 2, write 3" in gapura("check", str(folder), ends_with=1).stdout


def test_a_number_that_cannot_be_read_is_told_once_and_not_compared(gapura: Run, folder: Path) -> None:
    gapura("list")
    text, cases = narrower()
    _write(folder, (text.replace(b"version: 2", b"version: one"), cases))
    told = json.loads(gapura("check", str(folder), "--format", "json", ends_with=1).stdout)
    (problem,) = told["problems"]
    assert "version: expected a whole number" in problem
    assert told["compared_with_store"]


def test_an_agreement_for_a_consumer_that_nobody_registered_is_warned_of(
    gapura: Run, tmp_path: Path, folder: Path
) -> None:
    _write(folder, narrower())
    assert "warning: " not in gapura("apply", str(folder), "--as", "ani", ends_with=3).stdout  # none is yet
    keys = str(tmp_path / "bpjs.jwks.json")
    for words in (
        ["keygen", "bpjs", "--folder", str(tmp_path), "--algorithm", "Ed25519"],
        ["add", "bpjs", "--name", "BPJS", "--sector", "kesehatan", "--jwks", keys],
    ):
        done = CliRunner().invoke(
            main_app, ["consumers", *words], env={"GAPURA_HOME": str(tmp_path / "home")}
        )
        assert done.exit_code == 0, done.output
    path = folder / "agreements" / f"{NAME}.yaml"
    line = path.read_text("utf-8").splitlines().index(CONSUMER) + 1
    warning = f"{path}:{line}: consumer: expected one of the registered consumers"
    checked = gapura("check", str(folder)).stdout
    assert f"warning: {warning}" in checked
    told = json.loads(gapura("apply", str(folder), "--as", "ani", "--format", "json", ends_with=3).stdout)
    warned = {one["name"]: one["warnings"] for one in told if one["warnings"]}
    assert list(warned) == [NAME]
    assert warned[NAME][0].startswith(warning)


def test_a_region_that_does_not_exist_is_told_by_check_and_apply(gapura: Run, folder: Path) -> None:
    path = folder / "agreements" / "dinsos-jatim-flood-relief.yaml"
    path.write_bytes(path.read_bytes().replace(b'["35.24", "35.25"]', b'["35.24", "35.99"]'))
    line = path.read_text("utf-8").split('"35.99"')[0].count("\n") + 1
    told = f"{path.name}:{line}: scope.regions: expected the code of a region in force, got 35.99"
    assert told in gapura("check", str(folder), ends_with=1).stdout
    assert told in gapura("apply", str(folder), "--as", "ani", ends_with=1).stdout


def test_migrating_fills_an_empty_store_once_and_says_so(tmp_path: Path) -> None:
    environment = {"GAPURA_HOME": str(tmp_path / "home"), "GAPURA_POLICIES": str(SHIPPED)}

    def migrated() -> str:
        result = CliRunner().invoke(main_app, ["migrate"], env=environment)
        assert result.exit_code == 0, result.output
        return result.output

    assert f"filled from {SHIPPED}: 14 policies are in force" in migrated()
    assert f"The store holds 14 policies already; {SHIPPED} was not read" in migrated()


def test_what_is_handed_in_can_be_withdrawn_or_handed_back(gapura: Run, widened: Path) -> None:
    gapura("apply", str(widened), "--as", "ani", ends_with=3)
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
    gapura("apply", str(widened), "--as", "ani", ends_with=3)
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
