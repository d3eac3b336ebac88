"""Limits of agreements: what was used, who was asked about, walks through birth dates, alarms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.database import UtcDateTime

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "limit_use",
        sa.Column("agreement_id", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("subjects", sa.BigInteger(), nullable=False),
        sa.Column("new_people", sa.BigInteger(), nullable=False),
        sa.Column("unknown", sa.BigInteger(), nullable=False),
        sa.Column("minute", sa.Integer(), nullable=False),
        sa.Column("minute_requests", sa.Integer(), nullable=False),
        sa.Column("pardoned", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("agreement_id", "day", name=op.f("pk_limit_use")),
    )
    op.create_table(
        "limit_people",
        sa.Column("mark", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=True),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("asked_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("mark", name=op.f("pk_limit_people")),
    )
    op.create_index("ix_limit_people_block", "limit_people", ["block"])
    op.create_table(
        "limit_walks",
        sa.Column("district", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("dates", sa.Integer(), nullable=False),
        sa.Column("pairs", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("district", "day", name=op.f("pk_limit_walks")),
    )
    op.create_table(
        "limit_alarms",
        sa.Column("agreement_id", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("pattern", sa.String(length=32), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("agreement_id", "day", "pattern", "level", name=op.f("pk_limit_alarms")),
    )
