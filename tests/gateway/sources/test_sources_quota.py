"""The quota ledger over several processes, and the promise of the issue: 500 of 1 000, exactly."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from connectors.quota import Grant, QuotaLedger
from connectors.simulators.dukcapil import DukcapilSimulator
from gateway.database import Database
from gateway.errors import StoreUnavailable
from gateway.sources.quota import DatabaseQuotaLedger
from gateway.sources.tables import source_calls
from tests.connectors.simulated import served

DAY = date(2026, 11, 21)
ASKER = Path(__file__).with_name("asker.py")


@pytest.fixture
def ledger(database: Database) -> Iterator[DatabaseQuotaLedger]:
    opened = DatabaseQuotaLedger(database)
    yield opened
    opened.close()


async def test_it_counts_what_the_connector_asks_it_to_count(ledger: QuotaLedger) -> None:
    assert await ledger.remaining("dukcapil", DAY, 10) == 10
    assert await ledger.take("dukcapil", DAY, 4, 10) == Grant(4, 6)
    assert await ledger.take("dukcapil", DAY, 9, 10) == Grant(6, 0)
    await ledger.give_back("dukcapil", DAY, 2)
    assert await ledger.remaining("dukcapil", DAY, 10) == 2
    await ledger.at_most("dukcapil", DAY, 1, 10)
    await ledger.at_most("dukcapil", DAY, 5, 10)
    assert await ledger.take("dukcapil", DAY, 1, 10) == Grant(1, 0)


async def test_days_and_sources_are_counted_apart(ledger: QuotaLedger) -> None:
    await ledger.take("dukcapil", DAY, 10, 10)
    assert await ledger.take("dukcapil", date(2026, 11, 22), 1, 10) == Grant(1, 9)
    assert await ledger.take("another", DAY, 1, 10) == Grant(1, 9)


async def test_a_lowered_limit_grants_nothing_and_takes_nothing_away(ledger: QuotaLedger) -> None:
    await ledger.take("dukcapil", DAY, 10, 10)
    assert await ledger.take("dukcapil", DAY, 1, 5) == Grant(0, 0)
    assert await ledger.remaining("dukcapil", DAY, 12) == 2


async def test_callers_at_once_are_granted_the_limit_and_no_more(ledger: QuotaLedger) -> None:
    grants = await asyncio.gather(*(ledger.take("dukcapil", DAY, 1, 500) for _ in range(1000)))
    assert sum(grant.calls for grant in grants) == 500
    assert sorted({grant.remaining for grant in grants}) == list(range(500))


async def test_an_unreachable_database_grants_nothing() -> None:
    ledger = DatabaseQuotaLedger(Database("postgresql://nobody@127.0.0.1:1/none"))
    with pytest.raises(StoreUnavailable):
        await ledger.take("dukcapil", DAY, 1, 10)
    ledger.close()


_ACTS = st.lists(
    st.tuples(st.sampled_from(["take", "give_back", "at_most"]), st.integers(0, 12)), max_size=12
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=_ACTS)
def test_a_crowd_is_counted_as_if_each_came_alone(database: Database, acts: list[tuple[str, int]]) -> None:
    """The oracle is a number and three lines of arithmetic."""
    with database.unit_of_work() as connection:
        connection.execute(delete(source_calls))
    made, expected = 0, []
    for act, number in acts:
        granted = min(number, max(0, 10 - made)) if act == "take" else 0
        made = {"take": made + granted, "give_back": max(0, made - number)}.get(act, max(made, 10 - number))
        expected.append(granted if act == "take" else None)

    async def crowd() -> tuple[list[int | None], int]:
        ledger = DatabaseQuotaLedger(database)
        calls = {
            "take": lambda n: ledger.take("dukcapil", DAY, n, 10),
            "give_back": lambda n: ledger.give_back("dukcapil", DAY, n),
            "at_most": lambda n: ledger.at_most("dukcapil", DAY, n, 10),
        }
        results = await asyncio.gather(*(calls[act](number) for act, number in acts))
        left = await ledger.remaining("dukcapil", DAY, 10)
        ledger.close()
        return [result.calls if isinstance(result, Grant) else None for result in results], left

    assert asyncio.run(crowd()) == (expected, max(0, 10 - made))


def test_two_processes_with_a_thousand_questions_send_exactly_the_quota_of_five_hundred(
    database: Database,
) -> None:
    database_url = database.engine.url.render_as_string(hide_password=False)
    simulator = DukcapilSimulator(
        [{"nik": f"357801040387{serial:04}", "full_name": "SITI CONTOH"} for serial in range(9000, 9500)]
        + [{"nik": f"357801440387{serial:04}", "full_name": "SITI CONTOH"} for serial in range(9000, 9500)],
        daily_quota=100_000,  # the source itself would answer them all
    )
    with served(simulator.app) as url:
        processes = [
            subprocess.Popen(
                [sys.executable, str(ASKER), database_url, url, first],
                stdout=subprocess.PIPE,
                stdin=subprocess.PIPE,
                cwd=ASKER.parents[3],
                text=True,
            )
            for first in ("357801040387", "357801440387")
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:  # both are waiting: let them ask at once
            assert process.stdin is not None
            process.stdin.write("ask\n")
            process.stdin.flush()
        counted = [json.loads(process.communicate()[0]) for process in processes]
    assert simulator.calls == 500
    assert sum(one["answered"] for one in counted) == 500
    assert sum(one["used_up"] for one in counted) == 500
    assert sum(one["otherwise"] for one in counted) == 0
