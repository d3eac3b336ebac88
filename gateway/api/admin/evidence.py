"""What the routes of exchanges and of acts have in common: the check of an entry, its bundle, its receipt."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.audit.bundle import bundle
from gateway.audit.entry import act
from gateway.audit.inclusion import Inclusion, check_standing
from gateway.audit.log import BLIND_BYTES, add_entries
from gateway.audit.search import Hit
from gateway.audit.signing import receipt_claims
from gateway.audit.transparency import TransparentLog
from gateway.database import Database
from gateway.errors import NotFound
from gateway.rights.acts import checked_reason
from gateway.staff.roles import Staff
from policies.dictionary import Text


@dataclass(frozen=True, slots=True)
class Evidence:
    """Proves entries of one log. Blocks; `identity` tells who a consumer is by its id."""

    database: Database
    log: TransparentLog
    audit_key: bytes
    identity: Callable[[str], dict[str, Any]]
    clock: Callable[[], datetime]

    def check(self, reference: UUID, kind: str) -> Inclusion:
        """Check now that an entry stands in the signed log. Raises NotFound, StoreUnavailable."""
        standing = self.log.ledger.find(reference, kind)
        if standing is None:
            raise NotFound(
                Text(
                    "Log tidak mempunyai catatan dengan nomor ini.", "The log has no entry of this reference."
                )
            )
        return check_standing(self.log.ledger, self.log.keyring.verifiers(), standing)

    def bundle(self, staff: Staff, reference: UUID, reason: str) -> dict[str, Any]:
        """Make a bundle, and write down who made it and why before it is given. Raises as `bundle`."""
        said = checked_reason(reason)
        made = bundle(self.log, self.audit_key, reference, self.identity)
        kind = "act" if made["consumer"] is None else "exchange"
        entry = act(
            actor=staff.actor,
            act="audit.bundled",
            object_id=f"{kind}/{reference}",
            object_sha256=None,
            reason=said,
            at=self.clock(),
        )
        with self.database.unit_of_work() as connection:
            add_entries(connection, [entry.seal(os.urandom(BLIND_BYTES))])
        return made

    def receipt(self, hit: Hit) -> dict[str, Any]:
        """What the receipt of an answer says, and the id of the key that signed receipts then."""
        standing = self.log.ledger.find(hit.exchange_id)
        digest = standing.sha256.hex() if standing is not None and standing.sha256 is not None else None
        claims = receipt_claims(
            self.log.origin, hit.at, hit.consumer_id, hit.exchange_id, digest, hit.entry or {}
        )
        return {"kid": self._receipt_key(hit.at), "claims": claims}

    def _receipt_key(self, at: datetime) -> str | None:
        versions = self.log.keyring.versions("receipts")
        jwks = self.log.keyring.jwks("receipts")
        signed = [jwk["kid"] for key, jwk in zip(versions, jwks, strict=True) if key.since <= at]
        return signed[0] if signed else None
