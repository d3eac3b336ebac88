"""Maps: editions of administrative areas, their layers, and what is said of regions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.database import UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "area_editions",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_area_editions")),
        sa.UniqueConstraint("valid_from", name=op.f("uq_area_editions_valid_from")),
    )
    op.create_table(
        "area_layers",
        sa.Column("edition", sa.String(length=64), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("areas", sa.Integer(), nullable=False),
        sa.Column("imported_at", UtcDateTime(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["edition"], ["area_editions.name"], name=op.f("fk_area_layers_edition")),
        sa.PrimaryKeyConstraint("edition", "level", name=op.f("pk_area_layers")),
    )
    op.create_table(
        "areas",
        sa.Column("edition", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=13), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("west", sa.Double(), nullable=False),
        sa.Column("south", sa.Double(), nullable=False),
        sa.Column("east", sa.Double(), nullable=False),
        sa.Column("north", sa.Double(), nullable=False),
        sa.Column("geometry", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["edition"], ["area_editions.name"], name=op.f("fk_areas_edition")),
        sa.PrimaryKeyConstraint("edition", "code", name=op.f("pk_areas")),
    )
    op.create_index(
        "ix_areas_span", "areas", ["edition", "level", "west", "east", "south", "north"], unique=False
    )
    op.create_table(
        "area_values",
        sa.Column("theme", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=13), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("value", sa.String(length=32), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("theme", "code", "as_of", name=op.f("pk_area_values")),
    )
