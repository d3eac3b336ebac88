"""Findings found by the run that opened, saw or closed them: of a million, the few of one run at once."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
_RUNS = ("opened_run", "last_run", "closed_run")


def upgrade() -> None:
    for column in _RUNS:
        op.create_index(f"ix_findings_{column}", "findings", [column])


def downgrade() -> None:
    for column in _RUNS:
        op.drop_index(f"ix_findings_{column}", "findings")
