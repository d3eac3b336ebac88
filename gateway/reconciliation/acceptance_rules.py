"""Rules by which likely persons are accepted at the end of a run without anybody looking at each.

One staff member sets a rule, another approves it; from then on it is in force, in place of the one before,
until somebody ends it. What it accepts is on record person by person, with the rule. MUST NOT accept
beyond what the model itself would: a rule only narrows that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import Connection, Row, select, update

from gateway.database import Database
from gateway.errors import BadInput, Conflict, NotFound, NotPermitted
from gateway.reconciliation.acceptance import Acceptance, Decision, refuse_unnamed
from gateway.reconciliation.tables import acceptance_rules, likely_persons
from gateway.rights import acts
from gateway.staff.roles import Staff
from policies.dictionary import Text

# Less is a guess: of ten who are accepted so, one may be somebody else.
LEAST_PROBABILITY = 0.9
LEAST_AGREEING, MOST_AGREEING = 3, 8
RULE_WORKER = Staff("reconciliation", "Reconciliation", frozenset(), "console")
_AT_ONCE = 200
_rules, _likely = acceptance_rules, likely_persons


@dataclass(frozen=True, slots=True)
class AcceptanceRule:
    """Accept whom the model would accept, if at least so probable and with so many traits that agree.

    It is `set` until somebody else approves it, then `active`, until it is `ended`.
    """

    id: UUID
    least_probability: float
    least_agreeing: int
    state: Literal["set", "active", "ended"]
    set_at: datetime
    set_by: str
    reason: str
    approved_at: datetime | None
    approved_by: str | None
    ended_at: datetime | None
    ended_by: str | None


class AcceptanceRules:
    """The rules of one database. Blocks. Raises StoreUnavailable, and BadInput for a malformed reason."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def all(self) -> list[AcceptanceRule]:
        """Every rule there was, the newest first."""
        newest = select(_rules).order_by(_rules.c.set_at.desc(), _rules.c.id)
        with self._database.reading() as connection:
            return [_rule(row) for row in connection.execute(newest)]

    def set(self, staff: Staff, least_probability: float, least_agreeing: int, reason: str) -> AcceptanceRule:
        """Propose a rule; it does nothing until somebody else approves it. Raises NotPermitted, BadInput."""
        refuse_unnamed(staff)
        if wrong := unusable(least_probability, least_agreeing):
            raise BadInput("; ".join(f"{name}: {expected}" for name, expected in wrong.items()) + ".")
        rule_id, now = uuid4(), self._clock()
        values = {
            "id": rule_id,
            "least_probability": least_probability,
            "least_agreeing": least_agreeing,
            "state": "set",
            "set_at": now,
            "set_by": staff.id,
            "reason": reason,
        }
        with self._database.unit_of_work() as connection:
            connection.execute(_rules.insert().values(values))
            row = _row(connection, rule_id)
            self._write_down(connection, staff, "set", row, reason, now)
            return _rule(row)

    def approve(self, staff: Staff, rule_id: UUID, reason: str) -> AcceptanceRule:
        """Put a rule in force from the next run's end on, as somebody else than who set it.

        Raises NotFound, Conflict, NotPermitted.
        """
        refuse_unnamed(staff)
        now = self._clock()
        with self._database.unit_of_work() as connection:
            row = _row(connection, rule_id)
            if row.state != "set":
                raise Conflict(
                    Text(
                        "Hanya aturan yang diusulkan dan belum disetujui yang dapat disetujui.",
                        f"The rule is {row.state}: only one that was set and not yet approved can be.",
                    )
                )
            if row.set_by == staff.id:
                raise NotPermitted(
                    Text(
                        f"{staff.id} sendiri yang mengusulkan aturan ini: orang lain dengan peran penyetuju "
                        "yang menyetujuinya.",
                        f"{staff.id} set this rule: somebody else, with the role approver, approves it.",
                    ),
                    code="second_person_needed",
                )
            ended = {"state": "ended", "ended_at": now, "ended_by": staff.id}
            connection.execute(update(_rules).where(_rules.c.state == "active").values(ended))
            approved = {"state": "active", "approved_at": now, "approved_by": staff.id}
            connection.execute(update(_rules).where(_rules.c.id == rule_id).values(approved))
            self._write_down(connection, staff, "approved", row, reason, now)
            return _rule(_row(connection, rule_id))

    def end(self, staff: Staff, rule_id: UUID, reason: str) -> AcceptanceRule:
        """End a rule, or what was to become one: one person suffices. Raises NotFound, Conflict."""
        now = self._clock()
        with self._database.unit_of_work() as connection:
            row = _row(connection, rule_id)
            if row.state == "ended":
                raise Conflict(Text("Aturan ini sudah diakhiri.", "The rule is ended already."))
            ended = {"state": "ended", "ended_at": now, "ended_by": staff.id}
            connection.execute(update(_rules).where(_rules.c.id == rule_id).values(ended))
            self._write_down(connection, staff, "ended", row, reason, now)
            return _rule(_row(connection, rule_id))

    def _write_down(
        self, connection: Connection, staff: Staff, what: str, row: Row[Any], reason: str, now: datetime
    ) -> None:
        acts.record(
            connection,
            staff,
            f"acceptance_rule.{what}",
            f"acceptance-rule/{row.id}",
            reason,
            now,
            least_probability=str(row.least_probability),
            least_agreeing=row.least_agreeing,
        )


def unusable(least_probability: float, least_agreeing: int) -> dict[str, str]:
    """What is wrong with a rule's bounds, all of it: which one, and what is expected there."""
    wrong = {}
    if not LEAST_PROBABILITY <= least_probability <= 1:
        wrong["least_probability"] = f"expected {LEAST_PROBABILITY} to 1"
    if not LEAST_AGREEING <= least_agreeing <= MOST_AGREEING:
        wrong["least_agreeing"] = f"expected {LEAST_AGREEING} to {MOST_AGREEING} traits"
    return wrong


class AcceptanceByRule:
    """Applies the rule in force to a run, a few people in each transaction."""

    def __init__(self, acceptance: Acceptance, clock: Callable[[], datetime]) -> None:
        self._acceptance = acceptance
        self._clock = clock

    def __call__(self, connection: Connection, run_id: UUID, after: str | None) -> str | None:
        """Decide on the next few behind the id `after`; the id of the last, or None where none was left.

        Whoever cannot be given the NIK, as somebody else holds it, waits for a person to decide.
        """
        in_force = select(_rules).where(_rules.c.state == "active")
        rule = connection.execute(in_force.order_by(_rules.c.approved_at.desc()).limit(1)).first()
        if rule is None:
            return None
        fitting = select(_likely).where(
            *(_likely.c.run_id == run_id, _likely.c.state == "proposed", _likely.c.rank == 1),
            _likely.c.proposal == "accept",
            _likely.c.probability >= rule.least_probability,
            _likely.c.agreeing >= rule.least_agreeing,
        )
        if after is not None:
            fitting = fitting.where(_likely.c.id > UUID(after))
        fitting = fitting.order_by(_likely.c.id).limit(_AT_ONCE).with_for_update()
        rows = connection.execute(fitting).all()
        decision = Decision(RULE_WORKER, f"aturan {rule.id}", self._clock(), rule.id)
        for row in rows:
            try:
                self._acceptance.accept(connection, row, decision)
            except Conflict:
                continue  # before anything was written
        return str(rows[-1].id) if rows else None


def _row(connection: Connection, rule_id: UUID) -> Row[Any]:
    row = connection.execute(select(_rules).where(_rules.c.id == rule_id).with_for_update()).first()
    if row is None:
        raise NotFound(
            Text("Tidak ada aturan penerimaan dengan id ini.", "There is no acceptance rule of this id.")
        )
    return row


def _rule(row: Row[Any]) -> AcceptanceRule:
    return AcceptanceRule(**{name: getattr(row, name) for name in AcceptanceRule.__dataclass_fields__})
