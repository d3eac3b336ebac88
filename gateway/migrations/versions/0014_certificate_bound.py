"""Consumers whose tokens are bound to their TLS client certificate (RFC 8705)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    # Not as a batch: SQLite would make the table anew, to which keys refer.
    op.add_column(
        "consumers", sa.Column("certificate_bound", sa.Boolean(), nullable=False, server_default=sa.false())
    )
