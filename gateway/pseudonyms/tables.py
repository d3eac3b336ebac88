"""Tables of sector keys and of reversals. Neither holds a key, a salt, a pseudonym or a person."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Index, Integer, String, Table, Text

from gateway.database import UtcDateTime, metadata

sector_key_versions = Table(
    "sector_key_versions",
    metadata,
    Column("sector", String(64), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("names_until", UtcDateTime),  # its names are taken back until then; null while it is the newest
    Column("destroyed_at", UtcDateTime),
    # Whether it has a salt of its own; one begun before there were salts cannot be destroyed.
    Column("salted", Boolean, nullable=False),
    # SHA-256 that recognises the key and tells nothing of it; null where there is no salt to be mistaken.
    Column("mark", String(64)),
)

reversals = Table(
    "reversals",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("sector", String(64), nullable=False),
    # Keyed hashes of the pseudonyms, which whoever performs it has to bring again.
    Column("name_hashes", JSON, nullable=False),
    Column("legal_basis", String(64), nullable=False),
    Column("reference", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_by", String(64), nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("state", String(16), nullable=False),  # requested | approved | refused | performed
    Column("settled_by", String(64)),  # who approved or refused
    Column("settled_at", UtcDateTime),
    Column("performed_at", UtcDateTime),
    Index("ix_reversals_requested_at", "requested_at"),
)
