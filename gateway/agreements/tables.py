"""Tables of the policies' life: versions, what was done with them, the number that every change raises."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from gateway.database import UtcDateTime, metadata

_IN_FORCE = text("state IN ('active', 'suspended')")
_OPEN = text("state IN ('draft', 'submitted', 'approved')")

policy_versions = Table(
    "policy_versions",
    metadata,
    Column("kind", String(16), primary_key=True),  # agreement | programme | dictionary
    Column("name", String(80), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("state", String(16), nullable=False),
    # The texts exactly as git holds them; their UTF-8 bytes are what is hashed.
    Column("text", Text, nullable=False),
    Column("cases", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("author", String(80), nullable=False),
    Column("editors", JSON, nullable=False),
    Column("approver", String(80)),
    Column("suspended_by", String(80)),
    Column("reason", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    # Two administrators at once cannot make two of what there may be one of.
    Index(
        "uq_policy_versions_in_force",
        "kind",
        "name",
        unique=True,
        sqlite_where=_IN_FORCE,
        postgresql_where=_IN_FORCE,
    ),
    Index("uq_policy_versions_open", "kind", "name", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("ix_policy_versions_state", "state"),
)

policy_acts = Table(
    "policy_acts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("name", String(80), nullable=False),
    Column("version", Integer, nullable=False),
    Column("act", String(16), nullable=False),
    Column("actor", String(80), nullable=False),
    Column("reason", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_policy_acts_policy", "kind", "name", "version"),
)

# One row for each policy, of the version that speaks for it: see `listing`.
policy_listing = Table(
    "policy_listing",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("name", String(80), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("in_force", Integer),
    Column("open_version", Integer),
    Column("open_state", String(16)),
    Column("newest", Integer, nullable=False),
    Column("title_id", String(300)),
    Column("title_en", String(300)),
    Column("consumer", String(80)),
    Column("purpose", String(80)),
    Column("valid_from", Date),
    Column("valid_until", Date),
    Index("ix_policy_listing_valid_until", "kind", "valid_until", "name"),
    Index("ix_policy_listing_consumer", "consumer"),
)

# One row. Whoever decides a request compares it with what it has read: see `live`.
policy_epoch = Table(
    "policy_epoch",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)
