"""Servers that are measured beside the gateway: started for a measure, ended with it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.benchmarks.harness.processor import Processes
from tests.living import LivingGateway, free_port

_ROOT = Path(__file__).parents[3]
_OIDC_PROVIDER = _ROOT / "tests" / "clients" / "oidc-provider" / "tokens.mjs"
_PATIENCE_S = 30
_LONG_PATIENCE_S = 300


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers, and its processes."""

    url: str
    processes: Processes

    @property
    def host(self) -> str:
        """Its authority, as a Host header says it."""
        return urlsplit(self.url).netloc


@contextmanager
def uvicorn_server(
    app: str,
    *,
    workers: int = 1,
    port: int | None = None,
    factory: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """An application of `tests.benchmarks.anchors`, served as the gateway serves itself."""
    port = port or free_port()
    command = [sys.executable, "-m", "uvicorn", f"tests.benchmarks.anchors.{app}:app", f"--port={port}"]
    command += [f"--workers={workers}", "--no-access-log", "--log-level=warning"]
    command += ["--loop=uvloop", "--http=httptools", *(["--factory"] if factory else [])]
    with _served(command, port, environment or {}) as server:
        yield server


@contextmanager
def oidc_provider(public_jwk: str) -> Iterator[Server]:
    """npm's `oidc-provider` with one client, `bench`, who signs with this key."""
    port = free_port()
    with _served(["node", str(_OIDC_PROVIDER), str(port), public_jwk], port, {}) as server:
        yield server


def serve_patiently(gateway: LivingGateway) -> None:
    """Start a gateway that is stocked. It may read some thousands of agreements before it answers."""
    settings = gateway.settings
    with (settings.home / "gateway.log").open("ab") as log:
        gateway.process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve"],
            cwd=_ROOT,
            env={**os.environ, **settings.environment()},
            stdout=log,
            stderr=log,
        )
    _wait_for(f"{settings.issuer}/health/ready", gateway.process, _LONG_PATIENCE_S)


@contextmanager
def _served(command: Sequence[str], port: int, environment: Mapping[str, str]) -> Iterator[Server]:
    process = subprocess.Popen(
        command, cwd=_ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, process, _PATIENCE_S)
        yield Server(url, Processes.of(process.pid))
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], patience_s: float) -> None:
    waited_until = time.monotonic() + patience_s
    while time.monotonic() < waited_until:
        if process.poll() is not None:
            break
        try:
            answers = httpx.get(url, trust_env=False).status_code < httpx.codes.INTERNAL_SERVER_ERROR
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            if answers:
                return
    raise RuntimeError(f"{process.args!r} did not come up within {patience_s} s")
