"""Shapes: how often which question was asked, by day, for replaying the log under a draft."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    # Entries of before do not say which fields were asked for, so that they are not counted afterwards.
    op.create_table(
        "audit_shapes",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("shape", sa.Text(), nullable=False),
        sa.Column("exchanges", sa.BigInteger(), nullable=False),
        sa.Column("samples", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("day", "sha256", name=op.f("pk_audit_shapes")),
    )
