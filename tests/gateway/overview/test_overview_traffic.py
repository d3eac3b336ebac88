"""Traffic in totals: counted once from the log, in the right hour and day, and read without the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from gateway.audit.entry import Entry
from gateway.audit.log import add_entries
from gateway.audit.sequencer import Sequencer
from gateway.audit.signing import log_key
from gateway.audit.tables import audit_entries
from gateway.database import Database
from gateway.overview.counting import OUTCOMES, TrafficTotals, outcome_of
from gateway.overview.traffic import MOST_CONSUMERS, traffic

NOW = datetime(2026, 11, 21, 3, 30, tzinfo=UTC)  # 10.30 in Jakarta
ANSWERED: Mapping[str, Any] = {
    "outcome": "answered",
    "withheld": [],
    "unavailable": [],
    "counts": {"eligible": 1},
}


class Log:
    """A log that the test writes, its totals, and the clock of both."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = NOW
        self.totals = TrafficTotals(database, lambda: self.now)
        self._sequencer = Sequencer(database, log_key("gapura.example/log", b"s" * 32), lambda: self.now)

    def write(self, *, ago: timedelta = timedelta(0), consumer: str = "bpjs", **body: Any) -> UUID:
        """One outcome of an eligibility question about two people, in the tree."""
        said = {"operation": "eligibility", "subject_count": 2, **ANSWERED, **body}
        entry = Entry(uuid4(), said.pop("kind", "outcome"), NOW - ago, consumer, said)
        with self.database.unit_of_work() as connection:
            add_entries(connection, [entry.seal(b"b" * 32)])
        self._sequencer.integrate()
        return entry.exchange_id

    def count(self) -> None:
        while not self.totals.step():
            pass


@pytest.fixture
def log(database: Database) -> Log:
    return Log(database)


def test_an_exchange_is_counted_once_in_its_hour_and_in_its_day_of_jakarta(log: Log) -> None:
    log.write()
    log.write(ago=timedelta(hours=11))  # 23.30 of the day before in Jakarta
    log.count()
    log.count()
    day, month = traffic(log.database, "24h", NOW), traffic(log.database, "30d", NOW)
    assert [part.share.exchanges for part in day.parts] == [*([0] * 12), 1, *([0] * 10), 1]
    assert [part.share.exchanges for part in month.parts] == [*([0] * 28), 1, 1]
    assert month.parts[-1].starts_at == datetime(2026, 11, 20, 17, tzinfo=UTC)
    assert (day.total.exchanges, day.total.people, day.decisions) == (2, 4, {"eligible": 2})


def test_what_is_older_than_the_range_is_left_out(log: Log) -> None:
    log.write(ago=timedelta(days=30))
    log.write(ago=timedelta(days=2))
    log.count()
    assert traffic(log.database, "24h", NOW).total.exchanges == 0
    assert traffic(log.database, "30d", NOW).total.exchanges == 1


def test_intents_are_not_counted_and_the_sandbox_decides_about_nobody(log: Log) -> None:
    log.write(kind="intent")
    log.write(sandbox=True)
    log.count()
    seen = traffic(log.database, "24h", NOW)
    assert (seen.total.exchanges, seen.decisions) == (1, {})


def test_the_busiest_consumers_are_named_and_the_rest_counted_together(log: Log) -> None:
    for number in range(MOST_CONSUMERS + 2):
        for _ in range(1 if number < 2 else 2):
            log.write(consumer=f"c-{number:02}")
    log.count()
    seen = traffic(log.database, "24h", NOW)
    assert [one for one, _, _ in seen.consumers] == [
        f"c-{number:02}" for number in range(2, MOST_CONSUMERS + 2)
    ]
    assert seen.other_consumers.exchanges == 2
    assert [(name, share.exchanges) for name, share in seen.operations] == [
        ("eligibility", seen.total.exchanges)
    ]


def test_totals_made_anew_are_the_same_but_for_what_was_erased(log: Log) -> None:
    erased = log.write()
    log.write(outcome="refused", reason="purpose_not_covered")
    log.count()
    before = traffic(log.database, "30d", NOW).total
    log.totals.rebuild()
    log.count()
    assert traffic(log.database, "30d", NOW).total == before
    with log.database.unit_of_work() as connection:
        of_it = audit_entries.c.exchange_id == erased
        connection.execute(update(audit_entries).where(of_it).values(entry=None))
    log.totals.rebuild()
    log.count()
    after = traffic(log.database, "30d", NOW).total
    assert (after.exchanges, after.outcomes["erased"], after.outcomes["answered"]) == (2, 1, 0)


def test_old_hours_are_forgotten_and_their_days_stay(log: Log) -> None:
    log.write()
    log.count()
    log.now = NOW + timedelta(days=4)
    assert log.totals.forget_old() == 3  # traffic, consumers, decisions
    assert traffic(log.database, "24h", NOW).total.exchanges == 0
    assert traffic(log.database, "30d", log.now).total.exchanges == 1


_bodies = st.fixed_dictionaries(
    {
        "outcome": st.sampled_from(["answered", "refused"]),
        "reason": st.sampled_from(["source_unavailable", "purpose_not_covered"]),
        "withheld": st.sampled_from([[], ["nik"]]),
        "unavailable": st.sampled_from([[], ["decile"]]),
        "counts": st.sampled_from([{}, {"eligible": 1}, {"unknown": 1, "eligible": 2}]),
    }
)


@given(_bodies)
def test_how_an_exchange_ended_is_one_word_the_one_that_weighs_most(body: dict[str, Any]) -> None:
    holds = Counter(
        {
            "unavailable": body["outcome"] == "refused" and body["reason"] == "source_unavailable",
            "refused": body["outcome"] == "refused",
            "unknown": bool(body["unavailable"]) or "unknown" in body["counts"],
            "withheld": bool(body["withheld"]),
            "answered": True,
        }
    )
    heaviest = ("unavailable", "refused", "unknown", "withheld", "answered")
    assert outcome_of(body) == next(word for word in heaviest if holds[word])
    assert outcome_of(body) in OUTCOMES
