"""The desk at which staff serve a person's rights: who looked, and what do you hold of me.

Every look leaves an act first, in which the person is findable; then it is done. Whether the staff member
may stand here (role auditor) is for the door, an API route or a command, to check.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from connectors.base import Ambiguous, Connector, Record, Subject, Value
from gateway.audit.entry import SubjectHasher
from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.errors import BadInput, Conflict
from gateway.rights import acts
from gateway.rights.history import Access, Histories, History
from gateway.sources.tables import last_verdicts
from gateway.staff.roles import Staff
from policies.dictionary import Field, Text

_NIK_DIGITS = 16
_READ_WITHIN_S = 30


@dataclass(frozen=True, slots=True)
class Whom:
    """The person meant, by exactly one of NIK and registry id. MUST NOT be logged."""

    nik: str | None = None
    person_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """One value that the gateway holds of the person: from which source, as of which day, seen when."""

    field: str
    value: Value
    source: str
    as_of: date | None


@dataclass(frozen=True, slots=True)
class Copy:
    """Everything for the person's own eyes. `reference` is the act under which the copy was made."""

    reference: UUID
    made_at: datetime
    held: tuple[Held, ...]
    accesses: tuple[Access, ...]


class RightsDesk:
    """Serves one process. The registry belongs to its event loop, so everything here is awaited."""

    def __init__(
        self,
        *,
        database: Database,
        registry: Connector,
        histories: Histories,
        hasher: SubjectHasher,
        dictionary: Callable[[], Mapping[str, Field]],
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._registry = registry
        self._histories = histories
        self._hasher = hasher
        self._dictionary = dictionary
        self._clock = clock

    async def history(
        self, staff: Staff, whom: Whom, reason: str, *, before: UUID | None = None
    ) -> tuple[list[UUID], History]:
        """Who looked at the person; and the ids of all whom the registry knows under this identifier.

        Of a NIK that several people share only the questions about the number itself are told: ask again by
        one of the ids. Raises BadInput, NotFound, Retryable.
        """
        people = await self._found(whom, frozenset())
        hashes = self._hashes(whom, people)
        await asyncio.to_thread(self._record, staff, "rights.history_read", reason, hashes)
        page = await asyncio.to_thread(self._histories.read, hashes, before=before)
        return [person.person_id for person in people], page

    async def copy(self, staff: Staff, whom: Whom, reason: str) -> Copy:
        """What the registry holds of the person, and who received what. Raises BadInput, Conflict."""
        people = await self._found(whom, self._registry.provides)
        if len(people) > 1:
            raise Conflict(
                Text(
                    "Registri mempunyai lebih dari satu orang dengan NIK ini: tanyakan dengan id orangnya, "
                    "setelah jelas siapa yang meminta.",
                    "The registry has more than one person under this NIK: ask by person id, which "
                    "`gapura rights history` tells, once it is clear who is asking.",
                ),
                code="duplicate_identity",
            )
        hashes = self._hashes(whom, people)
        reference = await asyncio.to_thread(self._record, staff, "rights.exported", reason, hashes)
        accesses = await asyncio.to_thread(self._histories.all, hashes)
        held = [one for person in people for one in self._held(person)]
        return Copy(reference, self._clock(), tuple(held), tuple(accesses))

    async def _found(self, whom: Whom, fields: frozenset[str]) -> tuple[Record, ...]:
        if (whom.nik is None) == (whom.person_id is None):
            raise BadInput(
                Text(
                    "Isilah tepat satu: NIK atau id orang.",
                    "Expected exactly one of nik and person_id.",
                )
            )
        nik = whom.nik
        if nik is not None and not (len(nik) == _NIK_DIGITS and nik.isascii() and nik.isdigit()):
            raise BadInput(Text("NIK: diharapkan 16 angka.", "nik: expected 16 digits, as text."))
        subject = Subject(nik=nik, person_id=whom.person_id)
        deadline = asyncio.get_running_loop().time() + _READ_WITHIN_S
        (outcome,) = await self._registry.fetch([subject], fields, civil_day(self._clock()), deadline)
        match outcome:
            case Record():
                return (outcome,)
            case Ambiguous():
                return outcome.candidates
            case _:
                return ()

    def _hashes(self, whom: Whom, people: tuple[Record, ...]) -> list[str]:
        hashes = [self._hasher.person(people[0].person_id)] if len(people) == 1 else []
        if whom.person_id is not None and not people:
            hashes = [self._hasher.person(whom.person_id)]  # struck off the registry, and still in the log
        if whom.nik is not None:
            hashes.append(self._hasher.identifier(whom.nik))
        return hashes

    def _record(self, staff: Staff, act: str, reason: str, hashes: list[str]) -> UUID:
        with self._database.unit_of_work() as connection:
            return acts.record(connection, staff, act, "person", reason, self._clock(), subjects=hashes[:1])

    def _held(self, person: Record) -> list[Held]:
        sources = self._dictionary()
        held = [
            Held(
                name,
                value,
                sources[name].source if name in sources else self._registry.name,
                person.as_of.get(name, person.default_as_of),
            )
            for name, value in person.values.items()
        ]
        with self._database.reading() as connection:
            verdicts = connection.execute(
                select(last_verdicts).where(last_verdicts.c.person_id == person.person_id)
            )
            held += [Held(row.field, row.value, row.source, row.as_of) for row in verdicts]
        order: dict[str, Any] = {name: at for at, name in enumerate(sources)}
        return sorted(held, key=lambda one: order.get(one.field, len(order)))
