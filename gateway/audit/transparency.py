"""The log as others see it, opened once: its name, its keys, what it can prove, and who keeps it in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.audit.ledger import Ledger
from gateway.audit.sequencer import Sequencer, log_origin
from gateway.audit.signing import NoteKey, Receipts, log_key, origin_of
from gateway.database import Database
from gateway.keys import Keys

_CHECKPOINT_PURPOSE = "audit checkpoint signing"
_RECEIPT_PURPOSE = "audit receipt signing"


@dataclass(frozen=True, slots=True)
class TransparentLog:
    """Everything about the log but the appending, which `AuditLog` does."""

    key: NoteKey
    receipts: Receipts
    ledger: Ledger
    sequencer: Sequencer

    @property
    def origin(self) -> str:
        """The log's name; witnesses and receipts know it by this."""
        return self.key.name


def open_log(database: Database, keys: Keys, issuer: str, clock: Callable[[], datetime]) -> TransparentLog:
    """Open the log of this database; a new one is named after the gateway's address, for good."""
    origin = log_origin(database, origin_of(issuer))
    key = log_key(origin, keys.derive(_CHECKPOINT_PURPOSE))
    return TransparentLog(
        key,
        Receipts(origin, keys.derive(_RECEIPT_PURPOSE)),
        Ledger(database),
        Sequencer(database, key, clock),
    )
