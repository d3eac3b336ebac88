"""Policies live in the database: versions, what was done with them, and the epoch of what is in force."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.database import UtcDateTime

revision = "0005"
down_revision = "0004"

_IN_FORCE = sa.text("state IN ('active', 'suspended')")
_OPEN = sa.text("state IN ('draft', 'submitted', 'approved')")


def upgrade() -> None:
    op.create_table(
        "policy_versions",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("cases", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("author", sa.String(length=80), nullable=False),
        sa.Column("editors", sa.JSON(), nullable=False),
        sa.Column("approver", sa.String(length=80), nullable=True),
        sa.Column("suspended_by", sa.String(length=80), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", "version", name=op.f("pk_policy_versions")),
    )
    for name, condition in (("in_force", _IN_FORCE), ("open", _OPEN)):
        op.create_index(
            f"uq_policy_versions_{name}",
            "policy_versions",
            ["kind", "name"],
            unique=True,
            sqlite_where=condition,
            postgresql_where=condition,
        )
    op.create_index("ix_policy_versions_state", "policy_versions", ["state"])
    op.create_table(
        "policy_acts",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("act", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_acts")),
    )
    op.create_index("ix_policy_acts_policy", "policy_acts", ["kind", "name", "version"])
    op.create_table(
        "policy_epoch",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_policy_epoch_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_epoch")),
    )
