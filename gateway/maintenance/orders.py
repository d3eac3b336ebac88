"""Orders of maintenance in the database: one at a time, each an act of staff on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from gateway.database import Database
from gateway.errors import Conflict
from gateway.maintenance.tables import maintenance
from gateway.maintenance.window import Window, planned
from gateway.staff.acts import Act, RecordAct
from gateway.staff.roles import Staff
from policies.dictionary import Text

_OBJECT = "gateway"
_ONLY = 1


@dataclass(frozen=True, slots=True)
class Orders:
    """Where maintenance is ordered and ended, for all nodes. Its methods block."""

    database: Database
    record: RecordAct
    clock: Callable[[], datetime]

    def present(self) -> Window | None:
        """The order that stands, begun or announced. Raises StoreUnavailable."""
        with self.database.reading() as connection:
            return _standing(connection)

    def order(self, actor: Staff, *, begins_at: datetime | None, until: datetime, reason: str) -> Window:
        """Order a window, in place of the one that stands; `begins_at` None means now.

        Raises BadInput for a window that makes no sense.
        """
        now = self.clock()
        window = planned(begins_at=begins_at, until=until, reason=reason, ordered_by=actor.actor, now=now)
        row = {
            "id": _ONLY,
            "begins_at": window.begins_at,
            "until": window.until,
            "reason": window.reason,
            "ordered_by": window.ordered_by,
            "ordered_at": now,
        }
        told = {"begins_at": _told(window.begins_at), "until": _told(until)}
        with self.database.unit_of_work() as connection:
            connection.execute(delete(maintenance))
            connection.execute(insert(maintenance).values(row))
            self.record(
                connection, Act(actor.actor, "maintenance.ordered", _OBJECT, now, window.reason, told)
            )
        return window

    def end(self, actor: Staff, reason: str) -> None:
        """Serve again, or take an announcement back. Raises Conflict where nothing is ordered."""
        with self.database.unit_of_work() as connection:
            if not connection.execute(delete(maintenance)).rowcount:
                raise Conflict(
                    Text("Tidak ada pemeliharaan yang diperintahkan.", "No maintenance is ordered."),
                    code="no_maintenance",
                )
            self.record(connection, Act(actor.actor, "maintenance.ended", _OBJECT, self.clock(), reason))


def _standing(connection: Connection) -> Window | None:
    row = connection.execute(select(maintenance)).first()
    return None if row is None else Window(row.begins_at, row.until, row.reason, row.ordered_by)


def _told(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes")
