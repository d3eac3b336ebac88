"""Maps as a source: `AreasConnector` answers `connectors.base.Connector` from the gateway's own store.

It MUST NOT guess: a region that the edition in force does not know has no name here. Every answer is read
from the database, so an import by another process counts at once; concurrent calls share their statements.
An outage of the database is not turned into an answer: it is the gateway's own.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, false, select
from sqlalchemy.types import Date

from connectors.base import NotFound, Outcome, Record, Subject, Value
from connectors.big.codes import Level, ancestry, edition_on, level_of
from gateway.areas.editions import levels_of, read_editions
from gateway.areas.tables import area_editions, area_values, areas
from gateway.areas.themes import THEMES
from gateway.batching import NaturalBatch, OneThread
from gateway.database import Database
from gateway.errors import StoreUnavailable

REGION_NAME = "region_name"

_Question = tuple[Sequence[Subject], frozenset[str], date]
_Answer = Sequence[Outcome]
_Dated = tuple[str, date]


class AreasConnector:
    """BIG's names of a person's region, and what themes say of it, as the imported maps have them.

    `region_name` joins the names from the province down by commas, for the levels that the edition in force
    on `on_date` has; where one of them does not know the code, it is None. A theme's value is that of the
    smallest region around the person that has one on `on_date`; its newest counts.
    """

    name = "big"
    provides = frozenset({REGION_NAME, *THEMES})
    needs = frozenset({"region"})
    outside = False
    many_at_once = True
    fresh_for: timedelta | None = None

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = OneThread("big")
        database.before_closing(self._thread.close)
        self._batch: NaturalBatch[_Question, _Answer] = NaturalBatch(
            lambda questions: self._thread(self._answer_all, questions)
        )
        self._names = select(areas.c.code, areas.c.name, areas.c.as_of).where(
            areas.c.edition == bindparam("edition"), database.one_of(areas.c.code, "codes")
        )
        self._values = (
            select(area_values.c.code, area_values.c.value, area_values.c.as_of)
            .where(
                area_values.c.theme == bindparam("theme"),
                area_values.c.as_of <= bindparam("on_date", type_=Date()),
                database.one_of(area_values.c.code, "codes"),
            )
            .order_by(area_values.c.as_of)
        )

    async def fetch(
        self, subjects: Sequence[Subject], fields: frozenset[str], on_date: date, deadline: float
    ) -> Sequence[Outcome]:
        """One outcome per subject, in order. Raises StoreUnavailable, also when `deadline` passes."""
        try:
            async with asyncio.timeout_at(deadline):
                return await self._batch((subjects, fields & self.provides, on_date))
        except TimeoutError as error:
            raise StoreUnavailable("The store of maps did not answer within the time allowed.") from error

    async def ping(self) -> None:
        """Return when the store can be read, maps in it or not; raise StoreUnavailable when it cannot."""
        await asyncio.to_thread(self._touch)

    def close(self) -> None:
        """Wait for the batch under way; the connector must not be used afterwards."""
        self._thread.close()

    def _touch(self) -> None:
        with self._database.reading() as connection:
            connection.execute(select(area_editions.c.name).where(false()))

    def _answer_all(self, questions: Sequence[_Question]) -> Sequence[_Answer | Exception]:
        """Answer a batch: one statement for each day and field that it asks about."""
        of_day: defaultdict[date, set[str]] = defaultdict(set)
        for subjects, _, on_date in questions:
            of_day[on_date].update(code for subject in subjects if (code := _region(subject)))
        asked = frozenset[str]().union(*(fields for _, fields, _ in questions))
        with self._database.reading() as connection:
            said = {
                on_date: self._of_regions(connection, codes, asked, on_date)
                for on_date, codes in of_day.items()
            }
        return [
            [_outcome(subject, fields, said[on_date]) for subject in subjects]
            for subjects, fields, on_date in questions
        ]

    def _of_regions(
        self, connection: Connection, codes: set[str], fields: frozenset[str], on_date: date
    ) -> Mapping[str, Mapping[str, _Dated]]:
        """What each field says of each of these regions: value and day, nothing where it says nothing."""
        around = {code: ancestry(code) for code in codes}
        wanted = sorted({above for pairs in around.values() for _, above in pairs})
        said: dict[str, Mapping[str, _Dated]] = {}
        if REGION_NAME in fields:
            said[REGION_NAME] = self._named(connection, around, wanted, on_date)
        for theme in fields & THEMES.keys():
            said[theme] = self._themed(connection, theme, around, wanted, on_date)
        return said

    def _named(
        self,
        connection: Connection,
        around: Mapping[str, Sequence[tuple[Level, str]]],
        wanted: list[str],
        on_date: date,
    ) -> Mapping[str, _Dated]:
        edition = edition_on(read_editions(connection), on_date)
        if edition is None:
            return {}
        levels = levels_of(connection, edition)
        known = self._rows(connection, self._names, codes=wanted, edition=edition.name)
        named: dict[str, _Dated] = {}
        for code, pairs in around.items():
            chain = [known.get(above) for level, above in pairs if level in levels]
            found = [one for one in chain if one is not None]
            if found and len(found) == len(chain):
                named[code] = ", ".join(name for name, _ in found), min(as_of for _, as_of in found)
        return named

    def _themed(
        self,
        connection: Connection,
        theme: str,
        around: Mapping[str, Sequence[tuple[Level, str]]],
        wanted: list[str],
        on_date: date,
    ) -> Mapping[str, _Dated]:
        known = self._rows(connection, self._values, codes=wanted, theme=theme, on_date=on_date)
        themed: dict[str, _Dated] = {}
        for code, pairs in around.items():
            if found := [known[above] for _, above in pairs if above in known]:
                themed[code] = found[-1]
        return themed

    def _rows(self, connection: Connection, statement: Any, **asked: Any) -> dict[str, _Dated]:
        """Value and day by code; of several rows of a code, the last."""
        return {code: (value, as_of) for code, value, as_of in connection.execute(statement, asked)}


def _region(subject: Subject) -> str | None:
    """The code of the subject's region, None for what is no such code."""
    code = subject.known.get("region")
    if not isinstance(code, str):
        return None
    try:
        level_of(code)
    except ValueError:
        return None
    return code


def _outcome(subject: Subject, fields: frozenset[str], said: Mapping[str, Mapping[str, _Dated]]) -> Outcome:
    if subject.person_id is None:
        return NotFound()
    code = _region(subject)
    values: dict[str, Value] = dict.fromkeys(fields)
    as_of: dict[str, date] = {}
    for name in fields:
        if code is not None and (found := said[name].get(code)):
            values[name], as_of[name] = found
    return Record(subject.person_id, values, as_of=as_of)
