"""The audit log becomes a Merkle tree: leaves, tiles, checkpoints, witnesses; subjects stand apart."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op

from gateway.database import UtcDateTime

revision = "0004"
down_revision = "0003"

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_CHUNK = 5_000


def upgrade() -> None:
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.add_column(sa.Column("subjects", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("blind", sa.LargeBinary(length=32), nullable=True))
        batch_op.alter_column("entry", existing_type=sa.Text(), nullable=True)
        batch_op.alter_column("consumer_id", existing_type=sa.String(length=64), nullable=True)
    op.create_table(
        "audit_pending",
        sa.Column("sequence", _COUNTER, autoincrement=False, nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_pending")),
    )
    op.create_table(
        "audit_leaves",
        sa.Column("leaf_index", _COUNTER, autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("leaf_index", name=op.f("pk_audit_leaves")),
    )
    with op.batch_alter_table("audit_leaves", schema=None) as batch_op:
        batch_op.create_index("uq_audit_leaves_sequence", ["sequence"], unique=True)
    op.create_table(
        "audit_tiles",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("tile_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "tile_index", name=op.f("pk_audit_tiles")),
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("size", _COUNTER, autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_audit_checkpoints")),
    )
    op.create_table(
        "audit_cosignatures",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("witness", sa.String(length=256), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", "witness", name=op.f("pk_audit_cosignatures")),
    )
    op.create_table(
        "audit_witnesses",
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_witnesses")),
    )
    op.create_table(
        "audit_documents",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("kept_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_audit_documents")),
    )
    op.create_table(
        "audit_identity",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_identity")),
    )
    _admit_earlier_entries(op.get_bind())


def _admit_earlier_entries(connection: sa.Connection) -> None:
    """Entries from before the tree get their leaves too, in their order."""
    after = 0
    while rows := connection.execute(
        sa.text(
            "SELECT sequence, entry FROM audit_entries WHERE sequence > :after ORDER BY sequence LIMIT :n"
        ),
        {"after": after, "n": _CHUNK},
    ).all():
        connection.execute(
            sa.text("INSERT INTO audit_pending (sequence, sha256) VALUES (:sequence, :sha256)"),
            [{"sequence": s, "sha256": hashlib.sha256(entry.encode()).digest()} for s, entry in rows],
        )
        after = rows[-1].sequence
