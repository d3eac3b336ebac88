"""What a process does while it serves, beside answering: watch sources, order the log, keep house.

MUST NOT decide anything about a request: whatever is done here is done again by the next process if this one
dies in the middle.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.api.health import Check
from gateway.errors import SettingsInvalid
from gateway.housekeeping import Chore, collect_rarely, every_day, every_hour, every_minute, keep_house
from gateway.migrations import is_current
from gateway.sources.last_known import forget_verdicts
from gateway.sources.watch import SourceWatch

if TYPE_CHECKING:
    from gateway.app import Services


@contextlib.asynccontextmanager
async def serving(services: Services) -> AsyncIterator[None]:
    """All of it, for as long as the application lives; then everything is closed."""
    services.telemetry.event(
        "gateway:started",
        issuer=services.settings.issuer,
        database="sqlite" if services.database.is_sqlite else "postgresql",
        agreements=len(services.policies.present.agreements),
        programmes=sorted(services.policies.present.programmes),
        workers=services.settings.workers,
    )
    watch = SourceWatch(
        services.outside,
        services.database,
        services.clock,
        process=f"{platform.node()[:40]}-{os.getpid()}",
        tell=services.telemetry.event,
        show=services.telemetry.source_seen,
    )
    collect_rarely()
    chores = keep_house(_chores(services), services.telemetry.event)
    tasks = [asyncio.create_task(one) for one in (watch.run(), _keep_log_in_order(services), chores)]
    yield
    for task in tasks:
        task.cancel()
    await services.outside.aclose()
    services.close()
    services.telemetry.event("gateway:stopped")


def readiness_checks(services: Services) -> dict[str, Check]:
    """What must hold before this process is given requests, by name."""

    async def database() -> None:
        await services.registry.ping()

    async def schema() -> None:
        if not await asyncio.to_thread(is_current, services.database):
            raise SettingsInvalid(["The schema has changed under this process: restart it"])

    return {"database": database, "schema": schema}


def source_words(services: Services) -> dict[str, str]:
    """How each outside source stands, as this process sees it."""
    return {
        state.name: "not asked yet"
        if state.reachable is None
        else "ok"
        if state.unavailable_since is None
        else f"unavailable since {state.unavailable_since.isoformat(timespec='seconds')}"
        for state in services.outside.states()
    }


async def _keep_log_in_order(services: Services) -> None:
    """Give committed entries their place and sign checkpoints; a failure is told, the next step tries."""

    def failed(error: BaseException) -> None:
        services.telemetry.event("audit:not_integrated", level="error", error=type(error).__name__)

    await asyncio.gather(
        services.log.sequencer.run(failed),
        services.rights.index.run(failed),
        services.overview.totals.run(failed),
    )


def _chores(services: Services) -> list[Chore]:
    def old_verdicts() -> int:
        kept = timedelta(days=services.settings.verdicts_kept_days)
        return forget_verdicts(services.database, services.clock() - kept)

    return [
        every_minute("spent proofs", lambda: services.bearer.forget_expired(services.clock())),
        every_minute("ended sessions", services.staff.sessions.forget_ended),
        every_minute("reconciliations", services.reconciling.supervision.tend),
        every_minute("newer evidence keys", services.log.refresh),
        every_hour("old limits", services.limits.forget_old),
        every_hour("old traffic", services.overview.totals.forget_old),
        every_hour("ended sector keys", lambda: len(services.names.keyring.destroy_ended())),
        every_day("old verdicts", old_verdicts),
    ]
