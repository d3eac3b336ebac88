"""Tables of the overview: traffic and decisions in totals, and how far the log has been counted.

They name consumers, operations and words of the log; nobody who was asked about. Whatever they hold follows
from the entries of the log.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

from gateway.database import UtcDateTime, metadata

traffic_totals = Table(
    "traffic_totals",
    metadata,
    Column("grain", String(4), primary_key=True),  # hour | day, a civil day (WIB)
    Column("starts_at", UtcDateTime, primary_key=True),
    Column("operation", String(32), primary_key=True),
    Column("outcome", String(16), primary_key=True),  # see gateway.overview.counting
    Column("exchanges", BigInteger, nullable=False),
    Column("people", BigInteger, nullable=False),  # subjects, each time they came
)

# The same by consumer: apart, because there may be ten thousand of them.
consumer_totals = Table(
    "consumer_totals",
    metadata,
    Column("grain", String(4), primary_key=True),
    Column("starts_at", UtcDateTime, primary_key=True),
    Column("consumer_id", String(64), primary_key=True),
    Column("outcome", String(16), primary_key=True),
    Column("exchanges", BigInteger, nullable=False),
    Column("people", BigInteger, nullable=False),
    Index("ix_consumer_totals_consumer_id", "consumer_id", "grain", "starts_at"),
)

# What was said of people: a decision, `released`, or why there was none. Sandboxes are left out.
decision_totals = Table(
    "decision_totals",
    metadata,
    Column("grain", String(4), primary_key=True),
    Column("starts_at", UtcDateTime, primary_key=True),
    Column("decision", String(32), primary_key=True),
    Column("people", BigInteger, nullable=False),
)

# One row: leaves of the log before this one are counted.
traffic_progress = Table(
    "traffic_progress",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("leaf_index", BigInteger, nullable=False),
)
