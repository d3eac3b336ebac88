"""What became of one finding, step by step: from its row and from the acts that the audit log holds of it.

The log is the record of who answered and who closed; nothing is kept a second time for it. Of the moment at
which a finding was sent only the last word is known, as long as it stands so. MUST NOT read what exchanges
told: acts alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from gateway.audit.tables import audit_entries
from gateway.database import Database
from gateway.reconciliation.findings import Finding, FindingAnswer, FindingState, object_of
from gateway.reconciliation.tables import reconciliation_changes, reconciliation_runs

_STATES: dict[str, FindingState] = {"finding.answered": "answered", "finding.closed": "closed"}
_changes, _runs = reconciliation_changes, reconciliation_runs


@dataclass(frozen=True, slots=True)
class Step:
    """One step: since when which state, through whom or through which run, with the answer and the reason."""

    at: datetime
    state: FindingState
    by: str | None = None
    run_id: UUID | None = None
    answer: FindingAnswer | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class StatusChange:
    """What a run made of the person's status; `before` is None where there was none."""

    run_id: UUID
    at: datetime | None
    as_of: date
    before: str | None
    after: str


def steps_of(database: Database, finding: Finding) -> list[Step]:
    """The steps of a finding, the oldest first. Raises StoreUnavailable."""
    with database.reading() as connection:
        steps = [Step(finding.opened_at, "open", run_id=finding.opened_run), *_acts(connection, finding)]
    last = steps[-1].state
    if finding.state == "sent" or (finding.state == "closed" and last != "closed"):
        steps.append(Step(finding.state_at, finding.state, run_id=finding.closed_run))
    return steps


def status_changes(database: Database, person_id: UUID) -> list[StatusChange]:
    """Every status that a run gave a person in place of another, the oldest first."""
    chosen = (
        select(_changes, _runs.c.started_at)
        .select_from(_changes.outerjoin(_runs, _runs.c.id == _changes.c.run_id))
        .where(_changes.c.person_id == person_id)
        .order_by(_runs.c.submitted_at, _changes.c.as_of, _changes.c.before.is_not(None))
    )
    with database.reading() as connection:
        return [
            StatusChange(row.run_id, row.started_at, row.as_of, row.before, row.after)
            for row in connection.execute(chosen)
        ]


def _acts(connection: Connection, finding: Finding) -> Iterator[Step]:
    """What people did with it. Acts are of no consumer, which the log's index knows: few entries are read."""
    entry, named = audit_entries.c.entry, object_of(finding.id)
    chosen = (
        select(audit_entries.c.at, entry)
        .where(audit_entries.c.consumer_id.is_(None), audit_entries.c.at >= finding.opened_at)
        .where(audit_entries.c.kind == "act", entry.contains(named, autoescape=True))
        .order_by(audit_entries.c.sequence)
    )
    for row in connection.execute(chosen):
        said: dict[str, Any] = json.loads(row.entry)
        state = _STATES.get(said["act"])
        if said["object"] == named and state is not None:
            yield Step(
                *(row.at, state, said["actor"]), answer=said.get("answer"), reason=said["reason"] or None
            )
