"""A real gateway in a process of its own, on real people, for tests that ask it over HTTP."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from gateway import demo
from gateway.oauth.client import GatewayClient
from gateway.settings import Settings, load_settings


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class LivingGateway:
    """A stocked home folder and the process that serves it; may be killed and started again."""

    settings: Settings
    http: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=30))
    process: subprocess.Popen[bytes] | None = None
    _clients: dict[str, GatewayClient] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.settings.issuer

    @property
    def log(self) -> str:
        return (self.settings.home / "gateway.log").read_text(encoding="utf-8")

    def start(self) -> None:
        self.process = demo.start_gateway(self.settings)

    def stop(self, with_signal: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(with_signal)
            self.process.wait()
            self.process = None

    def client(self, consumer_id: str) -> GatewayClient:
        if consumer_id not in self._clients:
            self._clients[consumer_id] = demo.client_for(self.settings, consumer_id, self.http)
        return self._clients[consumer_id]

    def post(self, consumer_id: str, path: str, body: Mapping[str, Any]) -> httpx.Response:
        return self.client(consumer_id).post(path, dict(body))


@contextmanager
def living_gateway(
    home: Path, database_url: str, *, people: int = 300, **overrides: Any
) -> Iterator[LivingGateway]:
    """A served gateway with the personas, `people` synthetic people and the demo's consumers."""
    environment = {"GAPURA_HOME": str(home), "GAPURA_DATABASE_URL": database_url}
    settings = load_settings(environment, port=free_port(), **overrides)
    demo.prepare(settings, people, lambda _words: lambda _share: None, lambda _: None)
    gateway = LivingGateway(settings)
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()
        gateway.http.close()


def without_gapura_variables() -> dict[str, str]:
    """The environment as a newcomer has it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GAPURA_")}
