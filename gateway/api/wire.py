"""Every wire model that no route declares by itself, and every member's name that a problem may repeat."""

from __future__ import annotations

from pydantic import BaseModel

from gateway.api import exchanges, findings, pseudonyms, rights
from gateway.api.admin import documentation, likely_persons, reconciliations

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
)
