"""How consumers fare, and the pages of their list: many are asked about at once, each told for itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert

from gateway.agreements.tables import policy_listing
from gateway.audit.entry import Entry, SubjectHasher
from gateway.audit.log import add_entries
from gateway.database import Database
from gateway.errors import NotFound
from gateway.limits.ledger import LimitLedger
from gateway.oauth.consumers import ConsumerStore, Wanted
from gateway.oauth.tables import consumer_keys, consumers
from gateway.overview.consumers import ConsumerOverview
from policies.agreement import AgreementBook

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
BODY = {"operation": "records", "subject_count": 1, "outcome": "answered", "counts": {"released": 1}}
NO_BOOK = AgreementBook.of({}, {}, [])


class Consumers:
    """Consumers as their rows, what they asked, and what is told of them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = ConsumerStore(database, lambda: NOW)
        self.limits = LimitLedger(database, SubjectHasher(b"k" * 32), lambda: NOW)
        self.overview = ConsumerOverview(database, self.limits, lambda: NOW)

    def add(self, consumer_id: str, *ends: datetime | None, **also: Any) -> None:
        row = {
            "id": consumer_id,
            "name": consumer_id.upper(),
            "sector": "s",
            "regions": [],
            "state": "active",
        }
        key = {"jwk": _JWK, "added_at": NOW, "added_by": "ani", "approved_by": "oka", "not_before": NOW}
        with self.database.unit_of_work() as connection:
            connection.execute(
                insert(consumers).values(**{**row, "registered_at": NOW, "proposers": [], **also})
            )
            for at, end in enumerate(ends):
                one = {
                    "consumer_id": consumer_id,
                    "kid": str(at),
                    "thumbprint": uuid4().hex,
                    "not_after": end,
                }
                connection.execute(insert(consumer_keys).values(**key, **one))

    def ask(
        self, consumer_id: str, *, ago: timedelta = timedelta(0), kind: str = "outcome", **body: Any
    ) -> UUID:
        entry = Entry(uuid4(), kind, NOW - ago, consumer_id, {**BODY, **body})
        with self.database.unit_of_work() as connection:
            add_entries(connection, [entry.seal(b"b" * 32)])
        return entry.exchange_id


_JWK = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}


@pytest.fixture
def office(database: Database) -> Any:
    opened = Consumers(database)
    yield opened
    opened.limits.close()


def test_health_tells_the_last_exchange_the_keys_and_the_agreements_of_each(office: Consumers) -> None:
    soon = NOW + timedelta(days=3)
    office.add("busy", soon, NOW - timedelta(days=1))
    office.add("endless", soon, None)
    office.add("idle")
    office.ask("busy", ago=timedelta(days=2))
    office.ask("busy", ago=timedelta(hours=2))
    for name, last in (("now", date(2027, 1, 1)), ("over", date(2026, 1, 1))):
        listed = {"kind": "agreement", "name": name, "state": "active", "newest": 1, "consumer": "busy"}
        with office.database.unit_of_work() as connection:
            dates = {"valid_from": date(2025, 1, 1), "valid_until": last}
            connection.execute(insert(policy_listing).values(**listed, **dates))
    busy, idle, endless = office.overview.health(["busy", "idle", "endless"], NO_BOOK)
    assert (busy.last_exchange_at, busy.good_keys, busy.key_ends_at) == (NOW - timedelta(hours=2), 1, soon)
    assert (busy.agreements, busy.fullest) == (1, None)
    assert (idle.last_exchange_at, idle.good_keys, idle.key_ends_at, idle.share) == (None, 0, None, None)
    assert (endless.good_keys, endless.key_ends_at) == (2, None)


def test_last_exchanges_come_newest_first_page_by_page_and_are_nobody_elses(office: Consumers) -> None:
    same = [office.ask("busy") for _ in range(3)]
    older = office.ask("busy", ago=timedelta(hours=1), outcome="refused", reason="purpose_not_covered")
    office.ask("busy", kind="intent")
    office.ask("other")
    first = office.overview.exchanges("busy", 2)
    rest = office.overview.exchanges("busy", 9, first[-1].exchange_id)
    assert [one.exchange_id for one in [*first, *rest]] == [*reversed(same), older]
    assert (rest[-1].outcome, rest[-1].reason) == ("refused", "purpose_not_covered")
    with pytest.raises(NotFound):
        office.overview.exchanges("busy", 9, uuid4())


def test_the_list_pages_by_id_and_is_narrowed_by_what_is_asked(office: Consumers) -> None:
    for number in range(5):
        office.add(f"dinas-{number}", None, None)
    office.add("proposed", None, state="proposed", sector="kesehatan")
    office.add("waits", None, waiting={"sandbox": False}, sandbox=True)
    found, total = office.store.page(Wanted(), "dinas-1", 3)
    assert ([one.consumer.id for one in found], total) == (["dinas-2", "dinas-3", "dinas-4"], 7)
    assert [len(one.keys) for one in found] == [2, 2, 2]

    def narrowed(**asked: Any) -> list[str]:
        return [one.consumer.id for one in office.store.page(Wanted(**asked), "", 50)[0]]

    assert narrowed(search="INAS-3") == ["dinas-3"]
    assert narrowed(search="kesehat") == ["proposed"]
    assert narrowed(search="%") == []
    assert narrowed(state="proposed") == ["proposed"]
    assert narrowed(sandbox=True) == ["waits"]
    assert narrowed(waits=True) == ["proposed", "waits"]
    assert len(narrowed(waits=False)) == 5
