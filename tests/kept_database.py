"""One PostgreSQL database for one test after another: emptied in between, which takes a tenth of making one.

Each test knows it under a name that nobody had before, so whatever a test leaves running finds no database.
MUST NOT be lent again unless it is in every respect as the migrations made it, apart from its name.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.rows import tuple_row
from sqlalchemy.engine import make_url

_FIRST_OF_OURS = 16_384  # as PostgreSQL numbers; what lies below is its own
# What the migrations themselves write.
_SEEDED = ("alembic_version", "schema_floor", "audit_months")
# What a test may have done to the schema, to its rights or to the planner's figures shows here: the rows of
# the catalogues carry the transaction that wrote them. Emptying a table writes to pg_class alone.
_CATALOGUES = (
    *("pg_attrdef", "pg_constraint", "pg_index", "pg_inherits", "pg_partitioned_table", "pg_trigger"),
    *("pg_policy", "pg_default_acl", "pg_extension", "pg_event_trigger", "pg_largeobject_metadata"),
    *(f"pg_attribute WHERE attrelid >= {_FIRST_OF_OURS}", f"pg_type WHERE oid >= {_FIRST_OF_OURS}"),
    f"pg_proc WHERE oid >= {_FIRST_OF_OURS}",
    f"pg_statistic WHERE starelid >= {_FIRST_OF_OURS}",
)
_WRITTEN = "SELECT '{0}', count(*), sum(xmin::text::bigint)::text FROM {0}"
_CONTENT = "SELECT '{0}', count(*), string_agg(seed::text, '') FROM {0} seed"
_RELATIONS = f"""
SELECT 'pg_class', count(*), md5(string_agg(concat_ws(' ', oid, relname, relnamespace, relkind, relowner,
    relacl, reloptions, relispartition, relrowsecurity), ',' ORDER BY oid))
FROM pg_class WHERE oid >= {_FIRST_OF_OURS}
"""  # noqa: S608 - our own names, as below
_SCHEMAS = """
SELECT 'pg_namespace', count(*), string_agg(concat(nspname, nspacl), ',' ORDER BY nspname)
FROM pg_namespace WHERE nspname !~ '_temp_'
"""
_DATABASE = """
SELECT 'pg_database', (SELECT count(*) FROM pg_db_role_setting WHERE setdatabase = pg_database.oid),
    concat_ws(' ', datdba, datacl, datconnlimit, datallowconn)
FROM pg_database WHERE datname = current_database()
"""
_STATE = " UNION ALL ".join(
    [_RELATIONS, _SCHEMAS, _DATABASE, *map(_WRITTEN.format, _CATALOGUES), *map(_CONTENT.format, _SEEDED)]
)
# A table in which something was ever written has a size, even if nothing of it is left.
_EMPTY = f"""
DO $$
DECLARE
    filled text;
BEGIN
    SELECT string_agg(oid::regclass::text, ', ') INTO filled FROM pg_class
    WHERE relkind = 'r' AND oid >= {_FIRST_OF_OURS} AND pg_relation_size(oid) > 0
        AND relname <> ALL ('{{{",".join(_SEEDED)}}}');
    IF filled IS NOT NULL THEN EXECUTE 'TRUNCATE ' || filled || ' CASCADE'; END IF;
    PERFORM setval(seqrelid::regclass, seqstart, false) FROM pg_sequence;
END $$
"""  # noqa: S608


_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"


class KeptDatabase:
    """Lends a database with the newest schema; when one was changed, makes another as `like` is."""

    def __init__(self, server_url: str, like: str) -> None:
        self._server, self._like = make_url(server_url), like
        self._spare: str | None = None
        self._administering = self._connected(str(self._server.database))
        with self._connected(like) as pristine:
            self._state = _state(pristine)

    def close(self) -> None:
        """Drop what is kept."""
        if self._spare is not None:
            self._administer(f"DROP DATABASE {self._spare}")
        self._administering.close()

    @contextmanager
    def lent(self) -> Iterator[str]:
        """URL of an empty database with the newest schema, for one at a time."""
        name = f"test_{secrets.token_hex(6)}"
        spare, self._spare = self._spare, None
        if spare is None:
            self._administer(f"CREATE DATABASE {name} TEMPLATE {self._like}")
        else:
            self._wait_until_left(spare)
            self._administer(f"ALTER DATABASE {spare} RENAME TO {name}")
        try:
            lent = self._server.set(drivername="postgresql+psycopg", database=name)
            yield lent.render_as_string(hide_password=False)
        finally:
            if self._emptied(name):
                self._spare = name
            else:
                self._administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _emptied(self, name: str) -> bool:
        """Have nobody in it and nothing in its tables; False where it cannot be lent again."""
        self._administer(_END_SESSIONS, name)
        try:
            with self._connected(name) as connection:
                connection.execute(_EMPTY)
                return _state(connection) == self._state
        except psycopg.Error:
            return False

    def _wait_until_left(self, name: str) -> None:
        """A moment, as long as it takes a session to end; PostgreSQL itself looks ten times a second only.

        A connection that was given up while it was being made may become a session after the others ended.
        """
        present = _END_SESSIONS.encode()
        until = time.monotonic() + 5
        while self._administering.execute(present, [name]).rowcount and time.monotonic() < until:
            time.sleep(0.002)

    def _administer(self, statement: str, *values: str) -> None:
        self._administering.execute(statement.encode(), values or None)

    def _connected(self, name: str) -> psycopg.Connection:
        url = self._server.set(drivername="postgresql", database=name)
        return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)


def _state(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        return sorted(cursor.execute(_STATE.encode()).fetchall())
