"""A folder of policies as files, byte for byte: `fields.yaml`, `programmes/`, `agreements/` with their cases.

It says where each text lies and reads them. It MUST NOT judge what they say, and writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gateway.agreements.lifecycle import Kind
from gateway.agreements.reading import DICTIONARY_NAME
from gateway.errors import FileUnusable
from policies.agreement import CASES_SUFFIX

_FOLDERS: dict[str, Kind] = {"programmes": "programme", "agreements": "agreement"}


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """One policy as its files hold it; `cases` is empty where there is none."""

    kind: Kind
    name: str
    text: bytes
    cases: bytes

    @property
    def path(self) -> str:
        """Where the text lies within the folder."""
        return next(iter(self.files))

    @property
    def files(self) -> dict[str, bytes]:
        """What lies where, by path within the folder, the text first."""
        if self.kind == "dictionary":
            return {f"{DICTIONARY_NAME}.yaml": self.text}
        folder = PurePosixPath(f"{self.kind}s")
        files = {str(folder / f"{self.name}.yaml"): self.text}
        if self.cases:
            files[str(folder / f"{self.name}{CASES_SUFFIX}")] = self.cases
        return files


def read_folder(folder: Path) -> list[PolicyFile]:
    """Every policy of a folder: the dictionary first, then the programmes, as each stands on those before.

    Raises FileUnusable where the folder has no dictionary, or cases belong to no agreement.
    """
    dictionary = folder / f"{DICTIONARY_NAME}.yaml"
    if not dictionary.is_file():
        raise FileUnusable(f"{folder}: expected a folder of policies with {dictionary.name}, got none.")
    found = [PolicyFile("dictionary", DICTIONARY_NAME, dictionary.read_bytes(), b"")]
    cases = {path.name: path for path in folder.glob(f"agreements/*{CASES_SUFFIX}")}
    for subfolder, kind in _FOLDERS.items():
        for path in sorted(folder.glob(f"{subfolder}/*.yaml")):
            if path.name not in cases:
                beside = cases.pop(f"{path.stem}{CASES_SUFFIX}", None) if kind == "agreement" else None
                found.append(
                    PolicyFile(kind, path.stem, path.read_bytes(), beside.read_bytes() if beside else b"")
                )
    if cases:
        orphan = next(iter(cases.values()))
        raise FileUnusable(
            f"{orphan}: expected an agreement beside it, got none, write one or remove the cases."
        )
    return found
