"""The log by months on PostgreSQL: a year's turn loses nothing, and nobody waits for a month."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, delete, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from gateway.audit.detaching import Detached, detach
from gateway.audit.log import AuditLog, add_entries
from gateway.audit.months import NUMBERS_PER_MONTH, LogMonths, months_after, months_of
from gateway.audit.proofs import leaf_hash, open_checkpoint
from gateway.audit.search import Asked, search
from gateway.audit.subject_index import SubjectIndex
from gateway.audit.tables import audit_entries, audit_months
from gateway.audit.verification import dump, verify
from gateway.audit.verifier import Found, check_log, read_dump
from gateway.database import Database
from gateway.errors import BadInput, Conflict, NotFound
from gateway.migrations import config_of, migrate
from gateway.overview.counting import TrafficTotals
from tests.conftest import empty_postgres_database
from tests.gateway.audit.logs import NOW, RunningLog, outcome

# Long ago, because the server's own clock bounds which months may be begun.
NOVEMBER = date(2023, 11, 1)
PARTS = text(
    "SELECT relname FROM pg_class JOIN pg_namespace spaces ON spaces.oid = relnamespace "
    "WHERE nspname = 'audit_by_month' AND relkind = 'r' ORDER BY relname"
)
NUMBERED = select(audit_entries.c.sequence).order_by(audit_entries.c.sequence)


class Clock:
    """WIB is seven hours ahead: the year turns at 17:00 UTC."""

    def __init__(self) -> None:
        self.now = datetime(2023, 11, 20, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def divided(postgres_server: str, migrated_postgres: str) -> Iterator[Database]:
    """A log of which the first month is November 2023."""
    with (
        empty_postgres_database(postgres_server, like=migrated_postgres) as url,
        closing(Database(url)) as database,
    ):
        with database.unit_of_work() as connection:
            connection.execute(audit_months.update().values(month=NOVEMBER))
        yield database


def _parts(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(PARTS).scalars())


def _numbers(database: Database) -> list[int]:
    with database.reading() as connection:
        return list(connection.execute(NUMBERED).scalars())


def _add(database: Database, number: int) -> None:
    with database.unit_of_work() as connection:
        add_entries(connection, [outcome(number).seal(b"b" * 32)])


def _part_of(connection: Connection, sequence: int) -> str:
    query = "SELECT tableoid::regclass::text FROM audit_entries WHERE sequence = :number"
    return str(connection.execute(text(query), {"number": sequence}).scalar_one())


def test_two_months_are_made_ahead_and_again_only_when_a_month_has_gone(divided: Database) -> None:
    clock = Clock()
    months = LogMonths(divided, clock)
    assert months.tend() == 2
    assert months.tend() == 0
    made = [name for name in _parts(divided) if name.startswith("audit_subjects")]
    assert made == ["audit_subjects_2023_12", "audit_subjects_2024_01", *made[2:]]
    assert len(made) == 4  # the first, which is named after the month of the migration, and the default
    clock.now = datetime(2023, 12, 1, tzinfo=UTC)
    assert months.tend() == 1
    standing = months_of(divided)
    assert standing is not None
    assert (standing.open, standing.newest) == (date(2023, 12, 1), date(2024, 2, 1))


def test_entries_at_a_years_turn_go_where_they_belong_and_the_log_stays_whole(divided: Database) -> None:
    clock, log = Clock(), RunningLog(divided)
    months, index = LogMonths(divided, clock), SubjectIndex(divided)
    log.write(3)
    for moment in ("2023-12-31T16:59:59+00:00", "2023-12-31T17:00:00+00:00"):
        clock.now = datetime.fromisoformat(moment)
        months.tend()
        log.write(3, first=10 * clock.now.hour)
    december, january = NUMBERS_PER_MONTH, 2 * NUMBERS_PER_MONTH
    assert _numbers(divided) == [
        1,
        2,
        3,
        december,
        december + 1,
        december + 2,
        january,
        january + 1,
        january + 2,
    ]
    with divided.reading() as connection:
        assert _part_of(connection, january) == "audit_by_month.audit_entries_2024_01"
    while not index.step():
        pass
    assert len(index.mentions([f"{171:032x}"], limit=9)) == 1
    report = verify(divided, log.key.verifier)
    assert (report.entries, report.finding) == (9, None)
    assert log.ledger.find(UUID(int=162)) is not None


def test_a_month_that_nobody_began_is_skipped_and_one_that_has_not_come_is_not_begun(
    divided: Database,
) -> None:
    clock = Clock()
    months = LogMonths(divided, clock)
    clock.now = datetime(2024, 3, 15, tzinfo=UTC)
    assert months.tend() == 6
    _add(divided, 1)
    assert _numbers(divided) == [4 * NUMBERS_PER_MONTH]
    clock.now = datetime(2023, 12, 15, tzinfo=UTC)  # a node whose clock is behind
    assert months.tend() == 0
    _add(divided, 2)
    assert _numbers(divided)[-1] == 4 * NUMBERS_PER_MONTH + 1


def test_until_a_month_is_begun_entries_go_where_they_went(divided: Database) -> None:
    _add(divided, 1)
    with divided.reading() as connection:
        assert not _part_of(connection, 1).endswith("default")


def test_entries_in_no_month_are_kept_and_told_of_and_taken_in_when_theirs_is_made(divided: Database) -> None:
    told: list[tuple[str, dict[str, Any]]] = []

    def tell(name: str, *, level: str = "info", **fields: Any) -> None:
        told.append((name, {"level": level, **fields}))

    months = LogMonths(divided, Clock())
    _add(divided, 1)
    assert months.look_for_strays(tell) == 0
    with divided.unit_of_work() as connection:
        beyond = {"number": 2 * NUMBERS_PER_MONTH + 5}
        connection.execute(text("SELECT setval('audit_entries_sequence_seq', :number)"), beyond)
    _add(divided, 2)
    stray = _numbers(divided)[-1]
    with divided.reading() as connection:
        assert _part_of(connection, stray).endswith("entries_default")
    assert months.look_for_strays(tell) == 1
    assert told == [("audit:entries_in_no_month", {"level": "error", "newest_month": "2023-11-01"})]
    assert months.tend() == 2
    with divided.reading() as connection:
        assert _part_of(connection, stray).endswith("entries_2024_01")
    assert _numbers(divided) == [1, stray]
    assert months.look_for_strays(tell) == 0


def test_an_exchange_ends_once_in_a_month(divided: Database) -> None:
    LogMonths(divided, Clock()).tend()
    _add(divided, 1)
    with pytest.raises(IntegrityError):
        _add(divided, 1)


@pytest.mark.parametrize(
    "asked", ["make_audit_months(current_date + 101)", "begin_audit_month(current_date + 2)"]
)
def test_whoever_serves_cannot_make_months_without_end(divided: Database, asked: str) -> None:
    with pytest.raises(DBAPIError, match=r"ahead at most|not before"), divided.unit_of_work() as connection:
        connection.execute(text(f"SELECT {asked}"))


def test_on_sqlite_there_is_nothing_to_do(tmp_path: Path) -> None:
    with closing(Database(f"sqlite:///{tmp_path}/gapura.db")) as database:
        assert LogMonths(database, Clock()).tend() == 0


def test_a_log_that_was_one_table_is_divided_and_joined_again_without_a_change(postgres_url: str) -> None:
    with closing(Database(postgres_url)) as database:
        _move(database, command.upgrade, "0022")
        log = RunningLog(database)
        log.write(40)
        index = SubjectIndex(database)
        index.step()
        migrate(database)
        LogMonths(database, lambda: datetime.now(UTC)).tend()
        log.write(2, first=50)
        before = _everything(database)
        assert before[0][-1][0] == 42
        _move(database, command.downgrade, "0022")
        assert _everything(database) == before
        _add(database, 60)  # the counter goes on, and an exchange still ends once
        with pytest.raises(IntegrityError):
            _add(database, 1)
        migrate(database)
        assert verify(database, log.key.verifier).finding is None
        assert len(index.mentions([f"{39:032x}"], limit=9)) == 1


@pytest.mark.anyio
async def test_whoever_appends_goes_on_while_the_log_is_divided(postgres_url: str) -> None:
    with closing(Database(postgres_url)) as database:
        _move(database, command.upgrade, "0022")
        audit, numbers = AuditLog(database), itertools.count(1)
        for _ in range(10):  # until its statements are prepared
            await audit.append(outcome(next(numbers)))
        dividing = asyncio.create_task(asyncio.to_thread(migrate, database))
        while not dividing.done():
            await audit.append(outcome(next(numbers)))
        await dividing
        for _ in range(10):
            await audit.append(outcome(next(numbers)))
        audit.close()
        assert _numbers(database) == list(range(1, next(numbers)))
        with database.reading() as connection:
            assert _part_of(connection, 1).startswith("audit_by_month.")


def _move(database: Database, there: Callable[[Config, str], None], revision: str) -> None:
    config = config_of()
    with database.unit_of_work() as connection:
        config.attributes["connection"] = connection
        there(config, revision)


def _everything(database: Database) -> list[list[tuple[Any, ...]]]:
    with database.reading() as connection:
        return [
            [tuple(row) for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2"))]  # noqa: S608
            for table in ("audit_entries", "audit_subjects")
        ]


def test_months_are_counted_over_a_years_end() -> None:
    assert months_after(date(2026, 11, 1), 2) == date(2027, 1, 1)
    assert months_after(date(2026, 12, 1), 12) == date(2027, 12, 1)


@pytest.fixture
def old_log(divided: Database) -> RunningLog:
    """Three months, of 3, 4 and 5 entries; the first two ended more than two years before `NOW`."""
    clock, log = Clock(), RunningLog(divided)
    for number, (month, count) in enumerate([(11, 3), (12, 4), (1, 5)]):
        clock.now = datetime(2023 + (month == 1), month, 20, tzinfo=UTC)
        LogMonths(divided, clock).tend()
        log.write(count, first=100 * number + 1)
    while not SubjectIndex(divided).step() or not TrafficTotals(divided, clock).step():
        pass
    return log


def _detach(log: RunningLog, month: date, at: datetime = NOW) -> Detached:
    integrate = log.sequencer.step
    return detach(log.database, month, order="JRA 4/2026", actor="staff-7", at=at, integrate=integrate)


def test_a_detached_month_leaves_its_hashes_and_the_log_stays_whole(old_log: RunningLog) -> None:
    database, head = old_log.database, old_log.ledger.head()
    assert head is not None
    assert _detach(old_log, NOVEMBER).entries == 3
    done = _detach(old_log, date(2023, 12, 1))
    assert done.entries == 7
    assert done.tables == ("audit_by_month.audit_entries_2023_12", "audit_by_month.audit_subjects_2023_12")
    report = verify(database, old_log.key.verifier, kept_notes=[head.note])
    assert (report.entries, report.detached, report.erased, report.finding) == (14, 7, (), None)
    assert old_log.ledger.find(UUID(int=1)) is None  # what it said is gone from here
    assert old_log.ledger.find(UUID(int=201)) is not None
    proof = old_log.ledger.proof(7)
    assert proof is not None  # of what came later, everything can be proven as before
    index = SubjectIndex(database)
    index.rebuild()  # as `gapura rights reindex` does, past what is not here any more
    while not index.step():
        pass
    found = search(database, Asked("exchange"), limit=50)
    assert len(found.hits) == 5
    assert index.mentions([f"{1:032x}"], limit=9) == []
    assert len(index.mentions([f"{201:032x}"], limit=9)) == 1


def test_a_detached_month_is_told_to_whoever_checks_the_log_elsewhere(old_log: RunningLog) -> None:
    _detach(old_log, NOVEMBER)
    notes, found, held = read_dump(dump(old_log.database, old_log.key.verifier))
    report = check_log(found, held, [open_checkpoint(note, old_log.key.verifier) for note in notes])
    assert (report.detached, report.finding) == (3, None)


def test_more_than_was_ordered_cannot_be_gone(old_log: RunningLog) -> None:
    _detach(old_log, NOVEMBER)
    with old_log.database.unit_of_work() as connection:
        connection.execute(audit_months.update().values(detached_at=NOW))  # by a hand that can do anything
        connection.execute(delete(audit_entries).where(audit_entries.c.sequence == NUMBERS_PER_MONTH))
    finding = verify(old_log.database, old_log.key.verifier).finding
    assert finding is not None
    assert (finding.index, finding.kind) == (3, "dropped")


@pytest.mark.parametrize(
    ("ordered", "finding"), [(("3", "4"), None), (("3", "3"), 3), (("2", "4"), 3), (("None", "4"), 3)]
)
def test_an_order_allows_so_many_to_be_gone_up_to_its_entry(
    ordered: tuple[str, str], finding: int | None
) -> None:
    entries = [Found(bytes([number]) * 32, missing="month") for number in range(4)]
    entries.append(Found(b"o" * 32, orders=(ordered,)))
    report = check_log(entries, [leaf_hash(entry.digest) for entry in entries], [])
    assert (report.finding and report.finding.index) == finding
    assert report.detached == 4


def test_a_month_that_is_gone_without_an_order_is_found(old_log: RunningLog) -> None:
    with old_log.database.unit_of_work() as connection:
        connection.execute(
            text("ALTER TABLE audit_entries DETACH PARTITION audit_by_month.audit_entries_2023_12")
        )
    finding = verify(old_log.database, old_log.key.verifier).finding
    assert finding is not None
    assert (finding.index, finding.kind) == (3, "dropped")


def test_only_the_oldest_month_that_is_finished_and_old_enough_is_detached(old_log: RunningLog) -> None:
    with pytest.raises(Conflict, match="2023-11"):
        _detach(old_log, date(2023, 12, 1))
    with pytest.raises(BadInput, match="23 months ago"):
        _detach(old_log, NOVEMBER, at=datetime(2025, 10, 31, tzinfo=UTC))
    with old_log.database.unit_of_work() as connection:
        connection.execute(text("UPDATE traffic_progress SET leaf_index = 2"))
    with pytest.raises(Conflict, match="placed, indexed and counted"):
        _detach(old_log, NOVEMBER)


def test_sqlite_has_no_months_to_detach(tmp_path: Path) -> None:
    with closing(Database(f"sqlite:///{tmp_path}/gapura.db")) as database, pytest.raises(NotFound):
        detach(database, NOVEMBER, order="x", actor="y", at=NOW, integrate=lambda: None)
