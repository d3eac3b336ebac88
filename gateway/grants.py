"""Who may do what with which table of a PostgreSQL: the least that each of three roles needs.

The owner of the tables migrates, and grants this afterwards (`gapura migrate --grant`); nobody serves as the
owner. Rows of evidence are added and never changed by whoever serves, whatever a bug or a stolen password
makes it try. Each table of the audit log MUST be named here: one that is not is given to nobody, and granting
refuses. SQLite has no roles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import Connection, text

from gateway.database import Database, metadata
from gateway.errors import SettingsInvalid

# deploy/postgresql/roles.sql makes them.
SERVING, ERASING, REPORTING = "gapura_serving", "gapura_erasing", "gapura_reporting"

# Where the migration that divided the log put its months.
MONTHS_SCHEMA = "audit_by_month"

_KEEP = ("SELECT", "INSERT")
_CHANGE = (*_KEEP, "UPDATE", "DELETE")
# What the serving role may do where it may not do all.
_SERVING_ONLY: Mapping[str, tuple[str, ...]] = {
    "audit_entries": _KEEP,
    "audit_leaves": _KEEP,
    "audit_pending": (*_KEEP, "DELETE"),  # a leaf that got its place in the tree leaves the waiting line
    "audit_tiles": (*_KEEP, "UPDATE"),  # the last one of each level grows
    "audit_checkpoints": _KEEP,
    "audit_cosignatures": (*_KEEP, "UPDATE (at, line)"),  # a witness's newer one takes its older one's place
    "audit_witnesses": _KEEP,
    "audit_withdrawn_witnesses": _KEEP,
    "audit_documents": _KEEP,
    "audit_identity": _KEEP,
    "audit_keys": (*_KEEP, "UPDATE"),  # until when an older one signs
    "audit_shapes": (*_KEEP, "UPDATE"),  # counted up
    "audit_facets": _KEEP,
    "audit_listed": _KEEP,
    "audit_months": ("SELECT",),  # made and begun by functions of the owner
    "audit_checks": _CHANGE,  # which checks of the log were made, and how far they are
    "audit_subjects": _KEEP,
    "audit_subjects_progress": (*_KEEP, "UPDATE"),
    "alembic_version": ("SELECT",),
    "schema_floor": ("SELECT",),
    "installation": _KEEP,
    "policy_acts": _KEEP,
    "nik_changes": _KEEP,
    "reconciliation_changes": _KEEP,
}
# Evidence: whoever serves adds to these tables, and neither changes nor removes a row.
EVIDENCE_KEPT = frozenset(name for name, may in _SERVING_ONLY.items() if may == _KEEP)
# What an order of erasure and an index made anew need beyond serving.
_ERASING_ALSO: Mapping[str, tuple[str, ...]] = {
    "audit_entries": ("UPDATE (entry, subjects, blind)",),
    "audit_subjects": ("DELETE",),
    "audit_listed": ("DELETE",),
}
# Reports and access histories, on a replica if there is one. No table of people, sessions or accounts.
_REPORTING_READS = frozenset(
    {
        *(name for name in _SERVING_ONLY if name.startswith("audit_")),
        "alembic_version",
        "imports",
        "incidents",
        "limit_alarms",
        "limit_use",
        "policy_acts",
        "policy_versions",
        "reconciliation_runs",
        "regions",
        "source_calls",
        "source_reports",
    }
)


def grants(tables: Iterable[str]) -> Iterator[str]:
    """The statements that leave each role with what it needs of these tables, and no more.

    Raises SettingsInvalid for a table of the audit log that nobody decided about.
    """
    names = sorted(tables)
    undecided = [name for name in names if name.startswith("audit_") and name not in _SERVING_ONLY]
    if undecided:
        raise SettingsInvalid(
            [f"{name}: expected what may be done with it in gateway/grants.py" for name in undecided]
        )
    for name in names:
        yield f'REVOKE ALL ON "{name}" FROM PUBLIC, {SERVING}, {ERASING}, {REPORTING}'
        yield f'GRANT {", ".join(_SERVING_ONLY.get(name, _CHANGE))} ON "{name}" TO {SERVING}'
        if name in _ERASING_ALSO:
            yield f'GRANT {", ".join(_ERASING_ALSO[name])} ON "{name}" TO {ERASING}'
        if name in _REPORTING_READS:
            yield f'GRANT SELECT ON "{name}" TO {REPORTING}'
    # SELECT: how far the numbers of entries are says whether they left their months.
    yield f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {SERVING}"
    if "audit_months" in names:
        yield from _of_months()


def _of_months() -> Iterator[str]:
    """Nobody comes to a month of the log but through the whole, whose rights are then asked."""
    everybody = f"PUBLIC, {SERVING}, {ERASING}, {REPORTING}"
    yield f"REVOKE ALL ON SCHEMA {MONTHS_SCHEMA} FROM {everybody}"
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA {MONTHS_SCHEMA} FROM {everybody}"
    for function in ("make_audit_months(date)", "begin_audit_month(date)"):
        yield f"REVOKE ALL ON FUNCTION {function} FROM {everybody}"
        yield f"GRANT EXECUTE ON FUNCTION {function} TO {SERVING}"


def grant(database: Database) -> int:
    """Grant it on every table of the gateway, as their owner; how many there are. Safe to repeat.

    Raises SettingsInvalid on SQLite, without the roles, or when somebody else owns the tables, and
    StoreUnavailable.
    """
    if database.is_sqlite:
        raise SettingsInvalid(["--grant: expected PostgreSQL; SQLite has no roles"])
    with database.unit_of_work() as connection:
        _refuse_without_roles(connection)
        names = _tables_present(connection)
        for statement in grants(names):
            connection.execute(text(statement))
    return len(names)


def _refuse_without_roles(connection: Connection) -> None:
    asked = {"names": [SERVING, ERASING, REPORTING]}
    query = text("SELECT rolname FROM pg_roles WHERE rolname = ANY(:names)")
    missing = sorted({*asked["names"]} - {*connection.execute(query, asked).scalars()})
    if missing:
        raise SettingsInvalid(
            [f"--grant: this PostgreSQL has no {', '.join(missing)}: run deploy/postgresql/roles.sql first"]
        )
    owner = text(
        "SELECT bool_and(pg_has_role(tableowner, 'USAGE')) FROM pg_tables WHERE schemaname = 'public'"
    )
    if not connection.execute(owner).scalar():
        raise SettingsInvalid(["--grant: expected the role that owns the tables, in GAPURA_DATABASE_URL"])


def _tables_present(connection: Connection) -> list[str]:
    """Those of ours, as far as this database has them, and the one that Alembic keeps."""
    query = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    ours = {*metadata.tables, "alembic_version"}
    return [name for name in connection.execute(query).scalars() if name in ours]
