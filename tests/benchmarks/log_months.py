"""What dividing the log by months costs: one table beside 1 and beside many months, in turn, on PostgreSQL.

.venv/bin/python -m tests.benchmarks.log_months [--entries 200000] [--months 60] [--rounds 7]

Entries are written evenly over the months; appending and integrating are the gateway's own, in the newest.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

from alembic import command
from sqlalchemy import text

from gateway.audit.entry import Sealed
from gateway.audit.ledger import Ledger
from gateway.audit.log import add_entries
from gateway.audit.months import months_after
from gateway.audit.sequencer import Sequencer
from gateway.audit.signing import log_key
from gateway.audit.subject_index import SubjectIndex
from gateway.database import Database
from gateway.migrations import config_of, migrate
from tests.benchmarks.postgres import benchmark_server
from tests.conftest import empty_postgres_database
from tests.gateway.audit.logs import ORIGIN, outcome

BATCH, CROWD = 64, 2_048
_AT_ONCE = 5_000
_REPEATS = 8


@dataclass(frozen=True)
class Contender:
    """One log, filled, and what is done with it."""

    database: Database
    sequencer: Sequencer
    index: SubjectIndex
    known: list[UUID]

    def acts(self) -> dict[str, Callable[[], object]]:
        """What is measured, by name."""
        ledger = Ledger(self.database)
        return {
            f"append {BATCH}": lambda: _append(self.database, BATCH),
            f"integrate {BATCH}": self.sequencer.integrate,
            f"append {CROWD}": lambda: _append(self.database, CROWD),
            f"integrate {CROWD}": self.sequencer.integrate,
            "index": lambda: _until_done(self.index),
            "sign": self.sequencer.sign,
            "find by id": lambda: ledger.find(random.choice(self.known)),  # noqa: S311 - which one matters to nobody
            "history": lambda: self.index.mentions([f"{1:032x}"], limit=50),
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=200_000)
    parser.add_argument("--months", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    with ExitStack() as stack:
        server = stack.enter_context(benchmark_server())
        contenders = {
            name: stack.enter_context(_contender(server, months, given.entries))
            for name, months in {"one table": 0, "1 month": 1, f"{given.months} months": given.months}.items()
        }
        taken: dict[str, dict[str, list[float]]] = {name: {} for name in contenders}
        for turn in range(given.rounds + 1):
            for name, contender in contenders.items():
                for act, ms in _round(contender).items():
                    if turn:  # the first warms up
                        taken[name].setdefault(act, []).append(ms)
    for act in next(iter(taken.values())):
        told = "  ".join(
            f"{name} {statistics.median(acts[act]):8.2f} ({min(acts[act]):.2f} - {max(acts[act]):.2f})"
            for name, acts in taken.items()
        )
        print(f"{act:>16} ms: {told}")


def _round(contender: Contender) -> dict[str, float]:
    taken: dict[str, list[float]] = {}
    for _ in range(_REPEATS):
        for name, act in contender.acts().items():
            began = time.perf_counter()
            act()
            taken.setdefault(name, []).append((time.perf_counter() - began) * 1e3)
    return {name: statistics.median(values) for name, values in taken.items()}


@contextmanager
def _contender(server: str, months: int, entries: int) -> Iterator[Contender]:
    with empty_postgres_database(server) as url:
        database = Database(url)
        if months:
            migrate(database)
        else:
            with database.unit_of_work() as connection:
                config = config_of()
                config.attributes["connection"] = connection
                command.upgrade(config, "0022")
        sequencer = Sequencer(database, log_key(ORIGIN, b"s" * 32), lambda: datetime.now(UTC))
        index = SubjectIndex(database)
        known: list[UUID] = []
        for at in range(max(months, 1)):
            if at:
                _begin(database, at)
            known += _fill(database, entries // max(months, 1))
            while sequencer.integrate():
                pass
        _until_done(index)
        with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text("VACUUM ANALYZE"))
        yield Contender(database, sequencer, index, known)
        database.close()


def _begin(database: Database, at: int) -> None:
    """The next month, long ago, for the server's own clock bounds which may be made."""
    with database.unit_of_work() as connection:
        if at == 1:
            connection.execute(text("UPDATE audit_months SET month = '2010-01-01'"))
        month = months_after(date(2010, 1, 1), at)
        connection.execute(text("SELECT make_audit_months(:month)"), {"month": month})
    with database.unit_of_work() as connection:
        connection.execute(text("SELECT begin_audit_month(:month)"), {"month": month})


def _fill(database: Database, count: int) -> list[UUID]:
    known = []
    for start in range(0, count, _AT_ONCE):
        batch = [_fresh(number) for number in range(start, min(start + _AT_ONCE, count))]
        known += [one.entry.exchange_id for one in batch[::50]]
        with database.unit_of_work() as connection:
            add_entries(connection, batch)
    return known


def _append(database: Database, count: int) -> None:
    with database.unit_of_work() as connection:
        add_entries(connection, [_fresh(number) for number in range(count)])


def _fresh(number: int) -> Sealed:
    """Each person is asked about some twenty times in all."""
    person = f"{1 + number % 5_000:032x}"
    entry = replace(outcome(1), exchange_id=uuid4(), subjects=[(person, "eligible")])
    return entry.seal(b"b" * 32)


def _until_done(index: SubjectIndex) -> None:
    while not index.step():
        pass


if __name__ == "__main__":
    main()
