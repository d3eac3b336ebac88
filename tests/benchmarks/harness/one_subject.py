"""`/v1/eligibility` about one person, with every duty on, against three anchors in one interleaved run."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import make_url

from tests.benchmarks.anchors import ISSUER
from tests.benchmarks.harness.bench import PATH, Bench, asking, question, some_niks
from tests.benchmarks.harness.callers import CONSUMER
from tests.benchmarks.harness.load import CONNECTIONS, get, post, run_wrk, write_requests
from tests.benchmarks.harness.measured import Measured
from tests.benchmarks.harness.pinning import Pins
from tests.benchmarks.harness.processor import Watched, postgres_processes
from tests.benchmarks.harness.rounds import Contender, each, interleaved, ratios
from tests.benchmarks.harness.servers import Server, uvicorn_server

BARE, READING, NAIVE = "bare FastAPI JSON", "FastAPI + asyncpg", "naive gateway"
_AN_HOUR_S = 3_600


def measure_binding(name: str, bench: Bench, binding: str) -> Measured:
    """One subject per request, tokens bound in this way."""
    with bench.gateway() as gateway:
        url = gateway.settings.effective_database_url
        niks = some_niks(url)
        with bare(bench) as first, reading(bench, url, niks) as second, naive(bench, url, niks) as third:
            contenders: Mapping[str, Contender] = {
                BARE: first,
                READING: second,
                NAIVE: third,
                PATH: asking(bench, gateway, bodies=[question([nik]) for nik in niks], binding=binding),
            }
            rounds = interleaved(contenders, bench.options.rounds)
    return Measured.under_load(
        name,
        rounds,
        {
            ("to bare FastAPI JSON", "x"): ratios(rounds, PATH, BARE),
            ("to FastAPI + asyncpg", "x"): ratios(rounds, PATH, READING),
            ("to the naive gateway", "x"): ratios(rounds, PATH, NAIVE),
            ("p99", "ms"): each(rounds[PATH], "p99_ms"),
            ("processor of the server", "us"): each(rounds[PATH], "server_us"),
            ("processor of the database", "us"): each(rounds[PATH], "database_us"),
        },
    )


@contextmanager
def bare(
    bench: Bench, *, workers: int = 1, connections: int = CONNECTIONS, pins: Pins | None = None
) -> Iterator[Contender]:
    """FastAPI that returns a dict."""
    with uvicorn_server("bare", workers=workers) as server:
        watched = Watched(server.processes)
        (pins or Pins()).apply(watched)
        yield lambda: run_wrk(server.url + "/", watched, bench.options.seconds, connections=connections)


@contextmanager
def reading(bench: Bench, database_url: str, niks: list[str]) -> Iterator[Contender]:
    """FastAPI that reads one person of this database, and does no duty."""
    url = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with uvicorn_server("reading", environment={"BENCH_DATABASE_URL": url}) as server:
        requests = (get(server.host, f"/people/{nik}") for nik in niks)
        yield _repeating(bench, server, database_url, requests)


@contextmanager
def naive(bench: Bench, database_url: str, niks: list[str]) -> Iterator[Contender]:
    """The gateway as one writes it first, on this database."""
    key = ECKey.generate_key("P-256")
    url = make_url(database_url).set(drivername="postgresql+asyncpg")
    environment = {
        "BENCH_DATABASE_URL": url.render_as_string(hide_password=False),
        "BENCH_TOKEN_KEY": json.dumps(key.as_dict(private=False)),
    }
    now_s = int(time.time())
    claims = {"iss": ISSUER, "aud": ISSUER, "client_id": CONSUMER, "jti": "1", "exp": now_s + _AN_HOUR_S}
    token = jwt.encode({"alg": "ES256"}, claims, key)
    headers = [("Content-Type", "application/json"), ("Authorization", f"Bearer {token}")]
    with uvicorn_server("naive", environment=environment) as server:
        requests = (post(server.host, PATH, headers, question([nik])) for nik in niks)
        yield _repeating(bench, server, database_url, requests)


def _repeating(bench: Bench, server: Server, database_url: str, requests: Iterator[bytes]) -> Contender:
    """Requests that may be asked again and again."""
    file = bench.fresh_folder() / "requests"
    write_requests(file, requests)
    watched = Watched(server.processes, postgres_processes(database_url))
    return lambda: run_wrk(server.url, watched, bench.options.seconds, requests=file)
