"""Two nodes behind whoever balances their load, and a next version of the gateway to replace them with."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import httpx

from gateway.oauth.client import GatewayClient, TokenRequestRefused
from gateway.settings import Settings
from tests.gateway.migrations.releases import write_release

ROOT = Path(__file__).parents[2]
_PACKAGES = ("gateway", "connectors", "policies")
_WAIT_S = 120
# Partners leave the processor to the nodes: this is about who is answered, not about how many.
_PAUSE_S = 0.05
# The column that every request reads is called otherwise in the next version.
_COLUMN = 'Column("sector", String(64), nullable=False)'
_RENAMED = 'Column("sector_code", String(64), nullable=False, key="sector")'


def next_version(folder: Path) -> Path:
    """The code of a next version: today's, with three revisions more, that reads what they change."""
    for package in _PACKAGES:
        shutil.copytree(ROOT / package, folder / package)
    tables = folder / "gateway" / "oauth" / "tables.py"
    text = tables.read_text(encoding="utf-8")
    assert text.count(_COLUMN) == 1
    tables.write_text(text.replace(_COLUMN, _RENAMED), encoding="utf-8")
    for revision in write_release(folder / "revisions").iterdir():
        shutil.copy(revision, folder / "gateway" / "migrations" / "versions")
    return folder


def run(code: Path, settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`gapura ...` of a version."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=code,
        env={**os.environ, **settings.environment(), "PYTHONPATH": str(code)},
        capture_output=True,
        text=True,
        check=False,
    )


@dataclass
class Node:
    """A node of the site; `settings.port` is where it listens, the site's address is elsewhere."""

    settings: Settings
    process: subprocess.Popen[bytes] | None = None
    http: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, verify=False))  # noqa: S501 - it is http

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.port}"

    def start(self, code: Path) -> None:
        """Serve by this version; returns when it is ready."""
        with (self.settings.home / f"node-{self.settings.port}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "serve"],
                cwd=code,
                env={**os.environ, **self.settings.environment(), "PYTHONPATH": str(code)},
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + _WAIT_S
        while self.ready() != "ready":
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(Path(log.name).read_text(encoding="utf-8"))
            time.sleep(0.05)

    def ready(self) -> str:
        """What it says of itself; empty when it does not answer."""
        with suppress(httpx.HTTPError, ValueError):
            return str(self.http.get(f"{self.url}/health/ready").json()["status"])
        return ""

    def end(self) -> set[str]:
        """Tell it to end, and wait until it has; gives what it said of itself meanwhile."""
        said: set[str] = set()
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            until = time.monotonic() + _WAIT_S
            while self.process.poll() is None:
                said.add(self.ready())
                assert time.monotonic() < until, "it does not end"
                time.sleep(0.1)
            self.process = None
        return said


class Balancer(httpx.BaseTransport):
    """What stands before the nodes: round and round, over those whose /health/ready is 200.

    As a load balancer does, it asks another node where nobody took the connection, and never where a request
    was sent already.
    """

    def __init__(self, nodes: list[Node]) -> None:
        self._nodes = nodes
        self._ways = {node.url: httpx.HTTPTransport(verify=False) for node in nodes}
        self._turns = itertools.count()
        self._in: frozenset[str] = frozenset(node.url for node in nodes)
        self._ended = threading.Event()
        self._watching = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._watching.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._ended.set()
        self._watching.join()
        for way in self._ways.values():
            way.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        turn = next(self._turns)
        order = [self._nodes[(turn + one) % len(self._nodes)].url for one in range(len(self._nodes))]
        for url in (one for one in order if one in self._in):
            target = httpx.URL(url).copy_with(raw_path=request.url.raw_path)
            asked = httpx.Request(
                request.method,
                target,
                headers=request.headers,
                content=request.read(),
                extensions=request.extensions,
            )
            with suppress(httpx.ConnectError):
                return self._ways[url].handle_request(asked)
        raise httpx.ConnectError("no node takes a connection", request=request)

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            self._in = frozenset(node.url for node in self._nodes if node.ready() in {"ready", "maintenance"})


class Load:
    """Partners who ask without a pause, each in a thread, and remember what came of it."""

    def __init__(self, partners: list[GatewayClient], path: str, body: dict[str, Any]) -> None:
        self.answered: list[UUID] = []
        self.failed: list[str] = []
        self._path, self._body = path, body
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(one,)) for one in partners]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self, count: int) -> None:
        """Return when that many more were answered, or one failed."""
        enough = len(self.answered) + count
        until = time.monotonic() + _WAIT_S
        while len(self.answered) < enough and not self.failed:
            assert time.monotonic() < until, "nobody is answered any more"
            time.sleep(0.02)

    def _ask(self, partner: GatewayClient) -> None:
        while not self._ended.wait(_PAUSE_S):
            try:
                answer = partner.post(self._path, self._body)
            except (httpx.HTTPError, TokenRequestRefused) as error:
                self.failed.append(repr(error))
                continue
            if answer.status_code == httpx.codes.OK:
                self.answered.append(UUID(answer.json()["exchange_id"]))
            else:
                self.failed.append(f"{answer.status_code} {answer.text}")
