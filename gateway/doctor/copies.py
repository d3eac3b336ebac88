"""What stands beside the database: the archive of its log, and the replica from which reports are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from gateway.database import Database
from gateway.doctor.findings import Finding, good, graded
from gateway.doctor.store import address_of
from gateway.errors import StoreUnavailable
from gateway.migrations import revision_of
from gateway.replica import ReplicaStanding, replica_standing
from gateway.vitals.archive import archive_standing

# So long may what is written on the primary be under way to a replica that is looked at.
_WITHIN_S = 5.0
# With the shipped `archive_timeout` a segment waits for a minute at most; some may fail once.
_LATE_S, _MUCH_TOO_LATE_S = 180.0, 900.0
_DO_REPLICA = "See deploy/README.md, A replica for reports; RUNBOOK.md, GapuraReplicaPassedOver."


def examine_archive(database: Database) -> Iterator[Finding]:
    """Whether the log that leads from a backup to a later moment is archived; nothing for SQLite."""
    if database.is_sqlite:
        return
    with database.reading() as connection:
        standing = archive_standing(connection)
    if standing is None:
        do = (
            "Set up deploy/postgresql/archive.conf, unless something else copies the log: without it, a "
            "restore ends at the last backup."
        )
        yield Finding("archive", "notice", "PostgreSQL archives nothing of its log", do)
        return
    waiting = "" if not standing.waiting else f", and {standing.waiting:,} segments have been written since"
    yield graded(
        "archive",
        f"{'the last try failed; ' if standing.is_failing else ''}the last file got into it "
        f"{standing.idle_s:.0f} s ago{waiting}",
        "On the database's machine: its log, `gapura backup wal` as postgres, room where the archive is. See "
        "RUNBOOK.md, GapuraArchiveLate.",
        wrong=standing.late_s > _MUCH_TOO_LATE_S,
        notice=standing.late_s > _LATE_S or standing.is_failing,
    )


def examine_replica(
    primary: Database, url: str, most_lag_s: float, within_s: float = _WITHIN_S
) -> Iterator[Finding]:
    """Whether reports can be read at `url`: a copy that follows, is near enough, and has the same schema."""
    if not url:
        yield good("replica", "none is configured: reports are read from the database itself")
        return
    with closing(Database(url, pool_size=1)) as replica:
        where = address_of(replica)
        try:
            standing = replica_standing(primary, replica, within_s)
        except StoreUnavailable:
            said = f"nobody answers at {where}, or it refuses us: reports are read from the database itself"
            yield Finding(
                "replica", "notice", said, f"Is it up, are address and password right? {_DO_REPLICA}"
            )
            return
        if standing.is_copy and standing.follows:
            yield _of_lag(standing, where, most_lag_s, within_s)
            yield _of_schema(primary, replica)
        else:
            yield _of_another(standing, where)


def _of_another(standing: ReplicaStanding, where: str) -> Finding:
    if not standing.is_copy:
        do = "Let `database_report_url` lead to a replica of the server of `database_url`, and to no other."
        return Finding("replica", "wrong", f"{where} is a copy of another server", do)
    do = (
        "It is the primary itself, or was promoted: see that nobody writes there, then make it anew as a "
        f"replica. {_DO_REPLICA}"
    )
    return Finding("replica", "wrong", f"{where} takes writes: it follows nobody, and is never read", do)


def _of_lag(standing: ReplicaStanding, where: str, most_lag_s: float, within_s: float) -> Finding:
    said = (
        f"{where} was still behind after {within_s:g} s"
        if standing.behind_s is None
        else f"{where} follows, {standing.behind_s:.2f} s behind"
    )
    is_late = standing.behind_s is None or standing.behind_s > most_lag_s
    return graded("replica", said, f"Look at pg_stat_replication. {_DO_REPLICA}", wrong=False, notice=is_late)


def _of_schema(primary: Database, replica: Database) -> Finding:
    here, there = revision_of(primary), revision_of(replica)
    return graded(
        "replica",
        f"its schema is {there}, the database's {here}" if here != there else "has the database's schema",
        f"Both go by one migration: it lags behind that, or holds another database. {_DO_REPLICA}",
        wrong=here != there,
    )
