"""Policies out of the store as files: the active texts, byte for byte, for git or for another gateway.

It MUST NOT overwrite or remove a file that it did not write.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.agreements.folders import PolicyFile
from gateway.agreements.store import PolicyStore
from gateway.errors import FileUnusable

# In the format of sha256sum, so that `sha256sum -c` says what was edited since.
SUMS = "SHA256SUMS"
_EXPORTED = re.compile(r"fields\.yaml|(programmes|agreements)/[a-z0-9-]+(\.cases)?\.yaml", re.ASCII)


@dataclass(frozen=True, slots=True)
class Exported:
    """Paths within the folder, and agreements that are suspended and so were left out."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    left_out: tuple[str, ...]


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
