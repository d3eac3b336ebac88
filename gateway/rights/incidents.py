"""Incidents: which people and which fields did one consumer receive in a span of time, and how long is left.

UU 27/2022 art. 46 gives three times 24 hours from the moment at which the failure became known. What is
counted is what the log says was told. Whoever serves an incident sees the counts; for the list of people it
takes a second act. It MUST NOT keep a list of people: the log can say it again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

import orjson
from sqlalchemy import insert, select, update

from gateway.audit.entry import SubjectHasher
from gateway.database import Database
from gateway.errors import BadInput, Conflict, NotFound
from gateway.registry.tables import people
from gateway.rights import acts
from gateway.rights.history import TOLD_NOTHING
from gateway.rights.reading import LoggedEntry, read_entries
from gateway.rights.tables import incidents
from gateway.staff.roles import Staff

TIME_TO_TELL = timedelta(hours=3 * 24)
Told = Literal["people", "authority"]
_IDS_PER_READ = 10_000


@dataclass(frozen=True, slots=True)
class Incident:
    """What is suspected: everything that the consumer was told from `first` on and before `last` (UTC)."""

    id: UUID
    consumer_id: str
    first: datetime
    last: datetime
    known_at: datetime
    opened_at: datetime
    opened_by: str
    reason: str
    people_told_at: datetime | None
    authority_told_at: datetime | None

    @property
    def tell_by(self) -> datetime:
        """Until when the people and the authority have to be told (UTC)."""
        return self.known_at + TIME_TO_TELL


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the log says that the consumer was told: `fields` is how many people each field was told of.

    People of whom nothing was told (out of scope, not found) are not among them. `decisions` are how many
    people were judged for each programme. `erased` exchanges can no longer be counted.
    """

    exchanges: int
    people: frozenset[str]
    fields: Mapping[str, int]
    decisions: Mapping[str, int]
    erased: int

    @property
    def people_count(self) -> int:
        """How many people were told of."""
        return len(self.people)


class Incidents:
    """Opens incidents, tells what they come to, and keeps their clock. Blocks."""

    def __init__(self, database: Database, hasher: SubjectHasher, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._hasher = hasher
        self._clock = clock

    def open(
        self,
        staff: Staff,
        *,
        consumer_id: str,
        first: datetime,
        last: datetime,
        known_at: datetime,
        reason: str,
    ) -> Incident:
        """Begin an incident; its clock runs from `known_at`. Raises BadInput for spans that cannot be."""
        now = self._clock()
        if not first < last <= now:
            raise BadInput("Expected from before to, and to not later than now.")
        if not first <= known_at <= now:
            raise BadInput("known_at: expected a moment from the incident's beginning until now.")
        incident = Incident(
            uuid4(), consumer_id, first, last, known_at, now, staff.actor, reason.strip(), None, None
        )
        with self._database.unit_of_work() as connection:
            acts.record(
                connection,
                staff,
                "incident.opened",
                f"incident/{incident.id}",
                reason,
                now,
                consumer_id=consumer_id,
                first=first.isoformat(),
                last=last.isoformat(),
                known_at=known_at.isoformat(),
            )
            row = {name: getattr(incident, name) for name in incidents.c.keys()}  # noqa: SIM118 - columns
            connection.execute(insert(incidents).values(row))
        return incident

    def get(self, incident_id: UUID) -> Incident:
        """The incident of this id. Raises NotFound."""
        with self._database.reading() as connection:
            row = connection.execute(select(incidents).where(incidents.c.id == incident_id)).first()
        if row is None:
            raise NotFound("There is no incident of this id: see `gapura rights incidents`.")
        return Incident(*row)

    def list(self) -> list[Incident]:
        """Every incident, the newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(incidents).order_by(incidents.c.known_at.desc()))
            return [Incident(*row) for row in rows]

    def exposure(self, incident: Incident) -> Exposure:
        """What the consumer was told. Reads every exchange of the span."""
        tally = _Tally()
        with self._database.reading() as connection:
            for entry in read_entries(connection, incident.first, incident.last, incident.consumer_id):
                tally.add(entry)
        return tally.exposure()

    def resolve(self, staff: Staff, incident: Incident, reason: str) -> tuple[int, Iterator[UUID]]:
        """How many people were told of, and the ids of those who are in the built-in registry.

        An act of its own, recorded before the first id is given.
        """
        exposed = self.exposure(incident).people
        with self._database.unit_of_work() as connection:
            acts.record(
                connection,
                staff,
                "incident.people_resolved",
                f"incident/{incident.id}",
                reason,
                self._clock(),
                count=len(exposed),
            )
        return len(exposed), self._resolved(exposed)

    def _resolved(self, exposed: frozenset[str]) -> Iterator[UUID]:
        # A hash cannot be turned back: everybody registered is hashed, and whoever is among them is told.
        with self._database.reading() as connection:
            for person_id in connection.execute(select(people.c.id)).yield_per(_IDS_PER_READ).scalars():
                if self._hasher.person(person_id) in exposed:
                    yield person_id

    def told(self, staff: Staff, incident: Incident, whom: Told, reason: str) -> Incident:
        """Stop the clock for the people or the authority. Raises Conflict when it was stopped before."""
        now, column = self._clock(), incidents.c[f"{whom}_told_at"]
        with self._database.unit_of_work() as connection:
            done = connection.execute(
                update(incidents).where(incidents.c.id == incident.id, column.is_(None)).values({column: now})
            )
            if done.rowcount != 1:
                raise Conflict("They were told before: the first time counts.")
            acts.record(connection, staff, f"incident.{whom}_told", f"incident/{incident.id}", reason, now)
        return self.get(incident.id)


class _Tally:
    """Counts what entries told, people of the same answer together."""

    def __init__(self) -> None:
        self.exchanges = self.erased = 0
        self.by_answer: defaultdict[tuple[tuple[str, ...], str | None], set[str]] = defaultdict(set)

    def add(self, entry: LoggedEntry) -> None:
        self.exchanges += 1
        if entry.said is None or entry.subjects is None:
            # A refusal speaks of nobody; what has no text, or answered without subjects, was erased.
            self.erased += entry.said is None or entry.said.get("outcome") == "answered"
            return
        if entry.said.get("outcome") != "answered":
            return
        told = {digest for digest, outcome in orjson.loads(entry.subjects) if outcome not in TOLD_NOTHING}
        self.by_answer[tuple(entry.said.get("fields", ())), entry.said.get("programme")] |= told

    def exposure(self) -> Exposure:
        fields: defaultdict[str, set[str]] = defaultdict(set)
        decisions: defaultdict[str, set[str]] = defaultdict(set)
        for (names, programme), told in self.by_answer.items():
            for name in names:
                fields[name] |= told
            if programme is not None:
                decisions[programme] |= told
        return Exposure(
            exchanges=self.exchanges,
            people=frozenset().union(*self.by_answer.values()),
            fields={name: len(told) for name, told in fields.items() if told},
            decisions={name: len(told) for name, told in decisions.items() if told},
            erased=self.erased,
        )
