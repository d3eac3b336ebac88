"""The composition root: builds everything once, mounts everything once. No logic.

The only module that knows which connectors exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from connectors.base import Connector
from gateway.agreements.live import LivePolicies
from gateway.agreements.past import Explanations
from gateway.agreements.preview import Preview
from gateway.agreements.replay import Replay
from gateway.agreements.store import PolicyStore
from gateway.agreements.trials import Trials
from gateway.api import documentation, problems, security_txt
from gateway.api.admin.acts import act_router
from gateway.api.admin.consumer_health import consumer_health_router
from gateway.api.admin.consumer_keys import consumer_key_router
from gateway.api.admin.consumers import consumer_router
from gateway.api.admin.evidence import Evidence
from gateway.api.admin.exchanges import exchange_log_router
from gateway.api.admin.explain import explain_router
from gateway.api.admin.findings import finding_router
from gateway.api.admin.gateway import gateway_router
from gateway.api.admin.likely_persons import likely_person_router
from gateway.api.admin.limits import limits_router
from gateway.api.admin.log_checks import log_router
from gateway.api.admin.maintenance import maintenance_router
from gateway.api.admin.maps import map_router
from gateway.api.admin.overview import overview_router
from gateway.api.admin.policies import policy_router
from gateway.api.admin.reconciliations import reconciliation_router
from gateway.api.admin.regions import region_router
from gateway.api.admin.reversals import reversal_router
from gateway.api.admin.rights import rights_admin_router
from gateway.api.admin.session import session_router
from gateway.api.admin.signatures import signature_router
from gateway.api.admin.sources import source_router
from gateway.api.admin.staff import staff_router
from gateway.api.admin.tokens import token_router
from gateway.api.admin.trying import trying_router
from gateway.api.agreements import agreement_router
from gateway.api.direct import Direct
from gateway.api.edge import Edge
from gateway.api.examples import REQUEST_EXAMPLES
from gateway.api.exchanges import exchange_router
from gateway.api.findings import findings_router
from gateway.api.health import health_router
from gateway.api.leaving import Leaving
from gateway.api.pseudonyms import pseudonym_router
from gateway.api.rights import rights_router
from gateway.api.transparency import transparency_router
from gateway.api.usage import usage_router
from gateway.api.wire import MEMBER_NAMES, WIRE_MODELS
from gateway.areas.connector import AreasConnector
from gateway.audit.checks import LogChecks
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
from gateway.oauth.endpoints import oauth_router
from gateway.oauth.identity import identity_in
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
from gateway.serving import open_tracing, readiness_checks, serving, source_words, vitals
from gateway.settings import Settings, load_settings
from gateway.signatures.edge import SignedAnswers, SignedBearerCheck
from gateway.sources.folder import Sources, build_sources
from gateway.sources.standing import SourceBoard
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


def build_services(
    settings: Settings, *, sources: Sequence[Connector] = (), clock: Clock = utc_now
) -> Services:
    """Open the database and the keys, load the policies, wire the rest.

    Raises SettingsInvalid when this code cannot serve on the schema or an agreement needs a field that no
    source provides, PolicyError when a policy file is wrong, StoreUnavailable when the database is out of
    reach.
    """
    telemetry = Telemetry(settings.log_level, open_tracing(settings))
    database = Database(settings.effective_database_url, direct_url=settings.database_direct_url)
    if database.is_missing() or not fits(database):
        raise SettingsInvalid(["The database schema is not current: run `gapura migrate` first"])
    keys = open_keys(database, settings.home / "keys", settings.key_source)
    policies = LivePolicies.opened(database, PolicyStore(database, clock), settings.policies)
    book = policies.present
    registry = _open_registry(settings, database, keys, telemetry)
    outside = build_sources(settings.sources_file, database, clock, telemetry.event, watch=telemetry.attempt)
    areas = AreasConnector(database)
    sources = with_unconfigured(book, [registry], (areas, *outside.connectors, *sources), clock())
    check_provided(book, [registry, *sources])
    provided = provided_by([registry, *sources])
    store = PolicyStore(database, clock, lambda: provided)
    audit = AuditLog(database)
    log = open_log(database, keys, settings.issuer, clock)
    consumers = ConsumerStore(database, clock)
    seen = ClientCertificates(settings.trusted_networks)
    bearer = SignedBearerCheck(
        database=database, keys=keys, issuer=settings.issuer, clock=clock, certificates=seen
    )
    limits = LimitLedger(database, SubjectHasher(keys.audit_key), clock, tell=telemetry.event)
    names = open_names_desk(
        database=database,
        keys=keys,
        folder=settings.home / "keys",
        registry=registry,
        limits=limits,
        audit=audit,
        clock=clock,
        timeout_s=settings.exchange_timeout_s,
    )
    exchange = Exchange(
        registry=registry,
        sources=sources,
        sector_keys=names.keyring.of,
        limits=limits,
        audit=audit,
        audit_key=keys.audit_key,
        clock=clock,
        timeout_s=settings.exchange_timeout_s,
        simulated=outside.simulated,
    )
    staff = open_staff_desk(settings, database, keys, clock)
    reports = open_reports(settings, database, clock, telemetry.event)
    preview = Preview(
        database=database,
        registry=registry,
        sources=sources,
        simulated=outside.simulated,
        consumers=consumers,
        holders=staff.accounts.holders,
        audit_key=keys.audit_key,
        clock=clock,
        timeout_s=settings.exchange_timeout_s,
    )
    return Services(
        settings,
        database,
        keys,
        store,
        policies,
        registry,
        areas,
        sources,
        outside,
        consumers,
        bearer,
        audit,
        log,
        limits,
        exchange,
        names,
        open_rights(
            database=database,
            registry=registry,
            audit=audit,
            audit_key=keys.audit_key,
            limits=limits,
            policies=policies,
            clock=clock,
            timeout_s=settings.exchange_timeout_s,
            reports=reports,
        ),
        open_reconciling(settings, database, registry, names.keyring.of, audit, limits, keys, clock),
        Trials(preview, Replay(database, consumers, clock), Explanations(database)),
        open_overview(database, limits, clock),
        staff,
        reports,
        open_conduct(settings, database, keys, telemetry, clock),
        telemetry,
        clock,
    )


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
    exchanges, *others = _consumers_routes(services)
    for router in (exchanges, *others, *_staff_routes(services)):
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


def _consumers_routes(services: Services) -> Iterator[APIRouter]:
    leave = Leaving(services.policies, services.log.receipts, services.telemetry)
    bearer, policies, clock = services.bearer, services.policies, services.clock
    yield exchange_router(services.exchange, leave, bearer, REQUEST_EXAMPLES)
    yield pseudonym_router(services.names.naming, leave, bearer)
    yield rights_router(services.rights.access, leave, bearer)
    yield findings_router(services.reconciling.regional, leave, bearer)
    yield agreement_router(policies, bearer, clock)
    yield usage_router(policies, bearer, services.limits, clock)
    yield transparency_router(services.log, services.database, bearer, services.keys.audit_key, clock)
    yield security_txt.router(services.settings, clock)
    yield oauth_router(
        database=services.database,
        keys=services.keys,
        issuer=services.settings.issuer,
        token_lifetime_s=services.settings.token_lifetime_s,
        clock=clock,
        certificates=ClientCertificates(services.settings.trusted_networks),
        mtls_origin=services.settings.mtls_origin,
    )


def _staff_routes(services: Services) -> Iterator[APIRouter]:
    check, clock = services.staff.check, services.clock
    yield session_router(services.staff)
    yield staff_router(services.staff)
    yield maintenance_router(services.conduct.orders, services.conduct.maintenance, check, clock)
    yield token_router(services.staff)
    yield rights_admin_router(
        services.rights, services.policies, services.database, services.reports, check, clock
    )
    yield reversal_router(services.names.reversals, check)
    yield likely_person_router(services.reconciling.likely, services.reconciling.rules, check)
    yield reconciliation_router(services.reconciling, check, clock)
    yield finding_router(services.reconciling, check, clock)
    yield map_router(services.database, services.policies, check, clock)
    yield overview_router(services.overview, check)
    yield consumer_router(services.consumers, check)
    yield consumer_health_router(
        services.overview, services.consumers, services.policies, services.limits, check
    )
    yield consumer_key_router(services.consumers, check)
    yield signature_router(services.database, check, clock)
    yield policy_router(services.store, check, clock)
    yield region_router(check)
    yield trying_router(services.trials, services.store, check)
    yield explain_router(services.trials.explain, check)
    yield limits_router(services.store, services.limits, check, clock)
    yield from _log_routes(services)
    yield source_router(
        SourceBoard(
            database=services.database,
            registry=services.registry,
            sources=services.sources,
            outside=services.outside,
            clock=clock,
        ),
        services.policies,
        services.database,
        check,
    )
    yield gateway_router(
        settings=services.settings,
        keys=services.keys,
        keyring=services.log.keyring,
        sectors=services.names.keyring,
        check=check,
        clock=clock,
    )


def _log_routes(services: Services) -> Iterator[APIRouter]:
    check, clock, database, log = services.staff.check, services.clock, services.database, services.log
    identity = identity_in(services.consumers)
    evidence = Evidence(database, log, services.keys.audit_key, identity, clock)
    checks = LogChecks(database, log.keyring.verifiers, clock)
    reports = services.reports
    yield exchange_log_router(database, reports, services.policies, services.trials.explain, evidence, check)
    yield act_router(database, reports, evidence, check)
    yield log_router(log, database, checks, check, clock)


def create_app() -> ASGIApp:
    """What `gapura serve` starts in every worker: settings from the environment alone."""
    return build_app(build_services(load_settings()))


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


def registry_fields(settings: Settings) -> frozenset[str]:
    """What the registry of these settings provides, without opening it. Raises SettingsInvalid."""
    if settings.registry_file is None:
        return RegistryConnector.provides
    return provided_by_mapping(read_mapping(settings.registry_file))
