"""What one node does for all moves to another when it dies, and nothing is done twice."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select

from gateway.audit.log import add_entries
from gateway.audit.tables import audit_checkpoints, audit_leaves
from gateway.audit.verification import verify
from gateway.database import Database
from gateway.reconciliation.alone import alone, somebody_works
from gateway.reconciliation.night import Night
from gateway.reconciliation.runs import Order, Runs
from gateway.reconciliation.schedule import Schedule, submit_due
from tests.conftest import empty_postgres_database
from tests.gateway.audit.logs import RunningLog, outcome
from tests.living import without_gapura_variables

ROOT = Path(__file__).parents[2]


def test_the_log_and_reconciliations_go_on_at_another_node_when_the_one_that_leads_is_killed(
    postgres_server: str, migrated_postgres: str
) -> None:
    with (
        empty_postgres_database(postgres_server, like=migrated_postgres) as url,
        closing(Database(url)) as database,
    ):
        log = RunningLog(database)
        with database.unit_of_work() as connection:
            add_entries(connection, [outcome(number).seal(b"b" * 32) for number in range(1, 8)])
        assert log.sequencer.integrate(5) == 5
        leader = subprocess.Popen(
            [sys.executable, "-m", "tests.gateway.leader", url],
            cwd=ROOT,
            env=without_gapura_variables(),
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert leader.stdout is not None
            assert leader.stdout.readline() == "leading\n"
            assert log.sequencer.integrate() == 0
            assert log.sequencer.sign() is False
            assert somebody_works(database)
            with alone(database) as free:
                assert free is None
        finally:
            leader.kill()  # SIGKILL: it lets go of nothing by itself
            leader.communicate()
        _until(lambda: log.sequencer.integrate() == 2)
        assert log.sequencer.sign() is True
        _until(lambda: not somebody_works(database))
        with alone(database) as free:
            assert free is not None
        with database.reading() as connection:
            assert connection.execute(select(func.max(audit_leaves.c.leaf_index))).scalar() == 6
            assert connection.execute(select(audit_checkpoints.c.size)).scalars().all() == [7]
        assert verify(database, log.key.verifier).finding is None


def test_a_scheduled_run_is_made_once_by_whichever_node_notices_it_first(
    postgres_server: str, migrated_postgres: str
) -> None:
    schedule = Schedule(Night.of("20:00-05:00"), "0 20 * * *", Order("live"))
    eight_o_clock = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)  # 20:00 WIB

    def notice(database: Database, after: timedelta) -> UUID | None:
        def clock() -> datetime:
            return eight_o_clock + after

        run = submit_due(schedule, Runs(database, clock), clock)
        return run and run.id

    with ExitStack() as stack:
        url = stack.enter_context(empty_postgres_database(postgres_server, like=migrated_postgres))
        nodes = [stack.enter_context(closing(Database(url))) for _ in range(4)]
        with ThreadPoolExecutor(len(nodes)) as pool:
            made = set(pool.map(lambda node: notice(node, timedelta(seconds=1)), nodes))
        assert len(made) == 1
        assert made != {None}
        # The one that made it may be gone: for the others there is nothing left to make.
        assert {notice(nodes[-1], timedelta(hours=5))} == made


def _until(holds: Callable[[], bool]) -> None:
    """PostgreSQL notices a dead client within moments."""
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)
