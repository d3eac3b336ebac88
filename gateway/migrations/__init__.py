"""The schema's history, forward only, and how a database is brought along it while others serve.

`phases` says what a revision promises, `applying` applies them, `presence` knows who serves.

An index on a table that may be large is a revision of its own, of phase `index`: it names each `OnlineIndex`
in `indexes`, and its `upgrade` does nothing. PostgreSQL builds them by CREATE INDEX CONCURRENTLY, outside any
transaction, while everybody reads and writes; what a killed try left is cleared away by the next. On SQLite,
and in an empty database, they are made in the revision's transaction. The table's metadata names them, too.
"""

from __future__ import annotations

from gateway.agreements import tables as _agreements  # noqa: F401 - registers its tables
from gateway.areas import tables as _areas  # noqa: F401 - registers its tables
from gateway.audit import tables as _audit  # noqa: F401 - registers its tables
from gateway.database import Database, metadata
from gateway.idempotency import tables as _idempotency  # noqa: F401 - registers its table
from gateway.installation import installation as _installation  # noqa: F401 - registers its table
from gateway.limits import tables as _limits  # noqa: F401 - registers its tables
from gateway.maintenance import tables as _maintenance  # noqa: F401 - registers its table
from gateway.migrations import tables as _migrations  # noqa: F401 - registers its tables
from gateway.migrations.applying import Migrated, Patience, is_current, may_serve, migrate, revision_of
from gateway.migrations.indexes import OnlineIndex
from gateway.migrations.phases import History, config_of, history_of
from gateway.oauth import tables as _oauth  # noqa: F401 - registers its tables
from gateway.overview import tables as _overview  # noqa: F401 - registers its tables
from gateway.pseudonyms import tables as _pseudonyms  # noqa: F401 - registers its tables
from gateway.reconciliation import tables as _reconciliation  # noqa: F401 - registers its tables
from gateway.registry import tables as _registry  # noqa: F401 - registers its tables
from gateway.rights import tables as _rights  # noqa: F401 - registers its tables
from gateway.signatures import tables as _signatures  # noqa: F401 - registers its tables
from gateway.sources import tables as _sources  # noqa: F401 - registers its tables
from gateway.staff import tables as _staff  # noqa: F401 - registers its tables

__all__ = [
    "History",
    "Migrated",
    "OnlineIndex",
    "Patience",
    "config_of",
    "fits",
    "history_of",
    "is_current",
    "metadata",
    "migrate",
    "revision_of",
]


def fits(database: Database) -> bool:
    """Whether this code may serve on the schema as it is.

    It is current, newer and still fit, or older by nothing but what is to be taken away.
    """
    with database.reading() as connection:
        return may_serve(connection)
