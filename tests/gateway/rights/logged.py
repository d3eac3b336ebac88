"""Entries about people as exchanges leave them, for the tests of people's rights."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from gateway.audit.entry import Entry, SubjectHasher
from gateway.audit.log import add_entries
from gateway.audit.sequencer import Sequencer
from gateway.audit.signing import log_key
from gateway.audit.subject_index import SubjectIndex
from gateway.database import Database
from gateway.rights.history import Histories

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
HASHER = SubjectHasher(b"k" * 32)
ANI, BUDI = (HASHER.person(UUID(int=number)) for number in (1, 2))


class Log:
    """A log that the test writes; nothing gets its place in the tree before `place`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.index = SubjectIndex(database)
        self.now = NOW
        self.histories = Histories(database, self.index, lambda: self.now)
        self._sequencer = Sequencer(database, log_key("gapura.example/log", b"s" * 32), lambda: self.now)

    def place(self) -> None:
        while self._sequencer.integrate():
            pass

    def write(self, *subjects: Any, kind: str = "outcome", of: UUID | None = None, **said: Any) -> UUID:
        """One entry; subjects are hashes, or pairs of hash and outcome."""
        exchange_id = of or uuid4()
        body = {
            "operation": "records",
            "purpose": "own-status",
            "programme": None,
            "agreement": {"id": "example", "version": 3, "sha256": "ab" * 32},
            "legal_basis": ["UU 0/2026"],
            "subject_count": len(subjects),
            **({"sources": ["dukcapil"]} if kind == "intent" else {"outcome": "answered"}),
            **({} if kind == "intent" else {"fields": {"decile": "keep"}, "counts": {"released": 1}}),
            **said,
        }
        at, consumer = body.pop("at", self.now), body.pop("consumer", "ministry")
        entry = Entry(exchange_id, kind, at, consumer, body, subjects)
        with self.database.unit_of_work() as connection:
            add_entries(connection, [entry.seal(b"b" * 32)])
        return exchange_id

    def references(self, *hashes: str, **how: Any) -> list[UUID]:
        return [access.reference for access in self.histories.read(hashes, **how).accesses]
