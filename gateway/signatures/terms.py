"""For which consumers messages are signed, and since when. Off unless somebody switched it on.

What demands less takes more than one person elsewhere in the gateway; here it takes the machine: through the
API nobody loosens it. A change raises the policies' epoch, which every request reads with its own admission,
so it counts on every worker at the next request and costs the others nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import Connection, delete, insert, select

from gateway.agreements.rows import epoch_of, raise_epoch
from gateway.database import Database
from gateway.errors import Conflict, NotPermitted
from gateway.oauth.consumer_rows import locked, registered, write_down
from gateway.signatures.tables import consumer_signatures
from gateway.staff.acts import record_in_audit_log
from gateway.staff.roles import Staff
from policies.dictionary import Text

# In the order of what they demand: nothing, signed answers, signed requests as well.
Mode = Literal["off", "responses", "both"]
MODES: tuple[Mode, ...] = get_args(Mode)
_T = consumer_signatures


class SignatureTerms:
    """The modes of all consumers as of a request's admission. `of` belongs to one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._epoch, self._modes = self._read()
        self._reading = asyncio.Lock()

    async def of(self, consumer_id: str, epoch: int) -> Mode:
        """What holds for a consumer under policies at least as new as `epoch`. Raises StoreUnavailable."""
        if epoch > self._epoch:
            async with self._reading:
                if epoch > self._epoch:
                    self._epoch, self._modes = await asyncio.to_thread(self._read)
        return self._modes.get(consumer_id, "off")

    def _read(self) -> tuple[int, Mapping[str, Mode]]:
        # The epoch first: terms that are newer than it are read again, never missed.
        with self._database.reading() as connection:
            return epoch_of(connection), _modes(connection)


def all_modes(database: Database) -> Mapping[str, Mode]:
    """The consumers for whom something is signed."""
    with database.reading() as connection:
        return _modes(connection)


def mode_of(database: Database, consumer_id: str) -> Mode:
    """What holds for one consumer. Raises NotFound."""
    with database.reading() as connection:
        registered(connection, consumer_id)
        return _modes(connection).get(consumer_id, "off")


def set_mode(
    database: Database, actor: Staff, consumer_id: str, mode: Mode, reason: str, at: datetime
) -> Mode:
    """Switch signatures for a consumer; gives what held before. Counts at once, on every worker.

    Raises NotFound, BadInput without a reason, NotPermitted for who loosens it elsewhere than on the machine,
    Conflict for a consumer that makes no DPoP proofs, to which what is signed is bound.
    """
    with database.unit_of_work() as connection:
        if locked(connection, consumer_id).consumer.certificate_bound and mode != "off":
            raise Conflict(
                Text(
                    f"Token {consumer_id} terikat pada sertifikatnya, sedangkan tanda tangan terikat pada "
                    "bukti DPoP: ubah dahulu ikatannya.",
                    f"Tokens of {consumer_id} are bound to its certificate, and what is signed to a DPoP "
                    f"proof: first `gapura consumers binding {consumer_id} dpop`.",
                ),
                code="needs_dpop",
            )
        present = _modes(connection).get(consumer_id, "off")
        if MODES.index(mode) < MODES.index(present) and not actor.on_console:
            raise NotPermitted(
                Text(
                    f"Kewajiban tanda tangan {consumer_id} hanya dilonggarkan di mesin gateway: "
                    "`gapura consumers signatures`.",
                    f"What {consumer_id} signs is loosened on the machine alone: "
                    "`gapura consumers signatures`.",
                ),
                code="second_person_needed",
            )
        connection.execute(delete(_T).where(_T.c.consumer_id == consumer_id))
        connection.execute(insert(_T).values(consumer_id=consumer_id, mode=mode, since=at))
        raise_epoch(connection)
        details = {"mode": mode, "before": present}
        act = "consumer.signatures_changed"
        write_down(record_in_audit_log, connection, actor, act, consumer_id, reason, at, details)
    return present


def _modes(connection: Connection) -> dict[str, Mode]:
    rows = connection.execute(select(_T.c.consumer_id, _T.c.mode).where(_T.c.mode != "off"))
    return {row.consumer_id: row.mode for row in rows}
