"""One person's access history among many exchanges, on PostgreSQL: what indexing and reading take.

.venv/bin/python -m tests.benchmarks.access_history [--exchanges 1000000]

The entries are written by the database itself (the tree is not built: a history does not read it) with the
texts of a real one, and most of the index too; indexing the last of them and reading are the gateway's own.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import insert, text

from gateway.audit.entry import Entry, SubjectHasher
from gateway.audit.subject_index import SubjectIndex
from gateway.audit.tables import audit_subjects_progress
from gateway.database import Database
from gateway.migrations import migrate
from gateway.rights.history import Histories
from tests.benchmarks.postgres import benchmark_database

HASHER = SubjectHasher(b"k" * 32)
EXCHANGES_PER_PERSON = 5
OFTEN_ASKED = 1_000
READS = 20
INDEXED_BY_THE_GATEWAY = 200_000
_AT_ONCE = 500_000

_ENTRIES = text(
    """
    INSERT INTO audit_entries (sequence, exchange_id, kind, at, consumer_id, entry, subjects, blind)
    SELECT n, gen_random_uuid(), 'outcome', now() - n * interval '1 second', 'bpjs-kesehatan', :entry,
           '[["' || CASE WHEN n % :every = 0 THEN :often ELSE md5((n % :people)::text) END
               || '","eligible"]]',
           decode(repeat('62', 32), 'hex')
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
    """
)
_LEAVES = text(
    """
    INSERT INTO audit_leaves (leaf_index, sequence, sha256)
    SELECT n - 1, n, sha256(n::text::bytea)
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
    """
)


_INDEXED = text(
    """
    INSERT INTO audit_subjects (subject_hash, sequence, outcome)
    SELECT decode(substr(subjects, 4, 32), 'hex'), sequence, 'eligible'
    FROM audit_entries WHERE sequence <= :last
    """
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exchanges", type=int, default=1_000_000)
    given = parser.parse_args()
    with benchmark_database() as url:
        database = Database(url)
        migrate(database)
        _measure(database, given.exchanges)
        database.close()


def _measure(database: Database, exchanges: int) -> None:
    often = HASHER.person(UUID(int=1))
    people = exchanges // EXCHANGES_PER_PERSON
    for first in range(1, exchanges + 1, _AT_ONCE):
        bounds = {"first": first, "last": min(first + _AT_ONCE - 1, exchanges)}
        subjects = {"often": often, "every": max(1, exchanges // OFTEN_ASKED), "people": people}
        with database.unit_of_work() as connection:
            connection.execute(_ENTRIES, {**bounds, **subjects, "entry": _entry()})
            connection.execute(_LEAVES, bounds)
        print(f"{bounds['last']:>12,} exchanges written", flush=True)
    index = SubjectIndex(database)
    measured = min(INDEXED_BY_THE_GATEWAY, exchanges)
    with database.unit_of_work() as connection:
        connection.execute(_INDEXED, {"last": exchanges - measured})
        connection.execute(insert(audit_subjects_progress).values(id=1, leaf_index=exchanges - measured))
    began = time.perf_counter()
    while not index.step():
        pass
    took = time.perf_counter() - began
    print(f"the last {measured:,} indexed in {took:,.1f} s, {measured / took:,.0f} exchanges/s", flush=True)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))

    histories = Histories(database, index, lambda: datetime.now(UTC))
    some = [_md5(number) for number in range(1, READS + 1)]
    _report("a person of five exchanges", [lambda who=who: histories.read([who]) for who in some])
    _report("a person of 1 000, a page", [lambda: histories.read([often])] * READS)
    _report("a person of 1 000, everything", [lambda: histories.all([often])] * READS)
    print(f"({len(histories.read([some[0]]).accesses)} and {len(histories.all([often]))} accesses)")


def _report(what: str, reads: list[Callable[[], object]]) -> None:
    times = []
    for read in reads:
        began = time.perf_counter()
        read()
        times.append((time.perf_counter() - began) * 1e3)
    print(
        f"{what:<32} first {times[0]:7.1f} ms  median {statistics.median(times):7.1f}  max {max(times):7.1f}"
    )


def _md5(number: int) -> str:
    import hashlib  # noqa: PLC0415 - the database's stand-in for a keyed hash

    return hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()


def _entry() -> str:
    body = {
        "operation": "eligibility",
        "purpose": "pbi-jk-eligibility",
        "programme": "PBI-JK",
        "asked": "all",
        "subject_count": 1,
        "on_date": "2026-11-21",
        "request_hash": "ab" * 32,
        "response_hash": "cd" * 32,
        "outcome": "answered",
        "agreement": {"id": "bpjs-pbi-jk", "version": 1, "sha256": "ef" * 32},
        "legal_basis": ["PP 76/2015", "Permensos 21/2019"],
        "rule": {"programme": "PBI-JK", "version": 1, "sha256": "01" * 32},
        "fields": {"region": "generalise to regency", "decile": "bucket", "birth_date": "generalise to year"},
        "withheld": ["nik", "full_name"],
        "unavailable": [],
        "sources": {"region": "dtks", "decile": "dtks", "birth_date": "dtks"},
        "as_of": {"region": "2026-09-30", "decile": "2026-09-30", "birth_date": "2026-09-30"},
        "counts": {"eligible": 1},
    }
    entry = Entry(UUID(int=1), "outcome", datetime(2026, 11, 21, tzinfo=UTC), "bpjs-kesehatan", body)
    return entry.seal(b"b" * 32).text.decode()


if __name__ == "__main__":
    main()
