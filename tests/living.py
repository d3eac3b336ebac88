"""A real gateway in a process of its own, on real people, for tests that ask it over HTTP."""

from __future__ import annotations

import atexit
import io
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import URL, Connection, create_engine, make_url, text

from gateway.cli import main
from gateway.demo import stage
from gateway.oauth.client import GatewayClient
from gateway.settings import Settings, load_settings
from tests import nursery


def free_port() -> int:
    """A port that nobody listens on at this moment.

    From below those that the system gives to clients: until its gateway starts, somebody's connection could
    take one of these.
    """
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class LivingGateway:
    """A stocked home folder and the process that serves it; may be killed and started again."""

    settings: Settings
    http: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=30))
    process: subprocess.Popen[bytes] | nursery.Forked | None = None
    _clients: dict[str, GatewayClient] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.settings.issuer

    @property
    def log(self) -> str:
        return (self.settings.home / "gateway.log").read_text(encoding="utf-8")

    def start(self) -> None:
        # Several workers begin with interpreters of their own, as prometheus_client needs it.
        begin = nursery.serve if self.settings.workers == 1 else stage.serve
        self.process = stage.start_gateway(self.settings, begin)

    def stop(self, with_signal: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(with_signal)
            self.process.wait()
            self.process = None

    def client(self, consumer_id: str) -> GatewayClient:
        if consumer_id not in self._clients:
            self._clients[consumer_id] = stage.client_for(self.settings, consumer_id, self.http)
        return self._clients[consumer_id]

    def certificate_bound(self, consumer_id: str, http: httpx.Client) -> GatewayClient:
        """Its client, whose tokens are bound from now on to the certificate with which `http` calls.

        Where this machine is the trusted proxy, `http` may just say with which, in `Client-Cert`.
        """
        self.gapura("consumers", "binding", consumer_id, "certificate")
        key = stage.client_key_file(self.settings, consumer_id).read_text(encoding="utf-8")
        client = GatewayClient(self.url, consumer_id, json.loads(key), http, certificate_bound=True)
        self._clients[consumer_id] = client
        return client

    def gapura(self, *arguments: str, status: int = 0) -> str:
        """What `gapura ...` says beside this gateway; in this process, for an interpreter starts slowly."""
        said = io.StringIO()
        before = dict(os.environ)
        argv, sys.argv = sys.argv, ["gapura", *arguments]
        os.environ.update(self.settings.environment())
        try:
            with redirect_stdout(said), redirect_stderr(said):
                main()
            ended: object = 0
        except SystemExit as end:
            ended = end.code or 0
        finally:
            sys.argv = argv
            os.environ.clear()
            os.environ.update(before)
        assert ended == status, said.getvalue()
        return said.getvalue()

    def post(self, consumer_id: str, path: str, body: Mapping[str, Any]) -> httpx.Response:
        return self.client(consumer_id).post(path, dict(body))


@contextmanager
def living_gateway(
    home: Path, database_url: str, *, people: int = 300, **overrides: Any
) -> Iterator[LivingGateway]:
    """A served gateway with the personas, `people` synthetic people and the demo's consumers."""
    with stocked_gateway(home, database_url, people=people, **overrides) as gateway:
        gateway.start()
        yield gateway


@contextmanager
def stocked_gateway(
    home: Path, database_url: str, *, people: int = 300, **overrides: Any
) -> Iterator[LivingGateway]:
    """The same, not yet served; stopped afterwards."""
    environment = {"GAPURA_HOME": str(home), "GAPURA_DATABASE_URL": database_url}
    settings = load_settings(environment, port=free_port(), **overrides)
    _stock(settings, people)
    gateway = LivingGateway(settings)
    try:
        yield gateway
    finally:
        gateway.stop()
        gateway.http.close()


# What was prepared once in this process, to be copied: by server (None: a file) and number of people.
_STOCKS: dict[tuple[URL | None, int], tuple[Path, str]] = {}


def _stock(settings: Settings, people: int) -> None:
    """Do what `demo.prepare` does, or copy what it did before: keys, people and consumers take seconds."""
    url = make_url(settings.effective_database_url)
    server = None if url.get_backend_name() == "sqlite" else url.set(database="postgres")
    stock = server, people
    if stock not in _STOCKS:
        stage.prepare(settings, people, lambda _words: lambda _share: None, lambda _: None)
        _STOCKS[stock] = _put_aside(settings.home, server, str(url.database))
        return
    home, database = _STOCKS[stock]
    shutil.copytree(home, settings.home, dirs_exist_ok=True)
    if server is None:
        shutil.copyfile(database, str(url.database))
    else:
        _copy_postgres(server, database, str(url.database))


def _put_aside(home: Path, server: URL | None, database: str) -> tuple[Path, str]:
    """Keep copies of the home folder and the database."""
    folder = Path(tempfile.mkdtemp(prefix="gapura-stock-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(home, folder / "home", ignore=shutil.ignore_patterns("*.db*"))
    if server is None:
        shutil.copyfile(database, folder / "gapura.db")
        return folder / "home", str(folder / "gapura.db")
    name = f"stock_{secrets.token_hex(6)}"
    _copy_postgres(server, database, name)
    return folder / "home", name


def drop_stocks() -> None:
    """Forget what was put aside in PostgreSQL, before its server is gone."""
    for stock in list(_STOCKS):
        if (server := stock[0]) is not None:
            _, database = _STOCKS.pop(stock)
            with administering(server) as connection:
                connection.execute(text(f"DROP DATABASE {database}"))


def _copy_postgres(server: URL, source: str, target: str) -> None:
    with administering(server) as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {target}"))
        connection.execute(text(f"CREATE DATABASE {target} TEMPLATE {source}"))


@contextmanager
def administering(server_url: URL | str) -> Iterator[Connection]:
    """A connection to a PostgreSQL server on which databases can be made and dropped."""
    engine = create_engine(
        make_url(server_url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def without_gapura_variables() -> dict[str, str]:
    """The environment as a newcomer has it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GAPURA_")}
