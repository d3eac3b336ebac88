"""What it costs to see beforehand what a draft would change: a million logged exchanges decided anew.

.venv/bin/python -m tests.benchmarks.impact_million [--database postgresql|sqlite] [--exchanges 1000000]

The entries are those that exchanges leave, of some thousands of kinds of question, appended as `AuditLog`
does and counted by the sequencer. Measured are filling, placing (with the counting in it), and the impact.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from gateway.agreements.replay import Replay
from gateway.agreements.store import PolicyStore
from gateway.audit.entry import Entry, Sealed
from gateway.audit.evidence import Evidence, asked_fields
from gateway.audit.log import add_entries
from gateway.audit.sequencer import Sequencer
from gateway.audit.signing import log_key
from gateway.database import Database
from gateway.migrations import migrate
from gateway.oauth.consumers import ConsumerStore
from gateway.oauth.jose import make_key_pair
from gateway.staff.roles import INSTALLATION
from policies.agreement import AgreementBook
from policies.decide import ConsumerTerms, Deny, Request, decide
from tests.benchmarks.audit_growth import benchmark_url
from tests.gateway.agreements.bureau import ANI, NAME, SHIPPED, narrower

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
BLIND = b"b" * 32
BATCH = 5_000
DAYS = 7
QUESTIONS = (
    (
        ConsumerTerms("bpjs-kesehatan", "kesehatan", frozenset()),
        "eligibility",
        "pbi-jk-eligibility",
        "PBI-JK",
    ),
    (ConsumerTerms("bpjs-kesehatan", "kesehatan", frozenset()), "records", "member-reconciliation", None),
    (ConsumerTerms("dinsos-jatim", "dinsos-35", frozenset({"35"})), "records", "regional-verification", None),
    (ConsumerTerms("dinsos-jatim", "dinsos-35", frozenset({"35"})), "records", "no such purpose", None),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--exchanges", type=int, default=1_000_000)
    parser.add_argument("--kinds", type=int, default=3_000, help="How many kinds of question there are.")
    given = parser.parse_args()
    with benchmark_url(given.database) as url:
        database = Database(url)
        migrate(database)
        store = PolicyStore(database, lambda: NOW)
        store.seed(SHIPPED)
        consumers = _registered(database)
        _fill(database, list(_kinds(store.book(), given.kinds)), given.exchanges)
        draft = store.save_draft("agreement", NAME, *narrower(), ANI)
        began, processor = time.perf_counter(), _processor_s()
        replayed = Replay(database, consumers, lambda: NOW)(draft, DAYS)
        print(
            f"impact: {time.perf_counter() - began:.2f} s ({_processor_s() - processor:.2f} s of processor), "
            f"{replayed.impact.affected:,} of {replayed.exchanges:,} exchanges would be otherwise"
        )
        assert replayed.exchanges == given.exchanges
        database.close()


def _registered(database: Database) -> ConsumerStore:
    consumers = ConsumerStore(database, lambda: NOW)
    for terms in {terms.id: terms for terms, *_ in QUESTIONS}.values():
        consumers.register(
            INSTALLATION,
            id=terms.id,
            name=terms.id,
            sector=terms.sector,
            regions=sorted(terms.regions),
            jwks={"keys": [make_key_pair("ES256")[1]]},
            reason="benchmark",
        )
    return consumers


def _kinds(book: AgreementBook, count: int) -> Iterator[Entry]:
    """The outcomes of questions that all differ in what an agreement looks at."""
    chance = random.Random(1)  # noqa: S311 - the same questions every time
    names = sorted(book.dictionary)
    for _ in range(count):
        terms, operation, purpose, programme = chance.choice(QUESTIONS)
        asked = None if chance.random() < 0.3 else tuple(chance.sample(names, chance.randint(1, 6)))
        request = Request(operation, purpose, programme, asked, chance.randint(1, 500))
        verdict = decide(book, terms, request, NOW.date())
        evidence = Evidence(
            exchange_id=UUID(int=0),
            consumer_id=terms.id,
            operation=operation,
            purpose=purpose if purpose in book.purposes else None,
            programme=programme,
            asked=asked_fields(asked, book.dictionary),
            subject_count=request.subject_count,
            agreement=book.by_consumer[terms.id].get(purpose),
            on_date=NOW.date(),
            request=b"{}",
            salt=b"s" * 32,
        )
        if isinstance(verdict, Deny):
            yield evidence.refusal(NOW, verdict.code)
        else:
            yield evidence.answer(NOW, verdict.plan, b"{}", [], [], as_of={}, unavailable=())


def _fill(database: Database, kinds: list[Entry], count: int) -> None:
    chance = random.Random(2)  # noqa: S311 - as above
    sequencer = Sequencer(database, log_key("benchmark.example/log", b"s" * 32), lambda: NOW)
    added = placed = 0.0
    for start in range(0, count, BATCH):
        batch = [_exchange(kinds, chance) for _ in range(min(BATCH, count - start))]
        began = time.perf_counter()
        with database.unit_of_work() as connection:
            add_entries(connection, batch)
        added += time.perf_counter() - began
        began = time.perf_counter()
        while sequencer.integrate():
            pass
        placed += time.perf_counter() - began
    print(f"{count:,} exchanges appended in {added:.0f} s, placed and counted in {placed:.0f} s")


def _exchange(kinds: list[Entry], chance: random.Random) -> Sealed:
    moment = NOW - timedelta(days=chance.randrange(DAYS))
    return replace(chance.choice(kinds), exchange_id=uuid4(), at=moment).seal(BLIND)


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
