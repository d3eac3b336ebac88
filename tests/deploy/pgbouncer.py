"""PgBouncer as it stands before a PostgreSQL: Debian's, with the configuration of `deploy/pgbouncer`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def pgbouncer(folder: Path, port: int, database: URL, secrets: dict[str, str]) -> Iterator[None]:
    """PgBouncer at 127.0.0.1:`port` before `database`, for the roles whose SCRAM secrets are given."""
    users = folder / "userlist.txt"
    users.write_text("".join(f'"{role}" "{secret}"\n' for role, secret in secrets.items()), encoding="utf-8")
    where = {**database.query}.get("host", database.host)
    said = Template(SHIPPED.read_text(encoding="utf-8")).substitute(
        DATABASE_HOST=where,
        DATABASE_PORT=database.port or 5432,
        DATABASE_NAME=database.database,
        LISTEN_ADDRESS="127.0.0.1",
        LISTEN_PORT=port,
        AUTH_FILE=users,
    )
    (folder / "pgbouncer.ini").write_text(said, encoding="utf-8")
    assert _PROGRAM is not None
    with (folder / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen(
            [_PROGRAM, *_as_nobody_in_charge(folder, str(where)), str(folder / "pgbouncer.ini")],
            stdout=log,
            stderr=log,
        )
    try:
        wait_until_it_listens(process, port, folder / "pgbouncer.log")
        yield
    finally:
        process.terminate()
        process.wait()


def _as_nobody_in_charge(folder: Path, where: str) -> list[str]:
    """PgBouncer refuses to be root: it becomes whoever may enter the folder of PostgreSQL's socket."""
    if os.getuid() != 0:
        return []
    user = Path(where).owner() if Path(where).is_dir() else "nobody"
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, user)
    return ["-u", user]
