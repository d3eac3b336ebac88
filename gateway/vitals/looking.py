"""Looks all figures up for a scrape: rarely, once for all who ask at a time, and never for long.

A database that is gone is a figure too. It MUST NOT hold up a scrape: whoever watches has to hear from a
gateway whose database hangs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.errors import StoreUnavailable
from gateway.housekeeping import Tell
from gateway.vitals.archive import archive_figures, archive_standing
from gateway.vitals.backup import backup_figures
from gateway.vitals.figures import Figure
from gateway.vitals.log import log_figures, log_standing
from gateway.vitals.machine import machine_figures
from gateway.vitals.maintenance import ordered_figures, switched_figures
from gateway.vitals.store import store_figures, store_standing
from gateway.vitals.work import agreements_ending, work_figures, work_standing

_WITHIN_S = 3.0
# However often it is asked for: /metrics must be no way to keep the database busy.
_GOOD_FOR_S = 5.0
_UP, _ANSWERED = "gapura_database_up", "gapura_database_seconds"


class Vitals:
    """The figures of one process's surroundings. Belongs to one event loop. Tells `vitals:not_read`."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        tell: Tell,
        *,
        home: Path,
        certificates: Sequence[Path] = (),
        within_s: float = _WITHIN_S,
    ) -> None:
        self._database = database
        self._clock = clock
        self._tell = tell
        self._home = home
        self._certificates = certificates
        self._within_s = within_s
        self._seen: tuple[float, Sequence[Figure]] | None = None
        self._looking: asyncio.Task[Sequence[Figure]] | None = None
        self._found: list[Figure] = []

    async def __call__(self) -> Sequence[Figure]:
        """All figures, a few seconds old at most. Never raises; what cannot be read is left out."""
        now_s = asyncio.get_running_loop().time()
        if self._seen is not None and now_s < self._seen[0] + _GOOD_FOR_S:
            return self._seen[1]
        if self._looking is None or self._looking.done():
            self._found = []
            self._looking = asyncio.create_task(asyncio.to_thread(self.look, self._found))
        await asyncio.wait({self._looking}, timeout=self._within_s)
        if not self._looking.done():
            # Away, or only slow: then the database has said something by now.
            so_far = [figure for figure in self._found if figure.name != _UP]
            return [*so_far, Figure(_UP, int(any(figure.name == _ANSWERED for figure in so_far)))]
        figures = self._looking.result()
        self._seen = now_s, figures
        return figures

    def look(self, found: list[Figure]) -> Sequence[Figure]:
        """Look everything up now, adding to `found` as it comes. Blocks."""
        found += self._part("machine", lambda: machine_figures(self._home, self._certificates))
        found += self._part("switch", lambda: switched_figures(self._home, self._clock()))
        try:
            for name, part in self._of_database().items():
                found += self._part(name, part)
        except StoreUnavailable:
            found.append(Figure(_UP, 0))
        else:
            found.append(Figure(_UP, 1))
        return found

    def _part(self, name: str, read: Callable[[], Iterator[Figure]]) -> list[Figure]:
        """The figures of one part: one that cannot be read must not blind the others."""
        try:
            return list(read())
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the scrape goes on, and an alert says so
            self._tell("vitals:not_read", level="warning", part=name, error=type(error).__name__)
            return []

    def _of_database(self) -> dict[str, Callable[[], Iterator[Figure]]]:
        now = self._clock()

        def on(read: Callable[[Connection], Iterator[Figure]]) -> Callable[[], Iterator[Figure]]:
            def reading() -> Iterator[Figure]:
                with self._database.reading() as connection:
                    yield from read(connection)

            return reading

        def ending() -> Iterator[Figure]:
            for days, count in agreements_ending(self._database, civil_day(now)).items():
                yield Figure("gapura_agreements_ending", count, {"days": str(days)})

        return {
            "store": on(lambda connection: store_figures(store_standing(connection, self._clock))),
            "log": on(lambda connection: log_figures(log_standing(connection, now))),
            "work": on(lambda connection: work_figures(work_standing(connection, now))),
            "agreements": ending,
            "backup": on(backup_figures),
            "archive": on(lambda connection: archive_figures(archive_standing(connection))),
            "maintenance": on(lambda connection: ordered_figures(connection, now)),
        }
