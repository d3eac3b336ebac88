"""How the audit log stands: what waits for its place, is not signed or cosigned yet, or was found wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from gateway.audit.ledger import tree_size
from gateway.audit.tables import (
    audit_checkpoints,
    audit_checks,
    audit_cosignatures,
    audit_entries,
    audit_pending,
    audit_withdrawn_witnesses,
    audit_witnesses,
)
from gateway.vitals.figures import Figure

# Further ones are not counted: so many say enough, and a log that stands still must not slow the look.
MOST_COUNTED = 100_000
_WAITING = select(func.count()).select_from(select(audit_pending.c.sequence).limit(MOST_COUNTED).subquery())
_OLDEST = (
    select(audit_entries.c.at)
    .join(audit_pending, audit_pending.c.sequence == audit_entries.c.sequence)
    .order_by(audit_pending.c.sequence)
    .limit(1)
)
_NEWEST_CHECKPOINT = select(audit_checkpoints.c.size, audit_checkpoints.c.at).order_by(
    audit_checkpoints.c.size.desc()
)
_WITNESSES = (
    select(audit_witnesses.c.name)
    .where(audit_witnesses.c.name.not_in(select(audit_withdrawn_witnesses.c.name)))
    .order_by(audit_witnesses.c.name)
)
_LAST_CHECK = (
    select(audit_checks.c.finding)
    .where(audit_checks.c.ended_at.is_not(None))
    .order_by(audit_checks.c.begun_at.desc())
)


@dataclass(frozen=True, slots=True)
class LogStanding:
    """The log at one moment. Ages in seconds; 0 where nothing waits.

    `uncosigned_s` has every witness that is accepted: the age of the oldest checkpoint that no cosignature of
    it covers. `found` is what the last check of the whole log found wrong, in the verifier's words.
    """

    entries: int
    waiting: int
    oldest_waiting_s: float
    unsigned_s: float
    uncosigned_s: Mapping[str, float]
    found: str | None


def log_standing(connection: Connection, now: datetime) -> LogStanding:
    """How the log stands. Bounded queries, however long it is."""
    entries = tree_size(connection)
    oldest: datetime | None = connection.execute(_OLDEST).scalar()
    newest = connection.execute(_NEWEST_CHECKPOINT.limit(1)).first()
    witnesses = connection.execute(_WITNESSES).scalars()
    return LogStanding(
        entries=entries,
        waiting=connection.execute(_WAITING).scalar_one(),
        oldest_waiting_s=_age(oldest, now),
        unsigned_s=_age(newest.at, now) if newest is not None and newest.size < entries else 0.0,
        uncosigned_s={name: _uncosigned_s(connection, name, now) for name in witnesses.all()},
        found=connection.execute(_LAST_CHECK.limit(1)).scalar(),
    )


def log_figures(standing: LogStanding) -> Iterator[Figure]:
    """The same as figures."""
    yield Figure("gapura_log_entries", standing.entries)
    yield Figure("gapura_log_waiting_entries", standing.waiting)
    yield Figure("gapura_log_oldest_waiting_seconds", standing.oldest_waiting_s)
    yield Figure("gapura_log_unsigned_seconds", standing.unsigned_s)
    for witness, age_s in standing.uncosigned_s.items():
        yield Figure("gapura_log_uncosigned_seconds", age_s, {"witness": witness})
    yield Figure("gapura_log_unsound", int(standing.found is not None))


def _uncosigned_s(connection: Connection, witness: str, now: datetime) -> float:
    covered = (
        select(audit_cosignatures.c.size)
        .where(audit_cosignatures.c.witness == witness)
        .order_by(audit_cosignatures.c.size.desc())
        .limit(1)
    )
    size: int = connection.execute(covered).scalar() or 0
    first = (
        select(audit_checkpoints.c.at)
        .where(audit_checkpoints.c.size > size)
        .order_by(audit_checkpoints.c.size)
        .limit(1)
    )
    return _age(connection.execute(first).scalar(), now)


def _age(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else max(0.0, (now - moment).total_seconds())
