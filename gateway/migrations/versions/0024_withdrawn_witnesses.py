"""Witnesses whose cosignatures are no longer accepted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "audit_withdrawn_witnesses",
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_audit_withdrawn_witnesses"),
    )


def downgrade() -> None:
    op.drop_table("audit_withdrawn_witnesses")
