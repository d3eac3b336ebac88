"""The record of processing of an agreement, and the usage report that Dukcapil gets."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from sqlalchemy import insert

from gateway.database import Database
from gateway.errors import BadInput
from gateway.rights.desk import Copy, Held
from gateway.rights.pages import copy_as_html, record_as_html
from gateway.rights.processing import Span, record_of_processing
from gateway.rights.usage_report import as_csv, semester, usage_report
from gateway.sources.tables import source_calls
from policies.dictionary import Ceiling
from policies.disclosure import DisclosureDelay
from tests.gateway.rights.logged import ANI, BUDI, NOW, Log
from tests.policies.builders import DICTIONARY, an_agreement

IN_OCTOBER = datetime(2026, 10, 31, 17, 30, tzinfo=UTC)  # already November in Jakarta


@pytest.fixture
def log(database: Database) -> Log:
    return Log(database)


def test_a_record_of_processing_says_what_the_text_says_and_what_the_log_counted(log: Log) -> None:
    agreement = an_agreement(
        {"decile": "keep", "mother_name": "drop"}, disclosure_delay=DisclosureDelay(30, "UU 0/2026 art. 1")
    )
    log.write((ANI, "released"), at=IN_OCTOBER)
    log.write(at=NOW, outcome="refused", reason="too_many_subjects", counts={})
    log.write((BUDI, "released"), agreement={"id": "another", "version": 1, "sha256": "00"})
    log.write((BUDI, "released"), consumer="another")
    span = Span(date(2026, 11, 1), date(2026, 11, 30))
    record = record_of_processing(log.database, agreement, DICTIONARY, "Kementerian X", span, NOW)
    assert record["recipient"] == {"id": "ministry", "name": "Kementerian X"}
    assert record["legal_basis"] == ["UU 0/2026"]
    assert [one["name"] for one in record["fields"]] == ["decile"]
    assert record["disclosure_delay"] == {"days": 30, "legal_basis": "UU 0/2026 art. 1"}
    assert record["volume"] == [
        {
            "month": "2026-11",
            "exchanges": {"answered": 1, "refused": 1},
            "people": 1,
            "outcomes": {"released": 1},
        }
    ]
    assert "Kementerian X" in record_as_html(record)
    assert record_as_html({**record, "volume": []})


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(BadInput):
        Span(date(2026, 2, 1), date(2026, 1, 31))


def test_the_semester_report_counts_calls_and_how_what_they_were_for_ended(log: Log) -> None:
    with log.database.unit_of_work() as connection:
        for source, day, made in (
            ("dukcapil", date(2026, 11, 1), 40),
            ("dukcapil", date(2026, 11, 2), 2),
            ("dukcapil", date(2026, 6, 30), 9),
            ("bpjs", date(2026, 11, 1), 7),
        ):
            connection.execute(insert(source_calls).values(source=source, day=day, made=made))
    for ending in ({}, {"outcome": "refused", "reason": "source_unavailable"}, None):
        exchange = log.write(ANI, BUDI, kind="intent", at=IN_OCTOBER)
        if ending is not None:
            log.write((ANI, "released"), of=exchange, at=IN_OCTOBER, **ending)
    log.write(ANI, kind="intent", at=IN_OCTOBER, sources=["bpjs"])
    log.write(ANI, kind="intent", at=IN_OCTOBER, sandbox=True)  # its simulator was asked
    log.write((ANI, "released"), at=IN_OCTOBER)
    report = usage_report(log.database, "2026-S2")
    assert report["calls"] == 42
    months = {month.pop("month"): month for month in report["months"]}
    assert list(months) == [f"2026-{number:02}" for number in range(7, 13)]
    assert months["2026-11"] == {
        "calls": 42,
        "use": [
            {
                "consumer": "ministry",
                "purpose": "own-status",
                "exchanges": 3,
                "people": 6,
                "answered": 1,
                "refused_unavailable": 1,
                "unfinished": 1,
                "erased": 0,
            }
        ],
    }
    assert months["2026-10"] == {"calls": 0, "use": []}


def test_the_table_of_the_report_holds_the_same_and_counts_no_call_twice(log: Log) -> None:
    for consumer in ("one", "two"):
        log.write(ANI, kind="intent", consumer=consumer)
    with log.database.unit_of_work() as connection:
        connection.execute(insert(source_calls).values(source="dukcapil", day=date(2026, 11, 1), made=5))
    rows = list(csv.DictReader(io.StringIO(as_csv(usage_report(log.database, "2026-S2")))))
    assert [(row["month"], row["calls"], row["consumer"]) for row in rows if row["consumer"]] == [
        ("2026-11", "5", "one"),
        ("2026-11", "", "two"),
    ]
    assert sum(int(row["calls"] or 0) for row in rows) == 5


@pytest.mark.parametrize("name", ["2026", "2026-S3", "26-S1", "2026-s1", "", "٢٠٢٦-S1"])
def test_what_is_no_semester_is_refused(name: str) -> None:
    with pytest.raises(BadInput):
        semester(name)


def test_semesters_are_halves_of_a_year() -> None:
    assert semester("2026-S1") == Span(date(2026, 1, 1), date(2026, 6, 30))
    assert semester("2026-S2") == Span(date(2026, 7, 1), date(2026, 12, 31))


def test_a_name_that_a_browser_would_run_is_only_shown() -> None:
    held = (
        Held("full_name", "<script>alert(1)</script>", "dtks", None),
        Held("enrolments", (), "dtks", date(2026, 9, 30)),
        Held("gone_from_the_dictionary", ("PKH", "BST"), "dtks", None),
    )
    page = copy_as_html(Copy(UUID(int=1), NOW, held, ()), DICTIONARY)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "PKH, BST" in page
    assert "tidak ada" in page
    assert DICTIONARY["photo"].ceiling is Ceiling.NEVER
