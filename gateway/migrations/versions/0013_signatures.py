"""Consumers for whom messages are signed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.database import UtcDateTime

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "consumer_signatures",
        sa.Column("consumer_id", sa.String(length=64), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consumer_id"], ["consumers.id"], name=op.f("fk_consumer_signatures_consumer_id")
        ),
        sa.PrimaryKeyConstraint("consumer_id", name=op.f("pk_consumer_signatures")),
    )
