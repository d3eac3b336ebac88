"""What the audit log costs: answers per second with it and without it, in one interleaved run.

.venv/bin/python -m tests.benchmarks.audit_log [--database postgresql|sqlite] [--rounds 5] [--exchange-alone]

Whole requests, with token and proof, through the application; or the exchange alone, of which the log is a
greater part.

`off` exists here alone: a log that keeps nothing stands in for the real one. It is no setting of the product.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import httpx
import orjson
import uvloop
from starlette.types import ASGIApp, Message

from gateway import demo
from gateway.app import Services, build_app, build_services
from gateway.audit.entry import Entry, Sealed
from gateway.audit.log import AuditLog
from gateway.exchange import AskedSubject, Exchange, Question
from gateway.oauth.consumers import Consumer
from gateway.registry.personas import PERSONAS
from gateway.settings import load_settings
from tests.benchmarks.audit_growth import benchmark_url
from tests.gateway.staff.office import InProcess

CALLERS = 32
EXCHANGES = 1_500
CONSUMER = Consumer("bpjs-kesehatan", "BPJS", "kesehatan", ())
BLIND = b"b" * 32
PATH = "/v1/eligibility"


Answers = Callable[[Services, AuditLog], float]


class NoLog(AuditLog):
    """Seals an entry and forgets it: the exchange without its evidence on disk."""

    async def append(self, entry: Entry) -> Sealed:
        return entry.seal(BLIND)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--exchange-alone", action="store_true")
    given = parser.parse_args()
    with benchmark_url(given.database) as url, tempfile.TemporaryDirectory() as folder:
        _compare(Path(folder), url, given.rounds, _exchanges if given.exchange_alone else _requests)


def _compare(home: Path, url: str, rounds: int, answers: Answers) -> None:
    """Answers per second with the log and without it, interleaved, the sequencer at work beside them."""
    settings = load_settings(
        {"GAPURA_HOME": str(home), "GAPURA_DATABASE_URL": url, "GAPURA_LOG_LEVEL": "ERROR"}
    )
    demo.prepare(settings, 1_000, lambda _words: lambda _share: None, lambda _: None)
    services = build_services(settings)
    rates: dict[str, list[float]] = {"off": [], "on": []}
    try:
        for number in range(rounds + 1):
            for name, log in (("off", NoLog(services.database)), ("on", AuditLog(services.database))):
                rate = answers(services, log)
                log.close()
                if number:  # the first round warms up
                    rates[name].append(rate)
    finally:
        services.close()
    off, on = (statistics.median(rates[name]) for name in ("off", "on"))
    print(f"answers/s  off {off:,.0f}  on {on:,.0f}  kept {on / off:.0%}  (medians of {rounds})")


def _with_log(services: Services, log: AuditLog) -> Exchange:
    exchange = copy.copy(services.exchange)
    exchange._audit = log
    return exchange


def _exchanges(services: Services, log: AuditLog) -> float:
    exchange = _with_log(services, log)
    subject = AskedSubject("1", PERSONAS[0].nik, None, {})
    question = Question("eligibility", "pbi-jk-eligibility", "PBI-JK", (subject,), None, None, b"{}")

    async def one(_: int) -> None:
        said = await exchange(CONSUMER, question, services.policies.present)
        services.log.receipts.sign(said.logged)

    return uvloop.run(_per_second(services, one))


def _requests(services: Services, log: AuditLog) -> float:
    app = build_app(replace(services, exchange=_with_log(services, log)))
    question = {
        "purpose": "pbi-jk-eligibility",
        "programme": "PBI-JK",
        "subjects": [{"ref": "1", "nik": PERSONAS[0].nik}],
    }
    with httpx.Client(transport=InProcess(app)) as http:
        client = demo.client_for(services.settings, CONSUMER.id, http)
        client.post(PATH, question).raise_for_status()  # brings a token and a nonce
        proven = [client.credentials("POST", PATH) for _ in range(EXCHANGES)]

    body = orjson.dumps(question)
    return uvloop.run(_per_second(services, lambda at: _sent(app, proven[at], body)))


async def _sent(app: ASGIApp, headers: dict[str, str], body: bytes) -> None:
    """One request as a server hands it over; a client in this process would count as the gateway's cost."""
    sent = {"host": "x", "content-type": "application/json", "content-length": str(len(body)), **headers}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": "POST",
        "path": PATH,
        "raw_path": PATH.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    statuses: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        statuses.append(message.get("status", 200))

    await app(scope, receive, send)
    if statuses[0] != HTTPStatus.OK:
        sys.exit(f"A request was answered with {statuses[0]}, so there is no figure.")


async def _per_second(services: Services, one: Callable[[int], Awaitable[None]]) -> float:
    left = iter(range(EXCHANGES))
    keeping = asyncio.create_task(services.log.sequencer.run(lambda error: sys.exit(type(error).__name__)))

    async def ask() -> None:
        for at in left:
            await one(at)

    began = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(CALLERS)))
    took = time.perf_counter() - began
    keeping.cancel()
    return EXCHANGES / took


if __name__ == "__main__":
    main()
