"""Which endpoints there are, and what each is given. One line for each; no logic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fastapi import APIRouter

from gateway.api import security_txt
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
from gateway.api.examples import REQUEST_EXAMPLES
from gateway.api.exchanges import exchange_router
from gateway.api.findings import findings_router
from gateway.api.leaving import Leaving
from gateway.api.pseudonyms import pseudonym_router
from gateway.api.rights import rights_router
from gateway.api.transparency import transparency_router
from gateway.api.usage import usage_router
from gateway.audit.checks import LogChecks
from gateway.oauth.certificates import ClientCertificates
from gateway.oauth.endpoints import oauth_router
from gateway.oauth.identity import identity_in
from gateway.sources.standing import SourceBoard

if TYPE_CHECKING:
    from gateway.app import Services


def consumer_routes(services: Services) -> Iterator[APIRouter]:
    """What partner agencies call; the exchange first."""
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


def staff_routes(services: Services) -> Iterator[APIRouter]:
    """What Pusdatin's administrators and the console call."""
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
