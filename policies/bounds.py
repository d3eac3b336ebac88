"""How far an agreement reaches: which people it is about, and how much may be asked in a minute or a day.

Bounds are spelt out: what is not bounded says so in a word of its own (`everywhere`, `anyone`), and a limit
has no default. Counting what was asked is for the gateway; here stands only what may be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policies import regions
from policies.conditions import ProgrammeRule
from policies.strict_yaml import Part

MOST_REQUESTS_PER_MINUTE = 1_000_000
# More than Indonesia has people: a limit above it would bound nothing.
MOST_PEOPLE_PER_DAY = 300_000_000


@dataclass(frozen=True, slots=True)
class Scope:
    """Which people an agreement is about. None means everywhere, or anyone."""

    regions: frozenset[str] | None
    enrolled_in: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be asked under one agreement, by all credentials of its consumer together.

    `subjects_per_day` counts every person of every request; `new_people_per_day` counts those whom the
    consumer never asked about before, and so bounds how fast it can go through the registry. A day is a
    civil day of Indonesia (WIB).
    """

    requests_per_minute: int
    subjects_per_day: int
    new_people_per_day: int


def read_scope(part: Part, known: Mapping[str, ProgrammeRule]) -> Scope:
    """The clause `scope`: both of its bounds have to be named."""
    parts = part.mapping(("regions", "enrolled_in"))
    where, who = parts["regions"], parts["enrolled_in"]
    return Scope(
        regions=None if where.is_word("everywhere") else _regions(where),
        enrolled_in=None
        if who.is_word("anyone")
        else frozenset(
            who.words(known, "`anyone`, or a list of programmes", "`anyone`, or a list such as `[PKH]`")
        ),
    )


def read_limits(part: Part) -> Limits:
    """The clause `limits`: all three have to be named."""
    parts = part.mapping(("requests_per_minute", "subjects_per_day", "new_people_per_day"))
    limits = Limits(
        requests_per_minute=parts["requests_per_minute"].whole_number(1, MOST_REQUESTS_PER_MINUTE),
        subjects_per_day=parts["subjects_per_day"].whole_number(1, MOST_PEOPLE_PER_DAY),
        new_people_per_day=parts["new_people_per_day"].whole_number(1, MOST_PEOPLE_PER_DAY),
    )
    if limits.new_people_per_day > limits.subjects_per_day and not parts["subjects_per_day"].refused:
        parts["new_people_per_day"].refuse(
            "no more new people than subjects_per_day", f"at most {limits.subjects_per_day}"
        )
    return limits


def _regions(part: Part) -> frozenset[str]:
    codes: set[str] = set()
    for item in part.items(
        "`everywhere`, or a list of region codes", '`everywhere`, or a list such as `["35"]`'
    ):
        code = item.text("a dotted region code in quotes")
        if not regions.is_region_code(code):
            item.refuse(
                "a dotted region code in quotes", 'it as "35", "35.78", "35.78.01" or "35.78.01.1001"'
            )
        elif code in codes:
            item.refuse("each region once", "the list without this entry", got=f"{code!r} a second time")
        codes.add(code)
    return frozenset(codes)
