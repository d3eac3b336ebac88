"""How a command comes to the database: settings, home folder, schema, and away again at its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway import migrations
from gateway.database import Database
from gateway.settings import load_settings


@contextmanager
def opened_database(*, migrated: bool = True) -> Iterator[Database]:
    """The database of the settings, with the newest schema; the home folder is made if it is not there.

    What older versions still need is left as it is; not `migrated`, everything is. Raises SettingsInvalid,
    StoreUnavailable.
    """
    settings = load_settings()
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.session_database_url)
    try:
        if migrated:
            migrations.migrate(database)
        yield database
    finally:
        database.close()
