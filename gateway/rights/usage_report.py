"""The usage report that every user of population data owes Dukcapil each semester (Permendagri 102/2019).

By month: the calls that were made, counted where the quota is kept; and from the log the exchanges for which
Dukcapil was asked, how they ended, and for which consumer and purpose. 153 institutions lost their access in
2021 over missing reports. The layout is ours: the official form was never published.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
from sqlalchemy import select

from gateway.audit.tables import audit_entries
from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.errors import BadInput
from gateway.rights.processing import Span
from gateway.sources.tables import source_calls
from policies.dictionary import Text

DUKCAPIL = "dukcapil"
COLUMNS = (
    *("month", "calls", "consumer", "purpose", "exchanges", "people"),
    *("answered", "refused_unavailable", "unfinished", "erased"),
)
_SEMESTER = re.compile(r"(\d{4})-S([12])", re.ASCII)
_LAST_MONTH_OF_FIRST = 6
_AT_A_TIME = 1_000


@dataclass(slots=True)
class _Line:
    exchanges: int = 0
    people: int = 0
    answered: int = 0
    refused_unavailable: int = 0
    unfinished: int = 0
    erased: int = 0


def semester(name: str) -> Span:
    """The days of a semester such as 2026-S2. Raises BadInput."""
    matched = _SEMESTER.fullmatch(name)
    if matched is None:
        raise BadInput(
            Text(
                "Semester: diharapkan tahun dan S1 atau S2, seperti 2026-S2.",
                "semester: expected a year and S1 or S2, such as 2026-S2.",
            )
        )
    year, half = int(matched[1]), int(matched[2])
    if half == 1:
        return Span(date(year, 1, 1), date(year, _LAST_MONTH_OF_FIRST, 30))
    return Span(date(year, _LAST_MONTH_OF_FIRST + 1, 1), date(year, 12, 31))


def usage_report(database: Database, name: str, *, source: str = DUKCAPIL) -> dict[str, Any]:
    """The report of a semester. Blocks: reads the semester's intents. Raises BadInput."""
    span = semester(name)
    calls = _calls(database, source, span)
    lines = _lines(database, source, span)
    return {
        "gapura_usage_report": 1,
        "source": source,
        "semester": name,
        "first": span.first.isoformat(),
        "last": span.last.isoformat(),
        "calls": sum(calls.values()),
        "months": [
            {
                "month": month,
                "calls": calls.get(month, 0),
                "use": [
                    {
                        "consumer": consumer,
                        "purpose": purpose,
                        **{name: getattr(line, name) for name in _Line.__slots__},
                    }
                    for (of, consumer, purpose), line in sorted(lines.items())
                    if of == month
                ],
            }
            for month in _months(span)
        ],
    }


def as_csv(report: dict[str, Any]) -> str:
    """The report as a table: one line per month, consumer and purpose; the calls of a month on its first."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for month in report["months"]:
        head = {"month": month["month"], "calls": month["calls"]}
        for line in month["use"] or [{}]:
            writer.writerow(head | line)
            head = {"month": month["month"]}
    return out.getvalue()


def _calls(database: Database, source: str, span: Span) -> dict[str, int]:
    query = select(source_calls.c.day, source_calls.c.made).where(
        source_calls.c.source == source, source_calls.c.day.between(span.first, span.last)
    )
    calls: defaultdict[str, int] = defaultdict(int)
    with database.reading() as connection:
        for day, made in connection.execute(query):
            calls[f"{day:%Y-%m}"] += made
    return calls


def _lines(database: Database, source: str, span: Span) -> dict[tuple[str, str, str], _Line]:
    """What the source was asked for, by month, consumer and purpose."""
    intents, outcomes = audit_entries.alias("intents"), audit_entries.alias("outcomes")
    first, end = span.moments
    query = (
        select(intents.c.at, intents.c.consumer_id, intents.c.entry, outcomes.c.kind, outcomes.c.entry)
        .outerjoin(
            outcomes, (outcomes.c.exchange_id == intents.c.exchange_id) & (outcomes.c.kind == "outcome")
        )
        .where(intents.c.kind == "intent", intents.c.at >= first, intents.c.at < end)
    )
    lines: defaultdict[tuple[str, str, str], _Line] = defaultdict(_Line)
    with database.reading() as connection:
        for at, consumer, intent, ended, outcome in connection.execute(query).yield_per(_AT_A_TIME):
            # An erased intent no longer says which source it asked.
            said: dict[str, Any] = {"sources": [source]} if intent is None else orjson.loads(intent)
            # The sandbox asks nobody but a simulator.
            if source in said["sources"] and not said.get("sandbox"):
                line = lines[f"{civil_day(at):%Y-%m}", consumer, said.get("purpose") or ""]
                line.exchanges += 1
                line.people += said.get("subject_count", 0)
                _count_ending(line, ended, outcome)
    return lines


def _count_ending(line: _Line, ended: str | None, outcome: str | None) -> None:
    if ended is None:
        line.unfinished += 1
    elif outcome is None:
        line.erased += 1
    elif orjson.loads(outcome)["outcome"] == "answered":
        line.answered += 1
    else:
        line.refused_unavailable += 1


def _months(span: Span) -> Iterator[str]:
    for month in range(span.first.month, span.last.month + 1):
        yield f"{span.first.year}-{month:02}"
