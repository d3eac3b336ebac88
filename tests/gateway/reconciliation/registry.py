"""A small registry and what Dukcapil would hand over about it, with the truth known for everybody."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid5

import duckdb
from sqlalchemy import Connection, insert

from gateway.database import Database
from gateway.reconciliation.comparing import compare_with_extract
from gateway.reconciliation.jobs import Jobs
from gateway.reconciliation.registry_rows import export_registry
from gateway.reconciliation.results import RESULTS, Summary
from gateway.reconciliation.runner import Runner
from gateway.reconciliation.runs import Order, Run, Runs
from gateway.reconciliation.working import Compare, Work
from gateway.registry.tables import STATUS_VOCABULARY, enrolments, people
from gateway.staff.roles import INSTALLATION

TODAY = date(2026, 11, 22)
IMPORTED = date(2026, 10, 1)
SURABAYA, BANDUNG = "35.78.08.1003", "32.73.01.1001"
_NAMESPACE = UUID("5f2f8f3e-3a35-4a8e-9a52-0d1f7a1f8a10")
_COLUMNS = (
    *("nik", "family_card_number", "full_name", "birth_date", "birth_place", "sex", "mother_name"),
    *("region_code", "person_state", "state_since", "as_of"),
)
# What Dukcapil holds under the NIK of the n-th person, by n modulo 10; the others are alive and the same.
STATES = {1: "deceased", 2: "moved", 3: "inactive"}
ABSENT, ANOTHER_SEX = 4, 5


@dataclass(frozen=True)
class Somebody:
    """One invented person of the registry."""

    number: int
    region: str = SURABAYA
    over: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> UUID:
        return uuid5(_NAMESPACE, str(self.number))

    @property
    def row(self) -> dict[str, Any]:
        born = date(1950 + self.number % 50, 1 + self.number % 12, 2 + self.number % 26)
        row: dict[str, Any] = {
            "id": self.id,
            "source_key": f"test:{self.number}",
            "nik": f"357808{born:%d%m%y}9{self.number:03d}",
            "full_name": f"NAMA {_word(self.number)} CONTOH",
            "birth_date": born,
            "birth_place": "SURABAYA",
            "sex": "L",
            "mother_name": f"IBU {_word(self.number * 7 + 3)}",
            "address": "JL. CONTOH 1",
            "region_code": self.region,
            "synthetic": True,
            "source": "dtks",
            "as_of": IMPORTED,
        }
        usual = ("active", "alive", "resident", "not_checked", "eligible")
        for name, word in zip(STATUS_VOCABULARY, usual, strict=True):
            row |= {name: word, f"{name}_source": "dtks", f"{name}_as_of": IMPORTED}
        return row | dict(self.over)

    @property
    def status(self) -> str:
        """What a run has to find."""
        kind = self.number % 10
        words = {1: "deceased", 2: "moved", 3: "inactive", 4: "unknown_nik", 5: "matched_with_differences"}
        return words.get(kind, "matched")


def _word(number: int) -> str:
    """A name that is nobody else's, in letters far apart from its neighbours'."""
    return "".join(chr(65 + (number * step + step) % 26) for step in (7, 11, 3, 17, 5, 23))


def crowd(count: int) -> list[Somebody]:
    """So many people, two of three in Surabaya and one in Bandung."""
    return [Somebody(number, BANDUNG if number % 3 == 0 else SURABAYA) for number in range(count)]


def settle(database: Database, everybody: Sequence[Somebody]) -> None:
    """Bring them into the registry; the dead are still in PKH."""
    with database.unit_of_work() as connection:
        connection.execute(insert(people), [one.row for one in everybody])
        enrolled = [one.id for one in everybody if one.status == "deceased" and one.number % 20 == 1]
        if enrolled:
            membership = {"programme": "PKH", "starts_on": IMPORTED, "source": "dtks", "as_of": IMPORTED}
            connection.execute(insert(enrolments), [{"person_id": one, **membership} for one in enrolled])


def write_extract(path: Path, everybody: Sequence[Somebody], *, all_well: bool = False) -> Path:
    """What Dukcapil hands over; with `all_well` everybody is alive, where the registry says, and found."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        for one in everybody:
            kind = 0 if all_well else one.number % 10
            if kind == ABSENT:
                continue
            row = {name: one.row.get(name, "") for name in _COLUMNS}
            row |= {"family_card_number": "", "as_of": TODAY.isoformat(), "state_since": ""}
            row |= {"person_state": STATES.get(kind, "alive")}
            if kind == ANOTHER_SEX:
                row["mother_name"] = "SEORANG LAIN"
            if kind == 2:
                row["region_code"] = "33.74.01.1001"
            writer.writerow(row)
    return path


def now() -> datetime:
    """A morning on which the extract is of today."""
    return datetime(2026, 11, 22, 1, 30, tzinfo=UTC)


def plainly(database: Database) -> Compare:
    """A comparison for tests of what comes after it: by NIK, mother and state, in a tenth of the time."""

    def compare(run: Run, folder: Path) -> Summary:
        rows = folder / "registry.parquet"
        export_registry(database, rows, run.order.region)
        with duckdb.connect(config={"threads": "1"}) as engine:
            engine.execute(_PLAIN.format(rows=rows, extract=run.order.extract, results=folder / RESULTS))
            count = engine.execute(
                "SELECT count(*) FROM read_parquet($1)", [str(folder / RESULTS)]
            ).fetchone()
        rows.unlink()
        assert count is not None
        return Summary(TODAY, count[0], [])

    return compare


_PLAIN = """
COPY (
    SELECT here.person_id, left(here.region_code, 5) AS regency,
        CASE WHEN there.nik IS NULL THEN 'unknown_nik'
        WHEN there.person_state <> 'alive' THEN there.person_state
        WHEN here.mother_name <> there.mother_name THEN 'matched_with_differences'
        ELSE 'matched' END AS status,
        CASE WHEN there.nik IS NULL THEN 'mmmmmmm' WHEN here.mother_name <> there.mother_name THEN 'sssssdm'
        ELSE 'ssssssm' END AS verdicts,
        NULL::DATE AS state_since, NULL::VARCHAR AS moved_to
    FROM read_parquet('{rows}') AS here
    LEFT JOIN read_csv('{extract}', all_varchar = true) AS there USING (nik)
    ORDER BY regency, person_id
) TO '{results}' (FORMAT parquet)
"""


def truly(database: Database) -> Compare:
    """The comparison that the product makes."""

    def compare(run: Run, folder: Path) -> Summary:
        return compare_with_extract(database, run.order, folder)

    return compare


def no_live(_run: Run, _jobs: Any) -> None:
    """Nobody asked for a live run."""
    raise AssertionError


def worker(
    database: Database, folder: Path, *, chunk_people: int = 20, compare: Compare | None = None
) -> Runner:
    """Whoever works on runs, in small chunks and without a pause."""
    compare = compare or plainly(database)
    work = Work(database, folder / "runs", compare, no_live, now, chunk_people=chunk_people)
    return Runner(database, work, Runs(database, now), now, look_every_s=0.02, poll_s=0.02)


def submitted(database: Database, extract: Path, region: str | None = None) -> Run:
    """A run that somebody on the machine asked for."""
    return Runs(database, now).submit(INSTALLATION, Order("extract", str(extract), region))


class _AtOnce:
    """Does a job's steps one after the other, each in its transaction, without anything that lasts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self, _name: str, act: Callable[[Connection], Any]) -> Any:
        with self._database.unit_of_work() as connection:
            return act(connection)


def carried_out_at_once(database: Database, folder: Path, run: Run) -> Run:
    """The same in a tenth of the time, where nobody has to kill or pause it."""
    work = Work(database, folder / "runs", plainly(database), no_live, now)
    work.jobs = cast(Jobs, _AtOnce(database))
    work(run.id)
    return Runs(database, now).get(run.id)
