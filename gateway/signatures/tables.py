"""The table of consumers for whom messages are signed."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, String, Table

from gateway.database import UtcDateTime, metadata

consumer_signatures = Table(
    "consumer_signatures",
    metadata,
    Column("consumer_id", ForeignKey("consumers.id"), primary_key=True),
    Column("mode", String(16), nullable=False),  # off | responses | both
    Column("since", UtcDateTime, nullable=False),
)
