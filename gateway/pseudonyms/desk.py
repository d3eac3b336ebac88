"""Everything about names of one process, wired once, for the composition root and for commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from connectors.base import Connector
from gateway.audit.log import AuditLog
from gateway.database import Database
from gateway.keys import Keys
from gateway.limits.ledger import LimitLedger
from gateway.pseudonyms.naming import Naming
from gateway.pseudonyms.reversals import Reversals, niks_of
from gateway.pseudonyms.sector_keys import SectorKeyring
from policies.translation import TransitKey, derive_transit_key


@dataclass(frozen=True, slots=True)
class NamesDesk:
    """Where names are made, renewed, translated, opened and, by two people, undone."""

    keyring: SectorKeyring
    naming: Naming
    reversals: Reversals


def open_names_desk(
    *,
    database: Database,
    keys: Keys,
    folder: Path,
    registry: Connector,
    limits: LimitLedger,
    audit: AuditLog,
    clock: Callable[[], datetime],
    timeout_s: float,
) -> NamesDesk:
    """Wire the parts. `folder` is that of the keys, which holds the salts too. Raises FileUnusable."""

    @lru_cache(maxsize=1024)
    def transit_key(sector: str) -> TransitKey:
        return derive_transit_key(keys.master, sector)

    keyring = SectorKeyring(database, folder, keys.master, clock)
    naming = Naming(
        registry=registry,
        sector_keys=keyring.of,
        transit_key=transit_key,
        limits=limits,
        audit=audit,
        audit_key=keys.audit_key,
        clock=clock,
        timeout_s=timeout_s,
    )
    reversals = Reversals(
        database, keyring.of, keyring.sectors, niks_of(registry, clock), keys.audit_key, clock
    )
    return NamesDesk(keyring, naming, reversals)
