"""Whether the gateway is closed for maintenance, by an order or by a file, and for longer than was told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, select

from gateway.maintenance.switch import read_switch
from gateway.maintenance.tables import maintenance
from gateway.maintenance.window import Window
from gateway.vitals.figures import Figure


def ordered_figures(connection: Connection, now: datetime) -> Iterator[Figure]:
    """Of the order in the database, if there is one."""
    row = connection.execute(select(maintenance)).first()
    window = None if row is None else Window(row.begins_at, row.until, row.reason, row.ordered_by)
    yield from _of(window, "order", now)


def switched_figures(home: Path, now: datetime) -> Iterator[Figure]:
    """Of this machine's file, if it is there."""
    yield from _of(read_switch(home), "file", now)


def _of(window: Window | None, by: str, now: datetime) -> Iterator[Figure]:
    closed = window is not None and window.in_force(now)
    yield Figure("gapura_maintenance", int(closed), {"by": by})
    if closed and window is not None and window.until is not None:
        overdue_s = max(0.0, (now - window.until).total_seconds())
        yield Figure("gapura_maintenance_overdue_seconds", overdue_s, {"by": by})
