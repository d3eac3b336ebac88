"""PgBouncer as it stands before a PostgreSQL: Debian's, with the configuration of `deploy/pgbouncer`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

import pytest
from sqlalchemy import URL

from tests.listening import wait_until_it_listens

SHIPPED = Path(__file__).parents[2] / "deploy" / "pgbouncer" / "pgbouncer.ini.template"
_PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

needs_pgbouncer = pytest.mark.skipif(
    _PROGRAM is None, reason="pgbouncer is missing: `sh deploy/test.sh` installs it (apt-get)"
)


@dataclass
class PgBouncer:
    """One at 127.0.0.1:`port`; it may be killed, started again, and led to another server."""

    folder: Path
    port: int
    account: str | None
    process: subprocess.Popen[bytes] | None = None

    def lead_to(self, database: URL) -> None:
        """Write the configuration: it counts from the next `start` or `reload`."""
        said = Template(SHIPPED.read_text(encoding="utf-8")).substitute(
            DATABASE_HOST=_host(database),
            DATABASE_PORT=database.port or 5432,
            DATABASE_NAME=database.database,
            LISTEN_ADDRESS="127.0.0.1",
            LISTEN_PORT=self.port,
            AUTH_FILE=self.folder / "userlist.txt",
        )
        (self.folder / "pgbouncer.ini").write_text(said, encoding="utf-8")

    def start(self) -> None:
        """Return when it listens."""
        assert _PROGRAM is not None
        becoming = ["-u", self.account] if self.account else []
        with (self.folder / "pgbouncer.log").open("ab") as log:
            self.process = subprocess.Popen(
                [_PROGRAM, *becoming, str(self.folder / "pgbouncer.ini")], stdout=log, stderr=log
            )
        wait_until_it_listens(self.process, self.port, self.folder / "pgbouncer.log")

    def reload(self) -> None:
        """As `systemctl reload pgbouncer` does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def stop(self, with_signal: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(with_signal)
            self.process.wait()
            self.process = None


@contextmanager
def pgbouncer(folder: Path, port: int, database: URL, secrets: dict[str, str]) -> Iterator[PgBouncer]:
    """PgBouncer at 127.0.0.1:`port` before `database`, for the roles whose SCRAM secrets are given."""
    users = "".join(f'"{role}" "{secret}"\n' for role, secret in secrets.items())
    (folder / "userlist.txt").write_text(users, encoding="utf-8")
    bouncer = PgBouncer(folder, port, _nobody_in_charge(_host(database)))
    bouncer.lead_to(database)
    if bouncer.account:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, bouncer.account)
    try:
        bouncer.start()
        yield bouncer
    finally:
        bouncer.stop()


def _host(database: URL) -> str:
    return str({**database.query}.get("host", database.host))


def _nobody_in_charge(where: str) -> str | None:
    """PgBouncer refuses to be root: it becomes whoever may enter the folder of PostgreSQL's socket."""
    if os.getuid() != 0:
        return None
    return Path(where).owner() if Path(where).is_dir() else "nobody"
