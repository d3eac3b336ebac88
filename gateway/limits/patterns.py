"""How a walk through the numbers is told from a list of people. Pure.

A NIK is built of district (6 digits), birth date (6, a woman's day + 40) and serial (4), so whoever has no
list can still count upwards. Three traces give that away, each looked for among the people first asked
about on one day: many serials of one district and birth date, birth dates of one district without a gap,
and numbers that nobody in the registry has. Each raises an alarm first. What would carry it on beyond a
second threshold is refused; other questions under the same agreement are not: a walker must not stop an
agency's work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache

_DISTRICT, _BORN = slice(0, 6), slice(6, 12)
_WOMANS_DAY = 40


class Pattern(StrEnum):
    """What the questions of a day may look like. `NEW_PEOPLE` only warns: what refuses it is a limit."""

    NEW_PEOPLE = "new_people"
    SERIALS = "neighbouring_serials"
    BIRTH_DATES = "consecutive_birth_dates"
    UNKNOWN = "unknown_people"


class Level(StrEnum):
    """How far a pattern has gone."""

    ALARM = "alarm"
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the numbers a NIK stands, as text. MUST NOT be stored or logged.

    `block` is district, sex and birth date; `beside` are the blocks of the day before and the day after.
    """

    district: str
    block: str
    beside: tuple[str, ...]


def place_of(nik: str) -> Place:
    """The place of 16 digits; a birth date that is none has no neighbours.

    >>> place_of("3578085203849991").beside
    ('357808510384', '357808530384')
    """
    district, born = nik[_DISTRICT], nik[_BORN]
    return Place(district, district + born, tuple(district + day for day in _days_beside(born)))


@lru_cache(maxsize=80_000)  # more than there are days in a century, for both sexes
def _days_beside(born: str) -> tuple[str, ...]:
    """The six digits of the day before and of the day after."""
    day, month, year = int(born[:2]), int(born[2:4]), int(born[4:])
    sex = _WOMANS_DAY if day > _WOMANS_DAY else 0
    try:
        # Which century is of no matter; this one has the leap year that the last one lacks at its edge.
        middle = date(2000 + year, month, day - sex)
    except ValueError:
        return ()
    around = (middle - timedelta(days=1), middle + timedelta(days=1))
    return tuple(f"{one.day + sex:02}{one:%m%y}" for one in around)


@dataclass(frozen=True, slots=True)
class MarkedPlace:
    """A `Place` as keyed numbers, which is how it may be kept."""

    district: int
    block: int
    beside: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Walk:
    """Birth dates of one district first asked about today, and how many pairs of them are consecutive.

    Of n dates in a row n - 1 pairs are; of n dates drawn by chance, about n times their density.
    """

    dates: int = 0
    pairs: int = 0


@dataclass(frozen=True, slots=True)
class Steps:
    """From which number on an alarm is raised, and from which the next question is refused."""

    alarm: int
    refusal: int

    def level(self, number: int) -> Level | None:
        """How far `number` has gone."""
        if number >= self.refusal:
            return Level.REFUSAL
        return Level.ALARM if number >= self.alarm else None


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on a coincidence is none.

    `serials`: a populous district registers two or three births of one sex on a day, and a dozen at the
    date that is written for those who do not know theirs. `birth_dates`: a school that asks about its
    year's children covers one year for both sexes, 730 dates; more than that without gaps, in one district
    on one day, is no list. `gapless` is the percentage of pairs from which dates count as consecutive.
    `unknown` counts people, of whom the registry does not know `unknown_share` percent: a hospital's
    patients may be poor or not, so more than half of a good list is unknown too.
    """

    serials: Steps = Steps(20, 40)
    birth_dates: Steps = Steps(90, 800)
    gapless: int = 80
    unknown: Steps = Steps(500, 2000)
    unknown_share: int = 90
    new_people_share: int = 80


@dataclass(frozen=True, slots=True)
class Seen:
    """What the day's newcomers of one agreement left: people by block, walks by district."""

    blocks: dict[int, int] = field(default_factory=dict)
    walks: dict[int, Walk] = field(default_factory=dict)


def follow(seen: Seen, newcomers: Iterable[MarkedPlace]) -> Seen:
    """Only what changes when these are asked about too. `seen` MUST hold their blocks and those beside."""
    blocks: dict[int, int] = {}
    walks: dict[int, Walk] = {}
    for place in newcomers:
        before = blocks.get(place.block, seen.blocks.get(place.block, 0))
        if before == 0:
            walk = walks.get(place.district) or seen.walks.get(place.district, Walk())
            pairs = sum(block in blocks or block in seen.blocks for block in place.beside)
            walks[place.district] = Walk(walk.dates + 1, walk.pairs + pairs)
        blocks[place.block] = before + 1
    return Seen(blocks, walks)


def levels(changed: Seen, unknown: int, new_people: int, thresholds: Thresholds) -> dict[Pattern, Level]:
    """How far each pattern has gone, by what changed; patterns that are not there are left out.

    `unknown` are those of the `new_people` asked about earlier today whom the registry does not know.
    """
    gapless = [
        walk.dates for walk in changed.walks.values() if walk.pairs * 100 >= walk.dates * thresholds.gapless
    ]
    guessing = unknown * 100 >= new_people * thresholds.unknown_share
    found = {
        Pattern.SERIALS: thresholds.serials.level(max(changed.blocks.values(), default=0)),
        Pattern.BIRTH_DATES: thresholds.birth_dates.level(max(gapless, default=0)),
        Pattern.UNKNOWN: thresholds.unknown.level(unknown) if guessing else None,
    }
    return {pattern: level for pattern, level in found.items() if level is not None}


def worst(found: Mapping[Pattern, Level]) -> Sequence[Pattern]:
    """The patterns that went so far as to be refused."""
    return [pattern for pattern, level in found.items() if level is Level.REFUSAL]
