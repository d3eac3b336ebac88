"""Whether PostgreSQL's own log gets into the archive: what leads from a backup to any later moment.

The server itself counts it, for every role to read (`pg_stat_archiver`): so the gateway tells it, and no
exporter is needed beside it. What becomes of a file in the archive afterwards is not noticed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text

from gateway.backup.wal import SEGMENT, segment_number
from gateway.vitals.figures import Figure

# A replica writes no log of its own, and leaves archiving to its primary.
_ARCHIVES = text("SELECT current_setting('archive_mode') <> 'off' AND NOT pg_is_in_recovery()")
_ARCHIVED = text(
    "SELECT last_archived_wal, pg_walfile_name(pg_current_wal_lsn()),"
    " coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false),"
    " extract(epoch FROM clock_timestamp()"
    " - coalesce(last_archived_time, pg_postmaster_start_time()))::float8,"
    " pg_size_bytes(current_setting('wal_segment_size')) FROM pg_stat_archiver"
)


@dataclass(frozen=True, slots=True)
class ArchiveStanding:
    """The archive at one moment. `idle_s` is since when no file got into it, seconds by the server's clock.

    `waiting` is how many whole segments were written since; None where nothing tells, as before the first one
    and after a replica took over. `is_failing` says that the last try failed.
    """

    waiting: int | None
    is_failing: bool
    idle_s: float

    @property
    def late_s(self) -> float:
        """For how long what should be archived is not, seconds; 0 where all of it is. Not to know is late."""
        return 0.0 if self.waiting == 0 and not self.is_failing else max(0.0, self.idle_s)


def archive_standing(connection: Connection) -> ArchiveStanding | None:
    """How the archive stands; None where this server archives nothing."""
    if connection.dialect.name == "sqlite" or not connection.execute(_ARCHIVES).scalar():
        return None
    last, present, is_failing, idle_s, segment_bytes = connection.execute(_ARCHIVED).one()
    return ArchiveStanding(_waiting(last, present, segment_bytes), is_failing, idle_s)


def archive_figures(standing: ArchiveStanding | None) -> Iterator[Figure]:
    """The same as a figure; none where nothing is archived."""
    if standing is not None:
        yield Figure("gapura_archive_late_seconds", standing.late_s)


def _waiting(last: str | None, present: str, segment_bytes: int) -> int | None:
    """How many whole segments lie between the last one archived and the one that is being written."""
    if last is None or not SEGMENT.fullmatch(name := last.partition(".")[0]) or name[:8] != present[:8]:
        return None
    return max(0, segment_number(present, segment_bytes) - segment_number(name, segment_bytes) - 1)
