"""A real log for the tests: entries appended, integrated and signed as a running gateway does it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from gateway.audit.entry import Entry, Sealed, act
from gateway.audit.ledger import Ledger
from gateway.audit.log import add_entries
from gateway.audit.sequencer import Sequencer
from gateway.audit.signing import NoteKey, log_key
from gateway.database import Database

ORIGIN = "gapura.example.go.id/log"
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class RunningLog:
    """The log of one database, with the key it is signed with."""

    def __init__(self, database: Database, key: NoteKey | None = None) -> None:
        self.database = database
        self.clock = Clock()
        self.key = key or log_key(ORIGIN, b"s" * 32)
        self.sequencer = Sequencer(database, self.key, self.clock)
        self.ledger = Ledger(database)

    def write(self, count: int, *, sign_every: int = 0, first: int = 1) -> list[Sealed]:
        """Append entries that all differ, and integrate them; the last checkpoint covers them all."""
        sealed = [outcome(number).seal(number.to_bytes(32, "big")) for number in range(first, first + count)]
        step = sign_every or count
        for start in range(0, count, step):
            self.add(sealed[start : start + step])
        return sealed

    def add(self, sealed: Sequence[Sealed]) -> None:
        """Append these, integrate and sign."""
        with self.database.unit_of_work() as connection:
            add_entries(connection, sealed)
        self.clock.pass_by(5)
        while not self.sequencer.step():
            pass


def outcome(number: int) -> Entry:
    """An entry as an exchange leaves it."""
    subjects = [(f"{number:032x}", "eligible")] if number % 2 else []
    body = {
        "operation": "eligibility",
        "outcome": "answered",
        "agreement": {"id": "x", "version": 1, "sha256": "ab" * 32},
        "counts": {"eligible": len(subjects)},
        "request_hash": f"{number:064x}",
        "response_hash": f"{number + 1:064x}",
    }
    return Entry(UUID(int=number), "outcome", NOW, "bpjs-kesehatan", body, subjects)


def suspension() -> Entry:
    """An act of staff."""
    return act(
        actor="staff-7",
        act="agreement.suspend",
        object_id="x",
        object_sha256="ab" * 32,
        reason="B-12",
        at=NOW,
    )
