"""Findings: what a regency must look into, and what became of it.

A finding is open until its regency has fetched it or was sent it; then it is answered, or found no more: the
run that no longer finds it closes it. MUST NOT hold what the registry or Dukcapil says of a person: whoever
shows one reads the registry then, under its own rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, or_, select, update

from gateway.database import Database
from gateway.errors import Conflict, NotFound
from gateway.reconciliation.tables import findings
from gateway.staff.acts import Act, RecordAct, record_in_audit_log
from gateway.staff.roles import Staff
from policies.dictionary import Text

FindingState = Literal["open", "sent", "answered", "closed"]
# What a region says of a finding. The words are closed, for free text would hold people.
FindingAnswer = Literal["confirmed", "corrected", "not_so", "not_found", "in_progress"]
ANSWERS: Mapping[FindingAnswer, Text] = {
    "confirmed": Text("benar demikian", "it is as found"),
    "corrected": Text("data sudah diperbaiki", "the data were corrected"),
    "not_so": Text("tidak benar", "it is not so"),
    "not_found": Text("orangnya tidak ditemukan", "the person was not found"),
    "in_progress": Text("sedang ditelusuri", "being looked into"),
}
assert len(get_args(FindingAnswer)) == len(ANSWERS)  # noqa: S101 - every word has its text
# A list of a million is not counted to its end each time somebody looks at its first page.
MOST_COUNTED = 10_000
_f = findings


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `region` is the regency; `evidence` holds verdict words and days."""

    id: UUID
    person_id: UUID
    kind: str
    evidence: Mapping[str, Any]
    region: str
    state: FindingState
    opened_at: datetime
    state_at: datetime
    answer: FindingAnswer | None
    answer_reference: str | None
    answered_by: str | None
    opened_run: UUID
    last_run: UUID
    closed_run: UUID | None


@dataclass(frozen=True, slots=True)
class Which:
    """Which findings: of these regions (None: all), in these states (empty: all but closed), of a kind.

    With `run_id`, those that this run opened, found again or closed.
    """

    regions: frozenset[str] | None = None
    states: tuple[FindingState, ...] = ()
    kind: str | None = None
    run_id: UUID | None = None
    person_id: UUID | None = None


class Findings:
    """The findings of one database. Blocks. Raises StoreUnavailable everywhere."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], record: RecordAct = record_in_audit_log
    ) -> None:
        self._database = database
        self._clock = clock
        self._record = record

    def page(self, which: Which, most: int, after: UUID | None = None) -> list[Finding]:
        """Up to `most` findings in the order of their ids, from behind `after` on."""
        chosen = select(_f).where(*_conditions(which)).order_by(_f.c.id).limit(most)
        if after is not None:
            chosen = chosen.where(_f.c.id > after)
        with self._database.reading() as connection:
            return [_finding(row) for row in connection.execute(chosen)]

    def get(self, finding_id: UUID) -> Finding:
        """One finding. Raises NotFound."""
        with self._database.reading() as connection:
            row = connection.execute(select(_f).where(_f.c.id == finding_id)).first()
        if row is None:
            raise NotFound("There is no finding of this id.")
        return _finding(row)

    def total(self, which: Which) -> int:
        """How many findings there are of which `page` gives a part; MOST_COUNTED + 1 stands for more."""
        some = select(_f.c.id).where(*_conditions(which)).limit(MOST_COUNTED + 1).subquery()
        counted = select(func.count()).select_from(some)
        with self._database.reading() as connection:
            return int(connection.execute(counted).scalar_one())

    def counts(self, region: str | None = None) -> dict[str, dict[str, int]]:
        """How many findings each regency has, by state; only those of a province or regency, if given."""
        counted = select(_f.c.region, _f.c.state, func.count()).group_by(_f.c.region, _f.c.state)
        if region is not None:
            counted = counted.where(of_regions(frozenset({region})))
        with self._database.reading() as connection:
            found: dict[str, dict[str, int]] = {}
            for regency, state, number in connection.execute(counted.order_by(_f.c.region)):
                found.setdefault(regency, {})[state] = number
            return found

    def mark_sent(self, ids: Sequence[UUID]) -> int:
        """Note that a region has been told of these; how many were open."""
        if not ids:
            return 0
        with self._database.unit_of_work() as connection:
            return mark_sent(connection, ids, self._clock())

    def answer(
        self, by: str, finding_id: UUID, answer: FindingAnswer, reference: str | None, reason: str = ""
    ) -> Finding:
        """What a region says of a finding; a later answer replaces an earlier one, and both are on record.

        `by` is the region's consumer, or the staff member who writes down what it said, and why. Raises
        NotFound; Conflict for a finding that is closed.
        """
        now = self._clock()
        with self._database.unit_of_work() as connection:
            row = _standing(connection, finding_id)
            said = {"answer": answer, "answer_reference": reference, "answered_by": by}
            _turn(connection, finding_id, "answered", now, **said)
            details = {"answer": answer, "region": row.region}
            if reason and reference:
                details["reference"] = reference
            act = Act(by, "finding.answered", object_of(finding_id), now, reason or reference or "", details)
            self._record(connection, act)
        return self.get(finding_id)

    def close(self, staff: Staff, finding_id: UUID, reason: str) -> Finding:
        """End a finding for good, by staff. Raises NotFound, Conflict."""
        now = self._clock()
        with self._database.unit_of_work() as connection:
            row = _standing(connection, finding_id)
            _turn(connection, finding_id, "closed", now)
            act = Act(
                *(staff.actor, "finding.closed", object_of(finding_id), now, reason), {"region": row.region}
            )
            self._record(connection, act)
        return self.get(finding_id)


def object_of(finding_id: UUID) -> str:
    """How an act names a finding."""
    return f"finding/{finding_id}"


def _standing(connection: Connection, finding_id: UUID) -> Row[Any]:
    """The finding, held until the transaction ends. Raises NotFound; Conflict where it is closed."""
    row = connection.execute(select(_f).where(_f.c.id == finding_id).with_for_update()).first()
    if row is None:
        raise NotFound("There is no finding of this id.")
    if row.state == "closed":
        raise Conflict("The finding is closed: somebody ended it, or a later run found nothing of it.")
    return row


def _turn(
    connection: Connection, finding_id: UUID, state: FindingState, at: datetime, **more: str | None
) -> None:
    values = {"state": state, "state_at": at, **more}
    connection.execute(update(_f).where(_f.c.id == finding_id).values(values))


def mark_sent(connection: Connection, ids: Sequence[UUID], now: datetime) -> int:
    """The same within the caller's unit of work."""
    chosen = (
        update(_f)
        .where(_f.c.id == bindparam("sent_id"), _f.c.state == "open")
        .values(state="sent", state_at=now)
    )
    if not ids:
        return 0
    rows = [{"sent_id": one} for one in ids]
    return connection.execute(chosen, rows, execution_options={"preserve_rowcount": True}).rowcount


def of_regions(regions: frozenset[str]) -> ColumnElement[bool]:
    """Whether a finding's regency is covered by regions, or covers one of them; the person decides then."""
    conditions: list[ColumnElement[bool]] = []
    for code in sorted(regions):
        conditions.append(_f.c.region == code[:5])
        if len(code) == 2:  # noqa: PLR2004 - a province
            # Its regencies as a range, which every collation sorts alike and an index finds.
            conditions.append(_f.c.region.between(f"{code}.00", f"{code}.99"))
    return or_(*conditions)


def _conditions(which: Which) -> Iterator[ColumnElement[bool]]:
    if which.regions is not None:
        yield of_regions(which.regions)
    if which.states:
        yield _f.c.state.in_(which.states)
    else:
        yield _f.c.state != "closed"
    if which.kind is not None:
        yield _f.c.kind == which.kind
    if which.run_id is not None:
        yield or_(*(_f.c[name] == which.run_id for name in ("opened_run", "last_run", "closed_run")))
    if which.person_id is not None:
        yield _f.c.person_id == which.person_id


def _finding(row: Row[Any]) -> Finding:
    return Finding(**{name: getattr(row, name) for name in Finding.__dataclass_fields__})
