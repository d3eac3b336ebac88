"""Likely persons found by probability, the highest first; and what a run is at while it compares."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.create_index(
        "ix_likely_persons_state_probability", "likely_persons", ["state", "probability", "person_id"]
    )
    op.add_column("reconciliation_runs", sa.Column("phase", sa.String(16)))


def downgrade() -> None:
    with op.batch_alter_table("reconciliation_runs") as runs:
        runs.drop_column("phase")
    op.drop_index("ix_likely_persons_state_probability", "likely_persons")
