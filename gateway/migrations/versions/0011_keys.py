"""Versions of sector keys, and reversals of pseudonyms."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from gateway.database import UtcDateTime

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "sector_key_versions",
        sa.Column("sector", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("names_until", UtcDateTime(), nullable=True),
        sa.Column("destroyed_at", UtcDateTime(), nullable=True),
        sa.Column("salted", sa.Boolean(), nullable=False),
        sa.Column("mark", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("sector", "version", name=op.f("pk_sector_key_versions")),
    )
    op.create_table(
        "reversals",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("sector", sa.String(length=64), nullable=False),
        sa.Column("name_hashes", sa.JSON(), nullable=False),
        sa.Column("legal_basis", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.String(length=64), nullable=False),
        sa.Column("requested_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("settled_by", sa.String(length=64), nullable=True),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.Column("performed_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reversals")),
    )
    op.create_index("ix_reversals_requested_at", "reversals", ["requested_at"])
    _keep_names_already_given(op.get_bind())


def _keep_names_already_given(connection: sa.Connection) -> None:
    """Where answers have been given, the sectors of the consumers go on with the key that had no salt."""
    entries = sa.table("audit_entries", sa.column("sequence"))
    if connection.execute(sa.select(entries.c.sequence).limit(1)).first() is None:
        return
    consumers = sa.table("consumers", sa.column("sector"))
    versions = sa.table(
        "sector_key_versions",
        *(sa.column(name) for name in ("sector", "version", "salted")),
        sa.column("made_at", UtcDateTime()),
    )
    sectors = connection.execute(sa.select(consumers.c.sector).distinct()).scalars().all()
    begun = datetime.fromtimestamp(0, UTC)
    for sector in sectors:
        connection.execute(sa.insert(versions).values(sector=sector, version=1, made_at=begun, salted=False))
