"""NIKs that were accepted for a person, against an import whose source has not heard of it yet.

A source that still has the NIK of before the acceptance says nothing new: the accepted one stays, and the
import tells in how many rows that was so. Any other NIK is the source's correction and is taken, as
everything else that a file says; so an acceptance that was wrong can be mended at the source. MUST NOT show
or log a NIK.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, select, update

from gateway.database import Database
from gateway.errors import Conflict
from gateway.installation import open_keys
from gateway.reconciliation.sealing import NikSeal
from gateway.reconciliation.tables import nik_changes
from gateway.registry.merging import KeepSettled
from gateway.registry.staging import staged
from gateway.registry.tables import people
from gateway.settings import Settings


class SettledNiks:
    """Gives the staged rows of a chunk the accepted NIKs again, where the file has those of before."""

    def __init__(self, seal: NikSeal) -> None:
        self._seal = seal

    def __call__(self, connection: Connection) -> int:
        """How many rows it was. To be called when the rows are matched to people."""
        differing = (
            select(staged.c.row_number, staged.c.nik, people.c.id, people.c.nik.label("held"))
            .add_columns(nik_changes.c.sealed_before)
            .select_from(
                staged.join(people, people.c.id == staged.c.person_id).join(
                    nik_changes, nik_changes.c.person_id == people.c.id
                )
            )
            .where(staged.c.is_known, ~staged.c.is_older, staged.c.nik.is_distinct_from(people.c.nik))
        )
        stale = {
            row.row_number: row.held
            for row in connection.execute(differing)
            if self._is_of_before(row.id, row.sealed_before, row.nik)
        }
        for row_number, held in stale.items():
            connection.execute(update(staged).where(staged.c.row_number == row_number).values(nik=held))
        return len(stale)

    def _is_of_before(self, person_id: UUID, sealed_before: bytes | None, nik: str | None) -> bool:
        if sealed_before is None or nik is None:
            return sealed_before is None and nik is None
        try:
            return self._seal.open(person_id, None, sealed_before) == nik
        except Conflict:
            return True  # sealed under other keys: what cannot be told apart changes nothing


def settled_niks(database: Database, settings: Settings) -> KeepSettled | None:
    """What an import of this gateway has to keep; None, and no key is opened, where nothing was accepted.

    Raises KeysUnavailable.
    """
    with database.reading() as connection:
        if connection.execute(select(nik_changes.c.id).limit(1)).first() is None:
            return None
    return SettledNiks(NikSeal(open_keys(database, settings.home / "keys", settings.key_source)))
