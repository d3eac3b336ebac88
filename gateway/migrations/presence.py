"""Which processes serve, and how new a schema their code knows: what a contract has to ask before it acts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from gateway.database import Database
from gateway.errors import StoreUnavailable
from gateway.migrations.tables import serving_processes

_SHOWN_EVERY_S = 10
# Silent for so long, a process counts as ended: six times the pause, for clocks and databases that lag.
SILENT_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class ServingProcess:
    """A process that serves; `knows` is the newest revision that its code was written for."""

    process: str
    knows: str
    version: str


@dataclass(frozen=True, slots=True)
class Presence:
    """Shows that this process serves, for as long as it does."""

    database: Database
    me: ServingProcess
    clock: Callable[[], datetime]

    async def run(self) -> None:
        """Show it again and again until cancelled. A database outage is waited for."""
        while True:
            with suppress(StoreUnavailable):
                await asyncio.to_thread(self.show)
            await asyncio.sleep(_SHOWN_EVERY_S)

    def show(self) -> None:
        """Say that this process serves now, and forget those that fell silent. Raises StoreUnavailable."""
        now = self.clock()
        seen = {"knows": self.me.knows, "version": self.me.version, "seen_at": now}
        mine = serving_processes.c.process == self.me.process
        with self.database.unit_of_work(durable=False) as connection:
            if not connection.execute(update(serving_processes).where(mine).values(seen)).rowcount:
                connection.execute(insert(serving_processes).values(process=self.me.process, **seen))
            silent = serving_processes.c.seen_at < now - SILENT_AFTER
            connection.execute(delete(serving_processes).where(silent))

    def leave(self) -> None:
        """Say that it serves no longer; one that cannot say so falls silent."""
        mine = serving_processes.c.process == self.me.process
        with suppress(StoreUnavailable), self.database.unit_of_work(durable=False) as connection:
            connection.execute(delete(serving_processes).where(mine))


def serving_now(connection: Connection, now: datetime) -> list[ServingProcess]:
    """The processes that were heard of lately."""
    columns = serving_processes.c
    heard = select(columns.process, columns.knows, columns.version).where(
        columns.seen_at >= now - SILENT_AFTER
    )
    return [ServingProcess(*row) for row in connection.execute(heard.order_by(columns.process))]
