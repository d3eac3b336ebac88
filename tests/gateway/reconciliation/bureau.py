"""A registry with mistyped NIKs, and everybody who proposes, decides and compares again."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, select, text

from gateway.audit.entry import SubjectHasher
from gateway.database import Database
from gateway.reconciliation.acceptance import Acceptance, Candidate, LikelyPersons
from gateway.reconciliation.acceptance_rules import AcceptanceByRule, AcceptanceRules
from gateway.reconciliation.comparing import compare_with_extract
from gateway.reconciliation.proposing import LIKELY
from gateway.reconciliation.results import Summary
from gateway.reconciliation.runner import Runner
from gateway.reconciliation.runs import Run, Runs
from gateway.reconciliation.sealing import NikSeal
from gateway.reconciliation.tables import findings, reconciliation_statuses
from gateway.reconciliation.working import AcceptByRule, Compare, Work
from gateway.registry.tables import people
from policies.conditions import evaluate, load_rules
from tests.gateway.reconciliation.registry import (
    Somebody,
    crowd,
    no_live,
    now,
    plainly,
    settle,
    submitted,
    write_extract,
)
from tests.gateway.staff.office import Office
from tests.policies.builders import DICTIONARY, SHIPPED

REASON = "kartu keluarga diperiksa, surat 12/2026"
# What only the population register says of whom the registry has with a mistyped NIK.
MARK = "TULUNGAGUNG"
LOST, OTHER = 6, 7
CROWD = crowd(24)
RIGHT = {number: str(CROWD[number].row["nik"]) for number in (LOST, OTHER)}
WRONG = {number: f"{nik[:12]}{nik[13]}{nik[12]}{nik[14:]}" for number, nik in RIGHT.items()}


class Bureau:
    """The parts of reconciling over one database, wired as the product does."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.office = Office(database, folder)
        self.database, self.folder = database, folder
        self.seal = NikSeal(self.office.keys)
        self.hasher = SubjectHasher(self.office.keys.audit_key)
        self.likely = LikelyPersons(database, self.seal, self.hasher, now)
        self.rules = AcceptanceRules(database, now)
        self.accept = AcceptanceByRule(Acceptance(self.seal, self.hasher), now)

    def settle(self, *mistyped: int) -> None:
        """Bring everybody into the registry, these with two digits of their NIK swapped."""
        rows = [
            Somebody(one.number, one.region, {"nik": WRONG[one.number]}) if one.number in mistyped else one
            for one in CROWD
        ]
        settle(self.database, rows)

    def run(
        self,
        *,
        linking: bool = False,
        proposed: Mapping[int, str] = RIGHT,
        second: Mapping[int, str] | None = None,
        bits: float = 9.0,
    ) -> Run:
        """A run to its end: with Splink, or as if it had found `proposed`, and `second` behind them."""
        as_if = self._as_if(proposed, bits, second)
        done = self.run_that_ends(self._truly if linking else as_if, self.accept)
        assert (done.state, done.failure) == ("completed", None)
        return done

    def run_that_ends(self, compare: Compare, accept: AcceptByRule) -> Run:
        """A run as far as it comes."""
        extract = write_extract(self.folder / "extract.csv", CROWD, all_well=True)
        _mark(extract)
        run = submitted(self.database, extract)
        self.work_off(compare, accept)
        return Runs(self.database, now).get(run.id)

    def run_cut_short(self) -> Run:
        """A run that falls over when a rule has accepted whom it may, and before that is committed."""

        def falling(connection: Connection, run_id: UUID, after: str | None) -> str | None:
            assert self.accept(connection, run_id, after) is not None
            raise RuntimeError

        return self.run_that_ends(self._as_if(RIGHT, 9.0), falling)

    def work_off(self, compare: Compare | None = None, accept: AcceptByRule | None = None) -> None:
        """Work on what is under way."""
        work = Work(
            self.database,
            self.folder / "runs",
            compare or self._as_if(RIGHT, 9.0),
            no_live,
            now,
            accept=accept or self.accept,
            chunk_people=7,
        )
        assert Runner(self.database, work, Runs(self.database, now), now, look_every_s=0.02, poll_s=0.02)()

    def _truly(self, run: Run, folder: Path) -> Summary:
        return compare_with_extract(self.database, run.order, folder, seal=self.seal)

    def run_without_looking(self) -> Run:
        """A run that looks for nobody, as one that asks Dukcapil itself does."""
        return self.run_that_ends(plainly(self.database), self.accept)

    def _as_if(
        self, proposed: Mapping[int, str], bits: float, second: Mapping[int, str] | None = None
    ) -> Compare:
        plain = plainly(self.database)

        def compare(run: Run, folder: Path) -> Summary:
            summary = plain(run, folder)
            found = [(number, 1, nik) for number, nik in proposed.items()]
            found += [(number, 2, nik) for number, nik in (second or {}).items()]
            rows = [self._found(number, nik, rank, bits) for number, rank, nik in found]
            pq.write_table(pa.Table.from_pylist(rows), folder / LIKELY)
            return summary

        return compare

    def _found(self, number: int, nik: str, rank: int, bits: float) -> dict[str, Any]:
        one = CROWD[number]
        words = {"trait": {"id": "nama", "en": "name"}, "words": {"id": "sama", "en": "same"}}
        return {
            "regency": one.region[:5],
            "person_id": str(one.id),
            "rank": rank,
            "weight": bits,
            "probability": 0.995,
            "proposal": "accept",
            "agreeing": 6,
            "model": "0" * 64,
            "reasons": json.dumps([{**words, "bits": bits, "tells": "person"}]),
            "sealed_nik": self.seal.seal(one.id, self.nik(number), nik),
            "pair": self.seal.pair(one.id, nik),
        }

    def nik(self, number: int) -> str | None:
        return str(self.person(number).nik)

    def person(self, number: int) -> Any:
        with self.database.reading() as connection:
            return connection.execute(select(people).where(people.c.id == CROWD[number].id)).one()

    def candidate(self, number: int) -> Candidate:
        (found,) = self.likely.of_person(CROWD[number].id)
        return found

    def status(self, number: int) -> str:
        known = reconciliation_statuses
        with self.database.reading() as connection:
            said = select(known.c.status).where(known.c.person_id == CROWD[number].id)
            return str(connection.execute(said).scalar_one())

    def findings(self, number: int) -> dict[str, str]:
        """Kind -> state, of a person's findings."""
        chosen = select(findings.c.kind, findings.c.state).where(findings.c.person_id == CROWD[number].id)
        with self.database.reading() as connection:
            return {row.kind: row.state for row in connection.execute(chosen)}

    def identity_clause(self, number: int) -> str:
        """What PBI-JK's rule says of the person's identity."""
        rule = load_rules(SHIPPED / "programmes", DICTIONARY)["PBI-JK"]
        facts = {"identity_status": self.person(number).identity_status}
        return str(evaluate(rule, facts, date(2026, 11, 22)).clauses["identity_matched"])

    def acts(self, name: str) -> list[dict[str, Any]]:
        return self.office.acts(name)

    def everything(self) -> Iterator[tuple[str, str]]:
        """Every table of the database and of the jobs with all its bytes as text; a file with its name."""
        if self.database.is_sqlite:
            for file in self.folder.glob("gapura*"):
                if file.is_file():
                    yield file.name, file.read_bytes().decode("latin-1")
            return
        named = text("SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'dbos')")
        with self.database.reading() as connection:
            for schema, table in connection.execute(named).all():
                rows = connection.exec_driver_sql(f'SELECT t::text FROM "{schema}"."{table}" t').scalars()  # noqa: S608
                yield table, "\n".join(rows)


def _mark(extract: Path) -> None:
    """Have the population register say of the lost where they were born, which the registry does not."""
    with extract.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["nik"] in RIGHT.values():
            row["birth_place"] = MARK
    with extract.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
