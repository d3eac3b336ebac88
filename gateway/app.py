"""The composition root: builds everything once, mounts everything once. No logic.

The only module that knows which connectors exist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import NamedTuple

from fastapi import FastAPI
from starlette.types import ASGIApp

from connectors.base import Connector
from gateway.agreements.live import LivePolicies
from gateway.agreements.past import Explanations
from gateway.agreements.preview import Preview
from gateway.agreements.replay import Replay
from gateway.agreements.store import PolicyStore
from gateway.agreements.trials import Trials
from gateway.api import documentation, problems
from gateway.api.direct import Direct
from gateway.api.edge import Edge
from gateway.api.health import health_router
from gateway.api.wire import MEMBER_NAMES, WIRE_MODELS
from gateway.areas.connector import AreasConnector
from gateway.audit.entry import SubjectHasher
from gateway.audit.log import AuditLog
from gateway.audit.transparency import TransparentLog, open_log
from gateway.conduct import Conduct, open_conduct
from gateway.console.app import console_routes
from gateway.database import Database
from gateway.errors import SettingsInvalid
from gateway.exchange import Exchange
from gateway.installation import open_keys
from gateway.keys import Keys
from gateway.limits.ledger import LimitLedger
from gateway.migrations import fits
from gateway.oauth.bearer import BearerCheck
from gateway.oauth.certificates import ClientCertificates
from gateway.oauth.consumers import ConsumerStore
from gateway.overview.opening import Overview, open_overview
from gateway.provision import check_provided, provided_by, with_unconfigured
from gateway.pseudonyms.desk import NamesDesk, open_names_desk
from gateway.reconciliation.opening import Reconciling, open_reconciling
from gateway.registry.connector import RegistryConnector
from gateway.registry.existing.connector import ExistingRegistry, open_existing_registry
from gateway.registry.existing.connector import provided_by as provided_by_mapping
from gateway.registry.existing.mapping import read_mapping
from gateway.replica import Reports, open_reports
from gateway.rights.opening import Rights, open_rights
from gateway.routes import consumer_routes, staff_routes
from gateway.serving import open_tracing, readiness_checks, serving, source_words, vitals
from gateway.settings import Settings, load_settings
from gateway.signatures.edge import SignedAnswers, SignedBearerCheck
from gateway.sources.folder import Sources, build_sources
from gateway.staff.opening import StaffDesk, open_staff_desk
from gateway.telemetry import Telemetry

Clock = Callable[[], datetime]
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
    store: PolicyStore
    policies: LivePolicies
    registry: RegistryConnector | ExistingRegistry
    areas: AreasConnector
    sources: tuple[Connector, ...]
    outside: Sources
    consumers: ConsumerStore
    bearer: BearerCheck
    audit: AuditLog
    log: TransparentLog
    limits: LimitLedger
    exchange: Exchange
    names: NamesDesk
    rights: Rights
    reconciling: Reconciling
    trials: Trials
    overview: Overview
    staff: StaffDesk
    reports: Reports
    conduct: Conduct
    telemetry: Telemetry
    clock: Clock

    def close(self) -> None:
        """Finish what is under way and let go of the database."""
        self.reconciling.close()
        self.limits.close()
        self.audit.close()
        self.registry.close()
        self.areas.close()
        self.outside.close()
        self.bearer.close()
        self.staff.close()
        self.database.close()
        self.telemetry.close()


def utc_now() -> datetime:
    """The present moment; injected wherever time matters."""
    return datetime.now(UTC)


class _Ground(NamedTuple):
    """What everything else stands on."""

    settings: Settings
    telemetry: Telemetry
    database: Database
    keys: Keys
    policies: LivePolicies
    clock: Clock


class _Asked(NamedTuple):
    """Whom an exchange can ask: the registry first, then the `sources`, of which `outside` has its own."""

    registry: RegistryConnector | ExistingRegistry
    areas: AreasConnector
    outside: Sources
    sources: tuple[Connector, ...]


def build_services(
    settings: Settings, *, sources: Sequence[Connector] = (), clock: Clock = utc_now
) -> Services:
    """Open the database and the keys, load the policies, wire the rest.

    Raises SettingsInvalid when this code cannot serve on the schema or an agreement needs a field that no
    source provides, PolicyError when a policy file is wrong, StoreUnavailable when the database is out of
    reach.
    """
    ground = _open_ground(settings, clock)
    _, telemetry, database, keys, policies, _ = ground
    asked = _open_sources(ground, sources)
    provided = provided_by([asked.registry, *asked.sources])
    audit, consumers = AuditLog(database), ConsumerStore(database, clock)
    limits = LimitLedger(database, SubjectHasher(keys.audit_key), clock, tell=telemetry.event)
    names = _open_names(ground, asked, limits, audit)
    staff = open_staff_desk(settings, database, keys, clock)
    reports = open_reports(settings, database, clock, telemetry.event)
    return Services(
        settings=settings,
        database=database,
        keys=keys,
        store=PolicyStore(database, clock, lambda: provided, policies.reader),
        policies=policies,
        **asked._asdict(),
        consumers=consumers,
        bearer=SignedBearerCheck(
            database=database,
            keys=keys,
            issuer=settings.issuer,
            clock=clock,
            certificates=ClientCertificates(settings.trusted_networks),
        ),
        audit=audit,
        log=open_log(database, keys, settings.issuer, clock),
        limits=limits,
        exchange=_open_exchange(ground, asked, names, limits, audit),
        names=names,
        rights=_open_rights(ground, asked, limits, audit, reports),
        reconciling=open_reconciling(
            settings, database, asked.registry, names.keyring.of, audit, limits, keys, clock
        ),
        trials=_open_trials(ground, asked, consumers, staff),
        overview=open_overview(database, limits, clock),
        staff=staff,
        reports=reports,
        conduct=open_conduct(settings, database, keys, telemetry, clock),
        telemetry=telemetry,
        clock=clock,
    )


def _open_ground(settings: Settings, clock: Clock) -> _Ground:
    telemetry = Telemetry(settings.log_level, open_tracing(settings))
    database = Database(settings.effective_database_url, direct_url=settings.database_direct_url)
    if database.is_missing() or not fits(database):
        raise SettingsInvalid(["The database schema is not current: run `gapura migrate` first"])
    keys = open_keys(database, settings.home / "keys", settings.key_source)
    policies = LivePolicies.opened(database, PolicyStore(database, clock), settings.policies)
    return _Ground(settings, telemetry, database, keys, policies, clock)


def _open_sources(ground: _Ground, further: Sequence[Connector]) -> _Asked:
    settings, telemetry, database, keys, policies, clock = ground
    registry = _open_registry(settings, database, keys, telemetry)
    outside = build_sources(settings.sources_file, database, clock, telemetry.event, watch=telemetry.attempt)
    areas = AreasConnector(database)
    present = policies.present
    sources = with_unconfigured(present, [registry], (areas, *outside.connectors, *further), clock())
    check_provided(present, [registry, *sources])
    return _Asked(registry, areas, outside, sources)


def _open_registry(
    settings: Settings, database: Database, keys: Keys, telemetry: Telemetry
) -> RegistryConnector | ExistingRegistry:
    """The gateway's own tables, or the existing database that a mapping file describes."""
    if settings.registry_file is None:
        return RegistryConnector(database)

    def unusable(field: str, count: int) -> None:
        telemetry.event("registry:values_unusable", level="warning", field=field, count=count)

    secret = keys.derive("person ids of an existing registry")
    return open_existing_registry(settings.registry_file, secret, heard=unusable)


def _open_names(ground: _Ground, asked: _Asked, limits: LimitLedger, audit: AuditLog) -> NamesDesk:
    return open_names_desk(
        database=ground.database,
        keys=ground.keys,
        folder=ground.settings.home / "keys",
        registry=asked.registry,
        limits=limits,
        audit=audit,
        clock=ground.clock,
        timeout_s=ground.settings.exchange_timeout_s,
    )


def _open_exchange(
    ground: _Ground, asked: _Asked, names: NamesDesk, limits: LimitLedger, audit: AuditLog
) -> Exchange:
    return Exchange(
        registry=asked.registry,
        sources=asked.sources,
        sector_keys=names.keyring.of,
        limits=limits,
        audit=audit,
        audit_key=ground.keys.audit_key,
        clock=ground.clock,
        timeout_s=ground.settings.exchange_timeout_s,
        simulated=asked.outside.simulated,
    )


def _open_rights(
    ground: _Ground, asked: _Asked, limits: LimitLedger, audit: AuditLog, reports: Reports
) -> Rights:
    return open_rights(
        database=ground.database,
        registry=asked.registry,
        audit=audit,
        audit_key=ground.keys.audit_key,
        limits=limits,
        policies=ground.policies,
        clock=ground.clock,
        timeout_s=ground.settings.exchange_timeout_s,
        reports=reports,
    )


def _open_trials(ground: _Ground, asked: _Asked, consumers: ConsumerStore, staff: StaffDesk) -> Trials:
    database, clock = ground.database, ground.clock
    preview = Preview(
        database=database,
        registry=asked.registry,
        sources=asked.sources,
        simulated=asked.outside.simulated,
        consumers=consumers,
        holders=staff.accounts.holders,
        audit_key=ground.keys.audit_key,
        clock=clock,
        timeout_s=ground.settings.exchange_timeout_s,
    )
    return Trials(preview, Replay(database, consumers, clock), Explanations(database))


def build_app(services: Services) -> ASGIApp:
    """The whole HTTP face of one process."""
    app = FastAPI(
        title="Gapura",
        version=version("gapura"),
        description=_DESCRIPTION,
        lifespan=lambda _app: serving(services),
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app, MEMBER_NAMES)
    documentation.install(app, WIRE_MODELS)
    exchanges, *others = consumer_routes(services)
    for router in (exchanges, *others, *staff_routes(services)):
        app.include_router(router)
    app.include_router(
        health_router(
            readiness_checks(services),
            lambda: source_words(services),
            services.telemetry,
            vitals(services),
            services.conduct.maintenance,
        )
    )
    direct = Direct(app, exchanges, MEMBER_NAMES)
    once = services.conduct.with_keys(direct, app)
    signed = SignedAnswers(once, keyring=services.log.keyring, clock=services.clock)
    most = services.settings.max_body_bytes
    served = Edge(services.conduct.before(signed), telemetry=services.telemetry, max_body_bytes=most)
    app.router.routes += console_routes(served)
    return served


def create_app() -> ASGIApp:
    """What `gapura serve` starts in every worker: settings from the environment alone."""
    return build_app(build_services(load_settings()))


def registry_fields(settings: Settings) -> frozenset[str]:
    """What the registry of these settings provides, without opening it. Raises SettingsInvalid."""
    if settings.registry_file is None:
        return RegistryConnector.provides
    return provided_by_mapping(read_mapping(settings.registry_file))
