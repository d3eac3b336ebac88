"""Chunks of results into the database, against a slow model of what each of them has to leave behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, select

from gateway.database import Database
from gateway.reconciliation.checked import CheckedPerson, checked_rows
from gateway.reconciliation.statuses import MEANINGS, Status
from gateway.reconciliation.storing import SET_STATUSES, ChunkStore, Stored
from gateway.reconciliation.tables import reconciliation_changes, reconciliation_statuses
from gateway.registry.tables import people
from tests.gateway.reconciliation.registry import IMPORTED, crowd, now, settle

EVERYBODY = crowd(9)
ROUNDS = 7
_DAYS = [IMPORTED - timedelta(days=1), *(IMPORTED + timedelta(days=days) for days in range(5))]


@dataclass
class Model:
    """What is known of people, what changed, and what the registry says, person by person."""

    known: dict[UUID, tuple[str, str | None, date, UUID]] = field(default_factory=dict)
    changes: dict[tuple[UUID, UUID], tuple[str | None, str]] = field(default_factory=dict)
    registry: dict[tuple[UUID, str], tuple[str, str, date]] = field(default_factory=dict)

    def store(self, run: UUID, as_of: date, said: list[CheckedPerson]) -> int:
        """One chunk; how many statuses changed."""
        changed = 0
        for one in said:
            if one.status is Status.NOT_CHECKED:
                continue
            before, _, since, _ = self.known.get(one.person_id, (None, None, date.min, None))
            if since <= as_of:
                self.known[one.person_id] = (one.status.value, one.verdicts, as_of, run)
                if before != one.status:
                    self.changes[one.person_id, run] = (before, one.status.value)
                    changed += 1
            for column, word in MEANINGS[one.status].sets.items():
                if self.registry[one.person_id, column][2] <= as_of:
                    self.registry[one.person_id, column] = (word, "dukcapil", as_of)
        return changed


def registry_of(connection: Connection) -> dict[tuple[UUID, str], tuple[str, str, date]]:
    return {
        (row.id, name): tuple(getattr(row, column) for column in (name, f"{name}_source", f"{name}_as_of"))
        for row in connection.execute(select(people))
        for name in SET_STATUSES
    }


def stored(database: Database, run: UUID, as_of: date, said: list[CheckedPerson]) -> Stored:
    with database.unit_of_work() as connection:
        return ChunkStore()(connection, run, as_of, now(), checked_rows(said), [])


def drawn(random: Random) -> list[CheckedPerson]:
    """What a run says of some people; of many the same again."""
    return [
        CheckedPerson(
            one.id, one.region[:5], random.choice([Status.MATCHED, *Status]), random.choice(["s", "d"])
        )
        for one in random.sample(EVERYBODY, random.randint(0, len(EVERYBODY)))
    ]


def refuse_other(database: Database, model: Model) -> None:
    statuses, changes = reconciliation_statuses, reconciliation_changes
    with database.reading() as connection:
        assert registry_of(connection) == model.registry
        known = {
            row.person_id: (row.status, row.verdicts, row.as_of, row.run_id)
            for row in connection.execute(select(statuses))
        }
        assert known == model.known
        history = {
            (row.person_id, row.run_id): (row.before, row.after)
            for row in connection.execute(select(changes))
        }
        assert history == model.changes


@pytest.mark.parametrize("seed", range(3))
def test_whatever_runs_say_in_whatever_order_of_days_is_stored_as_the_model_says(
    database: Database, seed: int
) -> None:
    settle(database, EVERYBODY)
    random, model = Random(seed), Model()  # noqa: S311 - a test's own choice
    with database.reading() as connection:
        model.registry = registry_of(connection)
    for _ in range(ROUNDS):
        run, as_of, said = uuid4(), random.choice(_DAYS), drawn(random)
        assert stored(database, run, as_of, said).changed == model.store(run, as_of, said)
        refuse_other(database, model)


def test_the_same_chunk_again_changes_nothing(database: Database) -> None:
    settle(database, EVERYBODY)
    run, said = uuid4(), [CheckedPerson(one.id, "35.78", Status.DECEASED) for one in EVERYBODY]
    first = stored(database, run, IMPORTED, said)
    before = _everything(database)
    again = stored(database, run, IMPORTED, said)
    assert (first.changed, again.changed) == (len(EVERYBODY), 0)
    assert _everything(database) == before


def test_whom_the_registry_no_longer_has_gets_no_status(database: Database) -> None:
    settle(database, EVERYBODY[:1])
    said = [CheckedPerson(one.id, "35.78", Status.MATCHED) for one in EVERYBODY[:2]]
    assert stored(database, uuid4(), IMPORTED, said).changed == 1
    with database.reading() as connection:
        known = connection.execute(select(reconciliation_statuses.c.person_id)).scalars().all()
    assert known == [EVERYBODY[0].id]


def _everything(database: Database) -> list[list[Any]]:
    with database.reading() as connection:
        return [
            sorted(map(tuple, connection.execute(select(table))), key=str)
            for table in (people, reconciliation_statuses, reconciliation_changes)
        ]
