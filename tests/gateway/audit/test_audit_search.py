"""The log is searched, newest first: every filter finds what a plain reading of the entries finds."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select

from gateway.audit import erasure, search
from gateway.audit.entry import Entry, act
from gateway.audit.listing import Facet, facet_of, list_all_placed
from gateway.audit.placed import said_by
from gateway.audit.reading import beginning_with
from gateway.audit.search import Asked
from gateway.audit.tables import audit_facets, audit_listed
from gateway.database import Database
from gateway.errors import NotFound
from tests.gateway.audit.logs import NOW, RunningLog

CONSUMERS = ("bpjs-kesehatan", "dinsos-jatim", "bps")
PURPOSES = ("pbi-jk-eligibility", "identity-check", None)
OUTCOMES = ("answered", "purpose_not_covered", "source_unavailable")
ACTS = ("policy.approve", "policy.edit", "staff.signed_in")
PAGE = 7


def _exchange(number: int, chance: random.Random) -> Entry:
    outcome = chance.choice(OUTCOMES)
    said: dict[str, Any] = {"operation": chance.choice(("eligibility", "records"))}
    said |= {"purpose": chance.choice(PURPOSES), "subject_count": 1}
    said |= {"outcome": "answered"} if outcome == "answered" else {"outcome": "refused", "reason": outcome}
    at = NOW + timedelta(minutes=chance.randrange(5_000))
    return Entry(UUID(int=number), "outcome", at, chance.choice(CONSUMERS), said)


def _act(number: int, chance: random.Random) -> Entry:
    who = chance.choice(("ani", "ani@token:12", "budi"))
    at = NOW + timedelta(minutes=number)
    return act(actor=who, act=chance.choice(ACTS), object_id="x", object_sha256=None, reason="why", at=at)


@pytest.fixture
def entries(database: Database) -> list[Entry]:
    """A log in which entries came in another order than their moments."""
    chance = random.Random(8)  # noqa: S311 - a log that is the same every time
    made = [_exchange(number, chance) for number in range(1, 121)]
    made += [_act(number, chance) for number in range(40)]
    RunningLog(database).add([one.seal(bytes(32)) for one in made])
    return made


def _fits(entry: Entry, asked: Asked) -> bool:
    """The oracle: what the words of a search mean, said without facets and indexes."""
    said = entry.body
    if (entry.kind == "act") != (asked.kind == "act"):
        return False
    who = said["actor"].split("@")[0] if entry.kind == "act" else entry.consumer_id
    what = said["act"] if entry.kind == "act" else said["operation"]
    refused = said.get("outcome") == "refused"
    outcome = said.get("reason") if refused else said.get("outcome")
    family = asked.what is not None and asked.what.endswith(".") and what.startswith(asked.what)
    return (
        asked.who in {None, who}
        and (asked.what in {None, what} or family)
        and asked.purpose in {None, said.get("purpose")}
        and (asked.outcome in {None, outcome} or (asked.outcome == "refused" and refused))
        and (asked.since is None or entry.at >= asked.since)
        and (asked.until is None or entry.at < asked.until)
    )


def _all_pages(database: Database, asked: Asked) -> list[UUID]:
    found: list[UUID] = []
    after: UUID | None = None
    while True:
        page = search.search(database, asked, limit=PAGE, after=after)
        found += [hit.exchange_id for hit in page.hits]
        assert len(page.hits) <= PAGE
        if (after := page.following) is None:
            return found


SEARCHES = [
    Asked("exchange"),
    Asked("act"),
    Asked("exchange", who="bps"),
    Asked("exchange", what="records"),
    Asked("exchange", purpose="identity-check"),
    Asked("exchange", outcome="answered"),
    Asked("exchange", outcome="refused"),
    Asked("exchange", outcome="source_unavailable"),
    Asked("exchange", since=NOW + timedelta(minutes=900), until=NOW + timedelta(minutes=3_000)),
    Asked("exchange", who="bps", what="records", purpose="identity-check", outcome="refused"),
    Asked("exchange", who="nobody"),
    Asked("act", who="ani"),
    Asked("act", what="policy."),
    Asked("act", what="staff.signed_in", since=NOW + timedelta(minutes=10)),
]


@pytest.mark.parametrize("most", [64, 0], ids=["newest of each facet", "newest of all"])
def test_every_search_finds_what_a_plain_reading_finds_newest_first_page_by_page(
    database: Database, entries: list[Entry], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_MOST_FACETS", most)
    moments = {one.exchange_id: one.at for one in entries}
    for asked in SEARCHES:
        found = _all_pages(database, asked)
        assert len(found) == len(set(found)), asked
        assert set(found) == {one.exchange_id for one in entries if _fits(one, asked)}, asked
        order = [moments[one] for one in found]
        assert order == sorted(order, reverse=True), asked


def test_a_search_offers_the_words_that_the_log_has(database: Database, entries: list[Entry]) -> None:
    told = search.words(database, "exchange")
    assert list(told.who) == sorted(CONSUMERS)
    assert list(told.purposes) == ["identity-check", "pbi-jk-eligibility"]
    assert list(told.outcomes) == sorted(OUTCOMES)
    assert list(search.words(database, "act").who) == ["ani", "budi"]
    assert len(entries) == 160


def test_a_page_after_an_entry_that_is_none_is_refused(database: Database) -> None:
    with pytest.raises(NotFound):
        search.search(database, Asked("exchange"), limit=1, after=UUID(int=9))


def test_what_was_erased_whole_is_not_listed_any_more(database: Database, entries: list[Entry]) -> None:
    log, gone = RunningLog(database), entries[0].exchange_id
    erasure.erase(
        *(database, gone),
        scope="payload",
        order="12/PN",
        actor="ani",
        at=NOW,
        integrate=log.sequencer.integrate,
    )
    assert gone not in _all_pages(database, Asked("exchange"))
    assert len(_all_pages(database, Asked("exchange"))) == 119


def test_the_list_can_be_made_anew_from_the_entries(database: Database, entries: list[Entry]) -> None:
    before = _listed(database)
    with database.unit_of_work() as connection:
        connection.execute(delete(audit_listed))
        connection.execute(delete(audit_facets))
        list_all_placed(connection)
    assert _listed(database) == before
    assert len(before) == len(entries)


def _listed(database: Database) -> list[tuple[int, datetime, int]]:
    with database.reading() as connection:
        rows = connection.execute(select(audit_listed).order_by(audit_listed.c.sequence))
        return [(row.sequence, row.at, row.facet) for row in rows]


@pytest.mark.parametrize("text", ["", "[]", "7", "{", '{"outcome": null}'])
def test_an_entry_that_cannot_be_read_never_stops_the_sequencer(text: str) -> None:
    assert facet_of("outcome", said_by(text)) in {None, Facet("exchange", "", "")}
    assert facet_of("intent", {"operation": "records"}) is None


@pytest.mark.usefixtures("entries")
def test_a_reference_is_found_by_its_first_digits_among_those_of_its_kind(database: Database) -> None:
    asked_outside = Entry(UUID(int=1), "intent", NOW, "bps", {"operation": "records"})
    RunningLog(database).add([asked_outside.seal(bytes(32))])
    every = beginning_with(database, "00000000", "exchange", 1_000)
    assert every == [UUID(int=number) for number in range(1, 121)]
    assert beginning_with(database, "00000000", "exchange", 3) == every[:3]
    assert beginning_with(database, UUID(int=17).hex[:31], "exchange", 20) == every[15:31]
    assert beginning_with(database, "00000001", "exchange", 20) == []
    assert beginning_with(database, "00000000", "act", 20) == []
