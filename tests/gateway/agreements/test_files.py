"""Policies in and out as files: a round trip without loss, and nothing done that one person may not do."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.agreements.exporting import SUMS, export_folder
from gateway.agreements.files import Applied, Way, apply_folder
from gateway.errors import FileUnusable, NotFound
from gateway.staff.roles import Staff
from policies.library import load_policies
from tests.gateway.agreements.bureau import ANI, BUDI, NAME, ODA, OKA, SHIPPED, Bureau, narrower, wider
from tests.policies.test_mistakes import HURRIED

PBI = ("agreement", NAME)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped policies as somebody's working copy."""
    copy = tmp_path / "git"
    shutil.copytree(SHIPPED, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return copy


def _write(folder: Path, texts: tuple[bytes, bytes], name: str = NAME) -> None:
    (folder / "agreements" / f"{name}.yaml").write_bytes(texts[0])
    (folder / "agreements" / f"{name}.cases.yaml").write_bytes(texts[1])


def _applied(
    bureau: Bureau, folder: Path, actor: Staff = ANI, *, activate: bool = True, take_over: bool = False
) -> Mapping[str, Applied]:
    """What became of everything that is not unchanged."""
    applied = apply_folder(bureau.store, folder, Way(actor, "from git", activate, take_over))
    return {one.name: one for one in applied if one.outcome != "unchanged"}


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.yaml") if path.is_file()
    }


def test_export_and_apply_is_a_no_op_byte_for_byte(bureau: Bureau, folder: Path, tmp_path: Path) -> None:
    acts = len(bureau.acts())
    exported = export_folder(bureau.store, tmp_path / "out")
    assert _contents(tmp_path / "out") == _contents(folder)
    assert set(exported.written) == set(_contents(folder))
    assert _applied(bureau, tmp_path / "out") == {}
    assert len(bureau.acts()) == acts
    assert load_policies(tmp_path / "out").agreements
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", SUMS], cwd=tmp_path / "out", check=True)


def test_an_export_fills_another_store_with_the_same_numbers(bureau: Bureau, tmp_path: Path) -> None:
    bureau.draft(narrower())
    bureau.store.act(*PBI, 2, "activate", ANI)
    export_folder(bureau.store, tmp_path / "out")
    (own,) = [one for one in load_policies(tmp_path / "out").agreements if one.id == NAME]
    assert (own.version, own.sha256) == (2, bureau.in_force().sha256)


def test_narrowing_is_activated_and_widening_waits_for_an_approver(bureau: Bureau, folder: Path) -> None:
    _write(folder, narrower())
    applied = _applied(bureau, folder)[NAME]
    assert (applied.outcome, applied.version, applied.remains) == ("active", 2, ())
    _write(folder, wider(version=3))
    applied = _applied(bureau, folder)[NAME]
    assert (applied.outcome, applied.version, applied.broken) == ("submitted", 3, False)
    (waits,) = applied.remains
    assert waits.code == "widening_needs_approval"
    assert "approver" in waits.who.en
    bureau.store.act(*PBI, 3, "approve", OKA)
    assert _applied(bureau, folder)[NAME].outcome == "active"
    assert _applied(bureau, folder) == {}


def test_without_activation_everything_stays_a_draft(bureau: Bureau, folder: Path) -> None:
    _write(folder, narrower())
    applied = _applied(bureau, folder, activate=False)[NAME]
    (remains,) = applied.remains
    assert (applied.outcome, applied.broken, remains.code) == ("draft", False, "not_in_force")
    assert applied.change is not None
    assert applied.change.direction == "narrowing"
    assert bureau.in_force().version == 1


def test_ones_own_draft_follows_the_file_and_a_colleagues_is_left_alone(bureau: Bureau, folder: Path) -> None:
    _write(folder, wider())
    _applied(bureau, folder, activate=False)
    _write(folder, narrower())
    held = _applied(bureau, folder, BUDI)[NAME].remains[0]
    assert (held.code, "--take-over" in held.who.en) == ("worked_on", True)
    assert bureau.store.get(*PBI, 2).text == wider()[0]
    assert _applied(bureau, folder, activate=False)[NAME].outcome == "draft"
    assert bureau.store.get(*PBI, 2).text == narrower()[0]


def test_another_author_goes_on_with_a_draft_and_becomes_one_of_its_editors(
    bureau: Bureau, folder: Path
) -> None:
    bureau.draft(wider())
    _write(folder, narrower())
    assert _applied(bureau, folder, BUDI, activate=False, take_over=True)[NAME].outcome == "draft"
    taken = bureau.store.get(*PBI, 2)
    assert (taken.text, taken.author, taken.editors) == (narrower()[0], "ani", {"ani", "budi"})


def test_what_was_discarded_does_not_come_back_with_its_file_but_under_a_new_number(
    bureau: Bureau, folder: Path
) -> None:
    _write(folder, wider())
    _applied(bureau, folder, activate=False)
    bureau.store.act(*PBI, 2, "discard", OKA, reason="its author has left")
    held = _applied(bureau, folder)[NAME]
    assert (held.outcome, [one.code for one in held.remains]) == ("held", ["discarded"])
    assert "version: 3" in held.remains[0].who.en
    _write(folder, wider(version=3))
    assert _applied(bureau, folder, BUDI)[NAME].outcome == "submitted"
    states = [(one.version, one.state) for one in bureau.store.versions(*PBI)]
    assert states == [(3, "submitted"), (2, "discarded"), (1, "active")]


def test_only_what_is_named_is_applied_and_nothing_else_is_missed(bureau: Bureau, folder: Path) -> None:
    _write(folder, narrower())
    for path in folder.glob("agreements/bps-official-statistics.*"):
        path.unlink()
    (folder / "programmes" / "pkh.yaml").write_text("broken", "utf-8")
    (applied,) = apply_folder(bureau.store, folder, Way(ANI, activate=True), [PBI])
    assert (applied.name, applied.outcome, applied.before, applied.version) == (NAME, "active", 1, 2)
    with pytest.raises(NotFound, match="agreement/bps-official-statistics"):
        apply_folder(bureau.store, folder, Way(ANI), [PBI, ("agreement", "bps-official-statistics")])


def test_a_text_that_cannot_be_read_is_told_as_such_and_not_as_widening(bureau: Bureau, folder: Path) -> None:
    text, cases = wider()
    _write(folder, (text + b"telepathy: true\n", cases))
    applied = _applied(bureau, folder)[NAME]
    assert (applied.outcome, applied.broken, applied.change) == ("draft", True, None)
    assert {one.code for one in applied.remains} == {"does_not_hold", "unreadable"}


def test_a_file_that_is_gone_is_reported_and_ends_nothing(bureau: Bureau, folder: Path) -> None:
    for path in folder.glob(f"agreements/{NAME}.*"):
        path.unlink()
    applied = _applied(bureau, folder)
    assert [(one.name, one.outcome) for one in applied.values()] == [(NAME, "missing")]
    assert "revoke" in applied[NAME].remains[0].who.en
    assert bureau.in_force().state == "active"


def test_the_file_of_a_revoked_agreement_does_not_bring_it_back(bureau: Bureau, folder: Path) -> None:
    bureau.store.act(*PBI, 1, "revoke", ODA, reason="ended")
    assert _applied(bureau, folder)[NAME].remains[0].code == "revoked"
    assert [v.state for v in bureau.store.versions(*PBI)] == ["revoked"]


def test_a_text_with_every_kind_of_mistake_is_kept_as_a_draft_and_each_is_told(
    bureau: Bureau, folder: Path
) -> None:
    hurried = "\n".join(line.split("## ")[0].rstrip() for line in HURRIED.splitlines())
    (folder / "agreements" / "sample.yaml").write_text(hurried, "utf-8")
    applied = _applied(bureau, folder)["sample"]
    assert (applied.outcome, applied.broken) == ("draft", True)
    told = [one.what.en for one in applied.remains if one.code == "does_not_hold"]
    mistakes = [number for number, line in enumerate(HURRIED.splitlines(), 1) if "## " in line]
    assert len(mistakes) >= 20
    assert [int(problem.split(":")[1]) for problem in told] == mistakes


def test_what_is_suspended_is_left_out_of_an_export(bureau: Bureau, tmp_path: Path) -> None:
    bureau.store.act(*PBI, 1, "suspend", ODA, reason="incident")
    exported = export_folder(bureau.store, tmp_path / "out")
    assert exported.left_out == (NAME,)
    assert not (tmp_path / "out" / "agreements" / f"{NAME}.yaml").exists()
    assert _applied(bureau, tmp_path / "out") == {}


def test_an_export_follows_an_earlier_one_and_removes_what_ended(bureau: Bureau, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_folder(bureau.store, out)
    (out / "README.md").write_text("ours", "utf-8")
    bureau.store.act(*PBI, 1, "revoke", ODA, reason="ended")
    exported = export_folder(bureau.store, out)
    assert exported.removed == (f"agreements/{NAME}.cases.yaml", f"agreements/{NAME}.yaml")
    assert (out / "README.md").read_text("utf-8") == "ours"


def test_an_export_overwrites_nothing_that_it_did_not_write(bureau: Bureau, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_folder(bureau.store, out)
    edited = out / "agreements" / f"{NAME}.yaml"
    edited.write_bytes(edited.read_bytes() + b"# mine\n")
    with pytest.raises(FileUnusable, match=f"agreements/{NAME}.yaml"):
        export_folder(bureau.store, out)
    assert edited.read_bytes().endswith(b"# mine\n")
    stranger = tmp_path / "documents"
    stranger.mkdir()
    (stranger / "thesis.txt").write_text("mine", "utf-8")
    with pytest.raises(FileUnusable, match="new or empty folder"):
        export_folder(bureau.store, stranger)


def test_a_list_of_sums_that_was_edited_removes_nothing_elsewhere(bureau: Bureau, tmp_path: Path) -> None:
    out, outside = tmp_path / "out", tmp_path / "outside.yaml"
    outside.write_text("mine", "utf-8")
    export_folder(bureau.store, out)
    digest = hashlib.sha256(b"mine").hexdigest()
    with (out / SUMS).open("a") as sums:
        sums.writelines(f"{digest}  {path}\n" for path in ("../outside.yaml", str(outside), "README"))
    export_folder(bureau.store, out)
    assert outside.read_text("utf-8") == "mine"


def test_a_folder_without_dictionary_or_with_orphaned_cases_is_refused(bureau: Bureau, folder: Path) -> None:
    (folder / "agreements" / "nobody.cases.yaml").write_text("x", "utf-8")
    with pytest.raises(FileUnusable, match=r"nobody\.cases\.yaml"):
        _applied(bureau, folder)
    (folder / "fields.yaml").unlink()
    with pytest.raises(FileUnusable, match=r"fields\.yaml"):
        _applied(bureau, folder)
