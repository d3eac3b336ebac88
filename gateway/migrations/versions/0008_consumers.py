"""Consumers: onboarding by two people, contact, sandbox, and keys that begin and end."""

from __future__ import annotations

from collections import defaultdict

import sqlalchemy as sa
from alembic import op
from joserfc.jwk import JWKRegistry

from gateway.database import UtcDateTime
from gateway.errors import Conflict

revision = "0008"
down_revision = "0007"

# Whoever registered a consumer before did so on the console, where one person suffices.
_CONSOLE = "installation"


def upgrade() -> None:
    # Not as a batch: SQLite would make the table anew, to which keys refer.
    for column in (
        sa.Column("contact_office", sa.Text(), nullable=True),
        sa.Column("contact_email", sa.String(length=254), nullable=True),
        sa.Column("sandbox", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("version", sa.Integer(), nullable=False, server_default=sa.text("1")),
        sa.Column("waiting", sa.JSON(), nullable=True),
        sa.Column("proposers", sa.JSON(), nullable=False, server_default=sa.text("'[]'")),
        sa.Column("approved_by", sa.String(length=80), nullable=True),
        sa.Column("disabled_by", sa.String(length=80), nullable=True),
    ):
        op.add_column("consumers", column)
    with op.batch_alter_table("consumer_keys", schema=None) as batch_op:
        batch_op.add_column(sa.Column("thumbprint", sa.String(length=43), nullable=True))
        batch_op.add_column(sa.Column("added_by", sa.String(length=80), nullable=True))
        batch_op.add_column(sa.Column("approved_by", sa.String(length=80), nullable=True))
        batch_op.add_column(sa.Column("not_before", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("not_after", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("overlap_days", sa.Integer(), nullable=True))
    _complete_earlier(op.get_bind())
    with op.batch_alter_table("consumer_keys", schema=None) as batch_op:
        batch_op.alter_column("thumbprint", existing_type=sa.String(length=43), nullable=False)
        batch_op.alter_column("added_by", existing_type=sa.String(length=80), nullable=False)
        batch_op.alter_column("not_before", existing_type=UtcDateTime(), nullable=False)
        batch_op.create_unique_constraint(op.f("uq_consumer_keys_thumbprint"), ["thumbprint"])


def _complete_earlier(connection: sa.Connection) -> None:
    """What is registered already was approved, and its keys are good from their first day without end."""
    consumers = sa.table("consumers", sa.column("state"), sa.column("approved_by"), sa.column("disabled_by"))
    connection.execute(sa.update(consumers).values(approved_by=_CONSOLE))
    connection.execute(
        sa.update(consumers).where(consumers.c.state == "disabled").values(disabled_by=_CONSOLE)
    )
    keys = sa.table(
        "consumer_keys",
        *(sa.column(name) for name in ("consumer_id", "kid", "thumbprint", "added_by", "approved_by")),
        sa.column("jwk", sa.JSON()),
        sa.column("added_at", UtcDateTime()),
        sa.column("not_before", UtcDateTime()),
    )
    holders: defaultdict[str, list[str]] = defaultdict(list)
    chosen = sa.select(keys.c.consumer_id, keys.c.kid, keys.c.jwk).order_by(keys.c.consumer_id, keys.c.kid)
    for row in connection.execute(chosen).all():
        thumbprint = JWKRegistry.import_key(dict(row.jwk)).thumbprint()
        holders[thumbprint].append(f"{row.kid} of {row.consumer_id}")
        connection.execute(
            sa.update(keys)
            .where(keys.c.consumer_id == row.consumer_id, keys.c.kid == row.kid)
            .values(
                thumbprint=thumbprint, added_by=_CONSOLE, approved_by=_CONSOLE, not_before=keys.c.added_at
            )
        )
    if shared := [" and ".join(names) for names in holders.values() if len(names) > 1]:
        raise Conflict(
            "The same public key is registered more than once, so that one consumer could sign as another: "
            f"{'; '.join(shared)}. Take it away from all but its owner with the version that ran until now, "
            "`gapura consumers keys remove ID KID`, then migrate again."
        )
