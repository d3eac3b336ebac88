"""The composition root: builds everything once, mounts everything once. No logic.

The only module that knows which connectors exist.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version

from fastapi import FastAPI
from starlette.types import ASGIApp

from connectors.base import Connector
from gateway.api import documentation, problems
from gateway.api.agreements import agreement_router
from gateway.api.edge import Edge
from gateway.api.examples import REQUEST_EXAMPLES
from gateway.api.exchanges import MEMBER_NAMES, WIRE_MODELS, exchange_router
from gateway.api.health import Check, health_router
from gateway.audit.log import AuditLog
from gateway.database import Database
from gateway.errors import SettingsInvalid
from gateway.exchange import Exchange
from gateway.installation import open_keys
from gateway.keys import Keys
from gateway.migrations import is_current
from gateway.oauth.bearer import BearerCheck
from gateway.oauth.consumers import ConsumerStore
from gateway.oauth.endpoints import oauth_router
from gateway.registry.connector import RegistryConnector
from gateway.settings import Settings, load_settings
from gateway.sources.folder import Sources, build_sources
from gateway.sources.watch import SourceWatch
from gateway.telemetry import Telemetry
from policies.agreement import AgreementBook
from policies.conditions import ON_DATE, inputs
from policies.library import load_policies
from policies.pseudonym import SectorKey, derive_sector_key

Clock = Callable[[], datetime]
_FORGET_EVERY_S = 60
_DESCRIPTION = """\
Gapura tells partner agencies what their agreement lets them know about the people of DTKS, and nothing more.

Get a token at `/oauth/token` (client credentials, `private_key_jwt`, DPoP), then ask. The examples work as
they stand against `sh deploy/demo.sh`, for the consumer that each one names.
"""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a process needs, built once."""

    settings: Settings
    database: Database
    keys: Keys
    book: AgreementBook
    registry: RegistryConnector
    sources: tuple[Connector, ...]
    outside: Sources
    consumers: ConsumerStore
    bearer: BearerCheck
    audit: AuditLog
    exchange: Exchange
    telemetry: Telemetry
    clock: Clock

    def close(self) -> None:
        """Finish what is under way and let go of the database."""
        self.audit.close()
        self.registry.close()
        self.outside.close()
        self.bearer.close()
        self.database.close()


def utc_now() -> datetime:
    """The present moment; injected wherever time matters."""
    return datetime.now(UTC)


def build_services(
    settings: Settings, *, sources: Sequence[Connector] = (), clock: Clock = utc_now
) -> Services:
    """Open the database and the keys, load the policies, wire the rest.

    Raises SettingsInvalid when the schema is not current or an agreement needs a field that no source
    provides, PolicyError when a policy file is wrong, StoreUnavailable when the database is out of reach.
    """
    telemetry = Telemetry(settings.log_level)
    database = Database(settings.effective_database_url)
    if database.is_missing() or not is_current(database):
        raise SettingsInvalid(["The database schema is not current: run `gapura migrate` first"])
    keys = open_keys(database, settings.home / "keys")
    book = load_policies(settings.policies)
    registry = RegistryConnector(database)
    outside = build_sources(settings.sources, database, clock, telemetry.event)
    sources = (*outside.connectors, *sources)
    _check_provided(book, [registry, *sources])
    audit = AuditLog(database)
    consumers = ConsumerStore(database)
    bearer = BearerCheck(database=database, keys=keys, issuer=settings.issuer, clock=clock)
    exchange = Exchange(
        book=book,
        registry=registry,
        sources=sources,
        sector_key=_sector_keys(keys),
        audit=audit,
        audit_key=keys.audit_key,
        clock=clock,
        timeout_s=settings.exchange_timeout_s,
    )
    return Services(
        settings,
        database,
        keys,
        book,
        registry,
        sources,
        outside,
        consumers,
        bearer,
        audit,
        exchange,
        telemetry,
        clock,
    )


def build_app(services: Services) -> ASGIApp:
    """The whole HTTP face of one process."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        services.telemetry.event(
            "gateway:started",
            issuer=services.settings.issuer,
            database="sqlite" if services.database.is_sqlite else "postgresql",
            agreements=len(services.book.agreements),
            programmes=sorted(services.book.programmes),
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
        tasks = [asyncio.create_task(_forget_expired_marks(services)), asyncio.create_task(watch.run())]
        yield
        for task in tasks:
            task.cancel()
        await services.outside.aclose()
        services.close()
        services.telemetry.event("gateway:stopped")

    app = FastAPI(
        title="Gapura",
        version=version("gapura"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app, MEMBER_NAMES)
    documentation.install(app, WIRE_MODELS)
    app.include_router(
        exchange_router(services.exchange, services.bearer, services.telemetry, REQUEST_EXAMPLES)
    )
    app.include_router(agreement_router(services.book, services.bearer, services.clock))
    app.include_router(
        oauth_router(
            database=services.database,
            keys=services.keys,
            issuer=services.settings.issuer,
            token_lifetime_s=services.settings.token_lifetime_s,
            clock=services.clock,
        )
    )
    app.include_router(
        health_router(_readiness_checks(services), lambda: _source_words(services), services.telemetry)
    )
    return Edge(app, telemetry=services.telemetry, max_body_bytes=services.settings.max_body_bytes)


def create_app() -> ASGIApp:
    """What `gapura serve` starts in every worker: settings from the environment alone."""
    return build_app(build_services(load_settings()))


def _sector_keys(keys: Keys) -> Callable[[str], SectorKey]:
    @lru_cache(maxsize=1024)
    def sector_key(sector: str) -> SectorKey:
        return derive_sector_key(keys.master, sector)

    return sector_key


def _check_provided(book: AgreementBook, connectors: Sequence[Connector]) -> None:
    """Refuse to start on an agreement or a rule that needs what nobody provides."""
    provided = frozenset[str]().union(*(connector.provides for connector in connectors)) | {ON_DATE}
    needed = [
        *(
            (f"programme {rule.programme}", field)
            for rule in book.programmes.values()
            for field in inputs(rule)
        ),
        *(
            (f"agreement {agreement.id}", how.reads)
            for agreement in book.agreements
            for how in agreement.fields.values()
            if how.name != "drop"
        ),
    ]
    if missing := [
        f"{where} needs the field {field}, which no connector provides"
        for where, field in needed
        if field not in provided
    ]:
        raise SettingsInvalid(missing)


def _readiness_checks(services: Services) -> dict[str, Check]:
    async def database() -> None:
        await services.registry.ping()

    async def schema() -> None:
        if not await asyncio.to_thread(is_current, services.database):
            raise SettingsInvalid(["The schema has changed under this process: restart it"])

    return {"database": database, "schema": schema}


def _source_words(services: Services) -> dict[str, str]:
    return {
        state.name: "not asked yet"
        if state.reachable is None
        else "ok"
        if state.unavailable_since is None
        else f"unavailable since {state.unavailable_since.isoformat(timespec='seconds')}"
        for state in services.outside.states()
    }


async def _forget_expired_marks(services: Services) -> None:
    """Keep the replay tables as small as their window."""
    while True:
        await asyncio.sleep(_FORGET_EVERY_S)
        try:
            count = await asyncio.to_thread(services.bearer.forget_expired, services.clock())
        except Exception as error:  # noqa: BLE001 - housekeeping must survive a database outage
            services.telemetry.event("marks:not_forgotten", level="warning", error=type(error).__name__)
        else:
            services.telemetry.event("marks:forgotten", count=count)
