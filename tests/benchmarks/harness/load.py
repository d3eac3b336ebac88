"""Load by wrk, and what it says, beside what the processes used meanwhile."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.benchmarks.harness.processor import Processes, Watched
from tests.benchmarks.harness.rounds import Round

CONNECTIONS = 32
_SCRIPT = Path(__file__).with_name("requests.lua")
_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1_000.0, "m": 60_000.0}
_GET = "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"


def nothing() -> None:
    """Nothing is left to be done behind a round."""


def run_wrk(
    url: str,
    watched: Watched,
    seconds: int,
    *,
    requests: Path | None = None,
    connections: int = CONNECTIONS,
    upkeep: Callable[[], None] = nothing,
) -> Round:
    """Ask for this long: `url` itself, or the requests that `write_requests` left in a file.

    The processor time of what `upkeep` waits for, once the load has ended, counts with the round's.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    script = ["-s", str(_SCRIPT)] if requests else []
    before = _cpu_s(watched.server), _cpu_s(watched.database)
    said = subprocess.run(
        [*command, *script, url],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "GAPURA_BENCH_REQUESTS": str(requests or "")},
    ).stdout
    upkeep()
    after = _cpu_s(watched.server), _cpu_s(watched.database)
    answered = max(int(_found(r"(\d+) requests in", said)), 1)
    server_us, database_us = ((b - a) / answered * 1e6 for a, b in zip(before, after, strict=True))
    return Round(
        answered=answered,
        per_second=float(_found(r"Requests/sec:\s+([\d.]+)", said)),
        p50_ms=_milliseconds(_found(r"50%\s+([\d.]+\w+)", said)),
        p99_ms=_milliseconds(_found(r"99%\s+([\d.]+\w+)", said)),
        server_us=server_us,
        database_us=database_us if watched.database else None,
        errors=_errors(said),
    )


def write_requests(path: Path, requests: Iterable[bytes]) -> None:
    """Keep whole HTTP requests as the wrk script reads them."""
    with path.open("wb") as file:
        for request in requests:
            file.write(b"%d\n%s" % (len(request), request))


def post(host: str, path: str, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """One whole HTTP request."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def get(host: str, path: str) -> bytes:
    """One whole HTTP request without a body."""
    return _GET.format(path=path, host=host).encode("ascii")


def _cpu_s(processes: Processes | None) -> float:
    return processes.cpu_s() if processes else 0.0


def _errors(said: str) -> int:
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    return sum(int(number) for found in (refused, broken) if found for number in found.groups())


def _found(pattern: str, said: str) -> str:
    match = re.search(pattern, said)
    if match is None:
        raise ValueError(f"wrk said something unexpected: expected {pattern}, got:\n{said}")
    return match.group(1)


def _milliseconds(figure: str) -> float:
    match = re.fullmatch(r"([\d.]+)([a-z]+)", figure)
    if match is None:
        raise ValueError(f"wrk told a time in an unexpected form: {figure}")
    return float(match.group(1)) * _UNITS_MS[match.group(2)]
