"""A small synthetic registry made large within PostgreSQL: families copied, each copy with NIKs of its own.

The copies' NIKs lie scattered over the districts and the birth dates, as a list of people does and a walk
through the numbers does not, and have serials above 9000, as all of invented people do.
"""

from __future__ import annotations

from sqlalchemy import Connection, create_engine, make_url, text

_COPIES_AT_ONCE = 100

# A copy's keys are derived from its original's, so that a family stays together. Birth dates are 28 days, 12
# months, both sexes and 60 years, gone through by steps of a prime; serials count how often all are used up.
_HOUSEHOLDS = """
INSERT INTO households (id, source_key, family_card_number)
SELECT md5(id::text || ' ' || n)::uuid, source_key || ' ' || n, family_card_number
FROM original_households CROSS JOIN generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
"""
_DECILES = """
INSERT INTO household_deciles (household_id, {columns})
SELECT md5(household_id::text || ' ' || n)::uuid, {columns}
FROM original_deciles CROSS JOIN generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
"""
_PEOPLE = """
INSERT INTO people (id, source_key, household_id, nik, {columns})
SELECT md5(id::text || ' ' || n)::uuid, source_key || ' ' || n, md5(household_id::text || ' ' || n)::uuid,
       district || lpad((born % 28 + 1 + born / 336 % 2 * 40)::text, 2, '0')
       || lpad((born / 28 % 12 + 1)::text, 2, '0') || lpad((born / 672)::text, 2, '0')
       || (9000 + turn / 40320),
       {columns}
FROM original_people
CROSS JOIN generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
CROSS JOIN LATERAL (SELECT place + n::bigint * :count AS number) AS numbered
CROSS JOIN (SELECT count(*) AS all_districts FROM original_districts) AS counted
CROSS JOIN LATERAL (SELECT number / all_districts AS turn) AS turned
CROSS JOIN LATERAL (SELECT turn * 7919 % 40320 AS born) AS birth
JOIN original_districts ON district_number = number % all_districts
"""
_ENROLMENTS = """
INSERT INTO enrolments (person_id, {columns})
SELECT md5(person_id::text || ' ' || n)::uuid, {columns}
FROM original_enrolments CROSS JOIN generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
"""
_ORIGINALS = {
    "original_households": "SELECT * FROM households",
    "original_deciles": "SELECT * FROM household_deciles",
    "original_people": "SELECT *, row_number() OVER () AS place FROM people",
    "original_enrolments": "SELECT * FROM enrolments",
    "original_districts": """
        SELECT row_number() OVER () - 1 AS district_number, district
        FROM (SELECT DISTINCT left(nik, 6) AS district FROM people WHERE nik ~ '^[0-9]{16}$') AS districts
    """,
}
_COLUMNS = """
SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = :table AND column_name <> ALL(:own)
"""
_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE schemaname = current_schema() AND tablename = 'people' AND indexdef NOT LIKE '%UNIQUE%'
"""


def multiply_people(database_url: str, at_least: int) -> None:
    """Bring the registry to this many people or a few more. Blocks for minutes when they are millions."""
    engine = create_engine(make_url(database_url))
    with engine.begin() as connection:
        # The copies hang together as their originals do: to look each one up again would take an hour.
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("SET LOCAL synchronous_commit = off"))
        for name, chosen in _ORIGINALS.items():
            connection.execute(text(f"CREATE TEMP TABLE {name} ON COMMIT DROP AS {chosen}"))
        count = connection.execute(text("SELECT count(*) FROM original_people")).scalar_one()
        indexes = connection.execute(text(_INDEXES)).all()
        for index in indexes:
            connection.execute(text(f"DROP INDEX {index.indexname}"))
        _copy(connection, count, max(0, -(-at_least // count) - 1))
        for index in indexes:
            connection.execute(text(index.indexdef))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("CHECKPOINT"))
    engine.dispose()


def _copy(connection: Connection, count: int, copies: int) -> None:
    statements = (
        (_HOUSEHOLDS, "households", []),
        (_DECILES, "household_deciles", ["household_id"]),
        (_PEOPLE, "people", ["id", "source_key", "household_id", "nik"]),
        (_ENROLMENTS, "enrolments", ["person_id"]),
    )
    columns = {
        table: connection.execute(text(_COLUMNS), {"table": table, "own": own}).scalar_one()
        for _, table, own in statements
    }
    for first in range(1, copies + 1, _COPIES_AT_ONCE):
        bounds = {"first": first, "last": min(first + _COPIES_AT_ONCE - 1, copies)}
        for statement, table, _ in statements:
            given = {**bounds, "count": count} if table == "people" else bounds
            connection.execute(text(statement.format(columns=columns[table])), given)
