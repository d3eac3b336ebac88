"""A chunk of results into the registry: statuses, their history, and findings, within one transaction.

Set statements over staging tables, so that a chunk of thousands costs a handful of them, and whoever is as
before costs a look and its day. Run twice with the same rows it changes nothing the second time. MUST NOT
commit, and MUST NOT read an element of the population register: what is staged are words, days and codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Executable,
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

from gateway.database import UtcDateTime
from gateway.reconciliation.checked import FoundThing, counted
from gateway.reconciliation.chunk_tables import checked, differing, found, staged
from gateway.reconciliation.kinds import ENROLLED_BUT_DECEASED, LIKELY_PERSON
from gateway.reconciliation.proposing import LikelyPerson, store_likely
from gateway.reconciliation.statuses import MEANINGS, SOURCE, Status
from gateway.reconciliation.tables import (
    findings,
    likely_persons,
    reconciliation_changes,
    reconciliation_statuses,
)
from gateway.registry.staging import random_id
from gateway.registry.tables import enrolments, people

# The columns of the registry that a status may set.
SET_STATUSES = ("identity_status", "life_status", "residence_status")
_CLOSED = "closed"

_RUN = bindparam("of_run", type_=Uuid())
_AS_OF = bindparam("of_day", type_=Date())
_AT = bindparam("of_moment", type_=UtcDateTime())
# What is known of a person beside who said so and when.
_SAID = ("status", "verdicts", "state_since", "moved_to")
_known = reconciliation_statuses


@dataclass(frozen=True, slots=True)
class Stored:
    """What a chunk came to: people by regency and status, statuses that changed, findings begun and ended."""

    counts: Mapping[str, Mapping[str, int]]
    changed: int
    opened: int
    closed: int


class ChunkStore:
    """The statements that store a chunk, built once for all of them."""

    def __init__(self) -> None:
        self._compare = _compare_with_known()
        self._remember = _remember_changes()
        self._know_again, self._know_first = _know_again(), _know_first()
        self._tell_registry = _tell_registry()
        self._close, self._renew = _close_findings(), _renew_findings()
        self._open = _open_findings()

    def __call__(
        self,
        connection: Connection,
        run_id: UUID,
        as_of: date,
        at: datetime,
        people_checked: pa.Table,
        things: Sequence[FoundThing],
        likely: Sequence[LikelyPerson] | None = None,
    ) -> Stored:
        """Store what is known of these people as of a day; the rows are `checked.CHECKED`.

        People not checked are counted, nothing else. `likely` is None where nobody looked for likely persons:
        those who are still unknown keep theirs.
        """
        said = people_checked.filter(pc.field("status") != Status.NOT_CHECKED.value)
        parameters = {"of_run": run_id, "of_day": as_of, "of_moment": at}
        with staged(connection, said, things):

            def wrote(statement: Executable) -> int:
                """Run a statement; how many rows it wrote."""
                options = {"preserve_rowcount": True}
                rows: int = connection.execute(statement, parameters, execution_options=options).rowcount
                return rows

            wrote(self._compare)
            changed = wrote(self._remember)
            wrote(self._know_again)
            wrote(self._know_first)
            wrote(self._tell_registry)
            connection.execute(_MARK_ENROLLED, parameters)
            store_likely(connection, checked, run_id, likely)
            closed = wrote(self._close)
            wrote(self._renew)
            opened = wrote(self._open)
        return Stored(counted(people_checked), changed, opened, closed)


def _compare_with_known() -> Executable:
    """Whoever is not as they were: what is known of them is another thing, or what the registry says."""
    is_news = or_(_known.c.as_of.is_(None), _known.c.as_of <= _AS_OF)
    is_other = or_(*(_known.c[name].is_distinct_from(checked.c[name]) for name in _SAID))
    is_change = and_(is_news, _known.c.status.is_distinct_from(checked.c.status), _is_first_of_run())
    _, told = _told(checked)
    rows = (
        select(
            *(checked.c[name] for name in ("person_id", *_SAID)),
            *(_known.c.status, is_change),
            *(people.c[name] for name in SET_STATUSES),
        )
        .select_from(
            checked.join(people, people.c.id == checked.c.person_id).outerjoin(
                _known, _known.c.person_id == checked.c.person_id
            )
        )
        .where(or_(and_(is_news, is_other), told))
    )
    return insert(differing).from_select([column.name for column in differing.columns], rows)


def _is_first_of_run() -> ColumnElement[bool]:
    """Whether the run has no change of the person yet.

    Asked about whom it stored before, so about hardly anybody; to meet each row that is there as a conflict
    would double what a million rows cost.
    """
    changes = reconciliation_changes
    changed = exists().where(changes.c.person_id == checked.c.person_id, changes.c.run_id == _RUN)
    return or_(_known.c.run_id.is_distinct_from(_RUN), ~changed)


def _remember_changes() -> Executable:
    """The history: whoever has another status than before, with what the registry said until now."""
    before = [column for column in differing.columns if column.name.endswith("_before")]
    rows = select(differing.c.person_id, _RUN, differing.c.before, differing.c.status, _AS_OF, *before)
    names = ["person_id", "run_id", "before", "after", "as_of", *(column.name for column in before)]
    chosen = rows.where(differing.c.is_change).order_by(differing.c.person_id)
    return insert(reconciliation_changes).from_select(names, chosen)


def _know_again() -> Executable:
    """Of whom something is known already: what is said now, unless that is of a later day."""
    values: dict[str, Any] = {name: checked.c[name] for name in _SAID}
    values |= {"as_of": _AS_OF, "run_id": _RUN, "checked_at": _AT}
    return (
        update(_known)
        .values(values)
        .where(_known.c.person_id == checked.c.person_id, _known.c.as_of <= _AS_OF)
    )


def _know_first() -> Executable:
    """Of whom nothing was known."""
    said = ("person_id", *_SAID)
    rows = select(*(differing.c[name] for name in said), _AS_OF, _RUN, _AT).where(
        differing.c.before.is_(None)
    )
    names = [*said, "as_of", "run_id", "checked_at"]
    return insert(_known).from_select(names, rows.order_by(differing.c.person_id))


def _word(source: Table, column: str) -> ColumnElement[Any]:
    """What the status of a staged person sets a column of the registry to; NULL where it says nothing."""
    words = {
        status.value: meaning.sets[column] for status, meaning in MEANINGS.items() if column in meaning.sets
    }
    return case(words, value=source.c.status)


def _told(source: Table) -> tuple[dict[str, Any], ColumnElement[bool]]:
    """The registry's own statuses, each unless its source told it of a later day; whether any is another."""
    values: dict[str, Any] = {}
    differs = []
    for name in SET_STATUSES:
        word, since = _word(source, name), people.c[f"{name}_as_of"]
        stays = or_(word.is_(None), since > _AS_OF)
        new = {name: word, f"{name}_source": _bound(SOURCE), f"{name}_as_of": _AS_OF}
        values |= {column: case((stays, people.c[column]), else_=value) for column, value in new.items()}
        is_new = or_(*(people.c[column].is_distinct_from(value) for column, value in new.items()))
        differs.append(and_(~stays, is_new))
    return values, or_(*differs)


def _tell_registry() -> Executable:
    values, told = _told(differing)
    return update(people).values(values).where(people.c.id == differing.c.person_id, told)


def _bound(text: str) -> ColumnElement[str]:
    return bindparam(None, text, type_=String())


# Death concerns whoever still pays for the dead first of all.
_MARK_ENROLLED = (
    update(found)
    .values(kind=ENROLLED_BUT_DECEASED)
    .where(
        found.c.kind == Status.DECEASED.value,
        exists().where(
            enrolments.c.person_id == found.c.person_id,
            enrolments.c.starts_on <= _AS_OF,
            or_(enrolments.c.ends_on.is_(None), enrolments.c.ends_on > _AS_OF),
        ),
    )
)
_STANDING = findings.c.state != _CLOSED
_SAME_THING = and_(findings.c.person_id == found.c.person_id, findings.c.kind == found.c.kind)


def _close_findings() -> Executable:
    """Whatever stood about a checked person and was not found again; but not while a candidate waits."""
    is_checked = exists().where(checked.c.person_id == findings.c.person_id)
    proposed = exists().where(
        likely_persons.c.person_id == findings.c.person_id, likely_persons.c.state == "proposed"
    )
    waits = and_(findings.c.kind == LIKELY_PERSON, proposed)
    return (
        update(findings)
        .values(state=_CLOSED, closed_run=_RUN, state_at=_AT)
        .where(_STANDING, is_checked, ~exists().where(_SAME_THING), ~waits)
    )


def _renew_findings() -> Executable:
    """What was found again keeps its state and its answer."""
    return (
        update(findings)
        .values(last_run=_RUN, evidence=found.c.evidence, region=found.c.region)
        .where(_STANDING, _SAME_THING)
    )


def _open_findings() -> Executable:
    stands = exists().where(_STANDING, _SAME_THING)
    rows = select(
        *(random_id(), found.c.person_id, found.c.kind, found.c.evidence),
        *(found.c.region, _bound("open"), _RUN, _RUN, _AT, _AT),
    ).where(~stands)
    names = ["id", "person_id", "kind", "evidence", "region", "state"]
    names += ["opened_run", "last_run", "opened_at", "state_at"]
    return insert(findings).from_select(names, rows)
