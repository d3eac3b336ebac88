"""What the log is searched by, checks of the whole log and their progress, ages of remembered verdicts.

What was logged before is listed here, as the sequencer lists what follows.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.audit.listing import list_all_placed
from gateway.database import UtcDateTime

revision = "0016"
down_revision = "0015"

_Counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit_facets",
        sa.Column("id", _Counter, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("what", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_facets")),
    )
    op.create_table(
        "audit_listed",
        sa.Column("sequence", _Counter, autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("facet", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_listed")),
    )
    op.create_table(
        "audit_checks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.String(length=128), nullable=False),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("checkpoints", sa.BigInteger(), nullable=True),
        sa.Column("erased", sa.BigInteger(), nullable=True),
        sa.Column("finding", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_checks")),
    )
    op.create_index("ix_audit_checks_begun_at", "audit_checks", ["begun_at"])
    op.create_index("ix_last_verdicts_source", "last_verdicts", ["source", "field", "as_of"])
    list_all_placed(op.get_bind())
    # Made once the rows are there: that is several times as fast.
    op.create_index("ix_audit_listed_at", "audit_listed", ["at", "sequence", "facet"])
    op.create_index("ix_audit_listed_facet", "audit_listed", ["facet", "at", "sequence"])
