"""A gateway that kills itself at a chosen step of its work: `python -m tests.gateway.mortal`, with settings.

It is the product's own composition with three things put around it, none of them in the product: a source
that can die when it is asked, an ASGI layer that can die as an answer leaves, and ears on the database's
engine. For each line that it reads (`STEP OCCURRENCE`, or `live` for one that is killed from outside) it
forks a gateway, because hundreds of interpreters would take half an hour to start. All of them serve one
socket in turn. It says `ready`, then for each its process id, `killed at STEP` and `ended by STATUS`.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, TextIO

import uvicorn
from sqlalchemy import Engine, event
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.base import NotFound, Outcome, Record, Subject
from gateway.api.leaving import RECEIPT_HEADER
from gateway.app import Services, build_app, build_services
from gateway.keeping.guard import Turn
from gateway.lanes import Lane, Procedure
from gateway.settings import load_settings

LIVE = "live"
# What an exchange goes through, then what the log's upkeep does. An exchange that asks an outside source
# writes two entries, its intent and its outcome.
STEPS = (
    *(
        "audit_entries:writing",
        "audit_entries:written",
        "audit_entries:committing",
        "audit_entries:committed",
    ),
    *("source:asked", "source:answered"),
    *("answer:leaving", "answer:begun", "answer:left"),
    *("audit_leaves:writing", "audit_leaves:written", "audit_leaves:committing", "audit_leaves:committed"),
    "audit_checkpoints:writing",
    *("audit_checkpoints:written", "audit_checkpoints:committing", "audit_checkpoints:committed"),
)
_TABLES = ("audit_entries", "audit_leaves", "audit_checkpoints")
_PAUSE_S = 0.002


class Fate:
    """Where this process ends: at the given occurrence of a step."""

    def __init__(self, voice: TextIO) -> None:
        self._voice = voice
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.step, self.occurrence = LIVE, 0

    def at(self, step: str) -> None:
        """End the process, if this is the step and the time."""
        with self._lock:
            self._seen[step] += 1
            if step == self.step and self._seen[step] == self.occurrence:
                self._voice.write(f"killed at {step}\n")
                self._voice.flush()
                os.kill(os.getpid(), signal.SIGKILL)


class MortalSource:
    """Stands for Dukcapil: knows everybody, is outside, and can die before and after it answers."""

    name = "dukcapil"
    needs = frozenset[str]()
    outside = True
    many_at_once = True
    fresh_for: timedelta | None = None

    def __init__(self, provides: frozenset[str], fate: Fate) -> None:
        self.provides = provides
        self._fate = fate

    async def fetch(
        self, subjects: Sequence[Subject], fields: frozenset[str], on_date: date, deadline: float
    ) -> Sequence[Outcome]:
        del deadline
        self._fate.at("source:asked")
        answer: list[Outcome] = [
            NotFound() if one.person_id is None else Record(one.person_id, _said(fields), on_date)
            for one in subjects
        ]
        self._fate.at("source:answered")
        return answer

    async def ping(self) -> None:
        """It can always be asked."""


def _said(fields: frozenset[str]) -> dict[str, str]:
    return {field: "alive" if field == "dukcapil_person_state" else "match" for field in fields}


def mortal_app(app: ASGIApp, fate: Fate) -> ASGIApp:
    """The app, which can die as a receipted answer leaves: before, between head and body, and behind them."""

    async def mortal(scope: Scope, receive: Receive, send: Send) -> None:
        receipted = False

        async def dying_send(message: Message) -> None:
            nonlocal receipted
            if message["type"] == "http.response.start":
                receipted = any(name.decode() == RECEIPT_HEADER.lower() for name, _ in message["headers"])
            if not receipted:
                await send(message)
                return
            if message["type"] == "http.response.start":
                fate.at("answer:leaving")
            await send(message)
            fate.at("answer:begun" if message["type"] == "http.response.start" else "answer:left")

        await app(scope, receive, dying_send)

    return mortal


class Ears:
    """Hears an engine write to the log's tables and commit it, and dies where that is its fate.

    What a transaction wrote is known by its thread, in which it begins and ends.
    """

    def __init__(self, engine: Engine, fate: Fate) -> None:
        self._fate = fate
        self._heard = threading.local()
        self._do_commit = engine.dialect.do_commit
        event.listen(engine, "begin", self._begun)
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)
        engine.dialect.do_commit = self._commit  # type: ignore[method-assign]

    def _begun(self, _connection: Any) -> None:
        self._heard.tables = set()

    def _before(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        for table in _written_by(statement):
            self._fate.at(f"{table}:writing")

    def _after(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        for table in _written_by(statement):
            self._fate.at(f"{table}:written")
            self._heard.tables.add(table)

    def _commit(self, connection: Any) -> None:
        tables, self._heard.tables = getattr(self._heard, "tables", set()), set()
        for table in tables:
            self._fate.at(f"{table}:committing")
        self._do_commit(connection)
        for table in tables:
            self._fate.at(f"{table}:committed")


class MortalLane:
    """Stands around the log's lane on PostgreSQL, whose statements no engine hears.

    It takes the commit apart from the statement that travels with it: between the two is a moment to die.
    """

    def __init__(self, lane: Lane, fate: Fate) -> None:
        self._lane = lane
        self._fate = fate

    async def __call__(self, procedure: Procedure[Any]) -> Any:
        result = await self._lane(self._dying(procedure))
        self._fate.at("audit_entries:committed")
        return result

    def close(self) -> None:
        self._lane.close()

    def _dying(self, procedure: Procedure[Any]) -> Procedure[Any]:
        try:
            steps = next(procedure)
            while True:
                self._fate.at("audit_entries:writing")
                rows = yield tuple(steps)
                self._fate.at("audit_entries:written")
                steps = procedure.send(rows)
        except StopIteration as end:
            self._fate.at("audit_entries:committing")
            return end.value


def _written_by(statement: str) -> list[str]:
    return [table for table in _TABLES if f"INSERT INTO {table} " in statement]


def _keep_in_order(services: Services) -> None:
    """Sign as fast as it goes, where a gateway signs every two seconds: checkpoints are always young."""
    while True:
        services.log.sequencer.integrate(16)
        services.log.sequencer.sign()
        time.sleep(_PAUSE_S)


def _serve(services: Services, app: ASGIApp, listener: socket.socket) -> None:
    threading.Thread(target=_keep_in_order, args=(services,), daemon=True).start()
    config = uvicorn.Config(app, log_config=None, access_log=False, loop="uvloop", http="httptools")
    uvicorn.Server(config).run(sockets=[listener])


def _next_line(listener: socket.socket) -> str:
    """What is to be done next. Until it is told, callers are turned away: nobody serves."""
    while sys.stdin not in select.select([sys.stdin, listener], [], [])[0]:
        listener.accept()[0].close()
    return sys.stdin.readline()


def main() -> None:
    """Fork a gateway for each line, and tell how it ended."""
    settings = load_settings()
    fate = Fate(os.fdopen(os.dup(sys.stdout.fileno()), "w"))
    fields = ("full_name", "birth_date", "mother_name", "person_state")
    source = MortalSource(frozenset(f"dukcapil_{name}" for name in fields), fate)
    services = build_services(settings, sources=[source])
    Ears(services.database.engine, fate)
    if not services.database.is_sqlite:
        services.audit._lane = MortalLane(services.audit._lane, fate)
    app = mortal_app(build_app(services), fate)
    services.database.engine.dispose()  # a connection MUST NOT be shared over a fork
    Turn(settings.home).take()  # who is forked keeps the log in order itself, where it can die of it
    with socket.create_server((settings.host, settings.port), backlog=64) as listener:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while line := _next_line(listener):
            step, _, occurrence = line.strip().partition(" ")
            child = os.fork()
            if not child:
                fate.step, fate.occurrence = step, int(occurrence or 0)
                _serve(services, app, listener)
            sys.stdout.write(f"{child}\n")
            sys.stdout.flush()
            _, status = os.waitpid(child, 0)
            sys.stdout.write(f"ended by {os.waitstatus_to_exitcode(status)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
