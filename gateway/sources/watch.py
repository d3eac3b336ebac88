"""Watches the sources from inside a serving process: reports, metrics, events when one goes or comes back.

It asks no source anything: it looks at what answers to real questions have shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from connectors.transport.observed import SourceState
from gateway.database import Database
from gateway.sources.folder import Sources, Tell
from gateway.sources.reports import report_states

LOOK_EVERY_S = 5.0


class SourceWatch:
    """One process's view of its sources, told on. `process` names this process apart from all others.

    `show` gets every state with the calls that its quota leaves (None: no quota, or not known now), for the
    metrics. Tells `source:down`, `source:up` and `source:not_reported`.
    """

    def __init__(
        self,
        sources: Sources,
        database: Database,
        clock: Callable[[], datetime],
        *,
        process: str,
        tell: Tell,
        show: Callable[[SourceState, int | None], None],
    ) -> None:
        self._sources = sources
        self._database = database
        self._clock = clock
        self._process = process
        self._tell = tell
        self._show = show
        self._down: dict[str, datetime] = {}

    async def run(self) -> None:
        """Look every LOOK_EVERY_S, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Look once. Never raises: a database that is gone must not end the watch."""
        states = self._sources.states()
        for state in states:
            self._notice(state)
            self._show(state, await self._quota_left(state.name))
        try:
            await asyncio.to_thread(
                report_states, self._database, states, process=self._process, now=self._clock()
            )
        except Exception as error:  # noqa: BLE001 - told, and tried again at the next look
            self._tell("source:not_reported", level="warning", error=type(error).__name__)

    async def _quota_left(self, name: str) -> int | None:
        try:
            return await self._sources.quota_left(name)
        except Exception:  # noqa: BLE001 - the ledger's outage is told by the report's
            return None

    def _notice(self, state: SourceState) -> None:
        since = state.unavailable_since
        if since is not None and state.name not in self._down:
            self._down[state.name] = since
            self._tell(
                "source:down",
                level="warning",
                source=state.name,
                breaker=state.breaker,
                cause=state.last_cause,
                since=since.isoformat(),
            )
        elif since is None and state.name in self._down:
            seconds = (self._clock() - self._down.pop(state.name)).total_seconds()
            self._tell("source:up", source=state.name, after_s=round(seconds, 1))
