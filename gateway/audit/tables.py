"""The tables of the audit log: what is said, in which order, and the tree over it.

Rows are appended and never changed, with six exceptions: the last tile of each level grows, a pending leaf
moves into the tree, an order of erasure empties an entry's texts and its rows of audit_subjects and
audit_listed, shapes are counted up, a check of the whole log tells how far it is, and a witness's cosignature
is renewed. On PostgreSQL, months of entries can be detached as a whole (`gateway.audit.detaching`).
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
)

from gateway.database import UtcDateTime, metadata

# SQLite autoincrements only a column that is exactly INTEGER.
_Counter = BigInteger().with_variant(Integer, "sqlite")

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("sequence", _Counter, primary_key=True, autoincrement=True),
    Column("exchange_id", Uuid, nullable=False),
    Column("kind", String(32), nullable=False),  # intent | outcome | act
    Column("at", UtcDateTime, nullable=False),
    Column("consumer_id", String(64), nullable=True),  # none for an act
    # The canonical JSON text of the entry, exactly as hashed; null once erased.
    Column("entry", Text, nullable=True),
    # The JSON text of the subjects and the blind of their seal; null where there are none, or once erased.
    Column("subjects", Text, nullable=True),
    Column("blind", LargeBinary(32), nullable=True),
    # On PostgreSQL an index of each month, for there is none over all of them.
    Index("uq_audit_entries_exchange_id_kind", "exchange_id", "kind", unique=True),
    Index("ix_audit_entries_consumer_id_at", "consumer_id", "at"),
)

# On PostgreSQL the months of audit_entries and audit_subjects: see gateway.audit.months.
audit_months = Table(
    "audit_months",
    metadata,
    Column("month", Date, primary_key=True),  # its first day; the oldest holds whatever was before it, too
    Column("first_sequence", BigInteger, nullable=False),  # its entries have numbers from here on
    Column("opened_at", UtcDateTime, nullable=True),  # since when numbers are from here on; none before
    Column("detached_at", UtcDateTime, nullable=True),
)

# Committed with its entry; leaves for audit_leaves when the sequencer gives it its place in the tree.
audit_pending = Table(
    "audit_pending",
    metadata,
    Column("sequence", _Counter, primary_key=True, autoincrement=False),
    Column("sha256", LargeBinary(32), nullable=False),
)

audit_leaves = Table(
    "audit_leaves",
    metadata,
    Column("leaf_index", _Counter, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),  # of the entry's text; the leaf's data
    Index("uq_audit_leaves_sequence", "sequence", unique=True),
)

# Which entries speak of whom, for access histories; made from the leaves in their order, and makeable anew.
audit_subjects = Table(
    "audit_subjects",
    metadata,
    Column("subject_hash", LargeBinary(16), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("outcome", String(32), nullable=True),  # how it ended for this subject; null where nothing did
    sqlite_with_rowid=False,
)

# Leaves before this one are in audit_subjects.
audit_subjects_progress = Table(
    "audit_subjects_progress",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("leaf_index", BigInteger, nullable=False),
)

# c2sp.org/tlog-tiles; the last tile of a level is as wide as the tree needs it.
audit_tiles = Table(
    "audit_tiles",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("tile_index", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)

audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("size", _Counter, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("note", Text, nullable=False),  # as signed by the log
)

audit_cosignatures = Table(
    "audit_cosignatures",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("witness", String(256), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("line", Text, nullable=False),  # the signature line of the note
)

audit_witnesses = Table(
    "audit_witnesses",
    metadata,
    Column("name", String(256), primary_key=True),
    Column("key", Text, nullable=False),  # as c2sp.org/signed-note writes verifier keys
    Column("added_at", UtcDateTime, nullable=False),
)

# Since when the cosignatures of a witness are no longer accepted; for good, and what came before stays.
audit_withdrawn_witnesses = Table(
    "audit_withdrawn_witnesses",
    metadata,
    Column("name", String(256), primary_key=True),
    Column("withdrawn_at", UtcDateTime, nullable=False),
)

# The wording of every agreement that was ever in force, for bundles: entries name it by its hash.
audit_documents = Table(
    "audit_documents",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("text", Text, nullable=False),
    Column("kept_at", UtcDateTime, nullable=False),
)

# How often which question was asked on which civil day (WIB), counted as entries get their place in the tree.
audit_shapes = Table(
    "audit_shapes",
    metadata,
    Column("day", Date, primary_key=True),
    Column("sha256", String(64), primary_key=True),  # of the shape
    Column("shape", Text, nullable=False),  # canonical JSON: see gateway.audit.shapes
    Column("exchanges", BigInteger, nullable=False),
    Column("samples", JSON, nullable=False),  # ids of the first few of them
)

# The public halves of the keys that sign checkpoints, receipts and messages; see gateway.audit.keyring.
audit_keys = Table(
    "audit_keys",
    metadata,
    Column("purpose", String(16), primary_key=True),  # log | receipts | messages
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("public", Text, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=True),  # until when it signs; none for the newest
)

# The words by which entries are searched, each combination once; see gateway.audit.listing.
audit_facets = Table(
    "audit_facets",
    metadata,
    Column("id", _Counter, primary_key=True, autoincrement=False),  # follows from the words
    Column("kind", String(16), nullable=False),  # exchange | act
    Column("who", String(64), nullable=False),  # a consumer, or the account that acted
    Column("what", String(64), nullable=False),  # an operation, or an act
    Column("purpose", String(64), nullable=False),
    Column("outcome", String(64), nullable=False),  # answered, or the code of the refusal
)

# Outcomes and acts that have their place in the tree; makeable anew from the entries.
audit_listed = Table(
    "audit_listed",
    metadata,
    Column("sequence", _Counter, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("facet", BigInteger, nullable=False),
    Index("ix_audit_listed_at", "at", "sequence", "facet"),
    Index("ix_audit_listed_facet", "facet", "at", "sequence"),
)

# Checks of the whole log that staff asked for: how far each is, and what it came to.
audit_checks = Table(
    "audit_checks",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("asked_by", String(128), nullable=False),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),  # when the process that checks was last alive
    Column("ended_at", UtcDateTime, nullable=True),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("checkpoints", BigInteger, nullable=True),
    Column("erased", BigInteger, nullable=True),
    Column("finding", Text, nullable=True),  # the first thing wrong; none where the log is sound
    Index("ix_audit_checks_begun_at", "begun_at"),
)

# The log's name, given once: witnesses know the log by it, wherever the gateway moves to.
audit_identity = Table(
    "audit_identity",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("origin", String(256), nullable=False),
)
