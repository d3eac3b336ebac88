"""How the database fares: how far its clock is off, how full it is, who is connected."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from gateway.vitals.figures import Figure

_NOW = text("SELECT clock_timestamp()")
_CONNECTED = text(
    "SELECT coalesce(state, 'unknown'), count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() GROUP BY 1"
)
_MOST = text("SELECT current_setting('max_connections')")
_SIZE = text("SELECT pg_database_size(current_database())")
_PAGES = (text("PRAGMA page_count"), text("PRAGMA page_size"))


@dataclass(frozen=True, slots=True)
class StoreStanding:
    """The database at one moment. `skew` is this machine's clock less the database's.

    SQLite has neither a clock of its own nor connections: `skew` is None, `connections` empty.
    """

    trip_s: float
    size_bytes: int
    skew: timedelta | None
    connections: Mapping[str, int]
    connections_most: int | None


def store_standing(connection: Connection, clock: Callable[[], datetime]) -> StoreStanding:
    """How the database fares, as this connection sees it."""
    if connection.dialect.name == "sqlite":
        began = time.perf_counter()
        pages, width = (connection.execute(one).scalar_one() for one in _PAGES)
        return StoreStanding(time.perf_counter() - began, pages * width, None, {}, None)
    connection.execute(_NOW)  # a connection from the pool is tried first, and that is not what is timed
    before, began = clock(), time.perf_counter()
    there: datetime = connection.execute(_NOW).scalar_one()
    trip_s = time.perf_counter() - began
    return StoreStanding(
        trip_s=trip_s,
        size_bytes=connection.execute(_SIZE).scalar_one(),
        skew=before + timedelta(seconds=trip_s / 2) - there,
        connections={state: int(count) for state, count in connection.execute(_CONNECTED)},
        connections_most=int(connection.execute(_MOST).scalar_one()),
    )


def store_figures(standing: StoreStanding) -> Iterator[Figure]:
    """The same as figures."""
    yield Figure("gapura_database_seconds", standing.trip_s)
    yield Figure("gapura_database_bytes", standing.size_bytes)
    if standing.skew is not None:
        yield Figure("gapura_clock_skew_seconds", standing.skew.total_seconds())
    for state, count in standing.connections.items():
        yield Figure("gapura_database_connections", count, {"state": state})
    if standing.connections_most is not None:
        yield Figure("gapura_database_connections_most", standing.connections_most)
