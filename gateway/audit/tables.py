"""The table of the audit log. Rows are appended and never changed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, Uuid

from gateway.database import UtcDateTime, metadata

audit_entries = Table(
    "audit_entries",
    metadata,
    # SQLite autoincrements only a column that is exactly INTEGER.
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("exchange_id", Uuid, nullable=False),
    Column("kind", String(32), nullable=False),  # intent | outcome
    Column("at", UtcDateTime, nullable=False),
    Column("consumer_id", String(64), nullable=False),
    # The canonical JSON text of the entry, exactly as hashed.
    Column("entry", Text, nullable=False),
    Index("uq_audit_entries_exchange_id_kind", "exchange_id", "kind", unique=True),
    Index("ix_audit_entries_consumer_id_at", "consumer_id", "at"),
)
