"""The parts of the overview, wired once for the composition root and for commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.agreements.rows import epoch_of
from gateway.database import Database
from gateway.limits.ledger import LimitLedger
from gateway.overview.consumers import ConsumerOverview
from gateway.overview.counting import TrafficTotals
from gateway.overview.traffic import Range, Traffic, traffic
from gateway.overview.waiting import Waiting


@dataclass(frozen=True, slots=True)
class Overview:
    """What needs somebody, how the gateway is doing, and how each consumer fares."""

    totals: TrafficTotals
    waiting: Waiting
    consumers: ConsumerOverview
    database: Database
    clock: Callable[[], datetime]

    def traffic(self, span: Range) -> Traffic:
        """The last 24 hours or 30 days. Blocks. Raises StoreUnavailable."""
        return traffic(self.database, span, self.clock())

    def policy_epoch(self) -> int:
        """The number that every change of what is in force raises. Blocks. Raises StoreUnavailable."""
        with self.database.reading() as connection:
            return epoch_of(connection)


def open_overview(database: Database, limits: LimitLedger, clock: Callable[[], datetime]) -> Overview:
    """Wire the parts over what the process has."""
    return Overview(
        totals=TrafficTotals(database, clock),
        waiting=Waiting(database, clock),
        consumers=ConsumerOverview(database, limits, clock),
        database=database,
        clock=clock,
    )
