"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
# expand, backfill, index or contract: see gateway/migrations/phases.py.
phase = "expand"


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
