"""Reports are read from a replica where there is one: what has arrived there, as of a moment that is told.

How far a replica is, is asked of both servers: where the primary's log of changes stood at a moment, and
whether the replica has that much. So no other machine's clock is believed, and a replica that no longer hears
of changes is not taken for one where nothing changes. Whatever cannot be read there is read from the primary.
It MUST NOT be used for decisions, revocation or limits, nor for what is read to be changed.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from gateway.database import Database
from gateway.errors import GapuraError, StoreUnavailable
from gateway.housekeeping import Tell
from gateway.settings import Settings

Result = TypeVar("Result")
# A replica is as good as always some milliseconds behind: for so long it is waited for.
_PATIENCE_S = 0.25
_PAUSE_S = 0.01
# One that failed is left alone for a while, so that not every report waits for it.
_REST = timedelta(seconds=10)
_CONNECTIONS = 3
# Where the primary stood, once a second: as far back as the most lag that can be allowed.
_MOMENTS_KEPT = 601
_BETWEEN_MOMENTS = timedelta(seconds=1)

_WRITTEN = text("SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint")
_REPLAYED = text("SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0')::bigint END")
# Given to a server when it is made, and to every copy of it.
_IDENTITY = text("SELECT system_identifier FROM pg_control_system()")


@dataclass(frozen=True, slots=True)
class AsOf(Generic[Result]):
    """What was read. All that was committed at `as_of` (UTC) is in it; of what came later, some may be."""

    value: Result
    as_of: datetime


class Reports:
    """Reads for reports. Thread-safe; blocks. Without a replica, it reads from the primary."""

    def __init__(
        self,
        primary: Database,
        replica: Database | None = None,
        *,
        clock: Callable[[], datetime],
        most_lag: timedelta = timedelta(0),
        tell: Tell | None = None,
    ) -> None:
        """A replica that is behind by more than `most_lag` is not read; `tell` hears of every change."""
        self._primary = primary
        self._replica = replica
        self._clock = clock
        self._most_lag = most_lag
        self._tell = tell
        self._lock = threading.Lock()
        self._moments: deque[tuple[datetime, int]] = deque(maxlen=_MOMENTS_KEPT)
        self._rests_until: datetime | None = None
        self._read_from = ""

    def __call__(self, read: Callable[[Database], Result]) -> AsOf[Result]:
        """What `read` gives of the replica, or of the primary; it may be called once for each.

        Raises what it raises of the primary.
        """
        if self._replica is not None and not self._rests():
            try:
                as_of = self._arrived(self._replica)
                if as_of is not None:
                    told = AsOf(read(self._replica), as_of)
                    self._note("replica")
                    return told
                self._note("primary", why="the replica is late")
            except (StoreUnavailable, SQLAlchemyError) as error:
                self._rests_until = self._clock() + _REST
                self._note("primary", why=type(error).__name__)
            except GapuraError:
                pass  # what is not there, or not yet, is for the primary to say
        now = self._clock()
        return AsOf(read(self._primary), now)

    def _rests(self) -> bool:
        return self._rests_until is not None and self._clock() < self._rests_until

    def _arrived(self, replica: Database) -> datetime | None:
        """As of when the replica is; None where it is too late, or is none."""
        now, written = self._clock(), self._written()
        self._remember(now, written)
        until = time.monotonic() + _PATIENCE_S
        with replica.reading() as connection:
            while True:
                replayed = _asked(connection, _REPLAYED)
                if replayed is None:
                    return None
                if written is not None and replayed >= written:
                    return now
                if written is None or time.monotonic() > until:
                    break
                time.sleep(_PAUSE_S)
        with self._lock:
            known = max((at for at, position in self._moments if position <= replayed), default=None)
        return known if known is not None and now - known <= self._most_lag else None

    def _written(self) -> int | None:
        """Where the primary stands now; None while it is away: the replica goes on for as long as it may."""
        try:
            with self._primary.reading() as connection:
                return _asked(connection, _WRITTEN)
        except StoreUnavailable:
            return None

    def _remember(self, now: datetime, written: int | None) -> None:
        with self._lock:
            newest = self._moments[-1][0] if self._moments else None
            if written is not None and (newest is None or now - newest >= _BETWEEN_MOMENTS):
                self._moments.append((now, written))

    def _note(self, source: str, *, why: str = "") -> None:
        """Tell from where reports are read, when that changes."""
        changed, self._read_from = source != self._read_from, source
        if changed and self._tell is not None:
            level = "info" if source == "replica" else "warning"
            self._tell("reports:read_from", level=level, source=source, why=why)


def open_reports(
    settings: Settings, database: Database, clock: Callable[[], datetime], tell: Tell
) -> Reports:
    """Reports of this database, from the replica of the settings if there is one; closed with it."""
    if not settings.database_report_url:
        return Reports(database, clock=clock)
    replica = Database(settings.database_report_url, pool_size=_CONNECTIONS)
    database.before_closing(replica.close)
    most_lag = timedelta(seconds=settings.report_lag_s)
    return Reports(database, replica, clock=clock, most_lag=most_lag, tell=tell)


@dataclass(frozen=True, slots=True)
class ReplicaStanding:
    """A replica at one moment: whether it copies this primary, and whether it still follows anybody.

    `behind_s` is how long it took, seconds, until it had what the primary had written when it was asked; None
    where it did not within the time that it was given.
    """

    is_copy: bool
    follows: bool
    behind_s: float | None


def replica_standing(primary: Database, replica: Database, within_s: float) -> ReplicaStanding:
    """How a replica stands, after `within_s` at most. Raises StoreUnavailable where either is away."""
    with primary.reading() as connection:
        written, identity = _asked(connection, _WRITTEN), _asked(connection, _IDENTITY)
    began = time.monotonic()
    with replica.reading() as connection:
        is_copy = _asked(connection, _IDENTITY) == identity
        while (replayed := _asked(connection, _REPLAYED)) is not None and is_copy:
            passed_s = time.monotonic() - began
            if written is not None and replayed >= written:
                return ReplicaStanding(is_copy, follows=True, behind_s=passed_s)
            if passed_s > within_s:
                break
            time.sleep(_PAUSE_S)
    return ReplicaStanding(is_copy, follows=replayed is not None, behind_s=None)


def _asked(connection: Connection, question: object) -> int | None:
    position: int | None = connection.execute(question).scalar()  # type: ignore[call-overload]
    # A snapshot that stays open would keep the replica from going on.
    connection.rollback()
    return position
