"""How much of a programme's membership a pull would end, asked before anything of it is written.

The pages are read twice for it, which costs little: after the first pull a list tells only what has changed.
MUST NOT write.
"""

from __future__ import annotations

from sqlalchemy import func, or_, select

from connectors.programmes.rows import Page
from gateway.database import Database
from gateway.registry.tables import enrolments, people
from gateway.sources.tables import programme_cursors


class Endings:
    """Counts what one list holds open in the registry, and what a page would end of it. Blocks."""

    def __init__(self, database: Database, source: str, programme: str) -> None:
        self._database = database
        told_until = select(programme_cursors.c.as_of).where(
            programme_cursors.c.source == source, programme_cursors.c.programme == programme
        )
        open_now = or_(enrolments.c.ends_on.is_(None), enrolments.c.ends_on > told_until.scalar_subquery())
        of_list = (enrolments.c.source == source, enrolments.c.programme == programme, open_now)
        self._held = select(func.count()).select_from(enrolments).where(*of_list)
        self._of_people = (
            select(people.c.nik, enrolments.c.starts_on)
            .join(people, people.c.id == enrolments.c.person_id)
            .where(*of_list, database.one_of(people.c.nik, "niks"))
        )

    def held(self) -> int:
        """How many memberships of the list last. Raises StoreUnavailable."""
        with self._database.reading() as connection:
            return connection.execute(self._held).scalar_one()

    def among(self, page: Page) -> int:
        """How many of them a page ends, or takes back. Raises StoreUnavailable."""
        ended = {
            (one.nik, one.starts_on)
            for one in page.memberships
            if one.ends_on is not None and one.ends_on <= page.as_of
        }
        if not ended:
            return 0
        with self._database.reading() as connection:
            lasting = connection.execute(self._of_people, {"niks": sorted({nik for nik, _ in ended})})
            return len(ended & {(row.nik, row.starts_on) for row in lasting})
