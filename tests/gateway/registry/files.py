"""Builders: rows of the flat export, files made of them, and the registry as plain values."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import select

from gateway.database import Database
from gateway.registry.imports import ImportReport, import_registry
from gateway.registry.personas import EXPORT_COLUMNS, PERSONAS
from gateway.registry.tables import enrolments, household_deciles, households, people

AS_OF = date(2026, 8, 1)
_IDS = {"id", "person_id", "household_id"}


def export_row(key: str = "A", **said: str) -> dict[str, str]:
    """A faultless row of the flat export, with what a test says differently."""
    row = dict.fromkeys(EXPORT_COLUMNS, "") | PERSONAS[0].row()
    return row | {"Id_DTKS": key, "NIK": "3578085203849001", "NoKK": "3578080101189001"} | said


def write_csv(
    path: Path,
    rows: Iterable[Mapping[str, str]],
    columns: Sequence[str] = EXPORT_COLUMNS,
    delimiter: str = ",",
) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter=delimiter, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_parquet(source: Path) -> Path:
    target = source.with_suffix(".parquet")
    duckdb.execute(f"COPY (FROM read_csv('{source}', all_varchar=true)) TO '{target}' (FORMAT parquet)")
    return target


def take(database: Database, folder: Path, *rows: Mapping[str, str], **how: Any) -> ImportReport:
    """Import these rows as one file, as of AS_OF unless said otherwise."""
    file = write_csv(folder / "export.csv", rows, columns=how.pop("columns", EXPORT_COLUMNS))
    return import_registry(database, file, **{"as_of": AS_OF, **how})


def person(database: Database, key: str = "A") -> dict[str, Any]:
    with database.reading() as connection:
        row = connection.execute(select(people).where(people.c.dtks_id == key)).mappings().one()
    return dict(row)


def enrolled(database: Database) -> list[tuple[Any, ...]]:
    """Programme, beginning and end of every enrolment."""
    columns = (enrolments.c.programme, enrolments.c.starts_on, enrolments.c.ends_on)
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(select(*columns).order_by(*columns))]


def ranked(database: Database) -> list[tuple[Any, ...]]:
    """Quarter's first day, its end and the decile of every ranking."""
    columns = (household_deciles.c.period_from, household_deciles.c.period_to, household_deciles.c.decile)
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(select(*columns).order_by(columns[0]))]


def everything(database: Database, *, with_ids: bool = True) -> list[tuple[Any, ...]]:
    """All rows of people and what hangs on them; without ids, by the source's keys instead."""
    by_household = households.c.source_key.label("household_key")
    joined = (
        select(people, by_household).select_from(people.outerjoin(households)),
        select(household_deciles, by_household).select_from(household_deciles.join(households)),
        select(enrolments, people.c.source_key).select_from(enrolments.join(people)),
        select(households),
    )
    found: list[tuple[Any, ...]] = []
    with database.reading() as connection:
        for statement in joined:
            found += [
                tuple(str(value) for name, value in row.items() if with_ids or name not in _IDS)
                for row in connection.execute(statement).mappings()
            ]
    return sorted(found)
