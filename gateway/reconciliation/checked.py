"""What is known of people after they were checked, between whoever checks and the database that keeps it.

An extract's results are rows of Arrow all the way: a person of a million never becomes an object of Python
unless a regency has something to look into. MUST NOT hold an element of the population register.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import pyarrow as pa

from gateway.reconciliation.statuses import Status

# A row for each person; `regency` is where they are counted.
CHECKED = pa.schema(
    [
        ("person_id", pa.string()),
        ("regency", pa.string()),
        ("status", pa.string()),
        ("verdicts", pa.string()),
        ("state_since", pa.date32()),
        ("moved_to", pa.string()),
    ]
)


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


def checked_rows(people: Sequence[CheckedPerson]) -> pa.Table:
    """The same as rows of `CHECKED`."""
    columns = {
        "person_id": [str(one.person_id) for one in people],
        "regency": [one.regency for one in people],
        "status": [one.status.value for one in people],
        "verdicts": [one.verdicts for one in people],
        "state_since": [one.state_since for one in people],
        "moved_to": [one.moved_to for one in people],
    }
    return pa.table(columns, CHECKED)


def checked_people(rows: pa.Table) -> list[CheckedPerson]:
    """Rows of `CHECKED` one by one, for the few that are to be looked at."""
    columns = (rows[name].to_pylist() for name in CHECKED.names)
    return [
        CheckedPerson(UUID(person_id), regency, Status(status), verdicts, since, moved_to)
        for person_id, regency, status, verdicts, since, moved_to in zip(*columns, strict=True)
    ]


def counted(rows: pa.Table) -> Mapping[str, Mapping[str, int]]:
    """How many people of each regency have each status."""
    groups = rows.group_by(["regency", "status"], use_threads=False).aggregate([([], "count_all")])
    by_regency: dict[str, dict[str, int]] = {}
    for group in groups.to_pylist():
        by_regency.setdefault(group["regency"], {})[group["status"]] = group["count_all"]
    return by_regency
