"""What a site needs per exchange and per person: disk by table, write-ahead log, processor time.

The sums for a nation are made from these in `deploy/SCALING.md`; nothing here extrapolates.
"""

from __future__ import annotations

import time
from collections import Counter

from sqlalchemy import Engine, create_engine, func, make_url, select, text

from gateway.audit.tables import audit_entries
from gateway.registry.tables import people
from tests.benchmarks.harness.bench import Bench, asking, question, refuse_errors, some_niks
from tests.benchmarks.harness.measured import Measured, figures_of
from tests.benchmarks.harness.rounds import median

# So many exchanges that what tables take before the first one no longer counts.
EXCHANGES = 100_000
_SETTLING_S = 2
_NAMED = 12
# A partition counts with its table.
_SIZES = text(
    """
    SELECT coalesce(parent.relname, c.relname) AS name, sum(pg_total_relation_size(c.oid))::bigint AS bytes
    FROM pg_class c
    LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
    LEFT JOIN pg_class parent ON parent.oid = i.inhparent
    WHERE c.relkind IN ('r', 'm') AND c.relnamespace::regnamespace::text IN ('public', 'audit_by_month')
    GROUP BY 1
    """
)
_WRITTEN = text("SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint")
_PEOPLE_TABLES = ("people", "households", "household_deciles", "enrolments")


def measure(bench: Bench) -> Measured:
    with bench.gateway() as gateway:
        engine = create_engine(make_url(gateway.settings.effective_database_url))
        niks = some_niks(gateway.settings.effective_database_url)
        contender = asking(bench, gateway, bodies=[question([nik]) for nik in niks])
        refuse_errors(contender(), "size")
        sizes, written, exchanges = _sizes(engine), _written(engine), _exchanges(engine)
        rounds = []
        while _exchanges(engine) - exchanges < EXCHANGES:
            rounds.append(contender())
            refuse_errors(rounds[-1], "size")
        time.sleep(_SETTLING_S)
        grown = _sizes(engine)
        grown.subtract(sizes)
        count = _exchanges(engine) - exchanges
        with engine.connect() as connection:
            population = connection.execute(select(func.count()).select_from(people)).scalar_one()
        figures = {
            ("disk per exchange", "bytes"): [sum(grown.values()) / count],
            ("write-ahead log per exchange", "bytes"): [(_written(engine) - written) / count],
            ("disk per person", "bytes"): [sum(sizes[name] for name in _PEOPLE_TABLES) / population],
            ("server per exchange", "us"): [median([one.server_us for one in rounds])],
            ("database per exchange", "us"): [median([one.database_us or 0.0 for one in rounds])],
        }
        engine.dispose()
    largest = ", ".join(f"{name} {size / count:,.0f}" for name, size in grown.most_common(_NAMED) if size)
    notes = (f"{count:,} exchanges of one subject, {population:,} people", f"bytes per exchange: {largest}")
    return Measured("size", {"rounds": [one.raw() for one in rounds]}, figures_of("size", figures), notes)


def _sizes(engine: Engine) -> Counter[str]:
    with engine.connect() as connection:
        return Counter({row.name: row.bytes for row in connection.execute(_SIZES)})


def _written(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(_WRITTEN).scalar_one())


def _exchanges(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(audit_entries)).scalar_one())
