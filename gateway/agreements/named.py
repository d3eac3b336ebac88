"""Do the consumers and the regions that a text names exist? Each that does not is told with its line. Pure.

An agreement for a consumer that nobody registered answers nobody, and a region that does not exist holds
nobody; either looks like an agreement that works. It MUST NOT judge the shape of a text: reading does that.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from gateway.agreements.folders import PolicyFile
from gateway.oauth.jurisdiction import problems_of_regions

_CONSUMER = re.compile(rb"""^consumer:[ \t]*["']?([a-z0-9-]+)["']?[ \t]*(?:#.*)?\r?$""", re.MULTILINE)
_REGIONS = re.compile(rb"^[ \t]+regions:", re.MULTILINE)


def unregistered(files: Iterable[PolicyFile], registered: Collection[str], folder: Path) -> Iterator[str]:
    """A warning for each agreement whose consumer is none of those registered; nothing while none is.

    A text may be written before its consumer is let in, so that this keeps nothing from coming into force.
    """
    for file in files if registered else ():
        found = _CONSUMER.search(file.text) if file.kind == "agreement" else None
        if found is not None and (consumer := found[1].decode()) not in registered:
            yield (
                f"{folder / file.path}:{_line(file.text, found.start())}: consumer: expected one of the "
                f"registered consumers (`gapura consumers list`), got {consumer}, write one of them, or "
                f"register it first (`gapura consumers add {consumer}`)"
            )


def unknown_regions(regions: Collection[str] | None, text: bytes, name: str) -> Iterator[str]:
    """A problem for each region of an agreement's scope that is not in force; None is the whole country.

    `text` is where they are written, and `name` what messages call it.
    """
    for code in sorted(regions or ()):
        if any(problems_of_regions([code])):
            yield (
                f"{name}:{_line_of_region(code, text)}: scope.regions: expected the code of a region in "
                f"force, got {code}, write one such as 35 or 35.78"
            )


def _line_of_region(code: str, text: bytes) -> int:
    """The line on which the list of regions has a code; 1 where it is written in an unusual way."""
    listed = _REGIONS.search(text)
    found = re.compile(rb"[\"']" + re.escape(code.encode()) + rb"[\"']").search(
        text, listed.end() if listed else 0
    )
    return _line(text, found.start()) if found else 1


def _line(text: bytes, position: int) -> int:
    return text.count(b"\n", 0, position) + 1
