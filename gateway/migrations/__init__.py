"""The schema's history, forward only. `gapura migrate` brings a database to the newest revision."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from gateway.agreements import tables as _agreements  # noqa: F401 - registers its tables
from gateway.areas import tables as _areas  # noqa: F401 - registers its tables
from gateway.audit import tables as _audit  # noqa: F401 - registers its tables
from gateway.database import Database, metadata
from gateway.installation import installation as _installation  # noqa: F401 - registers its table
from gateway.limits import tables as _limits  # noqa: F401 - registers its tables
from gateway.oauth import tables as _oauth  # noqa: F401 - registers its tables
from gateway.overview import tables as _overview  # noqa: F401 - registers its tables
from gateway.pseudonyms import tables as _pseudonyms  # noqa: F401 - registers its tables
from gateway.reconciliation import tables as _reconciliation  # noqa: F401 - registers its tables
from gateway.registry import tables as _registry  # noqa: F401 - registers its tables
from gateway.rights import tables as _rights  # noqa: F401 - registers its tables
from gateway.signatures import tables as _signatures  # noqa: F401 - registers its tables
from gateway.sources import tables as _sources  # noqa: F401 - registers its tables
from gateway.staff import tables as _staff  # noqa: F401 - registers its tables

__all__ = ["is_current", "metadata", "migrate"]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def migrate(database: Database) -> None:
    """Bring the schema to the newest revision; does nothing when it is there already.

    Safe to call from several processes at once: SQLite serialises on its write lock, PostgreSQL on an
    advisory lock. Raises StoreUnavailable.
    """
    config = _config()
    with database.unit_of_work() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(database: Database) -> bool:
    """Whether the schema is at the revision that this code was written for."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    with database.reading() as connection:
        return MigrationContext.configure(connection).get_current_revision() == head
