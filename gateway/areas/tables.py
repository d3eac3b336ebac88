"""Tables of the maps. An edition is one state of the country; a layer is one level of an edition.

Geometry is plain WKB (WGS 84, longitude first), read and written by shapely: the store needs no PostGIS.
"""

from __future__ import annotations

from sqlalchemy import Column, Date, Double, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from gateway.database import UtcDateTime, metadata

area_editions = Table(
    "area_editions",
    metadata,
    Column("name", String(64), primary_key=True),
    # Two editions that begin on one day would leave nobody knowing which is in force.
    Column("valid_from", Date, nullable=False, unique=True),
    Column("valid_until", Date),  # inclusive; empty until a later edition begins
)

area_layers = Table(
    "area_layers",
    metadata,
    Column("edition", ForeignKey("area_editions.name"), primary_key=True),
    Column("level", String(8), primary_key=True),  # province | regency | district | village
    Column("source", Text, nullable=False),
    Column("areas", Integer, nullable=False),
    Column("imported_at", UtcDateTime, nullable=False),
    # Grows with every import that changes the layer, so that two at once cannot mix.
    Column("revision", Integer, nullable=False),
)

areas = Table(
    "areas",
    metadata,
    Column("edition", ForeignKey("area_editions.name"), primary_key=True),
    Column("code", String(13), primary_key=True),  # dotted Kemendagri code
    Column("level", String(8), nullable=False),
    Column("name", Text, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    # What the geometry spans, in degrees: finds the few areas near a point without reading any geometry.
    Column("west", Double, nullable=False),
    Column("south", Double, nullable=False),
    Column("east", Double, nullable=False),
    Column("north", Double, nullable=False),
    # Last, because SQLite reads a row as far as the column that is asked for.
    Column("geometry", LargeBinary, nullable=False),
    Index("ix_areas_span", "edition", "level", "west", "east", "south", "north"),
)

area_values = Table(
    "area_values",
    metadata,
    Column("theme", String(64), primary_key=True),  # a field of the dictionary
    Column("code", String(13), primary_key=True),
    Column("as_of", Date, primary_key=True),
    Column("level", String(8), nullable=False),
    Column("value", String(32), nullable=False),
    Column("source", Text, nullable=False),
)
