"""How consumers fare: what each asked lately, how it ended, when its keys end, how much of a limit is used.

A page of a list is asked about at once, a few indexed queries for all. Reads only. What was asked about whom
is not read: an exchange is told by its counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, and_, case, func, or_, select

from gateway.agreements.tables import policy_listing
from gateway.audit.placed import said_by
from gateway.audit.tables import audit_entries
from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.errors import NotFound
from gateway.limits.budget import Meter, Use, meters
from gateway.limits.ledger import LimitLedger
from gateway.oauth.tables import consumer_keys, consumers
from gateway.overview.counting import Outcome, told_by
from gateway.overview.traffic import Share, shares_of
from policies.agreement import AgreementBook
from policies.dictionary import Text

_ENTRIES = audit_entries.c


@dataclass(frozen=True, slots=True)
class FullestLimit:
    """Of all limits of a consumer's agreements the one with the smallest share left today."""

    agreement_id: str
    meter: Meter

    @property
    def used(self) -> float:
        """The share of the limit that is used, from 0 to 1."""
        return 1 - self.meter.left / self.meter.limit if self.meter.limit else 1.0


@dataclass(frozen=True, slots=True)
class Health:
    """How one consumer fares. Moments are UTC, `share` is of 30 days.

    `key_ends_at` is when its last good key ends: None where one has no end, or none is good (`good_keys` 0).
    """

    id: str
    last_exchange_at: datetime | None
    share: Share | None
    good_keys: int
    waiting_keys: int
    key_ends_at: datetime | None
    agreements: int
    fullest: FullestLimit | None


@dataclass(frozen=True, slots=True)
class PastExchange:
    """One exchange as the log tells it: in counts, and in words of the policies. `at` is UTC."""

    exchange_id: UUID
    at: datetime
    operation: str
    purpose: str | None
    agreement: Mapping[str, Any] | None
    outcome: Outcome
    reason: str | None
    people: int
    decisions: Mapping[str, int]
    sandbox: bool


class ConsumerOverview:
    """Reads how consumers fare. Blocks; use it in a thread. Raises StoreUnavailable."""

    def __init__(self, database: Database, limits: LimitLedger, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._limits = limits
        self._clock = clock

    def health(self, ids: Sequence[str], book: AgreementBook) -> list[Health]:
        """How each of these consumers fares, in their order; of one that does not exist nothing is known."""
        now = self._clock()
        with self._database.reading() as connection:
            last = _last_exchanges(connection, ids)
            shares = shares_of(connection, ids, now)
            keys = _keys(connection, ids, now)
            agreements = _agreements_in_force(connection, ids, now)
        fullest = self._fullest(ids, book, now)
        return [
            Health(
                one,
                last.get(one),
                shares.get(one),
                *keys.get(one, (0, 0, None)),
                agreements.get(one, 0),
                fullest.get(one),
            )
            for one in ids
        ]

    def exchanges(self, consumer_id: str, limit: int, before: UUID | None = None) -> list[PastExchange]:
        """The newest exchanges of a consumer, the newest first; older than `before` if given.

        Raises NotFound where `before` is none of the log.
        """
        query = select(_ENTRIES.exchange_id, _ENTRIES.at, _ENTRIES.entry, _ENTRIES.sequence).where(
            _ENTRIES.consumer_id == consumer_id, _ENTRIES.kind == "outcome"
        )
        with self._database.reading() as connection:
            if before is not None:
                at, sequence = _place_of(connection, before)
                older = and_(_ENTRIES.at == at, _ENTRIES.sequence < sequence)
                query = query.where(_ENTRIES.at <= at, or_(_ENTRIES.at < at, older))
            newest = query.order_by(_ENTRIES.at.desc(), _ENTRIES.sequence.desc()).limit(limit)
            return [
                _past(row.exchange_id, row.at, consumer_id, row.entry) for row in connection.execute(newest)
            ]

    def _fullest(self, ids: Sequence[str], book: AgreementBook, now: datetime) -> dict[str, FullestLimit]:
        day = civil_day(now)
        own = {
            one: [agreement for agreement in book.agreements_of(one) if agreement.standing(day) == "active"]
            for one in ids
        }
        used = self._limits.use([agreement.id for of_one in own.values() for agreement in of_one], day)
        return {
            one: max(
                (
                    FullestLimit(agreement.id, meter)
                    for agreement in agreements
                    for meter in meters(used.get(agreement.id, Use()), agreement.limits, now)
                ),
                key=lambda limit: limit.used,
            )
            for one, agreements in own.items()
            if agreements
        }


def _last_exchanges(connection: Connection, ids: Sequence[str]) -> dict[str, datetime]:
    """The newest moment of each: a look at the end of an index for each, and never a walk along it."""
    newest = (
        select(_ENTRIES.at)
        .where(_ENTRIES.consumer_id == consumers.c.id)
        .order_by(_ENTRIES.at.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = connection.execute(select(consumers.c.id, newest).where(consumers.c.id.in_(ids)))
    return {one: at for one, at in rows if at is not None}


def _keys(
    connection: Connection, ids: Sequence[str], now: datetime
) -> dict[str, tuple[int, int, datetime | None]]:
    """How many keys are good, how many wait, and when the last good one ends, if all of them do."""
    keys = consumer_keys.c
    waits = keys.approved_by.is_(None)
    ended = and_(keys.not_after.is_not(None), keys.not_after <= now)
    good = and_(keys.approved_by.is_not(None), keys.not_before <= now, ~ended)
    query = (
        select(
            keys.consumer_id,
            func.sum(case((good, 1), else_=0)),
            func.sum(case((waits, 1), else_=0)),
            func.sum(case((and_(good, keys.not_after.is_(None)), 1), else_=0)),
            func.max(case((good, keys.not_after))),
        )
        .where(keys.consumer_id.in_(ids))
        .group_by(keys.consumer_id)
    )
    return {
        of: (good, waiting, None if endless else ends_at)
        for of, good, waiting, endless, ends_at in connection.execute(query)
    }


def _agreements_in_force(connection: Connection, ids: Sequence[str], now: datetime) -> dict[str, int]:
    listed, today = policy_listing.c, civil_day(now)
    query = (
        select(listed.consumer, func.count())
        .where(
            listed.kind == "agreement",
            listed.consumer.in_(ids),
            listed.state == "active",
            listed.valid_from <= today,
            listed.valid_until >= today,
        )
        .group_by(listed.consumer)
    )
    return {str(consumer): count for consumer, count in connection.execute(query)}


def _place_of(connection: Connection, exchange_id: UUID) -> tuple[datetime, int]:
    query = select(_ENTRIES.at, _ENTRIES.sequence).where(
        _ENTRIES.exchange_id == exchange_id, _ENTRIES.kind == "outcome"
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(
            Text(
                "Log tidak mempunyai hasil pertukaran dengan id ini.",
                "The log has no outcome of an exchange of this id.",
            )
        )
    return row.at, row.sequence


def _past(exchange_id: UUID, at: datetime, consumer_id: str, text: str | None) -> PastExchange:
    said = said_by(text)
    told, entry = told_by(at, consumer_id, said), said or {}
    return PastExchange(
        exchange_id,
        at,
        told.operation,
        entry.get("purpose"),
        entry.get("agreement"),
        told.outcome,
        entry.get("reason"),
        told.people,
        {str(word): int(number) for word, number in entry.get("counts", {}).items()},
        bool(entry.get("sandbox")),
    )
