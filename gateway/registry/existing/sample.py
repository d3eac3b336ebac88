"""What a mapping finds in the tables: rows, and of a sample how many values can be used. Never a value.

For the eyes of whoever writes the mapping, before a gateway serves by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Inspector, func, inspect, select

from gateway.registry.existing.database import ReadOnlyDatabase
from gateway.registry.existing.identity import packs
from gateway.registry.existing.mapping import RegistryMapping
from gateway.registry.existing.structure import OpenedPart, opened_parts
from gateway.registry.existing.values import UNUSABLE, code_of

SAMPLE_ROWS = 10_000
# Counting a large table takes its time, and nobody is waiting for an answer.
_PATIENCE_S = 600


@dataclass(frozen=True, slots=True)
class SampledColumn:
    """One mapped column and what the sample holds in it: `usable` + `empty` + `unusable` are its rows."""

    role: str
    name: str
    type: str
    usable: int
    empty: int
    unusable: int


@dataclass(frozen=True, slots=True)
class SampledPart:
    """One part. `advice` are sentences about what will be slow or ambiguous."""

    name: str
    table: str
    rows: int
    sampled: int
    columns: tuple[SampledColumn, ...]
    advice: tuple[str, ...]


def sample(mapping: RegistryMapping, rows: int = SAMPLE_ROWS) -> tuple[SampledPart, ...]:
    """Look at the first `rows` rows of every mapped table. Raises SettingsInvalid, StoreUnavailable."""
    database = ReadOnlyDatabase(mapping.url, statement_timeout_s=_PATIENCE_S)
    try:
        parts = opened_parts(database, mapping)
        return tuple(_sampled(database, part, rows) for part in parts.values())
    finally:
        database.close()


def _sampled(database: ReadOnlyDatabase, part: OpenedPart, rows: int) -> SampledPart:
    roles = tuple(part.mapped.columns)
    with database.reading() as connection:
        count = connection.execute(select(func.count()).select_from(part.table)).scalar_one()
        statement = select(*(part.column(role) for role in roles)).limit(rows)
        sampled = connection.execute(statement).all()
        advice = list(_advice(inspect(connection), part))
    columns = tuple(
        _judged(part, role, values)
        for role, values in zip(
            roles, zip(*sampled, strict=True) if sampled else [()] * len(roles), strict=True
        )
    )
    if "key" in roles:
        keys = [row[roles.index("key")] for row in sampled]
        if len(set(keys)) < len(keys):
            advice.append("key: occurs more than once; who has it is ambiguous and gets no answer")
    return SampledPart(part.mapped.name, part.mapped.table, count, len(sampled), columns, tuple(advice))


def _judged(part: OpenedPart, role: str, values: Sequence[Any]) -> SampledColumn:
    mapped = part.mapped.columns[role]
    if role == "key":
        kind = part.key_kind
        read = [None if raw is None else raw if packs(raw, kind) else UNUSABLE for raw in values]
    elif mapped.kind == "key":
        read = [code_of(raw) for raw in values]
    else:
        read = [part.readings[role](raw) for raw in values]
    unusable = sum(one is UNUSABLE for one in read)
    empty = sum(one is None for one in read)
    words = str(part.types[role])
    return SampledColumn(role, mapped.name, words, len(read) - unusable - empty, empty, unusable)


def _advice(inspector: Inspector, part: OpenedPart) -> Iterator[str]:
    """Columns by which rows are looked up and for which no index is known."""
    mapped = part.mapped
    if mapped.table in inspector.get_view_names(mapped.schema):
        return
    key = inspector.get_pk_constraint(mapped.table, mapped.schema)["constrained_columns"]
    unique = [one["column_names"] for one in inspector.get_unique_constraints(mapped.table, mapped.schema)]
    indexed = [one["column_names"] for one in inspector.get_indexes(mapped.table, mapped.schema)]
    known: list[Sequence[str | None]] = [key, *unique, *indexed]
    led_by = {names[0] for names in known if names}
    for role in ("key", "nik", "household", "owner"):
        one = mapped.columns.get(role)
        if one is not None and one.name not in led_by:
            yield f"{role}: no index begins with {one.name}, so every question reads the whole table"
