"""What a source last said: verdict words with their day, so that an outage can say since when nobody knows.

`Remembering` stands around a connector and looks like it. It keeps words of a closed list and nothing else of
an answer; what is not on the list is not kept. Writing happens after the answer and never delays or fails it.
A remembered word is about the particulars that the registry held on that day: it travels with the outage, and
the agreement says whether it may stand in for an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, Uuid, any_, bindparam, delete, or_, select, type_coerce
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY

from connectors.base import Connector, LastKnown, NotFound, Outcome, Record, Subject, Unavailable, Value
from gateway.batching import NaturalBatch, OneThread
from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.sources.tables import last_verdicts

# Of the time that is left, what is kept for looking up the last verdicts, should the source fall silent.
_KEPT_SHARE, _KEPT_AT_MOST_S = 0.1, 0.25
# Verdicts that may wait to be written: a database that has stopped must not fill the memory.
_MOST_WAITING = 100_000
# Verdicts of one transaction: SQLite's only writer is needed for evidence, too.
_WRITTEN_AT_ONCE = 1_000

_Row = Mapping[str, Any]
_People = Sequence[UUID]


_Memory = Mapping[tuple[UUID, str], LastKnown]


class Remembering:
    """`connector`, and what it last said. Belongs to one event loop.

    `words` are the values that may be kept, by field; other fields and other values are never stored.
    `on_lost` hears how many verdicts could not be kept, and why (a type's name).
    """

    def __init__(
        self,
        connector: Connector,
        database: Database,
        clock: Callable[[], datetime],
        *,
        words: Mapping[str, frozenset[str]],
        on_lost: Callable[[int, str], None] = lambda count, why: None,  # noqa: ARG005 - heard by nobody
    ) -> None:
        self._connector = connector
        self._database = database
        self._clock = clock
        self._words = words
        self._on_lost = on_lost
        self._writer, self._reader = OneThread("verdicts"), OneThread("last-verdicts")
        database.before_closing(self._writer.close)
        database.before_closing(self._reader.close)
        self._writing: NaturalBatch[Sequence[_Row], None] = NaturalBatch(
            lambda rows: self._writer(self._write, rows)
        )
        self._reading: NaturalBatch[_People, _Memory] = NaturalBatch(
            lambda people: self._reader(self._read, people)
        )
        self._notes: set[asyncio.Task[None]] = set()
        self._waiting = 0
        self._upsert = _upsert(database)
        self._of_people = _of_people(database)
        self.name = connector.name
        self.provides = connector.provides
        self.needs = connector.needs
        self.outside = connector.outside
        self.many_at_once = connector.many_at_once
        self.fresh_for = connector.fresh_for

    async def fetch(
        self, subjects: Sequence[Subject], fields: frozenset[str], on_date: date, deadline: float
    ) -> Sequence[Outcome]:
        """What the connector says; where it is unavailable, with its last answer for each field."""
        left_s = deadline - asyncio.get_running_loop().time()
        sooner = deadline - max(0.0, min(left_s * _KEPT_SHARE, _KEPT_AT_MOST_S))
        outcomes = await self._connector.fetch(subjects, fields, on_date, sooner)
        self._note(subjects, outcomes, fields & self._words.keys())
        missing = [
            subject.person_id
            for subject, outcome in zip(subjects, outcomes, strict=True)
            if isinstance(outcome, Unavailable) and subject.person_id is not None
        ]
        if not missing or not fields & self._words.keys():
            return outcomes
        memory = await self._recall(missing, deadline)
        return [
            replace(outcome, last_known=_known(memory, subject.person_id, fields))
            if isinstance(outcome, Unavailable)
            else outcome
            for subject, outcome in zip(subjects, outcomes, strict=True)
        ]

    async def ping(self) -> None:
        """As the connector's."""
        await self._connector.ping()

    async def aclose(self) -> None:
        """Keep what is still to be kept, then stop."""
        if self._notes:
            await asyncio.wait(self._notes)
        self.close()

    def close(self) -> None:
        """Stop; what has not begun to be written is lost."""
        self._writer.close()
        self._reader.close()

    def _note(self, subjects: Sequence[Subject], outcomes: Sequence[Outcome], fields: frozenset[str]) -> None:
        """Have what was said written down, without waiting for it."""
        rows = list(self._rows(subjects, outcomes, fields))
        if not rows:
            return
        if self._waiting + len(rows) > _MOST_WAITING:
            self._on_lost(len(rows), "TooManyWaiting")
            return
        self._waiting += len(rows)
        task = asyncio.get_running_loop().create_task(self._keep(rows))
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    def _rows(
        self, subjects: Sequence[Subject], outcomes: Sequence[Outcome], fields: frozenset[str]
    ) -> Iterator[_Row]:
        now = self._clock()
        for subject, outcome in zip(subjects, outcomes, strict=True):
            if isinstance(outcome, Record):
                for field in fields & outcome.values.keys():
                    day = outcome.as_of.get(field, outcome.default_as_of)
                    if day is not None:
                        yield self._row(outcome.person_id, field, outcome.values[field], day, now)
            elif isinstance(outcome, NotFound) and subject.person_id is not None and subject.nik is not None:
                for field in fields:
                    yield self._row(subject.person_id, field, None, civil_day(now), now)

    def _row(self, person_id: UUID, field: str, value: Value, day: date, now: datetime) -> _Row:
        # A value that is not on the list is not kept, and neither is an older one beside it.
        word = value if isinstance(value, str) and value in self._words[field] else None
        return {
            "person_id": person_id,
            "field": field,
            "value": word,
            "source": self.name,
            "as_of": day,
            "seen_at": now,
        }

    async def _keep(self, rows: Sequence[_Row]) -> None:
        try:
            await self._writing(rows)
        except Exception as error:  # noqa: BLE001 - the answer has left; what is lost is told
            self._on_lost(len(rows), type(error).__name__)
        finally:
            self._waiting -= len(rows)

    def _write(self, notes: Sequence[Sequence[_Row]]) -> Sequence[None]:
        newest = {(row["person_id"], row["field"]): row for rows in notes for row in rows}
        # In one order everywhere: two processes that write the same people must not wait crosswise.
        ordered = [newest[key] for key in sorted(newest)]
        for start in range(0, len(ordered), _WRITTEN_AT_ONCE):
            with self._database.unit_of_work(durable=False) as connection:
                connection.execute(self._upsert, ordered[start : start + _WRITTEN_AT_ONCE])
        return [None] * len(notes)

    async def _recall(self, people: _People, deadline: float) -> _Memory:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._reading(people)
        except Exception:  # noqa: BLE001 - without a memory the answer is the same, less a date
            return {}

    def _read(self, questions: Sequence[_People]) -> Sequence[_Memory]:
        people = {person_id for asked in questions for person_id in asked}
        sent = [one.hex for one in people] if self._database.is_sqlite else list(people)
        with self._database.reading() as connection:
            rows = connection.execute(self._of_people, {"people": sent, "source": self.name})
            memory = {(row.person_id, row.field): LastKnown(row.value, row.as_of) for row in rows}
        return [memory] * len(questions)


def _known(memory: _Memory, person_id: UUID | None, fields: frozenset[str]) -> dict[str, LastKnown]:
    if person_id is None:
        return {}
    return {field: memory[person_id, field] for field in sorted(fields) if (person_id, field) in memory}


def _upsert(database: Database) -> Any:
    """Insert, or replace what was seen earlier and said otherwise or on another day."""
    statement: Any = (sqlite if database.is_sqlite else postgresql).insert(last_verdicts)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=["person_id", "field"],
        set_={name: new[name] for name in ("value", "source", "as_of", "seen_at")},
        where=(new.seen_at >= last_verdicts.c.seen_at)
        & or_(
            new.value.is_distinct_from(last_verdicts.c.value),
            new.as_of != last_verdicts.c.as_of,
            new.source != last_verdicts.c.source,
        ),
    )


def forget_verdicts(database: Database, seen_before: datetime) -> int:
    """Delete what has not been confirmed since a moment; gives the number. Blocks; once a day is enough.

    A verdict of a person whom nobody asks about any more serves no purpose. Raises StoreUnavailable.
    """
    with database.unit_of_work(durable=False) as connection:
        return connection.execute(delete(last_verdicts).where(last_verdicts.c.seen_at < seen_before)).rowcount


@dataclass(frozen=True, slots=True)
class Remembered:
    """Of one field of a source, the days of the oldest and of the newest verdict that is remembered."""

    field: str
    oldest: date
    newest: date


def remembered(database: Database, source: str, fields: Iterable[str]) -> list[Remembered]:
    """How old a source's remembered verdicts are, by field; of a field without any, nothing.

    Two look-ups in an index for each field, however many verdicts there are. Raises StoreUnavailable.
    """
    found = []
    with database.reading() as connection:
        for field in sorted(fields):
            of_field = (last_verdicts.c.source == source) & (last_verdicts.c.field == field)
            days = select(last_verdicts.c.as_of).where(of_field).limit(1)
            oldest = connection.execute(days.order_by(last_verdicts.c.as_of)).scalar()
            newest = connection.execute(days.order_by(last_verdicts.c.as_of.desc())).scalar()
            if oldest is not None and newest is not None:
                found.append(Remembered(field, oldest, newest))
    return found


def _of_people(database: Database) -> Any:
    wanted: ColumnElement[bool]
    if database.is_sqlite:
        wanted = database.one_of(type_coerce(last_verdicts.c.person_id, Text), "people")
    else:
        wanted = last_verdicts.c.person_id == any_(bindparam("people", type_=ARRAY(Uuid())))
    return select(
        last_verdicts.c.person_id, last_verdicts.c.field, last_verdicts.c.value, last_verdicts.c.as_of
    ).where(wanted, last_verdicts.c.source == bindparam("source"))
