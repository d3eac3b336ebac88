"""Single entries of the log, read by their reference for those who may see them. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import orjson
from sqlalchemy import select

from gateway.audit.listing import Listed
from gateway.audit.search import Hit
from gateway.audit.tables import audit_entries
from gateway.database import Database
from gateway.errors import NotFound
from policies.dictionary import Text

_COLUMNS = [audit_entries.c[name] for name in ("sequence", "exchange_id", "at", "consumer_id", "entry")]
_KINDS: Mapping[Listed, tuple[str, ...]] = {"exchange": ("intent", "outcome"), "act": ("act",)}
_DIGITS = 32


def entries_of(database: Database, reference: UUID) -> dict[str, Hit]:
    """The entries under a reference by kind: `intent` and `outcome` of an exchange, or the `act`.

    Found from the moment they are committed. Raises NotFound where there is none, StoreUnavailable.
    """
    chosen = select(audit_entries.c.kind, *_COLUMNS).where(audit_entries.c.exchange_id == reference)
    with database.reading() as connection:
        rows = connection.execute(chosen).all()
    if not rows:
        raise NotFound(
            Text("Log tidak mempunyai catatan dengan nomor ini.", "The log has no entry of this reference.")
        )
    return {
        row.kind: Hit(
            row.sequence,
            row.exchange_id,
            row.at,
            row.consumer_id,
            orjson.loads(row.entry) if row.entry is not None else None,
        )
        for row in rows
    }


def beginning_with(database: Database, digits: str, kind: Listed, limit: int) -> list[UUID]:
    """The references of exchanges, or of acts, that begin with these hexadecimal digits, in their order.

    Found by the index of references, from the moment they are committed. Blocks; raises StoreUnavailable.
    """
    first, last = (UUID(digits.ljust(_DIGITS, end)) for end in ("0", "f"))
    reference = audit_entries.c.exchange_id
    chosen = (
        select(reference)
        .where(reference.between(first, last), audit_entries.c.kind.in_(_KINDS[kind]))
        .distinct()
        .order_by(reference)
        .limit(limit)
    )
    with database.reading() as connection:
        return list(connection.execute(chosen).scalars())
