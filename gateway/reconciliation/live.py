"""A run that asks Dukcapil itself: person by person through its connector, for as many nights as it takes.

Who changed since the last check comes first, then whose check is the oldest. About whom Dukcapil is going to
be asked is in the audit log before. What it says is kept as verdicts and states; its elements never leave the
connector. A batch is asked about and then stored in one transaction: of one that was cut short between the
two the calls are spent, and nothing is stored that was not said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, and_, case, exists, func, or_, select, update

from connectors.base import Connector, NotFound, Outcome, Record, Subject, Unavailable
from connectors.dukcapil.elements import STATE_FIELD, is_identifier
from gateway.audit.entry import SubjectHasher
from gateway.civil_day import civil_day, day_ends
from gateway.database import Database
from gateway.errors import SettingsInvalid
from gateway.reconciliation.checked import CheckedPerson, checked_rows
from gateway.reconciliation.jobs import Jobs
from gateway.reconciliation.night import Night
from gateway.reconciliation.registry_rows import NOWHERE
from gateway.reconciliation.results import LETTERS, thing_of
from gateway.reconciliation.runs import Run, object_of
from gateway.reconciliation.statuses import ELEMENTS, Status, Verdict
from gateway.reconciliation.storing import ChunkStore
from gateway.reconciliation.tables import (
    reconciliation_chunks,
    reconciliation_runs,
    reconciliation_statuses,
)
from gateway.registry.tables import households, living_within, people
from gateway.rights.acts import record
from gateway.sources.folder import Sources
from gateway.staff.roles import Staff

WORKER = Staff("reconciliation", "Reconciliation", frozenset(), "console")
ASKED = "reconciliation.asked"
_REASON = "rekonsiliasi DTKS dengan data kependudukan, Permensos 3/2021"
BATCH_PEOPLE = 200
# Three attempts of the 30 s that Dukcapil's users are told to wait, for each of a crew's turns.
_BATCH_TIMEOUT_S = 600.0
_SOURCE = "dukcapil"
# How long to leave alone a source that answered nobody.
_REST = timedelta(minutes=5)
_END, _MORE = -1, 0

_runs, _chunks, _known = reconciliation_runs, reconciliation_chunks, reconciliation_statuses
_others = people.alias("others")
# Dukcapil's verdict on each element, by the field that its connector provides.
_FIELDS: Mapping[str, str | None] = {
    "name": "dukcapil_full_name",
    "birth_date": "dukcapil_birth_date",
    "birth_place": "dukcapil_birth_place",
    "sex": "dukcapil_sex",
    "region": None,  # is part of an address there, and wrong as soon as somebody moves within the village
    "mother_name": "dukcapil_mother_name",
    "family_card": "dukcapil_family_card_number",
}
_WORDS = {"match": Verdict.SAME, "no_match": Verdict.DIFFERENT}
_STATES = {
    "deceased": Status.DECEASED,
    "duplicate": Status.DUPLICATE,
    "inactive": Status.INACTIVE,
    "not_found": Status.UNKNOWN_NIK,
    "malformed_nik": Status.MALFORMED_NIK,
}
_PARTICULARS = ("full_name", "birth_date", "birth_place", "sex", "mother_name", "address")


@dataclass(slots=True)
class _Going:
    """One run while it goes on in this process. `unanswered` are people whom Dukcapil left without a word."""

    run: Run
    connector: Connector
    sources: Sources
    unanswered: set[UUID] = field(default_factory=set)


class Live:
    """Goes through live runs. `open_sources` is called within the loop that asks; `night` are its hours."""

    def __init__(
        self,
        open_sources: Callable[[], Sources],
        database: Database,
        hasher: SubjectHasher,
        clock: Callable[[], datetime],
        *,
        night: Night,
        batch_people: int = BATCH_PEOPLE,
    ) -> None:
        self._open_sources = open_sources
        self._database = database
        self._hasher = hasher
        self._clock = clock
        self._night = night
        self._batch_people = batch_people
        self._store = ChunkStore()

    def __call__(self, run: Run, jobs: Jobs) -> None:
        """Ask about everybody of the run's region once. Raises SettingsInvalid without a Dukcapil."""
        with asyncio.Runner() as loop:
            sources = self._open_sources()
            try:
                self._go(_Going(run, _dukcapil(sources), sources), jobs, loop)
            finally:
                loop.run(sources.aclose())

    def _go(self, going: _Going, jobs: Jobs, loop: asyncio.Runner) -> None:
        number = 0
        while True:
            checked: list[CheckedPerson] = []
            left, wait_until = True, None
            if not self._is_stored(going.run.id, number):
                checked, left, wait_until = self._asked(going, loop)
            what_next = _END if not left else int(wait_until.timestamp()) if wait_until else _MORE

            store = partial(self._stored, going.run.id, number, checked, what_next)
            said = jobs.transaction("live", store)
            if said == _END:
                return
            if said != _MORE:
                self._note_waiting(going.run.id, said)
                jobs.wait(going.run.id, partial(self._is_past, said))
                jobs.transaction("awake", partial(_awake, going.run.id))
            number += 1

    def _is_past(self, second: int) -> bool:
        return self._clock().timestamp() >= second

    def _note_waiting(self, run_id: UUID, second: int) -> None:
        """Say until when it waits. Not a step: a job that is taken up again says it again."""
        if self._is_past(second):
            return
        until = datetime.fromtimestamp(second, UTC)
        running = and_(_runs.c.id == run_id, _runs.c.state == "running")
        with self._database.unit_of_work() as connection:
            connection.execute(update(_runs).where(running).values(state="waiting", waits_until=until))

    def _asked(
        self, going: _Going, loop: asyncio.Runner
    ) -> tuple[list[CheckedPerson], bool, datetime | None]:
        """What was said of the next people, whether anybody is left, and until when to leave it."""
        now = self._clock()
        if (begins := self._night.begins_after(now)) > now:
            return [], True, begins
        rows = self._next_people(going)
        if not rows:
            return [], False, None
        self._record_intent(going.run.id, rows, now)
        outcomes = loop.run(self._ask(going, rows, civil_day(now)))
        checked = [
            one
            for row, outcome in zip(rows, outcomes, strict=True)
            if (one := checked_person(row, outcome)) is not None
        ]
        if len(checked) == len(rows):
            return checked, True, None
        quota = loop.run(going.sources.quota_left(_SOURCE))
        if quota == 0:
            return checked, True, self._night.begins_after(day_ends(now))
        if not checked:
            return checked, True, now + _REST
        answered = {one.person_id for one in checked}
        going.unanswered |= {row.id for row in rows} - answered
        return checked, True, None

    async def _ask(
        self, going: _Going, rows: Sequence[Row[*tuple[Any, ...]]], today: date
    ) -> Sequence[Outcome]:
        deadline = asyncio.get_running_loop().time() + _BATCH_TIMEOUT_S
        fields = frozenset({*(name for name in _FIELDS.values() if name), STATE_FIELD})
        return await going.connector.fetch([_subject(row) for row in rows], fields, today, deadline)

    def _next_people(self, going: _Going) -> list[Row[*tuple[Any, ...]]]:
        """The people to ask about next: who changed since the last check, then the oldest check."""
        shares = exists().where(_others.c.nik == people.c.nik, _others.c.id != people.c.id)
        changed = or_(_known.c.as_of.is_(None), people.c.as_of > _known.c.as_of)
        statement = (
            select(
                *(people.c[name] for name in ("id", "nik", "region_code", *_PARTICULARS)),
                households.c.family_card_number,
                shares.label("shares_nik"),
            )
            .select_from(
                people.outerjoin(households, households.c.id == people.c.household_id).outerjoin(
                    _known, _known.c.person_id == people.c.id
                )
            )
            .where(or_(_known.c.run_id.is_(None), _known.c.run_id != going.run.id))
            .order_by(case((changed, 0), else_=1), _known.c.checked_at.asc().nulls_first(), people.c.id)
            .limit(self._batch_people + len(going.unanswered))
        )
        if going.run.order.region is not None:
            statement = statement.where(living_within(going.run.order.region))
        with self._database.reading() as connection:
            rows = connection.execute(statement).all()
        return [row for row in rows if row.id not in going.unanswered][: self._batch_people]

    def _record_intent(self, run_id: UUID, rows: Sequence[Row[*tuple[Any, ...]]], now: datetime) -> None:
        subjects = [self._hasher.person(row.id) for row in rows]
        with self._database.unit_of_work() as connection:
            record(
                connection,
                *(WORKER, ASKED, object_of(run_id), _REASON, now),
                subjects=subjects,
                subject_count=len(rows),
            )

    def _is_stored(self, run_id: UUID, number: int) -> bool:
        with self._database.reading() as connection:
            chosen = select(_chunks.c.number).where(_chunks.c.run_id == run_id, _chunks.c.number == number)
            return connection.execute(chosen).first() is not None

    def _stored(
        self,
        run_id: UUID,
        number: int,
        checked: Sequence[CheckedPerson],
        what_next: int,
        connection: Connection,
    ) -> int:
        """Store a batch, and what is to be done after it."""
        now = self._clock()
        today = civil_day(now)
        things = [thing for one in checked if (thing := thing_of(one)) is not None]
        stored = self._store(connection, run_id, today, now, checked_rows(checked), things)
        connection.execute(
            _chunks.insert().values(
                run_id=run_id,
                number=number,
                people=len(checked),
                finished_at=now,
                counts=stored.counts,
                changed=stored.changed,
                opened=stored.opened,
                closed=stored.closed,
            )
        )
        values: dict[str, Any] = {"as_of": today}
        if number == 0:
            values["people"] = _how_many(connection, run_id)
        connection.execute(update(_runs).where(_runs.c.id == run_id).values(values))
        return what_next


def checked_person(row: Row[*tuple[Any, ...]], outcome: Outcome) -> CheckedPerson | None:
    """What Dukcapil's answer says of a person of the registry; None where it gave none."""
    regency = (row.region_code or NOWHERE)[:5]
    if not is_identifier(row.nik):
        return CheckedPerson(row.id, regency, Status.MALFORMED_NIK)
    match outcome:
        case Unavailable():
            return None
        case Record():
            status, verdicts = _judged(outcome.values, shares_nik=row.shares_nik)
            return CheckedPerson(row.id, regency, status, verdicts)
        case NotFound():
            return CheckedPerson(row.id, regency, Status.UNKNOWN_NIK)
        case _:
            return CheckedPerson(row.id, regency, Status.DUPLICATE)


def _judged(values: Mapping[str, Any], *, shares_nik: bool) -> tuple[Status, str]:
    verdicts = {
        element: _WORDS.get(str(values.get(_FIELDS[element] or "")), Verdict.MISSING) for element in ELEMENTS
    }
    letters = "".join(LETTERS[verdict] for verdict in verdicts.values())
    differs = [element for element, verdict in verdicts.items() if verdict is Verdict.DIFFERENT]
    state = _STATES.get(values.get(STATE_FIELD, ""))
    if state in {Status.UNKNOWN_NIK, Status.MALFORMED_NIK}:
        return state, letters
    # A number that leads to somebody else says nothing of this person.
    if {"name", "birth_date"} <= set(differs):
        return Status.UNKNOWN_NIK, letters
    confirmed = verdicts["name"] is verdicts["birth_date"] is Verdict.SAME
    if state is Status.DECEASED and (confirmed or not shares_nik):
        return state, letters
    if shares_nik:
        return Status.DUPLICATE, letters
    return state or (Status.MATCHED_WITH_DIFFERENCES if differs else Status.MATCHED), letters


def _subject(row: Row[*tuple[Any, ...]]) -> Subject:
    known = {name: getattr(row, name) for name in _PARTICULARS}
    known |= {"family_card_number": row.family_card_number, "region": row.region_code}
    return Subject(nik=row.nik, person_id=row.id, known=known)


def _dukcapil(sources: Sources) -> Connector:
    for connector in sources.connectors:
        if connector.name == _SOURCE:
            return connector
    raise SettingsInvalid([f"a live run needs a section [{_SOURCE}] in the file that GAPURA_SOURCES names"])


def _awake(run_id: UUID, connection: Connection) -> int:
    waits = and_(_runs.c.id == run_id, _runs.c.state == "waiting")
    connection.execute(update(_runs).where(waits).values(state="running", waits_until=None))
    return 0


def _how_many(connection: Connection, run_id: UUID) -> int:
    region = connection.execute(select(_runs.c.region).where(_runs.c.id == run_id)).scalar()
    counted = select(func.count()).select_from(people)
    return int(
        connection.execute(counted if region is None else counted.where(living_within(region))).scalar_one()
    )
