"""The table of keys that were used: keyed hashes, and answers that only their key opens."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, String, Table

from gateway.database import metadata

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("mark", String(64), primary_key=True),  # keyed hash of caller and key
    Column("holder", String(32), nullable=False),  # the request that uses it
    Column("fingerprint", String(64), nullable=False),  # keyed hash of the request
    Column("expires_at", BigInteger, nullable=False, index=True),  # Unix seconds
    Column("answer", LargeBinary),  # sealed; null while it is not known, or where it is too long to keep
)
