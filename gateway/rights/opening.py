"""Everything about people's rights of one process, wired once, for the composition root and for commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from connectors.base import Connector
from gateway.agreements.live import LivePolicies
from gateway.audit.entry import SubjectHasher
from gateway.audit.log import AuditLog
from gateway.audit.subject_index import SubjectIndex
from gateway.database import Database
from gateway.gate import Gate
from gateway.limits.ledger import LimitLedger
from gateway.replica import Reports
from gateway.rights.access import AccessHistory
from gateway.rights.desk import RightsDesk
from gateway.rights.history import Histories
from gateway.rights.incidents import Incidents


class Registry(Connector, Protocol):
    """The registry, built in or somebody else's: a source that can also say whom it knows."""

    def person_ids(self) -> Iterator[UUID]:
        """The id of everybody, once; reads the whole registry, a part at a time. Raises StoreUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Rights:
    """What a person asks through an app, what staff does for them, and the index that both read."""

    index: SubjectIndex
    access: AccessHistory
    desk: RightsDesk
    incidents: Incidents


def open_rights(
    *,
    database: Database,
    registry: Registry,
    audit: AuditLog,
    audit_key: bytes,
    limits: LimitLedger,
    policies: LivePolicies,
    clock: Callable[[], datetime],
    timeout_s: float,
    reports: Reports,
) -> Rights:
    """Wire the parts over what the process has."""
    index, hasher = SubjectIndex(database), SubjectHasher(audit_key)
    histories = Histories(database, index, clock, reports)
    return Rights(
        index=index,
        access=AccessHistory(
            gate=Gate(limits=limits, audit=audit, audit_key=audit_key, clock=clock),
            registry=registry,
            histories=histories,
            audit=audit,
            hasher=hasher,
            clock=clock,
            timeout_s=timeout_s,
        ),
        desk=RightsDesk(
            database=database,
            registry=registry,
            histories=histories,
            hasher=hasher,
            dictionary=lambda: policies.present.dictionary,
            clock=clock,
        ),
        incidents=Incidents(database, registry.person_ids, hasher, clock),
    )
