"""Was `version` raised: texts as files have them, beside the versions that a store has kept. Pure.

Answers and evidence cite an agreement by its number, so that two texts MUST NOT share one. Which number a
text has to give itself follows from the store's history, which a folder in git does not know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from gateway.agreements.folders import PolicyFile
from gateway.agreements.lifecycle import IN_FORCE, OPEN, Version
from gateway.agreements.reading import line_of_number, own_number


def not_raised(
    files: Iterable[PolicyFile], versions: Sequence[Version], folder: Path, problems: Collection[str] = ()
) -> Iterator[str]:
    """A problem for each file that differs from what is in force and is numbered as no new version can be.

    `versions` are the store's. The dictionary has no number; a text that was never kept may have any.
    `problems` are those of loading: of a text that has one nothing is said, as it may be about its number.
    """
    for file in files:
        path = folder / file.path
        if any(problem.startswith(f"{path}:") for problem in problems):
            continue
        own = [one for one in versions if (one.kind, one.name) == (file.kind, file.name)]
        if file.kind == "dictionary" or not own or _kept(file, own):
            continue
        being_made = next((one for one in own if one.state in OPEN), None)
        wanted = being_made.version if being_made is not None else max(one.version for one in own) + 1
        got = own_number(file.text)
        if got != wanted:
            line = line_of_number(file.text)
            newest = max(one.version for one in own)
            yield (
                f"{path}:{line}: version: expected {wanted}, because the text or its cases differ from the "
                f"store's, whose newest version is {newest}, got {got}, write {wanted}"
            )


def _kept(file: PolicyFile, own: Iterable[Version]) -> bool:
    """Whether the file is word for word what is in force, being worked on, or revoked: `apply` tells that."""
    texts = [(one.text, one.cases) for one in own if one.state in IN_FORCE | OPEN | {"revoked"}]
    return (file.text, file.cases) in texts
