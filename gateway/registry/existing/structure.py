"""Holds a mapping against the tables that are really there, before anybody is asked about.

Every mapped column must exist and be of a kind that can be read without loss; all problems come at once, each
with what was expected and got. MUST NOT read a row: that is `sample`, for the operator's eyes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Enum,
    Float,
    Inspector,
    Integer,
    Numeric,
    String,
    TableClause,
    Uuid,
    column,
    inspect,
    table,
)
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.sql.expression import ColumnClause
from sqlalchemy.types import CHAR, NullType, TypeEngine

from gateway.errors import SettingsInvalid
from gateway.registry.existing.database import ReadOnlyDatabase
from gateway.registry.existing.identity import KeyKind
from gateway.registry.existing.mapping import MappedPart, RegistryMapping
from gateway.registry.existing.values import MappedColumn, Reading, reading_of

_IDENTIFIER_DIGITS = 16


# Compared by identity: there is one of each, and statements are kept by it.
@dataclass(frozen=True, slots=True, eq=False)
class OpenedPart:
    """A part whose columns are there. `types` and `readings` are by role, as `mapped.columns`."""

    mapped: MappedPart
    table: TableClause
    types: Mapping[str, TypeEngine[Any]]
    readings: Mapping[str, Reading]

    def column(self, role: str) -> ColumnClause[Any]:
        """The column of this role. Its values come as the driver gives them, for the reading to judge."""
        return self.table.c[self.mapped.columns[role].name]

    def sent_as(self, role: str) -> TypeEngine[Any]:
        """The type by which values are compared with this column, such that its index serves."""
        kind = self.types[role]
        if isinstance(kind, CHAR | Numeric | Uuid):
            return kind
        return BigInteger() if isinstance(kind, Integer) else String()

    def holds_numbers(self, role: str) -> bool:
        """Whether the column of this role is compared with numbers."""
        return isinstance(self.types[role], Integer | Numeric)

    @property
    def key_kind(self) -> KeyKind:
        """What the key of a row is."""
        if isinstance(self.types["key"], Uuid):
            return "uuid"
        if self.mapped.columns["key"].form == "uuid":
            return "uuid_text"
        return "number" if self.holds_numbers("key") else "text"


def opened_parts(database: ReadOnlyDatabase, mapping: RegistryMapping) -> Mapping[str, OpenedPart]:
    """The parts by name. Raises SettingsInvalid with every problem of every part, StoreUnavailable."""
    with database.reading() as connection:
        opened, problems = _held_against(inspect(connection), mapping)
    if problems:
        raise SettingsInvalid([f"{mapping.path}: {problem}" for problem in problems])
    return opened


def _held_against(
    inspector: Inspector, mapping: RegistryMapping
) -> tuple[Mapping[str, OpenedPart], list[str]]:
    opened: dict[str, OpenedPart] = {}
    problems: list[str] = []
    for mapped in mapping.parts:
        types, found = _types(inspector, mapped)
        problems += found
        if not found:
            opened[mapped.name] = _opened(mapped, types)
    if not problems:
        problems += _unlike_keys(opened)
    return opened, problems


def _opened(mapped: MappedPart, types: Mapping[str, TypeEngine[Any]]) -> OpenedPart:
    names = dict.fromkeys(one.name for one in mapped.columns.values())
    clause = table(mapped.table, *(column(name) for name in names), schema=mapped.schema)
    readings = {role: reading_of(one) for role, one in mapped.columns.items()}
    return OpenedPart(mapped, clause, types, readings)


def _types(inspector: Inspector, mapped: MappedPart) -> tuple[Mapping[str, TypeEngine[Any]], list[str]]:
    """The type of each role's column, and what is wrong."""
    try:
        there = {one["name"]: one["type"] for one in inspector.get_columns(mapped.table, mapped.schema)}
    except NoSuchTableError:
        within = f" in schema {mapped.schema}" if mapped.schema else ""
        return {}, [f"{mapped.name}.table: expected a table or view {mapped.table}{within}, got none there"]
    is_sqlite = inspector.dialect.name == "sqlite"
    types: dict[str, TypeEngine[Any]] = {}
    problems: list[str] = []
    for role, one in mapped.columns.items():
        if one.name not in there:
            has = ", ".join(sorted(there))
            problems.append(f"{one.place}: expected a column {one.name} in {mapped.table}, which has: {has}")
            continue
        types[role] = there[one.name]
        if expected := _expected_instead(one, types[role], is_sqlite=is_sqlite):
            got = _words(types[role])
            problems.append(f"{one.place}: expected {expected}, got {mapped.table}.{one.name} of type {got}")
    return types, problems


def _words(kind: TypeEngine[Any]) -> str:
    return "unknown" if isinstance(kind, NullType) else str(kind)


def _expected_instead(one: MappedColumn, kind: TypeEngine[Any], *, is_sqlite: bool) -> str | None:
    """What the column should be, where it is something else; None where it will do."""
    if isinstance(kind, NullType):
        # What an expression in a view gives, SQLite does not say; each value is judged when it is read.
        return None if is_sqlite else "a plain type"
    if one.kind == "date":
        return _expected_day(one, kind)
    usable, words = _USABLE[one.kind]
    coded = bool(one.values) or (one.kind == "region" and one.form == "undotted")
    if one.kind == "identifier":
        fits = _is_text(kind) or _holds_sixteen_digits(kind, is_sqlite=is_sqlite)
    elif one.kind == "key" and one.form == "uuid":
        return None if _is_text(kind) else "text (a UUID as a type of its own needs no form)"
    else:
        fits = usable(kind) or (coded and (_is_whole(kind) or isinstance(kind, Boolean | String)))
    return None if fits else words


def _expected_day(one: MappedColumn, kind: TypeEngine[Any]) -> str | None:
    if isinstance(kind, Date | DateTime):
        return None if one.format is None else "no format, for the column is a date already"
    if not isinstance(kind, String):
        return "a date, or text with a format"
    return None if one.format else "a format, such as format = '%d-%m-%Y', for the column is text"


def _is_text(kind: TypeEngine[Any]) -> bool:
    return isinstance(kind, String) and not isinstance(kind, Enum)


def _is_whole(kind: TypeEngine[Any]) -> bool:
    exact = isinstance(kind, Numeric) and not isinstance(kind, Float) and not kind.scale
    return exact or isinstance(kind, Integer)


def _holds_sixteen_digits(kind: TypeEngine[Any], *, is_sqlite: bool) -> bool:
    if isinstance(kind, Numeric):
        return _is_whole(kind) and (kind.precision is None or kind.precision >= _IDENTIFIER_DIGITS)
    return isinstance(kind, BigInteger) or (is_sqlite and isinstance(kind, Integer))


_USABLE: Mapping[str, tuple[Any, str]] = {
    "key": (
        lambda kind: _is_text(kind) or _is_whole(kind) or isinstance(kind, Uuid),
        "a whole number, a UUID or text",
    ),
    "text": (lambda kind: isinstance(kind, String), "text (or codes with their values)"),
    "word": (lambda kind: isinstance(kind, String), "text (or codes with their values)"),
    "identifier": (
        None,
        "text, or a whole number that holds 16 digits (BIGINT, NUMERIC(16)); anything else has lost some",
    ),
    "region": (_is_text, "text such as 35.78.08.1003 (or form = 'undotted')"),
    "decile": (lambda kind: _is_whole(kind) or isinstance(kind, String), "a whole number or text"),
    "number": (_is_whole, "a whole number"),
    "unit": (lambda kind: _is_whole(kind) or _is_text(kind), "text or a whole number"),
}


def _unlike_keys(opened: Mapping[str, OpenedPart]) -> Iterator[str]:
    """Keys by which two parts are joined, and which cannot be equal."""
    people = opened["people"]
    for part in opened.values():
        if part.mapped.owner is None:
            continue
        role = "key" if part.mapped.owner == "person" else "household"
        ours, theirs = part.types["owner"], people.types[role]
        if {_family(ours), _family(theirs)} - {"unknown"} > {_family(ours)}:
            yield (
                f"{part.mapped.columns['owner'].place}: expected the type of "
                f"{people.mapped.columns[role].place}, {_words(theirs)}, got {_words(ours)}"
            )


def _family(kind: TypeEngine[Any]) -> str:
    if isinstance(kind, NullType):
        return "unknown"
    return "text" if isinstance(kind, String) else "uuid" if isinstance(kind, Uuid) else "number"
