"""A chunk of results into the registry: statuses, their history, and findings, within one transaction.

Set statements over a staging table, so that a chunk of thousands costs a handful of them. Run twice with the
same rows it changes nothing the second time. MUST NOT commit, and MUST NOT read an element of the
population register: what is staged are words, days and codes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Date,
    Executable,
    MetaData,
    String,
    Table,
    Uuid,
    and_,
    bindparam,
    case,
    exists,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from gateway.database import UtcDateTime
from gateway.reconciliation.kinds import ENROLLED_BUT_DECEASED, LIKELY_PERSON
from gateway.reconciliation.proposing import LikelyPerson, store_likely
from gateway.reconciliation.statuses import MEANINGS, Status
from gateway.reconciliation.tables import (
    findings,
    likely_persons,
    reconciliation_changes,
    reconciliation_statuses,
)
from gateway.registry.bulk import append_rows
from gateway.registry.staging import random_id
from gateway.registry.tables import enrolments, people

SOURCE = "dukcapil"
# The columns of the registry that a status may set.
SET_STATUSES = ("identity_status", "life_status", "residence_status")
_CLOSED = "closed"

_temporary = MetaData()
_checked = Table(
    "checked_people",
    _temporary,
    Column("person_id", Uuid, primary_key=True),
    Column("status", String),
    Column("verdicts", String),
    Column("state_since", Date),
    Column("moved_to", String),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
_found = Table(
    "found_things",
    _temporary,
    Column("person_id", Uuid),
    Column("kind", String),
    Column("evidence", JSON),
    Column("region", String),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
_CHECKED = [column.name for column in _checked.columns]
_FOUND = [column.name for column in _found.columns]
_RUN = bindparam("of_run", type_=Uuid())
_AS_OF = bindparam("of_day", type_=Date())
_AT = bindparam("of_moment", type_=UtcDateTime())


@dataclass(frozen=True, slots=True)
class CheckedPerson:
    """One person's result: the status, one letter of verdict for each element, and what goes with a state."""

    person_id: UUID
    regency: str
    status: Status
    verdicts: str | None = None
    state_since: date | None = None
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class FoundThing:
    """Something that a regency must look into; `evidence` holds words and days, never an element."""

    person_id: UUID
    regency: str
    kind: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
    """What a chunk came to: people by regency and status, statuses that changed, findings begun and ended."""

    counts: Mapping[str, Mapping[str, int]]
    changed: int
    opened: int
    closed: int


class ChunkStore:
    """The statements of one database's kind, built once."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self._upsert = sqlite.insert if is_sqlite else postgresql.insert
        self._is_sqlite = is_sqlite
        self._remember = self._remember_changes()
        self._know = self._know_statuses()
        self._tell_registry = _tell_registry()
        self._close, self._renew = _close_findings(), _renew_findings()
        self._open = _open_findings()

    def __call__(
        self,
        connection: Connection,
        run_id: UUID,
        as_of: date,
        at: datetime,
        people_checked: Sequence[CheckedPerson],
        things: Sequence[FoundThing],
        likely: Sequence[LikelyPerson] | None = None,
    ) -> Stored:
        """Store what is known of these people as of a day. People not checked are counted, nothing else.

        `likely` is None where nobody looked for likely persons: those who are still unknown keep theirs.
        """
        said = [one for one in people_checked if one.status is not Status.NOT_CHECKED]
        parameters = {"of_run": run_id, "of_day": as_of, "of_moment": at}
        with self._staged(connection, said, things):

            def wrote(statement: Executable) -> int:
                """Run a statement; how many rows it wrote."""
                options = {"preserve_rowcount": True}
                rows: int = connection.execute(statement, parameters, execution_options=options).rowcount
                return rows

            changed = wrote(self._remember)
            wrote(self._know)
            wrote(self._tell_registry)
            connection.execute(_MARK_ENROLLED, parameters)
            store_likely(connection, _checked, run_id, likely)
            closed = wrote(self._close)
            wrote(self._renew)
            opened = wrote(self._open)
        return Stored(_counted(people_checked), changed, opened, closed)

    @contextmanager
    def _staged(
        self, connection: Connection, said: Sequence[CheckedPerson], things: Sequence[FoundThing]
    ) -> Iterator[None]:
        """The two staging tables with these rows in them; gone afterwards."""
        _temporary.create_all(connection, checkfirst=False)
        append_rows(connection, _checked, _CHECKED, [self._checked_row(one) for one in said])
        append_rows(connection, _found, _FOUND, [self._found_row(one) for one in things])
        if not self._is_sqlite:
            connection.exec_driver_sql("SET LOCAL jit = off; ANALYZE checked_people; ANALYZE found_things")
        yield
        if self._is_sqlite:
            _temporary.drop_all(connection, checkfirst=False)

    def _checked_row(self, one: CheckedPerson) -> tuple[Any, ...]:
        since = one.state_since.isoformat() if one.state_since else None
        return (self._id(one.person_id), one.status.value, one.verdicts, since, one.moved_to)

    def _found_row(self, one: FoundThing) -> tuple[Any, ...]:
        return (
            self._id(one.person_id),
            one.kind,
            json.dumps(dict(one.evidence), sort_keys=True),
            one.regency,
        )

    def _id(self, person_id: UUID) -> str:
        return person_id.hex if self._is_sqlite else str(person_id)

    def _remember_changes(self) -> Executable:
        """The history: whoever has another status than before, with what the registry said until now."""
        known = reconciliation_statuses
        rows = (
            select(
                *(_checked.c.person_id, _RUN, known.c.status, _checked.c.status, _AS_OF),
                *(people.c[name] for name in SET_STATUSES),
            )
            .select_from(
                _checked.join(people, people.c.id == _checked.c.person_id).outerjoin(
                    known, known.c.person_id == _checked.c.person_id
                )
            )
            .where(known.c.status.is_distinct_from(_checked.c.status), _not_older(known))
        )
        names = ["person_id", "run_id", "before", "after", "as_of"]
        names += ["identity_before", "life_before", "residence_before"]
        return self._upsert(reconciliation_changes).from_select(names, rows).on_conflict_do_nothing()

    def _know_statuses(self) -> Executable:
        """What is known now, unless a check of a later day is known already."""
        known = reconciliation_statuses
        names = [*_CHECKED, "as_of", "run_id", "checked_at"]
        rows = (
            select(*_checked.columns, _AS_OF, _RUN, _AT)
            .select_from(_checked.join(people, people.c.id == _checked.c.person_id))
            .where(_checked.c.status.is_not(None))
        )
        into = self._upsert(known).from_select(names, rows)
        return into.on_conflict_do_update(
            index_elements=["person_id"],
            set_={name: into.excluded[name] for name in names[1:]},
            where=known.c.as_of <= into.excluded.as_of,
        )


def _not_older(known: Table) -> ColumnElement[bool]:
    return or_(known.c.as_of.is_(None), known.c.as_of <= _AS_OF)


def _word(column: str) -> ColumnElement[Any]:
    """What the status of a staged person sets a column of the registry to; NULL where it says nothing."""
    words = {
        status.value: meaning.sets[column] for status, meaning in MEANINGS.items() if column in meaning.sets
    }
    return case(words, value=_checked.c.status)


def _tell_registry() -> Executable:
    """The registry's own statuses, each unless its source told it of a later day."""
    values: dict[str, Any] = {}
    differs = []
    for name in SET_STATUSES:
        word, since = _word(name), people.c[f"{name}_as_of"]
        stays = or_(word.is_(None), since > _AS_OF)
        new = {name: word, f"{name}_source": _bound(SOURCE), f"{name}_as_of": _AS_OF}
        values |= {column: case((stays, people.c[column]), else_=value) for column, value in new.items()}
        is_new = or_(*(people.c[column].is_distinct_from(value) for column, value in new.items()))
        differs.append(and_(~stays, is_new))
    return update(people).values(values).where(people.c.id == _checked.c.person_id, or_(*differs))


def _bound(text: str) -> ColumnElement[str]:
    return bindparam(None, text, type_=String())


# Death concerns whoever still pays for the dead first of all.
_MARK_ENROLLED = (
    update(_found)
    .values(kind=ENROLLED_BUT_DECEASED)
    .where(
        _found.c.kind == Status.DECEASED.value,
        exists().where(
            enrolments.c.person_id == _found.c.person_id,
            enrolments.c.starts_on <= _AS_OF,
            or_(enrolments.c.ends_on.is_(None), enrolments.c.ends_on > _AS_OF),
        ),
    )
)
_STANDING = findings.c.state != _CLOSED
_SAME_THING = and_(findings.c.person_id == _found.c.person_id, findings.c.kind == _found.c.kind)


def _close_findings() -> Executable:
    """Whatever stood about a checked person and was not found again; but not while a candidate waits."""
    checked = exists().where(_checked.c.person_id == findings.c.person_id)
    proposed = exists().where(
        likely_persons.c.person_id == findings.c.person_id, likely_persons.c.state == "proposed"
    )
    waits = and_(findings.c.kind == LIKELY_PERSON, proposed)
    return (
        update(findings)
        .values(state=_CLOSED, closed_run=_RUN, state_at=_AT)
        .where(_STANDING, checked, ~exists().where(_SAME_THING), ~waits)
    )


def _renew_findings() -> Executable:
    """What was found again keeps its state and its answer."""
    return (
        update(findings)
        .values(last_run=_RUN, evidence=_found.c.evidence, region=_found.c.region)
        .where(_STANDING, _SAME_THING)
    )


def _open_findings() -> Executable:
    stands = exists().where(_STANDING, _SAME_THING)
    rows = select(
        *(random_id(), _found.c.person_id, _found.c.kind, _found.c.evidence),
        *(_found.c.region, _bound("open"), _RUN, _RUN, _AT, _AT),
    ).where(~stands)
    names = ["id", "person_id", "kind", "evidence", "region", "state"]
    names += ["opened_run", "last_run", "opened_at", "state_at"]
    return insert(findings).from_select(names, rows)


def _counted(people_checked: Sequence[CheckedPerson]) -> Mapping[str, Mapping[str, int]]:
    by_regency: dict[str, Counter[str]] = {}
    for one in people_checked:
        by_regency.setdefault(one.regency, Counter())[one.status.value] += 1
    return by_regency
