"""Entries of a span of time, one after the other, for what is counted over months. Holds a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, select

from gateway.audit.tables import audit_entries

_AT_A_TIME = 1_000


@dataclass(frozen=True, slots=True)
class LoggedEntry:
    """One outcome. `said` and `subjects` (JSON text) are None where they were erased, or there are none."""

    at: datetime
    said: dict[str, Any] | None
    subjects: str | None


def read_entries(
    connection: Connection, first: datetime, end: datetime, consumer_id: str, *, with_subjects: bool = True
) -> Iterator[LoggedEntry]:
    """The outcomes of one consumer's exchanges from `first` on and before `end`."""
    subjects = [audit_entries.c.subjects] if with_subjects else []
    query = select(audit_entries.c.at, audit_entries.c.entry, *subjects).where(
        audit_entries.c.consumer_id == consumer_id,
        audit_entries.c.kind == "outcome",
        audit_entries.c.at >= first,
        audit_entries.c.at < end,
    )
    for at, text, *more in connection.execute(query).yield_per(_AT_A_TIME):
        said = None if text is None else orjson.loads(text)
        yield LoggedEntry(at, said, more[0] if more else None)
