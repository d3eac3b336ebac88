"""What a comparison came to, as files between the engine that compared and the database that keeps it.

`results.parquet` has a row for each person, in the order of regency and id; `things.parquet` what else was
found of some. Written anew they may differ, for the registry goes on: a chunk is therefore bounded by its
first person, not by a row's number. They hold ids, words and days, and no value of anybody.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from gateway.reconciliation.checked import CHECKED, CheckedPerson, FoundThing, checked_people
from gateway.reconciliation.kinds import kind_of
from gateway.reconciliation.proposing import LIKELY, LikelyPerson
from gateway.reconciliation.statuses import ELEMENTS, Status, Verdict

RESULTS, THINGS, SUMMARY = "results.parquet", "things.parquet", "summary.json"
# One letter for a verdict; the place in the text is the element's.
LETTERS = {Verdict.SAME: "s", Verdict.VARIANT: "v", Verdict.DIFFERENT: "d", Verdict.MISSING: "m"}
_WORDS = {letter: verdict.value for verdict, letter in LETTERS.items()}
_DIFFER = frozenset({LETTERS[Verdict.DIFFERENT], LETTERS[Verdict.VARIANT]})
_MEMORY = "400MB"


@dataclass(frozen=True, slots=True)
class Bound:
    """The first person of a chunk, and how many people it has."""

    regency: str
    person_id: UUID
    people: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Of which day the extract speaks, how many people were compared, and what of it could not be used."""

    as_of: date
    people: int
    problems: Sequence[dict[str, Any]]

    def write(self, folder: Path) -> None:
        """Say that the files of the folder are whole."""
        content = {"as_of": self.as_of.isoformat(), "people": self.people, "problems": list(self.problems)}
        (folder / SUMMARY).write_text(json.dumps(content), encoding="utf-8")

    @classmethod
    def of(cls, folder: Path) -> Self:
        """What was said of the files of the folder."""
        content = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        return cls(date.fromisoformat(content["as_of"]), content["people"], content["problems"])


class Results:
    """The files of one folder, read. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._engine = duckdb.connect(config={"temp_directory": "", "memory_limit": _MEMORY, "threads": "1"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_ended: object) -> None:
        self._engine.close()

    def bounds(self, size: int) -> list[Bound]:
        """Where the chunks begin, of `size` people each but the last."""
        rows = self._engine.execute(
            "SELECT regency, person_id, number FROM ("
            " SELECT regency, person_id, row_number() OVER (ORDER BY regency, person_id) - 1 AS number"
            " FROM read_parquet($1)) WHERE number % $2 = 0 ORDER BY number",
            [str(self._folder / RESULTS), size],
        ).fetchall()
        total = self._count()
        return [
            Bound(regency, UUID(person_id), min(size, total - number)) for regency, person_id, number in rows
        ]

    def people(self, first: Bound, behind: Bound | None) -> pa.Table:
        """Everybody from `first` on and before `behind`, as rows of `checked.CHECKED`."""
        rows: pa.Table = self._found(RESULTS, ", ".join(CHECKED.names), first, behind).to_arrow_table()
        return rows.cast(CHECKED)

    def things(self, first: Bound, behind: Bound | None) -> list[FoundThing]:
        """What else was found of these people."""
        if not (self._folder / THINGS).exists():
            return []
        names = "person_id, regency, kind, evidence"
        return [
            FoundThing(UUID(person_id), regency, kind, json.loads(evidence or "{}"))
            for person_id, regency, kind, evidence in self._rows(THINGS, names, first, behind)
        ]

    def likely(self, first: Bound, behind: Bound | None) -> list[LikelyPerson] | None:
        """The likely persons of these people; None where nobody looked for any."""
        if not (self._folder / LIKELY).exists():
            return None
        names = "person_id, regency, rank, weight, probability, proposal, agreeing, model, reasons"
        rows = self._rows(LIKELY, f"{names}, sealed_nik, pair", first, behind)
        return [LikelyPerson(UUID(person_id), *said) for person_id, *said in rows]

    def _rows(self, file: str, names: str, first: Bound, behind: Bound | None) -> list[tuple[Any, ...]]:
        return self._found(file, names, first, behind).fetchall()

    def _found(self, file: str, names: str, first: Bound, behind: Bound | None) -> duckdb.DuckDBPyRelation:
        # The regency by itself too: that is what lets the reader skip parts of the file.
        where = "regency >= $2 AND (regency > $2 OR person_id >= $3)"
        values = [str(self._folder / file), first.regency, str(first.person_id)]
        if behind is not None:
            where += " AND regency <= $4 AND (regency < $4 OR person_id < $5)"
            values += [behind.regency, str(behind.person_id)]
        query = f"SELECT {names} FROM read_parquet($1) WHERE {where}"  # noqa: S608 - our own names
        return self._engine.sql(query, params=values)

    def _count(self) -> int:
        query = "SELECT count(*) FROM read_parquet($1)"
        ((count,),) = self._engine.execute(query, [str(self._folder / RESULTS)]).fetchall()
        return int(count)


def things_of(rows: pa.Table) -> list[FoundThing]:
    """What a regency must look into because of the statuses of these rows of `checked.CHECKED`."""
    speak = pa.array([status.value for status in Status if kind_of(status) is not None])
    few = rows.filter(pc.field("status").isin(speak))
    return [thing for one in checked_people(few) if (thing := thing_of(one)) is not None]


def thing_of(one: CheckedPerson) -> FoundThing | None:
    """What a regency must look into because of a person's status; None where there is nothing."""
    kind = kind_of(one.status)
    if kind is None:
        return None
    evidence: dict[str, Any] = dict(told_differences(one.verdicts))
    if one.state_since is not None:
        evidence["since"] = one.state_since.isoformat()
    if one.moved_to is not None:
        evidence["moved_to"] = one.moved_to
    return FoundThing(one.person_id, one.regency, kind, evidence)


def told_differences(verdicts: str | None) -> dict[str, str]:
    """Element -> verdict in words, of those that are not the same."""
    return {
        element: _WORDS[letter]
        for element, letter in zip(ELEMENTS, verdicts or "", strict=False)
        if letter in _DIFFER
    }
