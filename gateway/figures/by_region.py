"""Figures by region: how many matched, how many of a status, how many receive a programme.

What a reconciliation found is read from the reports of the runs, never counted again. Recipients are counted
in the registry, which takes a while over a whole country, so the count is kept for some minutes. Every figure
is told as `small_counts` allows. MUST NOT name a person.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, func, or_, select

from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.figures.small_counts import kept_back, told_share
from gateway.reconciliation.report import PADAN
from gateway.reconciliation.statuses import Status
from gateway.reconciliation.tables import reconciliation_runs
from gateway.registry.tables import enrolments, people, regions

RegionLevel = Literal["province", "regency"]
WIDTHS: Mapping[RegionLevel, int] = {"province": 2, "regency": 5}
_LEVEL_NUMBERS: Mapping[RegionLevel, int] = {"province": 1, "regency": 2}
_PROVINCE_CHARS, _REGENCY_CHARS = WIDTHS["province"], WIDTHS["regency"]
# Where no run of the whole country stands behind them, the runs of single regions go back so far.
_MOST_RUNS = 80
_COUNT_LASTS = timedelta(minutes=10)

ByRegency = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Figure:
    """What is told of one region: a count or a share of `people`, None where nothing is known of it.

    `kept_back`: something is known, of too few people to be told.
    """

    code: str
    name: str
    value: float | None
    people: int | None
    kept_back: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """A measure over the regions of a level; `as_of` is of when it is, None where nothing was counted yet."""

    as_of: date | None
    regions: Sequence[Figure]


class RegionFigures:
    """The figures of one database. Blocks. Raises StoreUnavailable everywhere."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._counting = threading.Lock()
        self._counted: tuple[datetime, ByRegency] | None = None

    def match_rate(self, level: RegionLevel, province: str | None) -> Figures:
        """The share of the people checked whose NIK leads to themselves, as the newest runs found it."""
        as_of, found = self._statuses()
        at_level = _summed(found, level, province)
        checked = {code: of.total() - of[Status.NOT_CHECKED] for code, of in at_level.items()}
        matched = {code: sum(of[status] for status in PADAN) for code, of in at_level.items()}
        told = _told(checked)
        shares = {
            code: None if whole is None else told_share(matched[code], whole)
            for code, whole in told.items()
            if whole != 0
        }
        return Figures(as_of, self._figures(level, province, shares, told))

    def of_status(self, status: Status, level: RegionLevel, province: str | None) -> Figures:
        """How many people have a status, as the newest runs found it."""
        as_of, found = self._statuses()
        counts = {code: of[status] for code, of in _summed(found, level, province).items()}
        return Figures(as_of, self._figures(level, province, _told(counts), {}))

    def recipients(self, programme: str, level: RegionLevel, province: str | None) -> Figures:
        """How many people are enrolled in a programme, counted some minutes ago at most."""
        counted_at, found = self._enrolled()
        counts = {code: of[programme] for code, of in _summed(found, level, province).items()}
        return Figures(civil_day(counted_at), self._figures(level, province, _told(counts), {}))

    def _statuses(self) -> tuple[date | None, ByRegency]:
        with self._database.reading() as connection:
            return newest_by_regency(connection)

    def _enrolled(self) -> tuple[datetime, ByRegency]:
        """Who asks while it is counted waits for that count, rather than counting too."""
        with self._counting:
            now = self._clock()
            if self._counted is None or now - self._counted[0] >= _COUNT_LASTS:
                with self._database.reading() as connection:
                    self._counted = now, enrolled_by_regency(connection, civil_day(now))
            return self._counted

    def _figures(
        self,
        level: RegionLevel,
        province: str | None,
        values: Mapping[str, float | None],
        people_told: Mapping[str, int | None],
    ) -> list[Figure]:
        """Every region of the level: those in force, and those of `values`, where None is kept back."""
        names = self.names(level, province)
        return [
            Figure(
                code,
                names.get(code, code),
                values.get(code),
                people_told.get(code),
                kept_back=code in values and values[code] is None,
            )
            for code in sorted(names.keys() | values.keys())
        ]

    def names(self, level: RegionLevel, province: str | None) -> dict[str, str]:
        """What the regions in force are called, by code."""
        chosen = select(regions.c.code, regions.c.name).where(
            regions.c.level == _LEVEL_NUMBERS[level], regions.c.valid_to.is_(None)
        )
        if province is not None:
            chosen = chosen.where(or_(regions.c.code == province, regions.c.code.startswith(f"{province}.")))
        with self._database.reading() as connection:
            return {row.code: row.name for row in connection.execute(chosen)}


def newest_by_regency(connection: Connection) -> tuple[date | None, ByRegency]:
    """People by status of each regency, from the newest completed run that covers the whole of it.

    The day is that of the oldest run of which anything is told. People without a region are left out: they
    lie on no map.
    """
    runs = reconciliation_runs.c
    newest = (
        select(runs.region, runs.as_of, runs.submitted_at, runs.report)
        .where(
            runs.state == "completed", or_(runs.region.is_(None), func.length(runs.region) <= _REGENCY_CHARS)
        )
        .order_by(runs.submitted_at.desc())
        .limit(_MOST_RUNS)
    )
    found: dict[str, Mapping[str, int]] = {}
    days: list[date] = []
    for run in connection.execute(newest):
        reported: Mapping[str, Any] = run.report["regions"]
        new = {code: of["statuses"] for code, of in reported.items() if len(code) == _REGENCY_CHARS}
        if new.keys() - found.keys():
            days.append(run.as_of or civil_day(run.submitted_at))
        found = {**new, **found}
        if run.region is None:
            break
    return min(days, default=None), found


def enrolled_by_regency(connection: Connection, day: date) -> ByRegency:
    """People by programme of each regency, of those enrolled on a day."""
    regency = func.substr(people.c.region_code, 1, _REGENCY_CHARS)
    counted = (
        select(regency, enrolments.c.programme, func.count(enrolments.c.person_id.distinct()))
        .join_from(enrolments, people, people.c.id == enrolments.c.person_id)
        .where(
            enrolments.c.starts_on <= day,
            or_(enrolments.c.ends_on.is_(None), enrolments.c.ends_on > day),
            func.length(people.c.region_code) >= _REGENCY_CHARS,
        )
        .group_by(regency, enrolments.c.programme)
    )
    found: dict[str, dict[str, int]] = {}
    for code, programme, number in connection.execute(counted):
        found.setdefault(code, {})[programme] = number
    return found


def _summed(found: ByRegency, level: RegionLevel, province: str | None) -> dict[str, Counter[str]]:
    """The regencies' figures at a level, of one province or of all."""
    summed: dict[str, Counter[str]] = {}
    for code, of_regency in found.items():
        if province is None or code[:_PROVINCE_CHARS] == province:
            summed.setdefault(code[: WIDTHS[level]], Counter()).update(of_regency)
    return summed


def _told(counts: Mapping[str, int]) -> dict[str, int | None]:
    """The counts, None for those kept back. The reader knows the figures of provinces, and of no country."""
    hidden = kept_back(counts, lambda code: code[:_PROVINCE_CHARS])
    return {code: None if code in hidden else count for code, count in counts.items()}
