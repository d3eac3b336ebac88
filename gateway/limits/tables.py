"""Tables of the limits: what was used, who was asked about, walks through birth dates, alarms.

People and places are keyed numbers that differ between agreements (`gateway.limits.marks`).
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Integer, String, Table

from gateway.database import UtcDateTime, metadata

limit_use = Table(
    "limit_use",
    metadata,
    Column("agreement_id", String(64), primary_key=True),
    Column("day", Date, primary_key=True),  # civil day of Indonesia (WIB)
    Column("requests", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("subjects", BigInteger, nullable=False),
    Column("new_people", BigInteger, nullable=False),
    Column("unknown", BigInteger, nullable=False),
    Column("minute", Integer, nullable=False),  # since 1970
    Column("minute_requests", Integer, nullable=False),
    Column("pardoned", Boolean, nullable=False),
)

limit_people = Table(
    "limit_people",
    metadata,
    Column("mark", BigInteger, primary_key=True, autoincrement=False),
    Column("block", BigInteger),  # empty for people asked about by pseudonym
    Column("first_on", Date, nullable=False),
    # Not indexed: it changes daily, and an index would have to change with it.
    Column("asked_on", Date, nullable=False),
    Index("ix_limit_people_block", "block"),
)

limit_walks = Table(
    "limit_walks",
    metadata,
    Column("district", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Date, primary_key=True),
    Column("dates", Integer, nullable=False),
    Column("pairs", Integer, nullable=False),
)

limit_alarms = Table(
    "limit_alarms",
    metadata,
    Column("agreement_id", String(64), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("pattern", String(32), primary_key=True),
    Column("level", String(16), primary_key=True),  # alarm | refusal
    Column("at", UtcDateTime, nullable=False),
)
