"""Questions counted as their entries get their place: each once, on its day, whoever runs the sequencer."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.entry import Entry
from gateway.audit.erasure import erase
from gateway.audit.evidence import asked_fields
from gateway.audit.log import add_entries
from gateway.audit.sequencer import Sequencer
from gateway.audit.shapes import MOST_SAMPLES, Counted, shapes_since
from gateway.database import Database
from gateway.limits.budget import Code
from tests.gateway.audit.logs import RunningLog, suspension

# Half an hour before and after midnight in Jakarta.
EVENING = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)
AFTER_MIDNIGHT = datetime(2026, 11, 20, 17, 30, tzinfo=UTC)
FRIDAY, SATURDAY = date(2026, 11, 20), date(2026, 11, 21)


def asked(number: int, at: datetime = EVENING, kind: str = "outcome", **changes: Any) -> Entry:
    body = {
        "operation": "records",
        "purpose": "member-reconciliation",
        "programme": None,
        "asked": "all",
        "subject_count": 1,
        "outcome": "answered",
        **changes,
    }
    return Entry(UUID(int=number), kind, at, "bpjs-kesehatan", body)


def counted(log: RunningLog, *entries: Entry, first: date = FRIDAY) -> list[Counted]:
    if entries:
        log.add([entry.seal(bytes(32)) for entry in entries])
    with log.database.reading() as connection:
        return list(shapes_since(connection, first))


def test_equal_questions_of_one_civil_day_are_one_shape(database: Database) -> None:
    log = RunningLog(database)
    (one,) = counted(log, *(asked(number) for number in range(7)))
    assert (one.day, one.exchanges, len(one.samples)) == (FRIDAY, 7, MOST_SAMPLES)
    assert one.samples == [str(UUID(int=number)) for number in range(MOST_SAMPLES)]
    assert one.shape == {
        "consumer": "bpjs-kesehatan",
        "operation": "records",
        "purpose": "member-reconciliation",
        "programme": None,
        "asked": "all",
        "subject_count": 1,
        "unavailable": [],
    }
    (one, other) = counted(log, *(asked(number, AFTER_MIDNIGHT) for number in range(10, 13)))
    assert (one.exchanges, other.day, other.exchanges) == (7, SATURDAY, 3)
    assert [each.day for each in counted(log, suspension(), first=SATURDAY)] == [SATURDAY]


@pytest.mark.parametrize(
    "changes",
    [
        {"asked": ["decile"]},
        {"subject_count": 2},
        {"purpose": None},
        {"programme": "PKH"},
        {"operation": "eligibility"},
        {"unavailable": ["decile"]},
        {"outcome": "refused", "reason": "no_agreement", "subject_count": 3},
    ],
)
def test_whatever_an_agreement_looks_at_makes_another_shape(
    database: Database, changes: dict[str, Any]
) -> None:
    assert len(counted(RunningLog(database), asked(1), asked(2, **changes))) == 2


@pytest.mark.parametrize("reason", [*get_args(Code), "day_not_covered"])
def test_what_no_agreement_decided_is_not_counted(database: Database, reason: str) -> None:
    assert counted(RunningLog(database), asked(1, outcome="refused", reason=reason)) == []


def test_an_intent_and_an_entry_of_before_are_not_counted(database: Database) -> None:
    earlier = asked(2)
    body = {name: said for name, said in earlier.body.items() if name != "asked"}
    assert counted(RunningLog(database), asked(1, kind="intent"), replace(earlier, body=body)) == []


def test_sequencers_at_once_count_each_exchange_once(database: Database) -> None:
    log = RunningLog(database)
    with database.unit_of_work() as connection:
        add_entries(
            connection, [asked(number, subject_count=number % 7 + 1).seal(bytes(32)) for number in range(600)]
        )
    others = [Sequencer(database, log.key, log.clock) for _ in range(4)]

    def work(sequencer: Sequencer) -> None:
        while sequencer.integrate(25):
            pass

    threads = [threading.Thread(target=work, args=(sequencer,)) for sequencer in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.sequencer.step()
    with database.reading() as connection:
        found = {one.shape["subject_count"]: one.exchanges for one in shapes_since(connection, FRIDAY)}
    assert found == Counter(number % 7 + 1 for number in range(600))


def test_an_erased_entry_stays_counted(database: Database) -> None:
    log = RunningLog(database)
    counted(log, asked(1))
    order = {"order": "PTUN-7/2026", "actor": "oda", "at": EVENING}
    erase(database, UUID(int=1), scope="payload", **order, integrate=log.sequencer.integrate)  # type: ignore[arg-type]
    (one,) = counted(log)
    assert one.exchanges == 1


@given(st.lists(st.one_of(st.text(), st.sampled_from(["decile", "sex", "3578085203849991"]))))
def test_no_name_that_the_dictionary_does_not_know_gets_into_the_log(names: list[str]) -> None:
    told = asked_fields(names, {"decile", "sex"})
    assert told is not None
    assert set(told) <= {"decile", "sex", "?"}
    assert set(told) & {"decile", "sex"} == set(names) & {"decile", "sex"}
    assert list(told) == sorted(set(told))
    assert "3578085203849991" not in json.dumps(told)
