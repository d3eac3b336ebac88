"""Tables of staff accounts, their sessions and their API tokens.

No secret is stored, only what recognises one: argon2id for what people choose, SHA-256 for what is 256 random
bits. Cookies, tokens and enrolment secrets cannot be read back from here.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from gateway.database import UtcDateTime, metadata

staff_accounts = Table(
    "staff_accounts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("roles", JSON, nullable=False),
    # Roles that one person asked for and a second has not confirmed; empty when nothing waits.
    Column("proposed_roles", JSON, nullable=False),
    Column("proposed_by", String(64)),
    Column("state", String(16), nullable=False),  # active | disabled
    Column("version", Integer, nullable=False),  # raised by every administrative change: the ETag
    Column("registered_at", UtcDateTime, nullable=False),
    Column("password_hash", String(255)),
    Column("enrolment_sha256", String(64)),
    Column("enrolment_until", UtcDateTime),
    Column("failures", Integer, nullable=False),  # wrong passwords in a row
    Column("locked_until", UtcDateTime),
    Column("email", String(254)),  # lower case
    Column("oidc_issuer", String(255)),
    Column("oidc_subject", String(255)),
    UniqueConstraint("email"),
    UniqueConstraint("oidc_issuer", "oidc_subject", name="uq_staff_accounts_oidc"),
)

staff_sessions = Table(
    "staff_sessions",
    metadata,
    Column("secret_sha256", String(64), primary_key=True),
    Column("staff_id", ForeignKey("staff_accounts.id"), nullable=False),
    Column("via", String(16), nullable=False),  # password | oidc
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Index("ix_staff_sessions_staff_id", "staff_id"),
    Index("ix_staff_sessions_seen_at", "seen_at"),
)

staff_tokens = Table(
    "staff_tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("staff_id", ForeignKey("staff_accounts.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("roles", JSON, nullable=False),
    Column("token_sha256", String(64), nullable=False),
    Column("added_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    UniqueConstraint("token_sha256"),
    Index("ix_staff_tokens_staff_id", "staff_id"),
)
