"""Incidents: which people and which fields did one consumer receive in a span of time, and how long is left.

UU 27/2022 art. 46 gives three times 24 hours; the clock runs from when the failure became known. What is
counted is what the log says was told. Whoever serves an incident sees the counts; for the list of people it
takes a second act. It MUST NOT keep a list of people: the log can say it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update

from gateway.audit.entry import SubjectHasher
from gateway.database import Database
from gateway.errors import BadInput, Conflict, NotFound
from gateway.rights import acts
from gateway.rights.exposure import Affected, Exposure, exposure, people_told
from gateway.rights.tables import incidents
from gateway.staff.roles import Staff
from policies.dictionary import Text

TIME_TO_TELL = timedelta(hours=3 * 24)
Told = Literal["people", "authority"]


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
    def affected(self) -> Affected:
        """The exchanges that are affected."""
        return Affected(self.consumer_id, self.first, self.last)

    @property
    def tell_by(self) -> datetime:
        """Until when the people and the authority have to be told (UTC)."""
        return self.known_at + TIME_TO_TELL


class Incidents:
    """Opens incidents, tells what they come to, and keeps their clock. Blocks.

    `everybody` gives the ids of all people of the registry, whichever it is.
    """

    def __init__(
        self,
        database: Database,
        everybody: Callable[[], Iterator[UUID]],
        hasher: SubjectHasher,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._everybody = everybody
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
            raise BadInput(
                Text(
                    "Diharapkan awal sebelum akhir, dan akhir tidak melewati saat ini.",
                    "Expected from before to, and to not later than now.",
                )
            )
        if not first <= known_at <= now:
            raise BadInput(
                Text(
                    "Diketahui: diharapkan saat antara awal insiden dan sekarang.",
                    "known_at: expected a moment from the incident's beginning until now.",
                )
            )
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
            raise NotFound(
                Text(
                    "Tidak ada insiden dengan id ini.",
                    "There is no incident of this id: see `gapura rights incidents`.",
                )
            )
        return Incident(*row)

    def list(self) -> list[Incident]:
        """Every incident, the newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(incidents).order_by(incidents.c.known_at.desc()))
            return [Incident(*row) for row in rows]

    def exposure(self, incident: Incident) -> Exposure:
        """What the consumer was told, counted by the database."""
        with self._database.reading() as connection:
            return exposure(connection, incident.affected)

    def resolve(self, staff: Staff, incident: Incident, reason: str) -> tuple[int, Iterator[UUID]]:
        """How many people were told of, and the ids of those who are in the registry.

        An act of its own, recorded before the first id is given.
        """
        with self._database.reading() as connection:
            exposed = frozenset(people_told(connection, incident.affected))
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

    def _resolved(self, exposed: frozenset[bytes]) -> Iterator[UUID]:
        # A hash cannot be turned back: everybody registered is hashed, and whoever is among them is told.
        for person_id in self._everybody():
            if bytes.fromhex(self._hasher.person(person_id)) in exposed:
                yield person_id

    def told(self, staff: Staff, incident: Incident, whom: Told, reason: str) -> Incident:
        """Stop the clock for the people or the authority. Raises Conflict when it was stopped before."""
        now, column = self._clock(), incidents.c[f"{whom}_told_at"]
        with self._database.unit_of_work() as connection:
            done = connection.execute(
                update(incidents).where(incidents.c.id == incident.id, column.is_(None)).values({column: now})
            )
            if done.rowcount != 1:
                raise Conflict(
                    Text(
                        "Mereka sudah diberi tahu sebelumnya: yang pertama yang berlaku.",
                        "They were told before: the first time counts.",
                    )
                )
            acts.record(connection, staff, f"incident.{whom}_told", f"incident/{incident.id}", reason, now)
        return self.get(incident.id)
