"""What a rolling upgrade has to know: which code may serve on this schema, and which code is serving."""

from __future__ import annotations

from sqlalchemy import Column, SmallInteger, String, Table

from gateway.database import UtcDateTime, metadata

# One row: the oldest revision that code MUST know to serve here. A contract raises it to its own.
schema_floor = Table(
    "schema_floor",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("revision", String(32), nullable=False),
)

# Every process that serves, until it ends or falls silent.
serving_processes = Table(
    "serving_processes",
    metadata,
    Column("process", String(64), primary_key=True),
    Column("knows", String(32), nullable=False),  # the newest revision that its code knows
    Column("version", String(32), nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)
