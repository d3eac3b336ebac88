"""Real exchanges of made-up consumers, in a real log, for tests that look back at it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import select

from connectors.base import Outcome, Record, Unavailable
from gateway.agreements.lifecycle import Version
from gateway.agreements.replay import Replay, Replayed
from gateway.audit.entry import SubjectHasher
from gateway.audit.log import AuditLog
from gateway.audit.sequencer import Sequencer
from gateway.audit.signing import log_key
from gateway.audit.tables import audit_entries
from gateway.database import Database
from gateway.errors import Refused, SourceUnavailable
from gateway.exchange import AskedSubject, Exchange, Question
from gateway.limits.ledger import LimitLedger
from gateway.oauth.consumers import Consumer, ConsumerStore
from gateway.oauth.jose import make_key_pair
from gateway.staff.roles import INSTALLATION
from policies.agreement import AgreementBook
from tests.gateway.agreements.bureau import Bureau
from tests.gateway.test_exchange import DOWN_SINCE, GOOD, Held, some_sector_keys

BPJS = Consumer("bpjs-kesehatan", "BPJS Kesehatan", "kesehatan", ())
DINSOS = Consumer("dinsos-jatim", "Dinas Sosial Jawa Timur", "dinsos-35", ("35",))
STRANGER = Consumer("stranger", "Instansi tanpa perjanjian", "lain", ())
NIKS = tuple(f"35780101019090{number:02}" for number in range(10))
OUTSIDE = frozenset({"life_status"})
_PEOPLE = UUID("6f1e0f0e-30c0-4c0b-9a8a-2f4f4a5f0d11")


def someone(nik: str, *, synthetic: bool = True, **changes: Any) -> Record:
    """A person of the registry, the same one each time; every other one is a member of PBI-JK."""
    enrolments = ("PBI-JK",) if int(nik) % 2 else ()
    values = {**GOOD, "nik": nik, "enrolments": enrolments, **changes}
    return Record(uuid5(_PEOPLE, nik), values, date(2026, 9, 30), synthetic=synthetic)


def registry(**people: Outcome) -> Held:
    """A registry of these people by NIK, and of the usual ones."""
    answers: dict[str | UUID, Outcome] = {nik: someone(nik) for nik in NIKS}
    return Held(answers | {nik.removeprefix("nik_"): outcome for nik, outcome in people.items()})


def outside(answer: Outcome | None = None) -> Held:
    """A source outside that says one thing of everybody; nothing at all if it is down."""
    down: dict[str | UUID, Outcome] = {}
    for nik in NIKS:
        down[someone(nik).person_id] = answer or Unavailable(DOWN_SINCE)
    return Held(down, OUTSIDE, "dukcapil", outside=True)


@dataclass
class Traffic:
    """A bureau's policies, asked by consumers; `source` may go down in between."""

    database: Database
    bureau: Bureau = field(init=False)
    source: Held = field(default_factory=outside)

    def __post_init__(self) -> None:
        self.bureau = Bureau(self.database).seeded()
        self.consumers = ConsumerStore(self.database, self.bureau.clock)
        for consumer in (BPJS, DINSOS, STRANGER):
            self.consumers.register(
                INSTALLATION,
                id=consumer.id,
                name=consumer.name,
                sector=consumer.sector,
                regions=consumer.regions,
                jwks={"keys": [make_key_pair("ES256")[1]]},
                reason="test",
            )
        self.audit = AuditLog(self.database)

    @property
    def book(self) -> AgreementBook:
        return self.bureau.store.book()

    async def ask(self, consumer: Consumer, *niks: str, **question: Any) -> None:
        """One question, answered or refused: either way it is in the log."""
        exchange = Exchange(
            registry=registry(),
            sources=[self.source],
            sector_keys=some_sector_keys,
            limits=LimitLedger(self.database, SubjectHasher(b"a" * 32), self.bureau.clock),
            audit=self.audit,
            audit_key=b"a" * 32,
            clock=self.bureau.clock,
            timeout_s=5,
        )
        asked = {"programme": None, "fields": None, "on_date": None, "message": b"{}", **question}
        subjects = tuple(AskedSubject(str(at), nik, None, {}) for at, nik in enumerate(niks))
        with suppress(Refused, SourceUnavailable):
            await exchange(consumer, Question(subjects=subjects, **asked), self.book)

    def place(self) -> None:
        """Give what was asked its place in the log, and count it."""
        sequencer = Sequencer(self.database, log_key("test.example/log", b"s" * 32), self.bureau.clock)
        while not sequencer.step():
            pass

    def replay(self, version: Version, days: int = 7) -> Replayed:
        return Replay(self.database, self.consumers, self.bureau.clock)(version, days)

    def outcomes(self) -> Sequence[dict[str, Any]]:
        """What the log says of every exchange, in the order of their asking."""
        statement = (
            select(audit_entries.c.entry)
            .where(audit_entries.c.kind == "outcome")
            .order_by(audit_entries.c.sequence)
        )
        with self.database.reading() as connection:
            return [json.loads(text) for text in connection.execute(statement).scalars()]
