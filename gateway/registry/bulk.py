"""Many rows at once: COPY on PostgreSQL, one prepared statement on SQLite.

Runs inside the caller's unit of work and MUST NOT commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table


def append_rows(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Append `rows` to `table`; each row has one value per name in `columns`, as the driver takes it.

    SQLAlchemy's types are not applied: give ISO text for a date on SQLite.
    """
    names = ", ".join(f'"{name}"' for name in columns)
    if connection.dialect.name == "postgresql":
        raw = connection.connection.driver_connection
        with raw.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:  # type: ignore[union-attr]  # psycopg's connection
            for row in rows:
                copy.write_row(row)
        return
    marks = ", ".join("?" * len(columns))
    cursor = connection.connection.cursor()
    cursor.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", rows)  # noqa: S608 - names come from the schema
    cursor.close()
