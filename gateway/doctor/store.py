"""The database: is it there, is it ours, does it keep what it is told, and may we do too much in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, text

from gateway.database import Database
from gateway.doctor.findings import Finding, good, graded
from gateway.errors import StoreUnavailable
from gateway.grants import EVIDENCE_KEPT
from gateway.installation import installation, mark_of
from gateway.keys import Keys
from gateway.migrations import fits, is_current
from gateway.vitals.store import StoreStanding, store_standing

_OLDEST = 150_000
# A proof of possession counts for seconds: two clocks that differ by more refuse good requests.
_SKEW, _MUCH_SKEW = timedelta(seconds=1), timedelta(seconds=5)
_SLOW_S = 0.05
_FULL_SHARE = 0.85
# setting -> the values with which an answered exchange survives a crash
_KEEPS: Mapping[str, frozenset[str]] = {
    "fsync": frozenset({"on"}),
    "full_page_writes": frozenset({"on"}),
    "synchronous_commit": frozenset({"on", "remote_write", "remote_apply"}),
}
_SETTINGS = text("SELECT name, setting FROM pg_settings WHERE name = ANY(:names)")
_WHO = text(
    "SELECT current_user, rolsuper, pg_is_in_recovery(), current_setting('server_version_num')::int,"
    " current_setting('server_version') FROM pg_roles WHERE rolname = current_user"
)
_MAY = text(
    "SELECT t.name, p.privilege FROM unnest(CAST(:names AS text[])) AS t (name),"
    " unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS p (privilege)"
    " WHERE to_regclass(t.name) IS NOT NULL AND has_table_privilege(t.name, p.privilege) ORDER BY 1, 2"
)


def address_of(database: Database) -> str:
    """Where the database is, without who asks there and by which password."""
    url = database.engine.url
    if database.is_sqlite:
        return str(url.database)
    hosts = url.host or url.query.get("host") or "the local socket"  # several, where one may take over
    return f"{hosts}{f':{url.port}' if url.port else ''}/{url.database}"


def is_there(database: Database) -> Finding:
    """Whether it answers at all."""
    where = address_of(database)
    if database.is_missing():
        return Finding(
            "database", "wrong", f"there is no {where}", "Run `gapura migrate`, or mend `database_url`."
        )
    try:
        with database.reading() as connection:
            connection.execute(text("SELECT 1"))
    except StoreUnavailable:
        do = (
            "On its machine: `systemctl status postgresql`, `pg_lsclusters`, its disk. From here: "
            "`pg_isready -h ...`, and whether `database_url` has the right address and password. "
            "See RUNBOOK.md, GapuraDatabaseDown."
        )
        return Finding("database", "wrong", f"nobody answers at {where}, or it refuses us", do)
    return good("database", f"answers at {where}")


def examine_schema(database: Database) -> Iterator[Finding]:
    """Whether the schema is one that this version serves on."""
    if is_current(database):
        yield good("schema", "is that of this version")
    else:
        yield graded(
            "schema",
            "is another than that of this version",
            "With the new version installed, run `gapura migrate`; see deploy/README.md, Upgrade.",
            wrong=not fits(database),
            notice=True,
        )


def examine_store(database: Database, clock: Callable[[], datetime]) -> Iterator[Finding]:
    """How the database fares, and by which rules it keeps things."""
    with database.reading() as connection:
        standing = store_standing(connection, clock)
        if database.is_sqlite:
            yield good("database", f"SQLite, {standing.size_bytes:,} bytes: one process on one machine")
            return
        yield from _of_server(connection)
        yield from _of_keeping(connection)
        yield from _of_rights(connection)
    yield from _of_standing(standing)


def examine_binding(database: Database, keys: Keys) -> Iterator[Finding]:
    """Whether these keys are those that the database was begun with."""
    with database.reading() as connection:
        bound_to = connection.execute(select(installation.c.keys_mark)).scalar()
    if bound_to is None:
        yield Finding(
            "keys",
            "notice",
            "the database has not been served yet: it takes the keys of its first start",
            "Check that the key folder is the right one before the first start.",
        )
    else:
        yield graded(
            "keys",
            "are those that the database was begun with"
            if bound_to == mark_of(keys)
            else "belong to another database",
            "Put the right key folder back; serving with this one is refused.",
            wrong=bound_to != mark_of(keys),
        )


def _of_standing(standing: StoreStanding) -> Iterator[Finding]:
    said = f"one trip takes {standing.trip_s * 1000:.1f} ms, the database has {standing.size_bytes:,} bytes"
    do = "Look at the network between, and at the load of the database's machine."
    yield graded("database", said, do, wrong=False, notice=standing.trip_s > _SLOW_S)
    skew = abs(standing.skew or timedelta())
    yield graded(
        "clock",
        f"differs from the database's by {skew.total_seconds():.2f} s",
        "Find which of the two is wrong: `timedatectl`, `chronyc tracking` on both; then mend its NTP.",
        wrong=skew > _MUCH_SKEW,
        notice=skew > _SKEW,
    )
    used, most = sum(standing.connections.values()), standing.connections_most or 1
    yield graded(
        "connections",
        f"{used} of {most} are in use",
        "Find who holds them: SELECT usename, state, count(*) FROM pg_stat_activity GROUP BY 1, 2; "
        "with many nodes put PgBouncer between (deploy/README.md, Connections).",
        wrong=False,
        notice=used > _FULL_SHARE * most,
    )


def _of_server(connection: Connection) -> Iterator[Finding]:
    user, is_super, is_replica, number, version = connection.execute(_WHO).one()
    yield graded(
        "database",
        f"PostgreSQL {version}",
        "Gapura is tried with PostgreSQL 15 and newer: upgrade it.",
        wrong=number < _OLDEST,
    )
    if is_replica:
        do = "Let `database_url` lead to the primary, or promote this one if the primary is gone for good."
        yield Finding("database", "wrong", "is a replica: nothing can be written there", do)
    yield graded(
        "role",
        f"we are {user}" + (", a superuser" if is_super else ""),
        "Serve as gapura_serving: deploy/postgresql/roles.sql, `gapura migrate --grant`, `database_url`.",
        wrong=is_super,
    )


def _of_keeping(connection: Connection) -> Iterator[Finding]:
    found = {name: str(value) for name, value in connection.execute(_SETTINGS, {"names": list(_KEEPS)})}
    for name, values in _KEEPS.items():
        yield graded(
            "durability",
            f"{name} is {found.get(name)}",
            f"Set {name} = on in postgresql.conf and reload: as it is, an answered exchange can be lost.",
            wrong=found.get(name) not in values,
        )


def _of_rights(connection: Connection) -> Iterator[Finding]:
    """Whether who serves could change evidence, were it to try."""
    may = connection.execute(_MAY, {"names": sorted(EVIDENCE_KEPT)}).all()
    some = ", ".join(f"{privilege} on {name}" for name, privilege in may[:3])
    yield graded(
        "role",
        f"may change evidence: {some}" if may else "may add evidence, and neither change nor remove it",
        "Serve as gapura_serving, and run `gapura migrate --grant` as the owner.",
        wrong=False,
        notice=bool(may),
    )
