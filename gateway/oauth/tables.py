"""Tables of consumers, their keys, and what may be used only once. No token is ever stored, only marks.

`jti` values are chosen by callers, so their SHA-256 is stored: bounded in size, and useless to a reader.
Expiry is in Unix seconds: it is compared on every request and never shown.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from gateway.database import UtcDateTime, metadata

consumers = Table(
    "consumers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("sector", String(64), nullable=False),
    # Kemendagri codes (dotted) to which the consumer's jurisdiction is limited; empty = the whole country.
    Column("regions", JSON, nullable=False),
    Column("state", String(16), nullable=False),  # proposed | active | disabled
    Column("registered_at", UtcDateTime, nullable=False),
    # An office, and the address of a function: no private person.
    Column("contact_office", Text),
    Column("contact_email", String(254)),
    Column("sandbox", Boolean, nullable=False, server_default=false()),
    Column("version", Integer, nullable=False, server_default=text("1")),  # raised by every change: the ETag
    # A change that opens more and that a second person has not approved; empty when none waits.
    Column("waiting", JSON(none_as_null=True)),
    # Who had a hand in what waits: none of them approves it.
    Column("proposers", JSON, nullable=False, server_default=text("'[]'")),
    Column("approved_by", String(80)),
    Column("disabled_by", String(80)),
    # RFC 8705: its tokens are bound to its TLS client certificate; else to a DPoP key.
    Column("certificate_bound", Boolean, nullable=False, server_default=false()),
)

consumer_keys = Table(
    "consumer_keys",
    metadata,
    Column("consumer_id", ForeignKey("consumers.id"), primary_key=True),
    Column("kid", String(128), primary_key=True),
    Column("jwk", JSON, nullable=False),  # public part only
    Column("added_at", UtcDateTime, nullable=False),
    # RFC 7638: a key that two consumers have would let each sign as the other.
    Column("thumbprint", String(43), nullable=False),
    Column("added_by", String(80), nullable=False),
    Column("approved_by", String(80)),  # empty while it waits for a second person
    Column("not_before", UtcDateTime, nullable=False),
    Column("not_after", UtcDateTime),
    Column("overlap_days", Integer),
    UniqueConstraint("thumbprint"),
)

spent_assertions = Table(
    "spent_assertions",
    metadata,
    Column("consumer_id", String(64), primary_key=True),
    Column("jti_sha256", String(64), primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
    Index("ix_spent_assertions_expires_at", "expires_at"),
)

spent_proofs = Table(
    "spent_proofs",
    metadata,
    # SHA-256 over key thumbprint and jti: two clients may choose the same jti.
    Column("proof_sha256", String(64), primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
    Index("ix_spent_proofs_expires_at", "expires_at"),
)

revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    Column("jti_sha256", String(64), primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
    Index("ix_revoked_tokens_expires_at", "expires_at"),
)
