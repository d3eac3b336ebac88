"""Traffic and decisions in totals by hour and by day, counted from the log, and how far the counting is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.database import UtcDateTime

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "traffic_totals",
        sa.Column("grain", sa.String(length=4), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("operation", sa.String(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("exchanges", sa.BigInteger(), nullable=False),
        sa.Column("people", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            *("grain", "starts_at", "operation", "outcome"), name=op.f("pk_traffic_totals")
        ),
    )
    op.create_table(
        "consumer_totals",
        sa.Column("grain", sa.String(length=4), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("consumer_id", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("exchanges", sa.BigInteger(), nullable=False),
        sa.Column("people", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            *("grain", "starts_at", "consumer_id", "outcome"), name=op.f("pk_consumer_totals")
        ),
    )
    op.create_index(
        "ix_consumer_totals_consumer_id", "consumer_totals", ["consumer_id", "grain", "starts_at"]
    )
    op.create_table(
        "decision_totals",
        sa.Column("grain", sa.String(length=4), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("decision", sa.String(length=32), nullable=False),
        sa.Column("people", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("grain", "starts_at", "decision", name=op.f("pk_decision_totals")),
    )
    op.create_table(
        "traffic_progress",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("leaf_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_traffic_progress")),
    )
