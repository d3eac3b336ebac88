"""Tables of the outside sources: calls counted, verdicts remembered, where a list was left, how each fares.

No element of a source is stored anywhere: a verdict is a word of a closed list, a cursor is the publisher's.
"""

from __future__ import annotations

from sqlalchemy import JSON, Column, Date, Index, Integer, String, Table, Text, Uuid

from gateway.database import UtcDateTime, metadata

source_calls = Table(
    "source_calls",
    metadata,
    Column("source", String(64), primary_key=True),
    # The source's own day: for Dukcapil it begins at midnight in Jakarta.
    Column("day", Date, primary_key=True),
    Column("made", Integer, nullable=False),
)

last_verdicts = Table(
    "last_verdicts",
    metadata,
    # Not a foreign key: the registry may be another database than this one.
    Column("person_id", Uuid, primary_key=True),
    Column("field", String(64), primary_key=True),
    Column("value", String(32)),  # empty: the source answered, and had nothing to say of this field
    Column("source", String(64), nullable=False),
    Column("as_of", Date, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    # How old the oldest and the newest of a source are, without reading them all.
    Index("ix_last_verdicts_source", "source", "field", "as_of"),
)

programme_cursors = Table(
    "programme_cursors",
    metadata,
    Column("source", String(32), primary_key=True),
    Column("programme", String(16), primary_key=True),
    Column("cursor", Text, nullable=False),
    Column("as_of", Date, nullable=False),
)

source_reports = Table(
    "source_reports",
    metadata,
    Column("source", String(64), primary_key=True),
    # One row per serving process: each has a breaker of its own.
    Column("process", String(64), primary_key=True),
    Column("reported_at", UtcDateTime, nullable=False),
    Column("state", JSON, nullable=False),
)
