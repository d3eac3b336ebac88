"""A regency's findings as a CSV with its table schema, and a run's figures as files to draw and to map.

The CSV holds people, for the regency that looks into them: it has mode 0600, and only people who live there
now are in it. Identifiers are texts, and the schema beside it (Frictionless Table Schema) says so.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from sqlalchemy import Row, select

from gateway.database import Database
from gateway.errors import BadInput
from gateway.reconciliation.findings import mark_sent
from gateway.reconciliation.kinds import KINDS
from gateway.reconciliation.runs import Run, refuse_uninhabited
from gateway.reconciliation.statuses import MEANINGS, Status
from gateway.reconciliation.tables import findings
from gateway.registry.tables import living_within, people
from gateway.rights import acts
from gateway.staff.roles import Staff
from policies.regions import is_region_code

EXPORTED = "findings.exported"
_REGENCY_CHARS = 5
_ROWS_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    title: str
    description: str
    constraints: Mapping[str, Any]


_COLUMNS = (
    _Column("finding_id", "Nomor temuan", "Finding id; answer under it.", {"required": True, "unique": True}),
    _Column("kind", "Jenis", "Kind of finding.", {"required": True, "enum": sorted(KINDS)}),
    _Column("kind_label", "Uraian jenis", "The kind in Indonesian.", {}),
    _Column("nik", "NIK", "National id, 16 digits as text.", {}),
    _Column("full_name", "Nama", "Name in the registry.", {}),
    _Column("birth_date", "Tanggal lahir", "Date of birth in the registry, ISO 8601.", {}),
    _Column("address", "Alamat", "Address in the registry.", {}),
    _Column("hamlet", "Dusun", "Hamlet.", {}),
    _Column("rt", "RT", "Neighbourhood number, three digits as text.", {}),
    _Column("rw", "RW", "Community number, three digits as text.", {}),
    _Column("region_code", "Kode wilayah", "Kemendagri code, dotted, as text.", {"required": True}),
    _Column("evidence", "Bukti", "Verdicts by element, as JSON; no element of Dukcapil.", {}),
    _Column("state", "Status", "open, sent, answered.", {"enum": ["open", "sent", "answered"]}),
    _Column("since", "Sejak", "When it was found, UTC.", {"required": True}),
)
_PERSON = ("nik", "full_name", "birth_date", "address", "hamlet", "rt", "rw", "region_code")
_DATES = {"birth_date": "date", "since": "datetime"}


@dataclass(frozen=True, slots=True)
class WorkList:
    """The work list of one regency: the text of its CSV, which holds people, and how many findings it has."""

    regency: str
    csv: str = field(repr=False)
    findings: int

    @property
    def name(self) -> str:
        """What its file is called."""
        return f"findings-{self.regency}.csv"

    def write(self, folder: Path) -> Path:
        """Write the CSV, of mode 0600, and its schema into the folder; where the CSV is."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / self.name
        with _private(path) as file:
            file.write(self.csv)
        schema = json.dumps(table_schema(), ensure_ascii=False, indent=2)
        path.with_suffix(".schema.json").write_text(schema + "\n", encoding="utf-8")
        return path


def export_regency(database: Database, staff: Staff, regency: str, reason: str, now: datetime) -> WorkList:
    """The findings of a regency about people who live there now; they count as sent from `now` on.

    Who exported how many, and why, is in the audit log before anything is handed out. Raises BadInput.
    """
    if not is_region_code(regency) or len(regency) != _REGENCY_CHARS:
        raise BadInput("region: expected the code of one regency, such as 35.78.")
    with database.reading() as connection:
        refuse_uninhabited(connection, regency)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([column.name for column in _COLUMNS])
    written: list[UUID] = []
    for row in _rows(database, regency):
        writer.writerow(_cells(row))
        written.append(row.id)
    with database.unit_of_work() as connection:
        acts.record(connection, staff, EXPORTED, f"region/{regency}", reason, now, findings=len(written))
        mark_sent(connection, written, now)
    return WorkList(regency, text.getvalue(), len(written))


def table_schema() -> dict[str, Any]:
    """What the columns are, as a Frictionless Table Schema."""
    return {
        "$schema": "https://datapackage.org/profiles/2.0/tableschema.json",
        "fields": [
            {
                "name": column.name,
                "title": column.title,
                "description": column.description,
                "type": _DATES.get(column.name, "string"),
                **({"constraints": dict(column.constraints)} if column.constraints else {}),
            }
            for column in _COLUMNS
        ],
        "primaryKey": ["finding_id"],
        "missingValues": [""],
    }


def _rows(database: Database, regency: str) -> Iterator[Row[*tuple[Any, ...]]]:
    """The findings about people who live in the regency now, a page at a time."""
    chosen = (
        select(findings, *(people.c[name] for name in _PERSON))
        .join(people, people.c.id == findings.c.person_id)
        .where(findings.c.region == regency, findings.c.state != "closed", living_within(regency))
        .order_by(findings.c.id)
        .limit(_ROWS_AT_ONCE)
    )
    with database.reading() as connection:
        after = None
        while True:
            page = chosen if after is None else chosen.where(findings.c.id > after)
            found = connection.execute(page).all()
            yield from found
            if len(found) < _ROWS_AT_ONCE:
                return
            after = found[-1].id


def _cells(row: Row[Any]) -> list[str]:
    cells = {name: getattr(row, name) for name in ("kind", "state", *_PERSON)}
    cells |= {
        "finding_id": row.id,
        "kind_label": KINDS[row.kind].id if row.kind in KINDS else row.kind,
        "evidence": json.dumps(row.evidence, sort_keys=True),
        "since": row.opened_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return ["" if (value := cells[column.name]) is None else str(value) for column in _COLUMNS]


def write_report(run: Run, folder: Path) -> list[Path]:
    """The report of a completed run as files: JSON, CSVs that join by code, and plots. Raises BadInput."""
    if run.report is None:
        raise BadInput("There is no report yet: the reconciliation is not completed.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = [folder / "report.json", folder / "match-rates.csv", folder / "quality.csv"]
    written[0].write_text(json.dumps(run.report, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    _write_csv(written[1], ["code", "people", "match_rate", *Status], _rates(run.report))
    _write_csv(written[2], _quality_columns(run.report), _quality(run.report))
    for name, specification in plots(run.report).items():
        path = folder / f"{name}.vl.json"
        path.write_text(json.dumps(specification, indent=1) + "\n", encoding="utf-8")
        written.append(path)
    return written


def plots(report: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Statuses beside the run before, and match rates by regency, as Vega-Lite specifications."""
    runs = {"this run": report["statuses"], "run before": report["statuses_before"] or {}}
    statuses = [
        {"run": run, "status": MEANINGS[Status(word)].label.en, "people": people_}
        for run, counts in runs.items()
        for word, people_ in counts.items()
    ]
    rates = [
        {"code": code, "match_rate": of["match_rate"]}
        for code, of in report["regions"].items()
        if of["match_rate"] is not None
    ]
    return {
        "statuses": _plot(
            statuses,
            {
                "y": {"field": "status", "type": "nominal", "sort": "-x"},
                "x": {"field": "people", "type": "quantitative"},
                "yOffset": {"field": "run"},
                "color": {"field": "run", "type": "nominal"},
            },
        ),
        "match-rates": _plot(
            rates,
            {
                "x": {"field": "match_rate", "type": "quantitative", "bin": {"step": 0.05}},
                "y": {"aggregate": "count", "title": "regencies"},
            },
        ),
    }


def _plot(values: Sequence[Mapping[str, Any]], encoding: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "data": {"values": list(values)},
        "mark": "bar",
        "encoding": dict(encoding),
    }


def _rates(report: Mapping[str, Any]) -> Iterator[list[Any]]:
    for code, of in report["regions"].items():
        counts = of["statuses"]
        rate = "" if of["match_rate"] is None else of["match_rate"]
        yield [code, sum(counts.values()), rate, *(counts.get(word, 0) for word in Status)]


def _quality_columns(report: Mapping[str, Any]) -> list[str]:
    measures: Mapping[str, Any] = next(iter(report["quality"].values()), {})
    return ["code", *measures]


def _quality(report: Mapping[str, Any]) -> Iterator[list[Any]]:
    for code, measures in report["quality"].items():
        yield [code, *measures.values()]


def _write_csv(path: Path, headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(headings)
        writer.writerows(rows)


def _private(path: Path) -> IO[str]:
    """A new file of mode 0600 to write to."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")
