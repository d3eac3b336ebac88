"""Policies in and out as files, so that git can be where they are written: `apply` a folder, `export` one.

Texts pass byte for byte. Applying does with each text what its actor may do alone, and says of the rest what
remains and for whom; it MUST NOT end anything: a file that is gone is reported, and revoking is an act of its
own. Exporting MUST NOT overwrite or remove a file that it did not write.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gateway.agreements.folders import PolicyFile, read_folder
from gateway.agreements.lifecycle import IN_FORCE, OPEN, Kind, Unmet, Version
from gateway.agreements.store import PolicyStore
from gateway.errors import FileUnusable
from gateway.staff.roles import Staff
from policies.change import Change
from policies.dictionary import Text

# In the format of sha256sum, so that `sha256sum -c` says what was edited since.
SUMS = "SHA256SUMS"
_EXPORTED = re.compile(r"fields\.yaml|(programmes|agreements)/[a-z0-9-]+(\.cases)?\.yaml", re.ASCII)
Outcome = Literal["unchanged", "draft", "submitted", "approved", "active", "held", "missing"]


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one text. `remains` is what keeps it from counting, and who can do something about it.

    `change` is against the version in force; None where the text was not judged.
    """

    kind: Kind
    name: str
    outcome: Outcome
    version: int
    remains: tuple[Unmet, ...] = ()
    change: Change | None = None

    @property
    def broken(self) -> bool:
        """Whether the text has to be mended before anybody can do anything with it."""
        return any(one.code == "does_not_hold" for one in self.remains)


@dataclass(frozen=True, slots=True)
class Exported:
    """Paths within the folder, and agreements that are suspended and so were left out."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    left_out: tuple[str, ...]


def apply_folder(
    store: PolicyStore, folder: Path, actor: Staff, *, activate: bool, reason: str = ""
) -> list[Applied]:
    """Bring the texts of a folder into the store, as far as one person may.

    With `activate` what narrows comes into force and what widens is submitted; without it all stay drafts.
    Raises FileUnusable, BadInput, ConditionsUnmet (the actor may not write), ChangedMeanwhile.
    """
    applied: list[Applied] = []
    files = read_folder(folder)
    for file in files:
        kept = _kept(store, file, actor, reason)
        if isinstance(kept, Version):
            kept = _advanced(store, kept, actor, activate=activate, reason=reason)
        applied.append(kept)
    present = {(file.kind, file.name) for file in files}
    in_force = [version for version in store.versions() if version.state == "active"]
    applied += [_missing(version) for version in in_force if (version.kind, version.name) not in present]
    return applied


def _kept(store: PolicyStore, file: PolicyFile, actor: Staff, reason: str) -> Version | Applied:
    """The open version that holds the text of a file, or what became of it where there is none to hold it."""
    versions = store.versions(file.kind, file.name)
    in_force = next((one for one in versions if one.state in IN_FORCE), None)
    being_made = next((one for one in versions if one.state in OPEN), None)
    if in_force is not None and _same(in_force, file):
        return Applied(file.kind, file.name, "unchanged", in_force.version)
    if being_made is not None:
        if _same(being_made, file):
            return being_made
        if being_made.state != "draft" or being_made.editors != {actor.id}:
            return Applied(file.kind, file.name, "held", being_made.version, (_worked_on(being_made),))
        return store.edit(
            *(file.kind, file.name, being_made.version, file.text, file.cases, actor),
            if_match=being_made.etag,
            reason=reason,
        )
    if in_force is None and versions and _same(versions[0], file):
        return Applied(file.kind, file.name, "held", versions[0].version, (_REVOKED,))
    return store.save_draft(file.kind, file.name, file.text, file.cases, actor, reason=reason)


def _advanced(store: PolicyStore, version: Version, actor: Staff, *, activate: bool, reason: str) -> Applied:
    judgement = store.judge(version)
    possible = store.prospects(version, actor, judgement)
    remains = possible["activate"]
    if activate and not remains:
        version = store.act(
            *(version.kind, version.name, version.version, "activate", actor),
            reason=reason,
            if_match=version.etag,
        )
    elif activate and possible.get("submit") == ():
        version = store.act(
            *(version.kind, version.name, version.version, "submit", actor),
            reason=reason,
            if_match=version.etag,
        )
    outcome: Outcome = "draft"
    if version.state in {"submitted", "approved", "active"}:
        outcome = version.state
    return Applied(version.kind, version.name, outcome, version.version, remains, judgement.change)


def export_folder(store: PolicyStore, folder: Path) -> Exported:
    """Write the active texts into a folder that is new, or that an earlier export wrote.

    What is suspended is left out: elsewhere the folder may fill an empty store. Raises FileUnusable where the
    folder holds something that would be lost; then nothing is written.
    """
    versions = store.versions()
    files: dict[str, bytes] = {}
    for version in versions:
        if version.state == "active":
            files |= PolicyFile(version.kind, version.name, version.text, version.cases).files
    before = _sums_of(folder)
    _refuse_loss(folder, before, files)
    removed = sorted(path for path in before if path not in files and (folder / path).is_file())
    for path in removed:
        (folder / path).unlink()
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    sums = [f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in sorted(files.items())]
    (folder / SUMS).write_text("".join(sums), encoding="ascii")
    left_out = tuple(version.name for version in versions if version.state == "suspended")
    return Exported(tuple(sorted(files)), tuple(removed), left_out)


def _refuse_loss(folder: Path, before: Mapping[str, str], files: Mapping[str, bytes]) -> None:
    """Raise FileUnusable where an export would overwrite or remove what no export wrote."""
    lost: list[str] = []
    for path in sorted({*before, *files}):
        if (folder / path).is_file():
            content = (folder / path).read_bytes()
            if content != files.get(path) and hashlib.sha256(content).hexdigest() != before.get(path):
                lost.append(path)
    if lost:
        raise FileUnusable(
            f"{folder}: expected what the last export wrote, got other contents in {', '.join(lost)}: apply "
            "them, or move them away."
        )


def _sums_of(folder: Path) -> Mapping[str, str]:
    """What the last export wrote: hashes by path; empty for a folder that is new or empty."""
    if (folder / SUMS).is_file():
        lines = (folder / SUMS).read_text(encoding="ascii", errors="replace").splitlines()
        sums = {path: digest for digest, _, path in (line.partition("  ") for line in lines)}
        # A list that somebody edited must not lead out of the folder.
        return {path: digest for path, digest in sums.items() if _EXPORTED.fullmatch(path)}
    if folder.exists() and (
        not folder.is_dir() or any(not entry.name.startswith(".") for entry in folder.iterdir())
    ):
        raise FileUnusable(
            f"{folder}: expected a new or empty folder, or one that an export wrote (with {SUMS} in it), got "
            "another: choose another folder."
        )
    return {}


def _same(version: Version, file: PolicyFile) -> bool:
    return (version.text, version.cases) == (file.text, file.cases)


def _missing(version: Version) -> Applied:
    remains = Unmet(
        "file_missing",
        Text(
            "Berlaku, tetapi tidak ada dalam folder; tidak ada yang diakhiri.",
            "In force, and not in the folder; nothing was ended.",
        ),
        Text(
            "Penyetuju atau operator: cabut (revoke), bila memang harus berakhir.",
            "An approver or operator: revoke it, if it is to end.",
        ),
    )
    return Applied(version.kind, version.name, "missing", version.version, (remains,))


def _worked_on(version: Version) -> Unmet:
    editors = ", ".join(sorted(version.editors))
    return Unmet(
        "worked_on",
        Text(
            f"Versi {version.version} ({version.state}) dengan teks lain sedang dikerjakan oleh {editors}.",
            f"Version {version.version} ({version.state}) with another text is being worked on by {editors}.",
        ),
        Text(
            f"{editors}: selesaikan, atau satukan teks ini ke dalamnya.",
            f"{editors}: finish it, or bring this text into it.",
        ),
    )


_REVOKED = Unmet(
    "revoked",
    Text("Teks ini sudah dicabut.", "This text was revoked."),
    Text(
        "Penulis: versi baru dengan nomor baru, atau hapus berkasnya.",
        "An author: a new version with a new number, or remove the file.",
    ),
)
