"""What may be used once, and what is revoked: rows that exist or do not.

Single use is decided by a unique key and `ON CONFLICT DO NOTHING`, so it holds between threads, workers and
machines, and after a restart. What callers choose is stored as SHA-256, never as it came. Expiry is in Unix
seconds: a row is needed until that which it blocks would be refused for its age.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, text

from gateway.database import Database
from gateway.lanes import Step
from gateway.oauth.tables import revoked_tokens, spent_assertions, spent_proofs

# Clocks of several machines differ; a row that stays a minute longer costs nothing.
_KEPT_LONGER_S = 60

_REVOKE = text(
    "INSERT INTO revoked_tokens (jti_sha256, expires_at) VALUES (:mark, :expires_at) ON CONFLICT DO NOTHING"
)
# All marks are one parameter: the statement's text, and so its preparation, does not depend on their number.
_SPEND_PROOFS_POSTGRESQL = text(
    "INSERT INTO spent_proofs (proof_sha256, expires_at) "
    "SELECT mark, CAST(:expires_at AS bigint) FROM unnest(CAST(:marks AS text[])) AS mark "
    "ON CONFLICT DO NOTHING RETURNING proof_sha256"
)
_SPEND_PROOFS_SQLITE = text(
    "INSERT INTO spent_proofs (proof_sha256, expires_at) "
    "SELECT value, :expires_at FROM json_each(:marks) WHERE true "
    "ON CONFLICT DO NOTHING RETURNING proof_sha256"
)


def spending(marks: Collection[str], *, expires_at: int, sqlite: bool) -> Step:
    """The statement that uses up proofs; its rows are those marks that were not used before."""
    # In one order everywhere: two workers that insert the same marks crosswise would wait for each other.
    ordered = sorted(marks)
    if sqlite:
        return _SPEND_PROOFS_SQLITE, {"marks": json.dumps(ordered), "expires_at": expires_at}
    return _SPEND_PROOFS_POSTGRESQL, {"marks": ordered, "expires_at": expires_at}


def revoking(mark: str, *, expires_at: int) -> Step:
    """The statement that refuses the token of this mark from now on; `expires_at` is the token's own."""
    return _REVOKE, {"mark": mark, "expires_at": expires_at}


def forget_expired(database: Database, now: datetime) -> int:
    """Delete the marks that are no longer needed; gives their number. Safe to call from every worker."""
    limit = int(now.timestamp()) - _KEPT_LONGER_S
    with database.unit_of_work(durable=False) as connection:
        return sum(
            connection.execute(delete(table).where(table.c.expires_at < limit)).rowcount
            for table in (spent_assertions, spent_proofs, revoked_tokens)
        )
