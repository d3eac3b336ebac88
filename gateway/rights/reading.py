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
    """One outcome. `said` is None where it was erased."""

    at: datetime
    said: dict[str, Any] | None


def read_entries(
    connection: Connection, first: datetime, end: datetime, consumer_id: str
) -> Iterator[LoggedEntry]:
    """The outcomes of one consumer's exchanges from `first` on and before `end`."""
    query = select(audit_entries.c.at, audit_entries.c.entry).where(
        audit_entries.c.consumer_id == consumer_id,
        audit_entries.c.kind == "outcome",
        audit_entries.c.at >= first,
        audit_entries.c.at < end,
    )
    for at, text in connection.execute(query).yield_per(_AT_A_TIME):
        yield LoggedEntry(at, None if text is None else orjson.loads(text))
