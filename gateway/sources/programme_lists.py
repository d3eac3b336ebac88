"""A programme's membership list, pulled into the registry's enrolments.

A page and the cursor behind it are one transaction: whatever stops a pull, the next one goes on where the
rows end, and a page that comes twice changes nothing. Of its own programme the list is the closer source: it
takes the place of what a registry file's flag made of the same membership, and no later flag ends or reopens
what it told (`gateway.registry.merging`). MUST NOT tell a NIK to anybody: what could not be taken
is told by page and position.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Text, Uuid, any_, bindparam, or_, select, type_coerce
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY

from connectors.programmes.publisher import CursorExpired, ProgrammeListSource
from connectors.programmes.rows import DoubleMembership, Membership, Page, double_memberships
from gateway.database import Database
from gateway.errors import Conflict
from gateway.registry.tables import enrolments, people
from gateway.shrinking import refuse_shrinking
from gateway.sources.endings import Endings
from gateway.sources.tables import programme_cursors

_UNTIL_FURTHER_NOTICE = date.max


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A row of the list that is not in the registry now; `position` counts from 1 on page `page`.

    `problem` is a key of `connectors.programmes.rows.REJECTIONS`, or `unknown` (nobody in the registry holds
    the NIK) or `ambiguous` (several people do).
    """

    page: int
    position: int
    column: str
    problem: str


@dataclass(frozen=True, slots=True)
class FoundDouble:
    """One person in two programmes at once, both memberships as evidence."""

    person_id: UUID
    evidence: DoubleMembership


@dataclass(slots=True)
class PullReport:
    """What a pull did. `superseded` are enrolments of other sources that the list's own word replaced.

    `doubles` counts overlaps by pair of programmes. `begun_anew` says that the publisher had forgotten our
    cursor, so that the whole list came again.
    """

    programme: str
    pages: int = 0
    taken: int = 0
    unchanged: int = 0
    superseded: int = 0
    begun_anew: bool = False
    as_of: date | None = None
    not_taken: Counter[str] = field(default_factory=Counter)
    doubles: Counter[frozenset[str]] = field(default_factory=Counter)


class ProgrammePull:
    """Pulls one list. `on_not_taken` and `on_double` hear of each row concerned once its page is kept.

    A pull that would end more than `most_ended_percent` of the list's lasting memberships is held (None:
    never).
    """

    def __init__(
        self,
        database: Database,
        source: ProgrammeListSource,
        *,
        exclusive: Collection[frozenset[str]] | None = None,
        most_ended_percent: int | None = None,
        on_not_taken: Callable[[NotTaken], None] = lambda row: None,  # noqa: ARG005 - heard by nobody
        on_double: Callable[[FoundDouble], None] = lambda double: None,  # noqa: ARG005 - heard by nobody
    ) -> None:
        self._database = database
        self._source = source
        self._exclusive = exclusive
        self._most_ended_percent = most_ended_percent
        self._endings = Endings(database, source.name, source.programme)
        self._on_not_taken = on_not_taken
        self._on_double = on_double
        self._statements = _Statements(database)

    async def __call__(self, deadline: float) -> PullReport:
        """Pull what is new since the last time, before `deadline` (event-loop time, seconds).

        Raises SourceFailure where the source stops early, with all earlier pages kept; Held where it would
        end too much, and Conflict where another pull of the same list is under way; StoreUnavailable.
        """
        report = PullReport(self._source.programme)
        stored = await asyncio.to_thread(self._stored_cursor)
        try:
            await self._survey(stored, deadline)
            stored = await self._follow(stored, stored, report, deadline)
        except CursorExpired:
            if report.pages or stored is None:
                raise
            report.begun_anew = True
            await self._survey(None, deadline)
            await self._follow(None, stored, report, deadline)
        return report

    async def _survey(self, cursor: str | None, deadline: float) -> None:
        """Read what comes from `cursor` on and keep nothing; raises Held where it would end too much."""
        if self._most_ended_percent is None or not (held := await asyncio.to_thread(self._endings.held)):
            return
        ended = 0
        async with aclosing(self._source.pages(cursor, deadline)) as pages:
            async for page in pages:
                ended += await asyncio.to_thread(self._endings.among, page)
        what = f"memberships of {self._source.programme}"
        refuse_shrinking(what, held=held, gone=ended, most_percent=self._most_ended_percent)

    async def _follow(
        self, cursor: str | None, stored: str | None, report: PullReport, deadline: float
    ) -> str | None:
        """Take every page from `cursor` on; `stored` is what the database holds as the cursor."""
        pages = self._source.pages(cursor, deadline)
        try:
            async for page in pages:
                report.pages += 1
                await asyncio.to_thread(self._take, page, stored, report)
                stored = page.cursor
        finally:
            await pages.aclose()
        return stored

    def _stored_cursor(self) -> str | None:
        kept = select(programme_cursors.c.cursor).where(
            programme_cursors.c.source == self._source.name,
            programme_cursors.c.programme == self._source.programme,
        )
        with self._database.reading() as connection:
            cursor: str | None = connection.execute(kept).scalar()
        return cursor

    def _take(self, page: Page, stored: str | None, report: PullReport) -> None:
        """Commit one page; only then say and count what it held."""
        with self._database.unit_of_work() as connection:
            self._advance(connection, page, stored)
            holders = self._holders(connection, {one.nik for one in page.memberships})
            known = {nik: ids[0] for nik, ids in holders.items() if len(ids) == 1}
            taken = [one for one in page.memberships if one.nik in known]
            superseded, changed = self._write(connection, taken, known)
            doubles = list(self._doubles(connection, taken, known))
        report.as_of = page.as_of
        report.taken += changed
        report.unchanged += len(taken) - changed
        report.superseded += superseded
        for row in _not_taken(page, report.pages, holders):
            report.not_taken[row.problem] += 1
            self._on_not_taken(row)
        for double in doubles:
            evidence = double.evidence
            report.doubles[frozenset({evidence.first.programme, evidence.second.programme})] += 1
            self._on_double(double)

    def _advance(self, connection: Connection, page: Page, stored: str | None) -> None:
        """Move the cursor on, if it still is where we found it."""
        moved = connection.execute(
            self._statements.cursor,
            {
                "source": self._source.name,
                "programme": page.programme,
                "cursor": page.cursor,
                "as_of": page.as_of,
                "stored": stored,
            },
        )
        if moved.first() is None:
            raise Conflict(
                f"Another pull of {self._source.name} is under way; this one stops. Nothing of it is lost."
            )

    def _holders(self, connection: Connection, niks: Collection[str]) -> Mapping[str, Sequence[UUID]]:
        holders: defaultdict[str, list[UUID]] = defaultdict(list)
        for person_id, nik in connection.execute(self._statements.holders, {"niks": list(niks)}):
            holders[nik].append(person_id)
        return holders

    def _write(
        self, connection: Connection, taken: Sequence[Membership], known: Mapping[str, UUID]
    ) -> tuple[int, int]:
        """Write enrolments; how many of other sources went, how many of the list's own are new or changed."""
        rows = [
            {
                "person_id": known[one.nik],
                "programme": one.programme,
                "starts_on": one.starts_on,
                "ends_on": one.ends_on,
                "segment": one.segment,
                "source": one.source,
                "as_of": one.as_of,
            }
            for one in taken
        ]
        # In one order everywhere: two lists about the same people must not wait for each other crosswise.
        rows.sort(key=lambda row: (row["person_id"], row["starts_on"]))
        lasting = [_covering(row) for row in rows if row["ends_on"] != row["starts_on"]]
        superseded = connection.execute(self._statements.supersede, lasting).rowcount if lasting else 0
        changed = connection.execute(self._statements.enrol, rows).rowcount if rows else 0
        return superseded, changed

    def _doubles(
        self, connection: Connection, taken: Sequence[Membership], known: Mapping[str, UUID]
    ) -> Iterator[FoundDouble]:
        """Overlaps with another programme that a membership of this page is one half of."""
        told = {(one.nik, one.programme, one.starts_on) for one in taken}
        nik_of = {known[one.nik]: one.nik for one in taken}
        ids = [one.hex for one in nik_of] if self._database.is_sqlite else list(nik_of)
        rows = connection.execute(self._statements.held, {"people": ids}) if ids else ()
        held = [
            Membership(
                nik_of[row.person_id],
                row.programme,
                row.starts_on,
                row.ends_on,
                row.segment,
                row.source,
                row.as_of,
            )
            for row in rows
        ]
        for double in double_memberships(held, self._exclusive):
            halves = (double.first, double.second)
            if any((one.nik, one.programme, one.starts_on) in told for one in halves):
                yield FoundDouble(known[double.nik], double)


class _Statements:
    """The statements of a pull, made once."""

    def __init__(self, database: Database) -> None:
        insert: Any = (sqlite if database.is_sqlite else postgresql).insert
        cursor = insert(programme_cursors)
        self.cursor = cursor.on_conflict_do_update(
            index_elements=["source", "programme"],
            set_={"cursor": cursor.excluded.cursor, "as_of": cursor.excluded.as_of},
            where=programme_cursors.c.cursor == bindparam("stored", type_=Text()),
        ).returning(programme_cursors.c.programme)
        enrol = insert(enrolments)
        new = enrol.excluded
        says_otherwise = [
            enrolments.c[name].is_distinct_from(new[name]) for name in ("ends_on", "segment", "source")
        ]
        self.enrol = enrol.on_conflict_do_update(
            index_elements=["person_id", "programme", "starts_on"],
            set_={name: new[name] for name in ("ends_on", "segment", "source", "as_of")},
            # What speaks of an earlier day does not overwrite what speaks of a later one.
            where=(new.as_of >= enrolments.c.as_of) & or_(*says_otherwise),
        ).execution_options(preserve_rowcount=True)
        self.holders = select(people.c.id, people.c.nik).where(database.one_of(people.c.nik, "niks"))
        of_people: ColumnElement[bool]
        if database.is_sqlite:
            of_people = database.one_of(type_coerce(enrolments.c.person_id, Text), "people")
        else:
            of_people = enrolments.c.person_id == any_(bindparam("people", type_=ARRAY(Uuid())))
        self.held = select(enrolments).where(of_people)
        # The publisher knows its own programme best: its word replaces an overlapping guess of the same
        # membership by another source, such as the flag of an export, which knows no first day.
        self.supersede = enrolments.delete().where(
            enrolments.c.person_id == bindparam("of_person"),
            enrolments.c.programme == bindparam("in_programme"),
            enrolments.c.source != bindparam("by_source"),
            enrolments.c.starts_on != bindparam("first_day"),
            enrolments.c.starts_on < bindparam("first_day_after"),
            or_(enrolments.c.ends_on.is_(None), enrolments.c.ends_on > bindparam("first_day")),
            enrolments.c.as_of <= bindparam("told_on"),
        )


def _covering(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "of_person": row["person_id"],
        "in_programme": row["programme"],
        "by_source": row["source"],
        "first_day": row["starts_on"],
        "first_day_after": row["ends_on"] or _UNTIL_FURTHER_NOTICE,
        "told_on": row["as_of"],
    }


def _not_taken(page: Page, number: int, holders: Mapping[str, Sequence[UUID]]) -> Iterator[NotTaken]:
    """The rows of a page that are not in the registry now, by position."""
    for reject in page.rejects:
        yield NotTaken(number, reject.position, reject.column, reject.problem)
    # A page gives its good rows in order, without saying where they stood: the gaps are the rejects.
    rejected = {reject.position for reject in page.rejects}
    rows = len(page.memberships) + len(rejected)
    positions = (position for position in range(1, rows + 1) if position not in rejected)
    for position, one in zip(positions, page.memberships, strict=True):
        count = len(holders.get(one.nik, ()))
        if count != 1:
            yield NotTaken(number, position, "nik", "ambiguous" if count else "unknown")
