"""What the serving processes tell of a source, seen by an operator in another process."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from connectors.transport.observed import SourceState
from gateway.database import Database
from gateway.sources.reports import FRESH_FOR, SourceOverview, overviews, report_states
from tests.gateway.sources.populace import Clock

NOW = Clock().now
ASKED = SourceState(
    name="dukcapil",
    reachable=True,
    breaker="closed",
    next_probe_in_s=0.0,
    latency_s=0.1,
    last_success=NOW,
    last_failure=None,
    last_cause=None,
    unavailable_since=None,
    in_flight=0,
    waiting=0,
    questions=3,
    attempts=3,
    retries=0,
    retries_left=10,
    refused=0,
    coalesced=0,
)
DOWN = replace(
    ASKED,
    reachable=False,
    breaker="open",
    latency_s=0.3,
    last_success=NOW - timedelta(minutes=2),
    last_failure=NOW + timedelta(seconds=1),
    last_cause="refused",
    unavailable_since=NOW - timedelta(minutes=1),
)


def test_the_worst_breaker_and_the_newest_events_of_all_processes_are_shown(database: Database) -> None:
    report_states(database, [ASKED, replace(ASKED, name="bpjs")], process="a", now=NOW)
    report_states(database, [DOWN], process="b", now=NOW)
    bpjs, dukcapil = overviews(database, NOW)
    assert (bpjs.name, bpjs.processes, bpjs.breaker) == ("bpjs", 1, "closed")
    assert dukcapil == SourceOverview(
        name="dukcapil",
        processes=2,
        reachable=False,
        breaker="open",
        latency_s=0.2,
        last_success=NOW,
        last_failure=NOW + timedelta(seconds=1),
        last_cause="refused",
        unavailable_since=NOW - timedelta(minutes=1),
    )


def test_a_process_replaces_its_own_report(database: Database) -> None:
    report_states(database, [DOWN], process="a", now=NOW)
    report_states(database, [ASKED], process="a", now=NOW)
    (dukcapil,) = overviews(database, NOW)
    assert (dukcapil.processes, dukcapil.breaker, dukcapil.last_cause) == (1, "closed", None)


def test_a_process_that_fell_silent_no_longer_counts(database: Database) -> None:
    report_states(database, [DOWN], process="a", now=NOW)
    assert overviews(database, NOW + FRESH_FOR) != []
    assert overviews(database, NOW + FRESH_FOR + timedelta(seconds=1)) == []


def test_a_source_that_nobody_asked_yet_is_neither_reachable_nor_not(database: Database) -> None:
    unasked = replace(ASKED, reachable=None, last_success=None, latency_s=None)
    report_states(database, [unasked], process="a", now=NOW)
    (dukcapil,) = overviews(database, NOW)
    assert (dukcapil.reachable, dukcapil.latency_s, dukcapil.last_success) == (None, None, None)


def test_reports_of_another_version_are_not_read(database: Database) -> None:
    report_states(database, [ASKED], process="a", now=NOW)
    with database.unit_of_work() as connection:
        connection.exec_driver_sql('UPDATE source_reports SET state = \'{"name": "dukcapil"}\'')
    assert overviews(database, NOW) == []
