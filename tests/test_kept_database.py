"""A lent PostgreSQL database is as the migrations made it, whatever was done with the one before."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import make_url

from tests.kept_database import KeptDatabase


@pytest.fixture(scope="module")
def kept(postgres_server: str, migrated_postgres: str) -> Iterator[KeptDatabase]:
    lender = KeptDatabase(postgres_server, migrated_postgres)
    yield lender
    lender.close()


def _asked(url: str, *statements: str) -> list[tuple[object, ...]]:
    """What the last one says."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        for statement in statements:
            said = connection.execute(statement.encode())
        return said.fetchall() if said.description else []


_OID = "SELECT oid FROM pg_database WHERE datname = current_database()"
_REGION = "INSERT INTO regions SELECT '35', now(), NULL, 'JAWA TIMUR', 1, 'edition'"
_NUMBER = "SELECT nextval('installation_id_seq')"


def test_what_was_written_is_gone_its_numbers_begin_again_and_its_name_is_nobodys(kept: KeptDatabase) -> None:
    with kept.lent() as first:
        made = _asked(first, _OID)
        number = _asked(first, "CREATE TEMP TABLE passing (id int)", _REGION, _NUMBER)
    with kept.lent() as second:
        assert made == _asked(second, _OID)
        assert number == _asked(second, _NUMBER)
        assert _asked(second, "SELECT count(*) FROM regions") == [(0,)]
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        _asked(first, _OID)


def test_whoever_is_still_connected_is_sent_away(kept: KeptDatabase) -> None:
    with kept.lent() as url:
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        staying = psycopg.connect(plain)
        staying.execute(_REGION.encode())
    with kept.lent() as url:
        assert _asked(url, "SELECT count(*) FROM regions") == [(0,)]
        with pytest.raises(psycopg.OperationalError):
            staying.execute("SELECT 1")
    staying.close()


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE regions ADD COLUMN another int",
        "GRANT SELECT ON regions TO PUBLIC",
        "DELETE FROM alembic_version",
        "UPDATE schema_floor SET revision = 'another'",
        "CREATE FUNCTION another() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        f"{_REGION}; ANALYZE regions",
    ],
)
def test_a_database_that_was_changed_is_lent_to_nobody_else(kept: KeptDatabase, change: str) -> None:
    with kept.lent() as url:
        made = _asked(url, _OID)
        _asked(url, change)
    with kept.lent() as url:
        assert made != _asked(url, _OID)
