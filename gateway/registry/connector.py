"""The registry as a source: `RegistryConnector` answers `connectors.base.Connector` from the database.

Concurrent calls of one event loop share their statements: whoever waits while a batch is read is in the
next one. It MUST NOT know who is asking, MUST NOT return a field it was not asked for, and does not turn
an outage of the database into an answer: without its registry the gateway has nothing to say.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Date,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    false,
    func,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import ARRAY

from connectors.base import Ambiguous, NotFound, Outcome, Record, Subject, Value
from gateway.batching import NaturalBatch
from gateway.database import Database
from gateway.errors import StoreUnavailable
from gateway.lanes import Last, Procedure, Rows, Step, open_lane
from gateway.registry.periods import period_of
from gateway.registry.tables import STATUS_VOCABULARY, enrolments, household_deciles, households, people

_NIK_DIGITS = 16
# Identifiers of one statement: keeps a crowd of large batches from becoming one huge result.
_IDENTIFIERS_PER_STATEMENT = 10_000
# Field sets come from agreements, so there are few; the bound keeps odd requests from growing memory.
_SHAPES_KEPT = 256
_IDS_PER_READ = 10_000
_QUARTERS_KEPT = 256

_ON_DATE = bindparam("on_date", type_=Date())
_housemates = people.alias("housemates")

_ACTIVE_PROGRAMMES = (
    select(func.aggregate_strings(enrolments.c.programme, ","))
    .where(
        enrolments.c.person_id == people.c.id,
        enrolments.c.starts_on <= _ON_DATE,
        or_(enrolments.c.ends_on.is_(None), enrolments.c.ends_on > _ON_DATE),
    )
    .scalar_subquery()
)
# Who is dead, gone or struck off does not eat from the same pot.
_LIVING_HOUSEMATES = (
    select(func.nullif(func.count(), 0))
    .select_from(_housemates)
    .where(
        _housemates.c.household_id == people.c.household_id,
        _housemates.c.registry_status == "active",
        _housemates.c.life_status != "deceased",
        _housemates.c.residence_status != "moved",
    )
    .scalar_subquery()
)
_PERSON_COLUMNS = (
    *("nik", "full_name", "birth_date", "birth_place", "sex", "mother_name", "occupation"),
    *("family_relation", "address", "hamlet", "rt", "rw", *STATUS_VOCABULARY),
)
_COLUMNS: Mapping[str, ColumnElement[Any]] = {
    **{name: people.c[name] for name in _PERSON_COLUMNS},
    "region": people.c.region_code,
    "family_card_number": households.c.family_card_number,
    "household_size": _LIVING_HOUSEMATES,
    "decile": household_deciles.c.decile,
    "decile_period": household_deciles.c.period_from,
    "enrolments": _ACTIVE_PROGRAMMES,
}
# Fields that carry a date of their own; the rest is as old as the row.
_DATES: Mapping[str, ColumnElement[Any]] = {
    **{name: people.c[f"{name}_as_of"] for name in STATUS_VOCABULARY},
    "decile": household_deciles.c.as_of,
    "decile_period": household_deciles.c.as_of,
}


def _programmes(joined: str | None) -> tuple[str, ...]:
    # Two sources may tell of one membership with different first days, and both stand.
    return tuple(sorted(set(joined.split(",")))) if joined else ()


# The deciles of however many people are of a few quarters.
@lru_cache(maxsize=_QUARTERS_KEPT)
def _quarter(first_day: date | None) -> str | None:
    return None if first_day is None else period_of(first_day)


# What a field makes of its column, where the two differ.
_READINGS: Mapping[str, Callable[[Any], Value]] = {"enrolments": _programmes, "decile_period": _quarter}

# Of every selected row: whose it is, by which number it was found, how old it is, and if it is invented.
_ID, _NIK, _AS_OF, _SYNTHETIC = 0, 1, 2, 3
_HEAD = (people.c.id, people.c.nik, people.c.as_of, people.c.synthetic)

Row = Sequence[Any]
# Subjects, fields, the day, and when (of the event loop's time) it is too late to answer.
_Question = tuple[Sequence[Subject], frozenset[str], date, float]
_Answer = Sequence[Outcome]
# Makes a Record of each row, for the day that is asked about.
_Read = Callable[[Sequence[Row], date], list[Record]]
_NOBODY = NotFound()


def _positions(selected: frozenset[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Where each field, and where each field's own date, stands in a row that selects these fields."""
    fields = {name: at for at, name in enumerate(sorted(selected), len(_HEAD))}
    dated = sorted(selected & _DATES.keys())
    return fields, {name: at for at, name in enumerate(dated, len(_HEAD) + len(fields))}


@lru_cache(maxsize=_SHAPES_KEPT)
def _reader(selected: frozenset[str], wanted: frozenset[str]) -> _Read:
    """What reads a row that selects these fields, for somebody who wants some of them."""
    fields, dates = _positions(selected)
    wanted_fields = [(name, at, _READINGS.get(name)) for name, at in fields.items() if name in wanted]
    wanted_dates = [(name, at, name in STATUS_VOCABULARY) for name, at in dates.items() if name in wanted]

    def read(rows: Sequence[Row], on_date: date) -> list[Record]:
        columns = list(zip(*rows, strict=True))
        values: list[dict[str, Value]] = [{} for _ in rows]
        as_of: list[dict[str, date]] = [{} for _ in rows]
        for name, at, reading in wanted_fields:
            column = map(reading, columns[at]) if reading else columns[at]
            for known, value in zip(values, column, strict=True):
                known[name] = value
        for name, at, is_status in wanted_dates:
            for known, dated, day in zip(values, as_of, columns[at], strict=True):
                if day is not None:
                    dated[name] = day
                    # A status is known from its day on; what held before, the registry no longer knows.
                    if is_status and day > on_date:
                        known[name] = None
        return list(map(Record, columns[_ID], values, columns[_AS_OF], as_of, columns[_SYNTHETIC]))

    return read


def _selection(selected: frozenset[str]) -> Select[Any]:
    """Everything of these fields in one statement, touching only the tables that hold them."""
    fields, dates = _positions(selected)
    statement = select(*_HEAD, *(_COLUMNS[name] for name in fields), *(_DATES[name] for name in dates))
    source: Any = people
    if "family_card_number" in selected:
        source = source.outerjoin(households, households.c.id == people.c.household_id)
    if selected & {"decile", "decile_period"}:
        on_that_day = and_(
            household_deciles.c.household_id == people.c.household_id,
            household_deciles.c.period_from <= _ON_DATE,
            or_(household_deciles.c.period_to.is_(None), household_deciles.c.period_to > _ON_DATE),
        )
        source = source.outerjoin(household_deciles, on_that_day)
    return statement.select_from(source)


def _is_nik(text: str | None) -> bool:
    return text is not None and len(text) == _NIK_DIGITS and text.isascii() and text.isdigit()


def _slices(identifiers: Iterable[Any]) -> Iterable[list[Any]]:
    remaining = iter(identifiers)
    while part := list(islice(remaining, _IDENTIFIERS_PER_STATEMENT)):
        yield part


class _Day:
    """What a batch asks about one day, and what the registry has to say to it."""

    def __init__(self, on_date: date, questions: Sequence[_Question]) -> None:
        self.on_date = on_date
        self._questions = questions
        self.selected = frozenset[str]().union(*(fields for _, fields, *_ in questions))
        everyone = [subject for subjects, *_ in questions for subject in subjects]
        self.ids = {subject.person_id for subject in everyone if subject.person_id is not None}
        self.niks = {s.nik for s in everyone if s.person_id is None and _is_nik(s.nik)}
        self._by_nik: defaultdict[str, list[Row]] = defaultdict(list)
        self._by_id: dict[UUID, tuple[Row]] = {}

    def keep(self, rows: Rows, *, by_id: bool) -> None:
        """Take what one statement found."""
        if by_id:
            self._by_id.update((row[_ID], (row,)) for row in rows)
            return
        for row in rows:
            self._by_nik[row[_NIK]].append(row)

    def answers(self) -> Iterable[_Answer]:
        """One per question, in order."""
        for subjects, fields, *_ in self._questions:
            found = [self._found(subject) for subject in subjects]
            everyone = [row for rows in found for row in rows]
            records = iter(_reader(self.selected, fields)(everyone, self.on_date) if everyone else ())
            yield [
                next(records) if len(rows) == 1 else _nobody_or_several([next(records) for _ in rows])
                for rows in found
            ]

    def _found(self, subject: Subject) -> Sequence[Row]:
        if subject.person_id is not None:
            return self._by_id.get(subject.person_id, ())
        return self._by_nik.get(subject.nik, ()) if subject.nik is not None else ()


def _nobody_or_several(records: Sequence[Record]) -> Outcome:
    return Ambiguous(tuple(sorted(records, key=attrgetter("person_id")))) if records else _NOBODY


class RegistryConnector:
    """DTKS by NIK or by internal person id.

    `household_size` counts the members whom the registry holds as active, not deceased and not moved.
    `enrolments` are the programmes with an enrolment on `on_date`; an empty tuple says: in none. A status is
    given from its own date on: asked for an earlier day, it is None.
    """

    name = "dtks"
    provides = frozenset(_COLUMNS)
    needs = frozenset[str]()
    outside = False
    many_at_once = True
    fresh_for: timedelta | None = None

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lane = open_lane(database, "dtks", writes=False)
        self._batch: NaturalBatch[_Question, _Answer] = NaturalBatch(self._answer_together)
        self._sqlite = database.is_sqlite
        self._by_nik = database.one_of(people.c.nik, "identifiers")
        self._by_id: ColumnElement[bool]
        if database.is_sqlite:
            self._by_id = database.one_of(type_coerce(people.c.id, Text), "identifiers")
        else:
            self._by_id = people.c.id == any_(bindparam("identifiers", type_=ARRAY(Uuid())))
        # Statements are compared by their structure on every execution; keeping them saves building them.
        self._statements = lru_cache(maxsize=_SHAPES_KEPT)(self._build)

    async def fetch(
        self, subjects: Sequence[Subject], fields: frozenset[str], on_date: date, deadline: float
    ) -> Sequence[Outcome]:
        """One outcome per subject, in order. Raises StoreUnavailable, also when `deadline` passes."""
        return await self._batch((subjects, fields & self.provides, on_date, deadline))

    async def ping(self) -> None:
        """Return when the registry can be read; raise StoreUnavailable when it cannot."""
        await asyncio.to_thread(self._touch)

    def person_ids(self) -> Iterator[UUID]:
        """The id of everybody, once; reads the whole registry. Raises StoreUnavailable."""
        with self._database.reading() as connection:
            yield from connection.execute(select(people.c.id)).yield_per(_IDS_PER_READ).scalars()

    def close(self) -> None:
        """Give the connection back; the connector must not be used afterwards."""
        self._lane.close()

    def _touch(self) -> None:
        with self._database.reading() as connection:
            connection.execute(select(people.c.id).where(false()))

    async def _answer_together(self, questions: Sequence[_Question]) -> Sequence[_Answer | Exception]:
        """Answer a batch in time for the last of it: their deadlines are as close as their arrivals."""
        try:
            async with asyncio.timeout_at(max(deadline for *_, deadline in questions)):
                return await self._lane(self._answer_all(questions))
        except TimeoutError as error:
            raise StoreUnavailable("The registry did not answer within the time allowed.") from error

    def _answer_all(self, questions: Sequence[_Question]) -> Procedure[Sequence[_Answer | Exception]]:
        """Answer a batch: one set of statements for each day that it asks about, all of them sent at once."""
        of_day: defaultdict[date, list[int]] = defaultdict(list)
        for at, (_, _, on_date, _) in enumerate(questions):
            of_day[on_date].append(at)
        days = [_Day(day, [questions[at] for at in places]) for day, places in of_day.items()]
        sent = [(day, by_id, step) for day in days for by_id, step in self._steps(day)]
        found = (yield Last(step for _, _, step in sent)) if sent else ()
        for (day, by_id, _), rows in zip(sent, found, strict=True):
            day.keep(rows, by_id=by_id)
        answers: list[_Answer | Exception] = [()] * len(questions)
        for day, places in zip(days, of_day.values(), strict=True):
            for at, answer in zip(places, day.answers(), strict=True):
                answers[at] = answer
        return answers

    def _steps(self, day: _Day) -> Iterable[tuple[bool, Step]]:
        """The statements that ask for everybody of this day, and whether each asks by id."""
        for by_id, identifiers in ((False, day.niks), (True, day.ids)):
            statement = self._statements(day.selected, by_id)
            for part in _slices(identifiers):
                sent = [identifier.hex for identifier in part] if by_id and self._sqlite else part
                yield by_id, (statement, {"identifiers": sent, "on_date": day.on_date})

    def _build(self, selected: frozenset[str], by_id: bool) -> Select[Any]:
        return _selection(selected).where(self._by_id if by_id else self._by_nik)
