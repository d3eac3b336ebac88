"""Another's database, opened for reading and for nothing else.

Three locks, so that one may fail: nothing here commits, so what were written would be rolled back; SQLite is
opened with `mode=ro` and PostgreSQL is told that every transaction is read-only; the account should have no
right to write. Kept apart from `gateway.database`, which prepares what it opens for writing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, create_engine
from sqlalchemy import exc as sqlalchemy_exc

from gateway.database import patience
from gateway.errors import SettingsInvalid, StoreUnavailable


def can_be_locked(url: URL) -> bool:
    """Whether this kind of database is told to refuse writes; of others only the account's rights do."""
    return url.get_backend_name() in {"sqlite", "postgresql"}


class ReadOnlyDatabase:
    """One engine and its one door. Thread-safe.

    `statement_timeout_s` bounds a statement on PostgreSQL; a machine of which nothing is heard any more is
    given up as soon as that of the gateway's own database, unless the URL says how soon. Raises
    SettingsInvalid where the driver that the URL asks for is not installed.
    """

    def __init__(self, url: URL, *, statement_timeout_s: int = 30) -> None:
        backend = url.get_backend_name()
        arguments: dict[str, object] = {}
        if backend == "sqlite":
            # `mode=ro` also keeps a missing file from being made.
            database = f"file:{quote(str(Path(url.database or '').resolve()))}"
            url = url.set(database=database, query={"mode": "ro", "uri": "true"})
            arguments = {"check_same_thread": False}
        elif backend == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
            said = url.query.get("options", "")
            own = f"-c default_transaction_read_only=on -c statement_timeout={statement_timeout_s}s"
            url = url.difference_update_query(["options"])
            arguments = {
                "options": f"{said if isinstance(said, str) else ' '.join(said)} {own}".strip(),
                **patience(url),
            }
        try:
            # A driver's error would otherwise quote the parameters, and they are people's numbers.
            self.engine = create_engine(url, connect_args=arguments, pool_pre_ping=True, hide_parameters=True)
        except (ImportError, sqlalchemy_exc.NoSuchModuleError):
            raise SettingsInvalid(
                [f"The existing registry's URL begins with {url.drivername}: its driver is not installed"]
            ) from None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reads. Raises StoreUnavailable; the driver's words are dropped, for they quote."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except sqlalchemy_exc.SQLAlchemyError:
            raise StoreUnavailable(
                "The existing registry did not answer, or its tables have changed since the start."
            ) from None

    def close(self) -> None:
        """Close every pooled connection; the object must not be used afterwards."""
        self.engine.dispose()
