"""PostgreSQL's write-ahead log as names and numbers: which segments lead on from a base backup. Pure.

Names and the choice of a timeline are PostgreSQL's own (xlog_internal.h, `findNewestTimeLine` and
`XLogFileReadAnyTLI`): what is found missing here would be found missing in the middle of a recovery.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.errors import FileUnusable

SEGMENT = re.compile(r"[0-9A-F]{24}")
HISTORY = re.compile(r"[0-9A-F]{8}\.history")
# Also what a server archives beside them: the label of a base backup, and the torn end of a timeline.
ARCHIVED = re.compile(r"[0-9A-F]{24}(\.partial|\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history")

_WORD = 1 << 32
_HISTORY_FIELDS = 2


def position_of(lsn: str) -> int:
    """The byte position of a place that PostgreSQL writes as `16/B374D848`."""
    high, low = lsn.split("/")
    return int(high, 16) * _WORD + int(low, 16)


def segment_name(timeline: int, number: int, segment_bytes: int) -> str:
    """The file that holds segment `number` of a timeline."""
    per_word = _WORD // segment_bytes
    return f"{timeline:08X}{number // per_word:08X}{number % per_word:08X}"


def segment_number(name: str, segment_bytes: int) -> int:
    """The number of a segment, whatever its timeline."""
    return int(name[8:16], 16) * (_WORD // segment_bytes) + int(name[16:24], 16)


@dataclass(frozen=True, slots=True)
class Leg:
    """A timeline on the way to another one; its own segments begin with `first`."""

    timeline: int
    first: int


def history_name(timeline: int) -> str:
    """The file that says from where a timeline branched off; the first one has none."""
    return f"{timeline:08X}.history"


def newest_timeline(start: int, names: Sequence[str]) -> int:
    """The timeline that a recovery to the latest point follows, which begins on timeline `start`."""
    known = frozenset(names)
    newest = start
    while history_name(newest + 1) in known:
        newest += 1
    return newest


def legs(start: int, target: int, histories: Mapping[int, str], segment_bytes: int) -> list[Leg]:
    """The timelines from `start` to `target`, the oldest first, by the text of the target's history file.

    Raises FileUnusable when the text is missing or damaged, or `target` did not branch off from `start`.
    """
    if target == start:
        return [Leg(start, 0)]
    if target not in histories:
        raise FileUnusable(f"The archive has no {history_name(target)}: timeline {target} is unknown.")
    found, first = [], 0
    for line in histories[target].splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) < _HISTORY_FIELDS or not words[0].isdigit() or "/" not in words[1]:
            raise FileUnusable(
                f"{history_name(target)} is damaged: expected a timeline and a place in each line."
            )
        found.append(Leg(int(words[0]), first))
        first = position_of(words[1]) // segment_bytes
    if all(leg.timeline != start for leg in found):
        raise FileUnusable(
            f"Timeline {target} does not come from timeline {start}, on which the set was made: give another "
            "one, or take another set."
        )
    return [*found, Leg(target, first)]


@dataclass(frozen=True, slots=True)
class Chain:
    """The segments that follow a base backup without a gap; the first that is missing before later ones."""

    segments: tuple[str, ...]
    missing: str | None


def chain(first: int, way: Sequence[Leg], names: Sequence[str], segment_bytes: int) -> Chain:
    """Which of the archived `names` a recovery reads from segment number `first` on, along this way."""
    known = {name for name in names if SEGMENT.fullmatch(name)}
    segments: list[str] = []
    number = first
    while found := next((name for name in _candidates(number, way, segment_bytes) if name in known), None):
        segments.append(found)
        number += 1
    on_the_way = {leg.timeline for leg in way}
    later = any(
        int(name[:8], 16) in on_the_way and segment_number(name, segment_bytes) > number for name in known
    )
    missing = next(_candidates(number, way, segment_bytes)) if later else None
    return Chain(tuple(segments), missing)


def _candidates(number: int, way: Sequence[Leg], segment_bytes: int) -> Iterator[str]:
    """Where a segment may stand: on the newest timeline that has it, else on one before it."""
    for leg in reversed(way):
        if leg.first <= number:
            yield segment_name(leg.timeline, number, segment_bytes)
