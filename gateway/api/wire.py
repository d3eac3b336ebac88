"""Every wire model that no route declares by itself, and every member's name that a problem may repeat."""

from __future__ import annotations

from pydantic import BaseModel

from gateway.api import exchanges, findings, pseudonyms, rights
from gateway.api.admin import (
    consumer_health,
    consumers,
    documentation,
    exchange_forms,
    likely_persons,
    maintenance,
    maps,
    overview,
    reconciliations,
)
from gateway.api.admin import findings as staff_findings

WIRE_MODELS: tuple[type[BaseModel], ...] = (
    *exchanges.WIRE_MODELS,
    *rights.WIRE_MODELS,
    *pseudonyms.WIRE_MODELS,
    *findings.WIRE_MODELS,
)
MEMBER_NAMES: frozenset[str] = frozenset().union(
    exchanges.MEMBER_NAMES,
    rights.MEMBER_NAMES,
    pseudonyms.MEMBER_NAMES,
    findings.MEMBER_NAMES,
    documentation.MEMBER_NAMES,
    likely_persons.MEMBER_NAMES,
    reconciliations.MEMBER_NAMES,
    staff_findings.MEMBER_NAMES,
    maps.MEMBER_NAMES,
    maintenance.MEMBER_NAMES,
    consumers.MEMBER_NAMES,
    consumer_health.MEMBER_NAMES,
    overview.MEMBER_NAMES,
    exchange_forms.MEMBER_NAMES,
)
