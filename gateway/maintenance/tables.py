"""The order of maintenance: one row, there or not."""

from __future__ import annotations

from sqlalchemy import Column, SmallInteger, String, Table, Text

from gateway.database import UtcDateTime, metadata

maintenance = Table(
    "maintenance",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("begins_at", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column("ordered_by", String(80), nullable=False),
    Column("ordered_at", UtcDateTime, nullable=False),
)
