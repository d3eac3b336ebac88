"""Tables of the registry. Times are UTC; dates are civil dates of Indonesia as the source states them.

A person is known by a random 128-bit id that says nothing. A NIK is text, may be missing and may occur
twice: it is an attribute of a person, not an identity.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Date,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
    or_,
)

from gateway.database import UtcDateTime, metadata

# What each status may say. The order is the order of columns in the flat exports, first the usual case.
STATUS_VOCABULARY = {
    "registry_status": ("active", "inactive"),
    "life_status": ("alive", "deceased", "unknown"),
    "residence_status": ("resident", "moved", "unknown"),
    "identity_status": ("matched", "unmatched", "not_checked", "duplicate"),
    "welfare_status": ("eligible", "not_eligible", "unknown"),
}

regions = Table(
    "regions",
    metadata,
    # Dotted Kemendagri code: 35, 35.78, 35.78.01, 35.78.01.1001
    Column("code", String(13), primary_key=True),
    Column("valid_from", Date, primary_key=True),
    Column("valid_to", Date),  # exclusive; empty while in force
    Column("name", Text, nullable=False),
    Column("level", SmallInteger, nullable=False),  # 1 province .. 4 village
    Column("edition", Text, nullable=False),
)

households = Table(
    "households",
    metadata,
    Column("id", Uuid, primary_key=True),
    # How the source names the household; keeps a repeated import from making a second one.
    Column("source_key", Text, nullable=False, unique=True),
    Column("family_card_number", String(16)),
)

household_deciles = Table(
    "household_deciles",
    metadata,
    Column("household_id", ForeignKey("households.id"), primary_key=True),
    Column("period_from", Date, primary_key=True),
    Column("period_to", Date),  # exclusive; empty for the latest
    Column("decile", SmallInteger),  # 1 poorest .. 10; empty: "belum ditentukan"
    Column("source", String(32), nullable=False),
    Column("as_of", Date, nullable=False),
    CheckConstraint("decile BETWEEN 1 AND 10", name="decile_range"),
)


def _status(name: str) -> list[Column[object]]:
    """A status is never without its source and date."""
    return [
        Column(name, String(16), nullable=False),
        Column(f"{name}_source", String(32), nullable=False),
        Column(f"{name}_as_of", Date, nullable=False),
    ]


people = Table(
    "people",
    metadata,
    Column("id", Uuid, primary_key=True),
    # How the source names the person; keeps a repeated import from making a second one.
    Column("source_key", Text, nullable=False, unique=True),
    Column("dtks_id", Text),
    Column("nik", String(16), index=True),
    Column("household_id", ForeignKey("households.id"), index=True),
    Column("family_relation", String(32)),
    Column("full_name", Text, nullable=False),
    Column("birth_date", Date),
    Column("birth_place", Text),
    Column("sex", String(1)),  # L | P, as Dukcapil writes them
    Column("mother_name", Text),
    Column("occupation", Text),
    Column("address", Text),
    Column("hamlet", Text),
    Column("rt", String(3)),
    Column("rw", String(3)),
    Column("region_code", String(13)),
    Column("synthetic", Boolean, nullable=False),
    *[column for name in STATUS_VOCABULARY for column in _status(name)],
    Column("source", String(32), nullable=False),
    Column("as_of", Date, nullable=False),
)

enrolments = Table(
    "enrolments",
    metadata,
    Column("person_id", ForeignKey("people.id"), primary_key=True),
    Column("programme", String(16), primary_key=True),  # PBI-JK | PKH | BPNT | BST
    Column("starts_on", Date, primary_key=True),
    Column("ends_on", Date),  # exclusive; empty while it lasts
    Column("segment", String(32)),
    Column("source", String(32), nullable=False),
    Column("as_of", Date, nullable=False),
)

imports = Table(
    "imports",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("file_sha256", String(64), nullable=False),
    Column("file_format", String(16), nullable=False),
    # The day the file speaks of; an import that is run again goes on with it.
    Column("as_of", Date, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("rows_read", Integer, nullable=False),
    Column("rows_imported", Integer, nullable=False),
    Column("rows_unchanged", Integer, nullable=False),
    Column("rows_rejected", Integer, nullable=False),
    Index("ix_imports_file_sha256", "file_sha256"),
)


def living_within(region: str) -> ColumnElement[bool]:
    """Whether a row of `people` lives in a region, given by its dotted code."""
    return or_(people.c.region_code == region, people.c.region_code.startswith(f"{region}."))
