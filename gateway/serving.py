"""What a process does while it serves, beside answering: watch sources, have the log in order, keep house.

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
from importlib.metadata import version
from typing import TYPE_CHECKING

from gateway.api.health import STAYING, Check
from gateway.audit.months import LogMonths
from gateway.errors import SettingsInvalid
from gateway.housekeeping import Chore, collect_rarely, every_day, every_hour, every_minute, keep_house
from gateway.keeping.failures import Failure
from gateway.keeping.guard import KeeperGuard
from gateway.keeping.order import keep_in_order
from gateway.migrations import fits, history_of
from gateway.migrations.presence import Presence, ServingProcess
from gateway.settings import Settings
from gateway.sources.last_known import forget_verdicts
from gateway.sources.watch import SourceWatch
from gateway.vitals.looking import Vitals

if TYPE_CHECKING:
    from gateway.app import Services
    from gateway.telemetry.otlp import OtlpTracing


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
    process = f"{platform.node()[:40]}-{os.getpid()}"
    watch = SourceWatch(
        services.outside,
        services.database,
        services.clock,
        process=process,
        tell=services.telemetry.event,
        show=services.telemetry.source_seen,
    )
    collect_rarely()
    chores = keep_house(_chores(services), services.telemetry.event)
    code = ServingProcess(process, history_of().head, version("gapura"))
    presence = Presence(services.database, code, services.clock)
    keeping = asyncio.create_task(_have_log_in_order(services))
    running = (watch.run(), chores, services.conduct.maintenance.run(), presence.run())
    tasks = [keeping, *(asyncio.create_task(one) for one in running)]
    with services.conduct.draining.heeding():
        yield
    for task in tasks:
        task.cancel()
    await asyncio.to_thread(presence.leave)
    await asyncio.wait([keeping])  # a keeper of ours is gone then
    await services.outside.aclose()
    services.close()
    services.telemetry.event("gateway:stopped")


def readiness_checks(services: Services) -> dict[str, Check]:
    """What must hold before this process is given requests, by name."""

    async def database() -> None:
        await services.registry.ping()

    async def schema() -> None:
        if not await asyncio.to_thread(fits, services.database):
            raise SettingsInvalid(
                ["The schema has no longer what this process needs: give it the new version"]
            )

    async def staying() -> None:
        if services.conduct.draining.begun:
            raise ProcessLeaving

    return {"database": database, "schema": schema, STAYING: staying}


class ProcessLeaving(Exception):  # noqa: N818 - what readiness tells by this name
    """The process was told to end: whoever balances the load sends its requests elsewhere."""


def vitals(services: Services) -> Vitals:
    """What a scrape looks up."""
    return Vitals(
        services.database,
        services.clock,
        services.telemetry.event,
        home=services.settings.home,
        certificates=services.settings.certificate_files,
    )


def open_tracing(settings: Settings) -> OtlpTracing | None:
    """What sends traces, where somebody wants them; nothing of it is imported where nobody does."""
    if settings.otlp_endpoint is None:
        return None
    from gateway.telemetry.otlp import OtlpTracing  # noqa: PLC0415 - half a second, for those who want it

    return OtlpTracing(str(settings.otlp_endpoint), settings.otlp_share_percent)


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


async def _have_log_in_order(services: Services) -> None:
    """Have committed entries get their place and their signature: here on SQLite, elsewhere by a keeper."""
    tell = services.telemetry.event
    if not services.database.is_sqlite:
        await KeeperGuard(services.settings, tell).run()
        return

    def failed(error: BaseException) -> None:
        failure = Failure.of(error)
        tell(failure.event, level="error", error=failure.error)

    index, totals = services.rights.index, services.overview.totals
    await keep_in_order(services.log.sequencer, index, totals, failed)


def _chores(services: Services) -> list[Chore]:
    def old_verdicts() -> int:
        kept = timedelta(days=services.settings.verdicts_kept_days)
        return forget_verdicts(services.database, services.clock() - kept)

    months = LogMonths(services.database, services.clock)
    return [
        every_minute("spent proofs", lambda: services.bearer.forget_expired(services.clock())),
        every_minute("ended sessions", services.staff.sessions.forget_ended),
        every_minute("reconciliations", services.reconciling.supervision.tend),
        every_minute("newer evidence keys", services.log.refresh),
        every_minute("months of the log", months.tend),
        every_hour("entries in no month", lambda: months.look_for_strays(services.telemetry.event)),
        every_hour("used keys", services.conduct.used_keys.forget_expired),
        every_hour("old limits", services.limits.forget_old),
        every_hour("old traffic", services.overview.totals.forget_old),
        every_hour("ended sector keys", lambda: len(services.names.keyring.destroy_ended())),
        every_day("old verdicts", old_verdicts),
    ]
