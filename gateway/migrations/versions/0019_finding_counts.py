"""Findings counted by region, state and kind from an index alone: a list of a million answers at once."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.create_index("ix_findings_region_state_kind", "findings", ["region", "state", "kind"])


def downgrade() -> None:
    op.drop_index("ix_findings_region_state_kind", "findings")
