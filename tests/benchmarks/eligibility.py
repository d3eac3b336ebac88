"""`/v1/eligibility` with every duty on, against bare FastAPI JSON, interleaved, under wrk.

.venv/bin/python -m tests.benchmarks.eligibility [--rounds 5] [--seconds 4] [--people 10000]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from sqlalchemy import create_engine, text

from tests.benchmarks.postgres import benchmark_database
from tests.living import LivingGateway, free_port, living_gateway

CONNECTIONS = 32
CONSUMER = "bpjs-kesehatan"
PATH = "/v1/eligibility"
# More proofs than the fastest round can use; a round that runs out stops with an error.
PROOFS_PER_SECOND = 6_000
SCRIPT = Path(__file__).parent / "proofs.lua"


@dataclass(frozen=True)
class Round:
    """One wrk run: answers per second, 99th percentile in milliseconds, server CPU in us per answer."""

    per_second: float
    p99_ms: float
    cpu_us: float


def main() -> None:
    arguments = _arguments()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: sudo apt-get install wrk")
    rounds: dict[str, list[Round]] = {"bare FastAPI JSON": [], "/v1/eligibility": []}
    with (
        benchmark_database() as url,
        tempfile.TemporaryDirectory() as folder,
        living_gateway(Path(folder), url, people=arguments.people, log_level="WARNING") as gateway,
        _bare_server() as (bare_url, bare_process),
    ):
        niks = _some_niks(url)
        for number in range(arguments.rounds + 1):
            measured = {
                "bare FastAPI JSON": _wrk(bare_url + "/", bare_process, arguments.seconds),
                "/v1/eligibility": _ask(gateway, niks, Path(folder), arguments.seconds),
            }
            if number:  # the first round warms up
                for name, figure in measured.items():
                    rounds[name].append(figure)
    _print(rounds, arguments)


def _ask(gateway: LivingGateway, niks: list[str], folder: Path, seconds: int) -> Round:
    requests = folder / "requests.tsv"
    client = gateway.client(CONSUMER)
    first = client.post(PATH, _question(niks[0]))  # renews the token and the nonce where they have aged
    first.raise_for_status()
    with requests.open("w", encoding="utf-8") as file:
        file.write(f"{PATH}\n{client.access_token()}\n")
        for number in range(seconds * PROOFS_PER_SECOND):
            body = json.dumps(_question(niks[number % len(niks)]))
            file.write(f"{client.credentials('POST', PATH)['DPoP']}\t{body}\n")
    assert gateway.process is not None
    process = psutil.Process(gateway.process.pid)
    return _wrk(
        gateway.url, process, seconds, script=SCRIPT, environment={"GAPURA_BENCH_REQUESTS": str(requests)}
    )


def _question(nik: str) -> dict[str, object]:
    return {"purpose": "pbi-jk-eligibility", "programme": "PBI-JK", "subjects": [{"ref": "1", "nik": nik}]}


def _wrk(
    url: str,
    server: psutil.Process,
    seconds: int,
    *,
    script: Path | None = None,
    environment: dict[str, str] | None = None,
) -> Round:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency"]
    before = server.cpu_times()
    output = subprocess.run(
        [*command, *(["-s", str(script)] if script else []), url],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **(environment or {})},
    ).stdout
    after = server.cpu_times()
    if "Non-2xx" in output or "Socket errors" in output:
        sys.exit(f"Some requests failed, so there is no figure:\n{output}")
    answered = int(_found(r"(\d+) requests in", output))
    cpu_s = (after.user + after.system) - (before.user + before.system)
    return Round(
        float(_found(r"Requests/sec:\s+([\d.]+)", output)),
        _milliseconds(_found(r"99%\s+([\d.]+\w+)", output)),
        cpu_s / answered * 1e6,
    )


def _found(pattern: str, output: str) -> str:
    match = re.search(pattern, output)
    if match is None:
        sys.exit(f"wrk said something unexpected:\n{output}")
    return match.group(1)


def _milliseconds(figure: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", figure).groups()  # type: ignore[union-attr] # wrk's form
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


@contextmanager
def _bare_server() -> Iterator[tuple[str, psutil.Process]]:
    port = free_port()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "uvicorn",
            "tests.benchmarks.bare:app",
            f"--port={port}",
            "--no-access-log",
            "--log-level=warning",
            "--loop=uvloop",
            "--http=httptools",
        ],
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            try:
                httpx.get(url, trust_env=False)
                break
            except httpx.ConnectError:
                time.sleep(0.1)
        yield url, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def _some_niks(database_url: str) -> list[str]:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        niks = connection.execute(text("SELECT nik FROM people WHERE nik IS NOT NULL ORDER BY id LIMIT 5000"))
        found = [row.nik for row in niks]
    engine.dispose()
    return found


def _print(rounds: dict[str, list[Round]], arguments: argparse.Namespace) -> None:
    anchor = statistics.median(figure.per_second for figure in rounds["bare FastAPI JSON"])
    print(
        f"1 worker, {CONNECTIONS} connections, {arguments.rounds} rounds of {arguments.seconds} s, PostgreSQL"
    )
    print(f"{'':20} {'req/s':>8} {'spread':>15} {'ratio':>6} {'p99 ms':>7} {'cpu us':>7}")
    for name, figures in rounds.items():
        rates = sorted(figure.per_second for figure in figures)
        median = statistics.median(rates)
        p99_ms = statistics.median(figure.p99_ms for figure in figures)
        cpu_us = statistics.median(figure.cpu_us for figure in figures)
        print(
            f"{name:20} {median:8.0f} {rates[0]:7.0f}-{rates[-1]:<7.0f} {median / anchor:6.2f} "
            f"{p99_ms:7.1f} {cpu_us:7.0f}"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--people", type=int, default=10_000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
