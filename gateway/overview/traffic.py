"""Traffic and decisions over a day or a month, read from the totals. Reads only, and never the log itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Table, and_, case, func, select

from gateway.database import Database
from gateway.oauth.tables import consumers
from gateway.overview.counting import OUTCOMES, Grain, day_of, hour_of
from gateway.overview.tables import consumer_totals, decision_totals, traffic_totals

Range = Literal["24h", "30d"]
RANGES: tuple[Range, ...] = get_args(Range)
_HOURS, _DAYS = 24, 30
# Of more consumers than these the rest are counted together.
MOST_CONSUMERS = 10
_PARTS: Mapping[Range, tuple[Grain, int, timedelta]] = {
    "24h": ("hour", _HOURS, timedelta(hours=1)),
    "30d": ("day", _DAYS, timedelta(days=1)),
}
_OF_CONSUMERS = consumer_totals.c


@dataclass(frozen=True, slots=True)
class Share:
    """So many exchanges, by how they ended: `outcomes` has every word of `counting.OUTCOMES`."""

    exchanges: int
    people: int
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Part:
    """One hour or one civil day (WIB) from `starts_at` (UTC) on, and what was decided of people in it."""

    starts_at: datetime
    share: Share
    decisions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Traffic:
    """A day by the hour or a month by the day, the oldest part first; none is left out.

    `consumers` (id, name, share) are those with most exchanges, `other_consumers` the rest together.
    """

    grain: Grain
    parts: Sequence[Part]
    total: Share
    consumers: Sequence[tuple[str, str, Share]]
    other_consumers: Share
    operations: Sequence[tuple[str, Share]]
    decisions: Mapping[str, int]


def traffic(database: Database, span: Range, now: datetime) -> Traffic:
    """The last 24 hours or 30 days, that of `now` included. Blocks. Raises StoreUnavailable."""
    grain, count, length = _PARTS[span]
    newest = hour_of(now) if grain == "hour" else day_of(now)
    starts = [newest - length * ago for ago in reversed(range(count))]
    within = _since(traffic_totals, grain, starts[0])
    with database.reading() as connection:
        shares = dict(_shares(connection, traffic_totals, "starts_at", within))
        operations = list(_shares(connection, traffic_totals, "operation", within))
        busiest = _busiest(connection, grain, starts[0])
        decisions = _decisions(connection, grain, starts[0])
    total = _sum(shares.values())
    return Traffic(
        grain=grain,
        parts=[Part(one, shares.get(one, _NOTHING), decisions.get(one, {})) for one in starts],
        total=total,
        consumers=busiest,
        other_consumers=_less(total, _sum(share for _, _, share in busiest)),
        operations=sorted(operations, key=_by_size),
        decisions=_summed(decisions.values()),
    )


def shares_of(connection: Connection, ids: Sequence[str], now: datetime) -> dict[str, Share]:
    """What each of these consumers did in the last 30 days, by id; nothing for who did nothing."""
    _, count, length = _PARTS["30d"]
    first = day_of(now) - length * (count - 1)
    return _of_consumers(connection, ids, "day", first)


_NOTHING = Share(0, 0, dict.fromkeys(OUTCOMES, 0))


def _since(table: Table, grain: Grain, first: datetime) -> ColumnElement[bool]:
    return and_(table.c.grain == grain, table.c.starts_at >= first)


def _shares(
    connection: Connection, table: Table, by: str, within: ColumnElement[bool]
) -> Iterator[tuple[Any, Share]]:
    """The shares of a table by one of its columns."""
    ended = [func.sum(case((table.c.outcome == outcome, table.c.exchanges), else_=0)) for outcome in OUTCOMES]
    numbers = (func.sum(table.c.exchanges), func.sum(table.c.people), *ended)
    query = select(table.c[by], *numbers).where(within).group_by(table.c[by])
    for key, exchanges, people, *counts in connection.execute(query):
        # PostgreSQL adds whole numbers up to decimal ones.
        outcomes: dict[str, int] = {
            outcome: int(count) for outcome, count in zip(OUTCOMES, counts, strict=True)
        }
        yield key, Share(int(exchanges), int(people), outcomes)


def _of_consumers(
    connection: Connection, ids: Sequence[str], grain: Grain, first: datetime
) -> dict[str, Share]:
    within = and_(_OF_CONSUMERS.consumer_id.in_(ids), _since(consumer_totals, grain, first))
    return dict(_shares(connection, consumer_totals, "consumer_id", within))


def _busiest(connection: Connection, grain: Grain, first: datetime) -> list[tuple[str, str, Share]]:
    asked = (
        select(_OF_CONSUMERS.consumer_id)
        .where(_since(consumer_totals, grain, first))
        .group_by(_OF_CONSUMERS.consumer_id)
        .order_by(func.sum(_OF_CONSUMERS.exchanges).desc(), _OF_CONSUMERS.consumer_id)
        .limit(MOST_CONSUMERS)
    )
    ids = connection.execute(asked).scalars().all()
    shares = _of_consumers(connection, ids, grain, first)
    named = select(consumers.c.id, consumers.c.name).where(consumers.c.id.in_(ids))
    names = {row.id: row.name for row in connection.execute(named)}
    return [(one, names.get(one, one), shares[one]) for one in ids]


def _decisions(connection: Connection, grain: Grain, first: datetime) -> dict[datetime, dict[str, int]]:
    totals = decision_totals.c
    query = select(totals.starts_at, totals.decision, totals.people).where(
        totals.grain == grain, totals.starts_at >= first
    )
    decisions: dict[datetime, dict[str, int]] = {}
    for starts_at, decision, people in connection.execute(query):
        decisions.setdefault(starts_at, {})[decision] = people
    return decisions


def _sum(shares: Iterable[Share]) -> Share:
    listed = list(shares)
    return Share(
        sum(one.exchanges for one in listed),
        sum(one.people for one in listed),
        {outcome: sum(one.outcomes[outcome] for one in listed) for outcome in OUTCOMES},
    )


def _less(whole: Share, part: Share) -> Share:
    return Share(
        whole.exchanges - part.exchanges,
        whole.people - part.people,
        {outcome: whole.outcomes[outcome] - part.outcomes[outcome] for outcome in OUTCOMES},
    )


def _summed(decisions: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in decisions:
        for decision, people in one.items():
            total[decision] = total.get(decision, 0) + people
    return total


def _by_size(operation: tuple[str, Share]) -> tuple[int, str]:
    return -operation[1].exchanges, operation[0]
