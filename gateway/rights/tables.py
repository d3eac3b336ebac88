"""The table of incidents: what may have leaked to whom, and what was done within the time given."""

from __future__ import annotations

from sqlalchemy import Column, String, Table, Text, Uuid

from gateway.database import UtcDateTime, metadata

incidents = Table(
    "incidents",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("consumer_id", String(64), nullable=False),
    # What the consumer was told from `first` on and before `last` is what is affected.
    Column("first", UtcDateTime, nullable=False),
    Column("last", UtcDateTime, nullable=False),
    Column("known_at", UtcDateTime, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("opened_by", String(80), nullable=False),
    Column("reason", Text, nullable=False),
    Column("people_told_at", UtcDateTime),
    Column("authority_told_at", UtcDateTime),
)
