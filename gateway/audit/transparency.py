"""The log as others see it, opened once: its name, its keys, what it can prove, and who keeps it in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.audit.keyring import EvidenceKeyring
from gateway.audit.ledger import Ledger
from gateway.audit.sequencer import Sequencer, log_origin
from gateway.audit.signing import Receipts, origin_of
from gateway.database import Database
from gateway.keys import Keys


@dataclass(frozen=True, slots=True)
class TransparentLog:
    """Everything about the log but the appending, which `AuditLog` does."""

    keyring: EvidenceKeyring
    receipts: Receipts
    ledger: Ledger
    sequencer: Sequencer

    @property
    def origin(self) -> str:
        """The log's name; witnesses and receipts know it by this."""
        return self.keyring.origin

    def refresh(self) -> int:
        """Sign receipts with the newest key, says how many versions behind it was. Blocks."""
        return self.keyring.refresh(self.receipts)


def open_log(database: Database, keys: Keys, issuer: str, clock: Callable[[], datetime]) -> TransparentLog:
    """Open the log of this database; a new one is named after the gateway's address, for good."""
    origin = log_origin(database, origin_of(issuer))
    keyring = EvidenceKeyring(database, keys, origin, clock)
    return TransparentLog(keyring, keyring.receipts(), Ledger(database), Sequencer(database, keyring, clock))
