"""Two sectors and the names between them, over a registry that the tests hold in their hands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from connectors.base import Outcome, Record
from gateway.audit.entry import SubjectHasher
from gateway.audit.log import AuditLog
from gateway.audit.tables import audit_entries
from gateway.database import Database
from gateway.limits.ledger import LimitLedger
from gateway.oauth.consumers import Consumer
from gateway.pseudonyms.naming import AskedName, Naming, NamingQuestion
from gateway.pseudonyms.reversals import Reversals, niks_of
from gateway.pseudonyms.sector_keys import SectorKeyring
from policies.agreement import Agreement, AgreementBook
from policies.naming import OPEN, REKEY, TRANSLATE
from policies.translation import TranslationGrant, derive_transit_key
from tests.gateway.test_exchange import Held
from tests.policies.builders import a_book, an_agreement

MASTER, AUDIT_KEY = bytes(range(32)), b"a" * 32
SENDER = Consumer("bpjs-kesehatan", "BPJS", "kesehatan", ())
RECEIVER = Consumer("pkh-pendamping", "PKH", "pkh", ())
PURPOSE = "double-payments"


def person(
    region: str = "35.78.08.1003", *, synthetic: bool = False, nik: str = "3578085203849991"
) -> Record:
    values: dict[str, Any] = {"region": region, "enrolments": (), "nik": nik}
    return Record(uuid4(), values, date(2026, 9, 30), synthetic=synthetic)


def sending(**changes: Any) -> Agreement:
    usual: dict[str, Any] = {
        "consumer": SENDER.id,
        "pseudonym_sector": SENDER.sector,
        "translation": TranslationGrant(RECEIVER.sector, PURPOSE),
    }
    return an_agreement(**(usual | changes))


def receiving(**changes: Any) -> Agreement:
    usual: dict[str, Any] = {
        "id": "receiving",
        "consumer": RECEIVER.id,
        "purpose": PURPOSE,
        "pseudonym_sector": RECEIVER.sector,
    }
    return an_agreement(**(usual | changes))


@dataclass
class World:
    """A process that serves both sectors; its clock stands still until the test moves it."""

    database: Database
    folder: Path
    people: Sequence[Record]
    book: AgreementBook = field(default_factory=lambda: a_book(sending(), receiving()))
    now: datetime = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)

    def __post_init__(self) -> None:
        answers: dict[str | UUID, Outcome] = {one.person_id: one for one in self.people}
        self.registry = Held(answers, provides=frozenset({"region", "enrolments", "nik"}))
        self.keyring = SectorKeyring(self.database, self.folder, MASTER, self.clock)
        self.naming = Naming(
            registry=self.registry,
            sector_keys=self.keyring.of,
            transit_key=lambda sector: derive_transit_key(MASTER, sector),
            limits=LimitLedger(self.database, SubjectHasher(AUDIT_KEY), self.clock),
            audit=AuditLog(self.database),
            audit_key=AUDIT_KEY,
            clock=self.clock,
            timeout_s=5,
        )
        self.reversals = Reversals(
            self.database,
            self.keyring.of,
            self.keyring.sectors,
            niks_of(self.registry, self.clock),
            AUDIT_KEY,
            self.clock,
        )

    def clock(self) -> datetime:
        return self.now

    async def name(self, consumer: Consumer, one: Record) -> str:
        return (await self.keyring.of(consumer.sector)).name(one.person_id)

    async def ask(
        self, operation: str, consumer: Consumer, names: Sequence[str], purpose: str
    ) -> dict[str, Any]:
        asked = tuple(AskedName(str(at), name) for at, name in enumerate(names))
        message = json.dumps(list(names)).encode()
        question = NamingQuestion(operation, purpose, asked, message)
        content: dict[str, Any] = json.loads((await self.naming(consumer, question, self.book)).body)
        return content

    async def rekey(self, *names: str, consumer: Consumer = SENDER) -> dict[str, Any]:
        return await self.ask(REKEY, consumer, names, "checking")

    async def translate(self, *names: str, consumer: Consumer = SENDER) -> dict[str, Any]:
        return await self.ask(TRANSLATE, consumer, names, "checking")

    async def open(
        self, *names: str, consumer: Consumer = RECEIVER, purpose: str = PURPOSE
    ) -> dict[str, Any]:
        return await self.ask(OPEN, consumer, names, purpose)

    async def translation(self, one: Record) -> str:
        (said,) = (await self.translate(await self.name(SENDER, one)))["results"]
        text: str = said["translation"]
        return text

    def entries(self) -> list[dict[str, Any]]:
        with self.database.reading() as connection:
            rows = connection.execute(select(audit_entries).order_by(audit_entries.c.sequence)).all()
        return [
            {**json.loads(row.entry), "subjects": json.loads(row.subjects) if row.subjects else []}
            for row in rows
        ]
