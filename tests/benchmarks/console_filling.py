"""A set-up of a size that Indonesia could have, made in minutes: what `console_pages` lists.

Agreements, consumers, findings and likely persons are copied in bulk through the tables' own definitions;
the log is appended, placed, listed and counted by the gateway's own functions. MUST NOT be read as data: the
copies agree with what lists show, and with little else.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import random
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Table, insert, select, text

from gateway.agreements.facts import facts_of
from gateway.agreements.store import PolicyStore
from gateway.agreements.tables import policy_listing, policy_versions
from gateway.audit.entry import Entry, Sealed, act
from gateway.audit.log import add_entries
from gateway.audit.transparency import open_log
from gateway.database import Database
from gateway.installation import open_keys
from gateway.oauth.tables import consumer_keys, consumers
from gateway.overview.counting import TrafficTotals
from gateway.reconciliation.kinds import KINDS
from gateway.reconciliation.statuses import Status
from gateway.reconciliation.tables import findings, likely_persons, reconciliation_runs
from gateway.registry.tables import regions
from gateway.settings import Settings

SHIPPED = Path(__file__).parents[2] / "policies"
RUNS = 200
LIKELY = 20_000
DRAFTED = 20  # one agreement in so many has a second version being made
_ROWS_AT_ONCE = 10_000
_DAYS = 30
_STATES = ("open", "open", "open", "sent", "answered", "closed")
_CONSUMER = re.compile(r"^consumer: .*$", re.MULTILINE)
_PLAN = {
    "legal_basis": ["PP 101/2012 as amended by PP 76/2015 (PBI-JK)"],
    "fields": {"decile": "bucket", "birth_date": "generalise to year"},
    "sources": {"decile": "registry", "birth_date": "registry"},
    "as_of": {},
    "unavailable": [],
}

Rows = Iterator[dict[str, Any]]


def fill(settings: Settings, agreements: int, entries: int, found: int) -> None:
    """Bring a stocked and unserved set-up to these numbers. Says on standard output how far it is."""
    now, chance = datetime.now(UTC), random.Random(1)  # noqa: S311 - the same filling every time
    database = Database(settings.effective_database_url)
    store = PolicyStore(database, lambda: now)
    store.seed(SHIPPED)
    copies = _copy_agreements(database, agreements)
    _copy_consumers(database, copies)
    _say(f"{agreements:,} agreements of {copies:,} consumers and more")
    runs = list(_runs(database, now))
    _insert(database, reconciliation_runs, runs)
    _insert(database, findings, _findings(database, found, [run["id"] for run in runs], now, chance))
    _insert(database, likely_persons, _likely(database, runs[-1]["id"], chance))
    _say(f"{found:,} findings, {LIKELY:,} likely persons, {RUNS} runs")
    _write_log(settings, database, _entries(entries, copies, now, chance))
    _say(f"{entries:,} entries of the log, placed, listed and counted")
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    database.close()


def consumer(number: int) -> str:
    """The id of a copied consumer."""
    return f"instansi-{number:05d}"


def _say(words: str) -> None:
    print(f"filled: {words}", flush=True)


def _copy_agreements(database: Database, wanted: int) -> int:
    """Copies of the shipped agreements, each set of them of a consumer of its own; how many sets."""
    versions, listing = policy_versions.c, policy_listing.c
    with database.reading() as connection:
        shipped = connection.execute(select(policy_versions).where(versions.kind == "agreement")).mappings()
        originals = [dict(row) for row in shipped]
        listed = connection.execute(select(policy_listing).where(listing.kind == "agreement")).mappings()
        shown = {row["name"]: dict(row) for row in listed}
    sets = max(0, -(-(wanted - len(originals)) // len(originals)))
    chosen = list(
        itertools.islice(itertools.product(range(sets), originals), max(0, wanted - len(originals)))
    )
    _insert(database, policy_versions, _versions(chosen))
    _insert(database, policy_listing, _listed(chosen, shown))
    return sets


def _versions(chosen: Iterable[tuple[int, Mapping[str, Any]]]) -> Rows:
    for place, (number, original) in enumerate(chosen):
        copy = _copied(original, number)
        yield copy
        if (state := _being_made(place)) is not None:
            version = original["version"] + 1
            words = copy["text"].replace(f"\nversion: {original['version']}\n", f"\nversion: {version}\n")
            made = {"version": version, "state": state, "editors": ["perancang"], "author": "perancang"}
            yield {**copy, **made, "text": words, "sha256": _sha256(words)}


def _listed(chosen: Iterable[tuple[int, Mapping[str, Any]]], shown: Mapping[str, Mapping[str, Any]]) -> Rows:
    for place, (number, original) in enumerate(chosen):
        state, version = _being_made(place), original["version"]
        yield {
            **shown[original["name"]],
            **dataclasses.asdict(facts_of(original["text"].encode())),
            "name": _name(original, number),
            "consumer": consumer(number),
            "open_version": version + 1 if state else None,
            "open_state": state,
            "newest": version + 1 if state else version,
        }


def _being_made(place: int) -> str | None:
    """In which state the second version of an agreement is, if it has one."""
    return None if place % DRAFTED else ("draft" if place // DRAFTED % 3 else "submitted")


def _name(original: Mapping[str, Any], number: int) -> str:
    return f"{original['name']}-{number:05d}"


def _copied(original: Mapping[str, Any], number: int) -> dict[str, Any]:
    name = _name(original, number)
    words = original["text"].replace(f"\nid: {original['name']}\n", f"\nid: {name}\n")
    words = _CONSUMER.sub(f"consumer: {consumer(number)}", words)
    return {**original, "name": name, "text": words, "sha256": _sha256(words)}


def _sha256(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()


def _copy_consumers(database: Database, count: int) -> None:
    """Copies of one of the demo's consumers, each with a key; one in fifty waits for a second person."""
    with database.reading() as connection:
        of = "bpjs-kesehatan"
        original = dict(connection.execute(select(consumers).where(consumers.c.id == of)).mappings().one())
        key = select(consumer_keys).where(consumer_keys.c.consumer_id == of)
        known = dict(connection.execute(key).mappings().one())
    numbers = range(count)
    states = (("proposed" if number % 50 == 1 else "active") for number in numbers)
    copies = (
        {**original, "id": consumer(number), "name": f"Instansi Contoh {number}", "state": state}
        for number, state in zip(numbers, states, strict=True)
    )
    _insert(database, consumers, copies)
    keys = (
        {**known, "consumer_id": consumer(number), "thumbprint": secrets.token_urlsafe(32)}
        for number in numbers
    )
    _insert(database, consumer_keys, keys)


def _runs(database: Database, now: datetime) -> Rows:
    """Runs of the whole country, each with its report by regency, the newest last."""
    regencies = _regencies(database)
    statuses = {status.value: 5_000 for status in Status}
    report = {"regions": {code: {"statuses": statuses, "people": 60_000} for code in regencies}}
    for number in range(RUNS):
        at = now - timedelta(days=RUNS - number)
        yield {
            "id": uuid4(),
            "way": "extract",
            "engine": "duckdb",
            "state": "completed" if number == RUNS - 1 else "failed",
            "submitted_at": at,
            "submitted_by": "operator",
            "started_at": at,
            "finished_at": at,
            "as_of": at.date(),
            "people": 100_000,
            "failure": None if number == RUNS - 1 else "the extract lacks a column",
            "problems": [],
            "report": report if number == RUNS - 1 else None,
        }


def _findings(database: Database, count: int, runs: list[UUID], now: datetime, chance: random.Random) -> Rows:
    """Findings of all regencies and runs, most of them still open."""
    regencies, kinds = _regencies(database), list(KINDS)
    for _ in range(count):
        opened, last = sorted((chance.choice(runs), chance.choice(runs)), key=runs.index)
        state = chance.choice(_STATES)
        yield {
            "id": uuid4(),
            "person_id": uuid4(),
            "kind": chance.choice(kinds),
            "evidence": {"verdicts": "ssds"},
            "region": chance.choice(regencies),
            "state": state,
            "opened_run": opened,
            "last_run": last,
            "closed_run": last if state == "closed" else None,
            "opened_at": now - timedelta(days=chance.randrange(200)),
            "state_at": now,
        }


def _likely(database: Database, run: UUID, chance: random.Random) -> Rows:
    regencies = _regencies(database)
    for _ in range(LIKELY):
        yield {
            "id": uuid4(),
            "run_id": run,
            "person_id": uuid4(),
            "region": chance.choice(regencies),
            "rank": 1,
            "weight": 9.5,
            "probability": 0.97,
            "proposal": "review",
            "agreeing": 4,
            "model": "benchmark",
            "reasons": [],
            "pair": secrets.token_hex(32),
            "state": "proposed",
        }


def _regencies(database: Database) -> list[str]:
    with database.reading() as connection:
        chosen = select(regions.c.code).where(regions.c.level == 2)
        return sorted(set(connection.execute(chosen).scalars()))


def _insert(database: Database, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    kept = iter(rows)
    while some := list(itertools.islice(kept, _ROWS_AT_ONCE)):
        with database.unit_of_work(durable=False) as connection:
            connection.execute(insert(table), some)


def _write_log(settings: Settings, database: Database, entries: Iterator[Sealed]) -> None:
    """Append, place, list and count the entries as a running gateway does."""
    keys = open_keys(database, settings.home / "keys", settings.key_source)
    log = open_log(database, keys, settings.issuer, lambda: datetime.now(UTC))
    for number in itertools.count(1):
        some = list(itertools.islice(entries, _ROWS_AT_ONCE))
        if not some:
            break
        with database.unit_of_work(durable=False) as connection:
            add_entries(connection, some)
        while log.sequencer.integrate():
            pass
        if number % 10 == 0:
            print(f"{number * _ROWS_AT_ONCE:>12,} entries", flush=True)
    log.sequencer.step()
    counted = TrafficTotals(database, lambda: datetime.now(UTC))
    while not counted.step():
        pass


def _entries(count: int, copies: int, now: datetime, chance: random.Random) -> Iterator[Sealed]:
    """Exchanges of all consumers over thirty days, few of them refused, and one act of staff in a hundred."""
    whose = [consumer(number) for number in range(copies)] or ["bpjs-kesehatan"]
    often = list(itertools.accumulate(1 / rank for rank in range(1, len(whose) + 1)))
    asking = chance.choices(whose, cum_weights=often, k=count)
    for number, consumer_id in enumerate(asking):
        at = now - timedelta(days=_DAYS) * (1 - number / count)
        if number % 100 == 0:
            yield _act(at, number).seal(secrets.token_bytes(32))
            continue
        entry = Entry(uuid4(), "outcome", at, consumer_id, _body(number, chance))
        yield entry.seal(secrets.token_bytes(32))


def _act(at: datetime, number: int) -> Entry:
    names = ("policy.submit", "session.opened", "consumer.approved", "finding.answered")
    actor = ("perancang", "penyetuju", "operator")[number // 100 % 3]
    done = names[number // 100 % len(names)]
    return act(
        actor=actor, act=done, object_id="agreement/x/1", object_sha256=None, reason="benchmark", at=at
    )


def _body(number: int, chance: random.Random) -> Mapping[str, Any]:
    question = ("eligibility", "pbi-jk-eligibility") if number % 3 else ("records", "member-reconciliation")
    asked = {"operation": question[0], "purpose": question[1], "subject_count": 1, "asked": "all"}
    asked |= {"programme": "PBI-JK", "on_date": "2026-11-21", "request_hash": "ab" * 32}
    if chance.random() < 0.05:
        return {**asked, "outcome": "refused", "reason": "no_agreement"}
    decided = chance.choice(("eligible", "ineligible", "unknown"))
    answered = {**asked, **_PLAN, "outcome": "answered", "counts": {decided: 1}, "withheld": ["nik"]}
    agreement = {"id": "bpjs-pbi-jk", "version": 1, "sha256": "ef" * 32}
    return {**answered, "response_hash": "cd" * 32, "agreement": agreement}
