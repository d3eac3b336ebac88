"""When the last backup of the database was finished, by what the audit log says: every node knows it alike.

A backup is an act of the log, told when the set is whole. A set that was lost afterwards is not noticed here,
and what nobody ever tried to restore is no backup.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, select

from gateway.audit.tables import audit_facets, audit_listed
from gateway.vitals.figures import Figure

# As `gateway.backup.making` calls it, which is not imported for it: serving needs none of its libraries.
BACKUP_MADE = "backup.made"
# Each actor who backs up has a facet of its own; there are few.
_FACETS = select(audit_facets.c.id).where(audit_facets.c.kind == "act", audit_facets.c.what == BACKUP_MADE)


def last_backup(connection: Connection) -> datetime | None:
    """When the newest backup of the database was finished (UTC); None where there is none."""
    newest = [
        connection.execute(
            select(audit_listed.c.at)
            .where(audit_listed.c.facet == facet)
            .order_by(audit_listed.c.at.desc())
            .limit(1)
        ).scalar()
        for facet in connection.execute(_FACETS).scalars().all()
    ]
    return max((at for at in newest if at is not None), default=None)


def backup_figures(connection: Connection) -> Iterator[Figure]:
    """The same as a figure; none where there is no backup."""
    if (last := last_backup(connection)) is not None:
        yield Figure("gapura_backup_finished_timestamp_seconds", last.timestamp())
