"""Whether one more request fits: the limits of an agreement against what was used of them. Pure.

A minute is a calendar minute and a day a civil day of Indonesia (WIB), so that a refusal can say exactly when
it ends. A request that is refused counts as a request and spends nothing else; nothing is given back later.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, NamedTuple

from gateway.civil_day import civil_day, day_ends
from gateway.limits.patterns import Level, Pattern, Seen, Thresholds, levels, worst
from policies.bounds import Limits

# The names of `policies.bounds.Limits`, which are those of the agreement's file, the answers and the headers.
LimitName = Literal["requests_per_minute", "subjects_per_day", "new_people_per_day"]
REQUESTS: LimitName = "requests_per_minute"
SUBJECTS: LimitName = "subjects_per_day"
NEW_PEOPLE: LimitName = "new_people_per_day"
Unit = Literal["requests", "subjects", "people"]
Code = Literal[
    "requests_per_minute_exceeded",
    "subjects_per_day_exceeded",
    "new_people_per_day_exceeded",
    "enumeration_suspected",
]

_MINUTE_S = 60
_DAY_S = 86_400
_EXCEEDED: Mapping[LimitName, Code] = {
    REQUESTS: "requests_per_minute_exceeded",
    SUBJECTS: "subjects_per_day_exceeded",
    NEW_PEOPLE: "new_people_per_day_exceeded",
}


class Use(NamedTuple):
    """What one agreement used on one civil day.

    `minute` counts from 1970, and `minute_requests` are of that minute. `requests` are all, `refused` those
    of them that a limit refused. `pardoned` means that somebody at Pusdatin looked at an alarm and found
    the questions in order: patterns refuse nothing more on this day.
    """

    requests: int = 0
    refused: int = 0
    subjects: int = 0
    new_people: int = 0
    unknown: int = 0
    minute: int = 0
    minute_requests: int = 0
    pardoned: bool = False


class Meter(NamedTuple):
    """One limit as it stands: `left` of `limit` units, and afresh in `resets_in_s` seconds (>= 1)."""

    name: LimitName
    unit: Unit
    limit: int
    window_s: int
    left: int
    resets_in_s: int


class Spent(NamedTuple):
    """The request fits and is counted. `new_at` are the positions of the subjects who were new."""

    meters: tuple[Meter, ...]
    day: date
    new_at: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """The request does not fit. `meter` is the limit it exceeds; None for a suspicion, over with the day."""

    code: Code
    meters: tuple[Meter, ...]
    meter: Meter | None
    retry_after_s: int


class Weighed(NamedTuple):
    """What a request did: the use after it, how far each pattern has gone, and the answer to it."""

    use: Use
    verdict: Spent | Refusal
    found: Mapping[Pattern, Level]


def weigh(
    use: Use,
    limits: Limits,
    now: datetime,
    *,
    subjects: int,
    new_at: tuple[int, ...],
    changed: Seen,
    thresholds: Thresholds,
) -> Weighed:
    """Weigh one request about `subjects` people; `changed` is what those at `new_at` add to the patterns."""
    counted = _with_request(use, now)
    spent = counted._replace(
        subjects=counted.subjects + subjects, new_people=counted.new_people + len(new_at)
    )
    if spent.minute_requests > limits.requests_per_minute:
        return _refused(counted, limits, now, REQUESTS, {})
    if spent.subjects > limits.subjects_per_day:
        return _refused(counted, limits, now, SUBJECTS, {})
    if spent.new_people > limits.new_people_per_day:
        return _refused(counted, limits, now, NEW_PEOPLE, {Pattern.NEW_PEOPLE: Level.ALARM})
    found = levels(changed, use.unknown, use.new_people, thresholds) if new_at else {}
    if worst(found) and not use.pardoned:
        return _refused(counted, limits, now, None, found)
    if new_at and spent.new_people * 100 >= limits.new_people_per_day * thresholds.new_people_share:
        found[Pattern.NEW_PEOPLE] = Level.ALARM
    return Weighed(spent, Spent(meters(spent, limits, now), civil_day(now), new_at), found)


def meters(use: Use, limits: Limits, now: datetime) -> tuple[Meter, ...]:
    """The three limits as they stand at `now`."""
    of_minute = use.minute_requests if _minute(now) <= use.minute else 0
    minute_left_s = max(1, _MINUTE_S - int(now.timestamp()) % _MINUTE_S)
    day_left_s = _day_left_s(now)
    return (
        _meter(REQUESTS, "requests", of_minute, limits.requests_per_minute, _MINUTE_S, minute_left_s),
        _meter(SUBJECTS, "subjects", use.subjects, limits.subjects_per_day, _DAY_S, day_left_s),
        _meter(NEW_PEOPLE, "people", use.new_people, limits.new_people_per_day, _DAY_S, day_left_s),
    )


def _meter(name: LimitName, unit: Unit, used: int, limit: int, window_s: int, left_s: int) -> Meter:
    return Meter(name, unit, limit, window_s, max(0, limit - used), left_s)


def _with_request(use: Use, now: datetime) -> Use:
    """One more request, in the newest minute that any node has seen: clocks differ by a little."""
    minute = max(_minute(now), use.minute)
    earlier = use.minute_requests if minute == use.minute else 0
    return use._replace(requests=use.requests + 1, minute=minute, minute_requests=earlier + 1)


def _refused(
    use: Use, limits: Limits, now: datetime, name: LimitName | None, found: Mapping[Pattern, Level]
) -> Weighed:
    use = use._replace(refused=use.refused + 1)
    now_left = meters(use, limits, now)
    meter = next((one for one in now_left if one.name == name), None)
    code: Code = "enumeration_suspected" if name is None else _EXCEEDED[name]
    retry_after_s = _day_left_s(now) if meter is None else meter.resets_in_s
    return Weighed(use, Refusal(code, now_left, meter, retry_after_s), found)


def _minute(now: datetime) -> int:
    return int(now.timestamp()) // _MINUTE_S


def _day_left_s(now: datetime) -> int:
    """Seconds until the civil day ends, rounded up: whoever waits them out is in the next one."""
    return math.ceil((day_ends(now) - now).total_seconds())
