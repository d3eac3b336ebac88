"""Reversal: from pseudonyms back to people, for a named legal basis, by two people, within a day.

One staff member asks, another approves, and the first performs it within 24 hours. Nobody does two of the
three parts that are two people's, and none of them is a token's or the installation's. The names are not
kept: only keyed hashes, so that what is performed is what was approved, and whoever performs it brings the
names again. The answer goes to that person once; the log says of whom, by its keyed hashes, and why.

A reversal MUST NOT go into a log or a table in the clear, and MUST NOT be offered to a consumer.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import Connection, Row, insert, select, update

from connectors.base import Connector, Record, Subject
from gateway.audit.entry import SubjectHasher
from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.errors import BadInput, Conflict, NotFound, NotPermitted
from gateway.pseudonyms.reversible import refuse_other_names
from gateway.pseudonyms.tables import reversals
from gateway.rights import acts
from gateway.staff.roles import INSTALLATION, Staff, refuse_token
from policies.dictionary import Text
from policies.pseudonym import SectorKeys, UnusablePseudonym

PERFORMED_WITHIN = timedelta(hours=24)
MOST_NAMES = 100

_REFERENCE = re.compile(r"[^\s\x00-\x1f][^\x00-\x1f]{0,199}")
_NIK = re.compile(r"\d{16}")
_FOUND_WITHIN_S = 30

# A purpose that is none of these is none for which the law lets a protection be undone.
LEGAL_BASES: Mapping[str, Text] = {
    "court_order": Text(
        "Penetapan atau perintah pengadilan, atau permintaan penegak hukum (UU 27/2022 pasal 15)",
        "An order of a court, or a request for law enforcement (UU 27/2022 art. 15)",
    ),
    "breach_notice": Text(
        "Pemberitahuan kegagalan pelindungan data kepada orangnya (UU 27/2022 pasal 46)",
        "Telling people of a failure to protect their data (UU 27/2022 art. 46)",
    ),
    "subject_request": Text(
        "Permintaan orangnya sendiri atas haknya (UU 27/2022 pasal 5 sampai 13)",
        "A request of the person concerned, by right (UU 27/2022 arts 5 to 13)",
    ),
    "vital_interest": Text(
        "Kepentingan vital orangnya (UU 27/2022 pasal 20 ayat (2) huruf d)",
        "A vital interest of the person (UU 27/2022 art. 20 (2) d)",
    ),
}

State = Literal["requested", "approved", "refused", "performed", "lapsed"]


@dataclass(frozen=True, slots=True)
class Reversal:
    """One reversal as it stands. `names` is how many names it is about; none of them is kept.

    `settled_by` approved or refused it. Approved, it can be performed until `perform_until` (UTC).
    """

    id: str
    sector: str
    names: int
    legal_basis: str
    reference: str
    reason: str
    requested_by: str
    requested_at: datetime
    state: State
    settled_by: str | None
    settled_at: datetime | None
    perform_until: datetime | None
    performed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reversed:
    """What one name led to, at its place in the request. MUST NOT be kept, nor told with the pseudonym.

    `person_id` None: the name is none of the sector's, or its key is destroyed. `nik` None: the registry
    does not know the person any more.
    """

    person_id: UUID | None
    nik: str | None


FindNiks = Callable[[Sequence[UUID]], Awaitable[Mapping[UUID, str]]]


def niks_of(registry: Connector, clock: Callable[[], datetime]) -> FindNiks:
    """The present NIKs of people as the registry knows them; who is not there is left out."""

    async def find(people: Sequence[UUID]) -> Mapping[UUID, str]:
        if not people:
            return {}
        deadline = asyncio.get_running_loop().time() + _FOUND_WITHIN_S
        subjects = [Subject(person_id=person) for person in people]
        found = await registry.fetch(subjects, frozenset({"nik"}), civil_day(clock()), deadline)
        return {
            one.person_id: nik
            for one in found
            if isinstance(one, Record) and isinstance(nik := one.values.get("nik"), str)
        }

    return find


class Reversals:
    """Asks for, settles and performs reversals. Raises StoreUnavailable, and BadInput for what is malformed.

    Whether the role of an actor suffices is asked before, by `gateway.staff.check`. `sectors` are those that
    ever had a key: the names of no other exist.
    """

    def __init__(
        self,
        database: Database,
        sector_keys: Callable[[str], Awaitable[SectorKeys]],
        sectors: Callable[[], Collection[str]],
        find_niks: FindNiks,
        audit_key: bytes,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._sector_keys = sector_keys
        self._sectors = sectors
        self._find_niks = find_niks
        self._hasher = SubjectHasher(audit_key)
        self._clock = clock

    def list(self) -> Sequence[Reversal]:
        """Every reversal, newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(reversals).order_by(reversals.c.requested_at.desc()))
            return [_reversal(row, self._clock()) for row in rows]

    def get(self, reversal_id: str) -> Reversal:
        """One reversal. Raises NotFound."""
        with self._database.reading() as connection:
            return _reversal(_row(connection, reversal_id), self._clock())

    def request(
        self,
        actor: Staff,
        sector: str,
        names: Sequence[str],
        *,
        legal_basis: str,
        reference: str,
        reason: str,
    ) -> Reversal:
        """Ask for the people behind `names` of a sector; `reference` is the number of the order or letter.

        Every name has the form of a pseudonym of that sector; whether one leads to anybody is not told here.
        """
        _refuse_unnamed(actor)
        if legal_basis not in LEGAL_BASES:
            raise BadInput(
                Text(
                    f"Dasar hukum: diharapkan salah satu dari {', '.join(LEGAL_BASES)}.",
                    f"legal_basis: expected one of {', '.join(LEGAL_BASES)}.",
                )
            )
        if not _REFERENCE.fullmatch(reference) or _NIK.search(reference):
            raise BadInput(
                Text(
                    "Nomor: diharapkan nomor perintah atau surat, paling banyak 200 karakter.",
                    "reference: expected the number of the order or letter, up to 200 characters.",
                )
            )
        if not 1 <= len(names) <= MOST_NAMES:
            raise BadInput(
                Text(
                    f"Pseudonim: diharapkan 1 sampai {MOST_NAMES}, diperoleh {len(names)}.",
                    f"pseudonyms: expected 1 to {MOST_NAMES}, got {len(names)}.",
                )
            )
        refuse_other_names(sector, self._sectors(), names)
        now, row_id = self._clock(), str(uuid4())
        values = {
            "id": row_id,
            "sector": sector,
            "name_hashes": [self._hasher.identifier(name) for name in names],
            "legal_basis": legal_basis,
            "reference": reference.strip(),
            "reason": reason.strip(),
            "requested_by": actor.id,
            "requested_at": now,
            "state": "requested",
        }
        with self._database.unit_of_work() as connection:
            connection.execute(insert(reversals).values(values))
            row = _row(connection, row_id)
            self._write_down(connection, actor, "reversal.requested", row, reason, now)
            return _reversal(row, now)

    def approve(self, actor: Staff, reversal_id: str, reason: str) -> Reversal:
        """Allow it, as somebody else than who asked. Raises NotFound, Conflict, NotPermitted."""
        return self._settle(actor, reversal_id, "approved", reason)

    def refuse(self, actor: Staff, reversal_id: str, reason: str) -> Reversal:
        """End it before it is performed. Raises NotFound, Conflict."""
        return self._settle(actor, reversal_id, "refused", reason)

    async def perform(self, actor: Staff, reversal_id: str, names: Sequence[str]) -> Sequence[Reversed]:
        """Who is behind the names, in their order, once: to the person who asked, after the approval.

        `names` MUST be those that were asked for. The evidence is committed before this returns. Raises
        NotFound, NotPermitted, Conflict when it is not approved, has lapsed, or was performed.
        """
        hashes = [self._hasher.identifier(name) for name in names]
        reversal = await asyncio.to_thread(self._performable, actor, reversal_id, hashes)
        keys = await self._sector_keys(reversal.sector)
        people = [_person(keys, name) for name in names]
        niks = await self._find_niks([person for person in people if person is not None])
        told = [
            own if person is None else self._hasher.person(person)
            for own, person in zip(hashes, people, strict=True)
        ]
        await asyncio.to_thread(self._perform, actor, reversal_id, hashes, told)
        return [Reversed(person, None if person is None else niks.get(person)) for person in people]

    def _perform(self, actor: Staff, reversal_id: str, hashes: Sequence[str], told: Sequence[str]) -> None:
        now = self._clock()
        with self._database.unit_of_work() as connection:
            # Looked at again under the lock: of two who perform at once, one does.
            row = _row(connection, reversal_id, lock=True)
            self._refuse_unready(actor, row, hashes, now)
            done = update(reversals).where(reversals.c.id == reversal_id)
            connection.execute(done.values(state="performed", performed_at=now))
            self._write_down(connection, actor, "reversal.performed", row, row.reason, now, told)

    def _performable(self, actor: Staff, reversal_id: str, hashes: Sequence[str]) -> Reversal:
        now = self._clock()
        with self._database.reading() as connection:
            row = _row(connection, reversal_id)
        self._refuse_unready(actor, row, hashes, now)
        return _reversal(row, now)

    def _refuse_unready(
        self, actor: Staff, row: Row[*tuple[Any, ...]], hashes: Sequence[str], now: datetime
    ) -> None:
        _refuse_unnamed(actor)
        if actor.id != row.requested_by:
            raise NotPermitted(
                Text(
                    "Pembukaan pseudonim dilakukan oleh yang memintanya, tidak oleh orang lain.",
                    "Whoever asked for a reversal performs it, and nobody else.",
                ),
                code="not_yours",
            )
        state = _reversal(row, now).state
        if state != "approved":
            raise Conflict(
                Text(
                    "Hanya permintaan yang disetujui yang dapat dilakukan, dalam 24 jam; yang ini tidak.",
                    f"The reversal is {state}; only an approved one is performed, within 24 hours.",
                )
            )
        if row.settled_by == row.requested_by:
            raise NotPermitted(
                Text("Pembukaan pseudonim memerlukan dua orang.", "A reversal takes two people."),
                code="second_person_needed",
            )
        if list(hashes) != list(row.name_hashes):
            raise Conflict(
                Text(
                    "Ini bukan pseudonim yang disetujui, menurut urutannya.",
                    "These are not the pseudonyms that were approved, in their order.",
                ),
                code="other_pseudonyms",
            )

    def _settle(self, actor: Staff, reversal_id: str, state: State, reason: str) -> Reversal:
        _refuse_unnamed(actor)
        now = self._clock()
        with self._database.unit_of_work() as connection:
            row = _row(connection, reversal_id, lock=True)
            open_states = {"requested"} if state == "approved" else {"requested", "approved"}
            if row.state not in open_states:
                raise Conflict(
                    Text(
                        "Permintaan ini sudah diputuskan, dilakukan atau lewat waktunya: tidak dapat "
                        "diputuskan lagi.",
                        f"The reversal is {_reversal(row, now).state}: it cannot be {state} any more.",
                    )
                )
            if state == "approved":
                refuse_token(actor)
            if state == "approved" and actor.id == row.requested_by:
                raise NotPermitted(
                    Text(
                        f"{actor.id} sendiri yang memintanya: orang lain dengan peran penyetuju yang "
                        "menyetujuinya.",
                        f"{actor.id} asked for it: somebody else, with the role approver, approves it.",
                    ),
                    code="second_person_needed",
                )
            settled = {"state": state, "settled_by": actor.id, "settled_at": now}
            connection.execute(update(reversals).where(reversals.c.id == reversal_id).values(settled))
            self._write_down(connection, actor, f"reversal.{state}", row, reason, now)
            return _reversal(_row(connection, reversal_id), now)

    def _write_down(
        self,
        connection: Connection,
        actor: Staff,
        what: str,
        row: Row[*tuple[Any, ...]],
        reason: str,
        now: datetime,
        people: Sequence[str] = (),
    ) -> None:
        """One act of the log; with `people`, their keyed hashes, so that their histories tell of it."""
        acts.record(
            connection,
            actor,
            what,
            f"reversal/{row.id}",
            reason,
            now,
            subjects=people,
            sector=row.sector,
            names=len(row.name_hashes),
            legal_basis=row.legal_basis,
            reference=row.reference,
        )


def _row(connection: Connection, reversal_id: str, *, lock: bool = False) -> Row[*tuple[Any, ...]]:
    statement = select(reversals).where(reversals.c.id == reversal_id)
    row = connection.execute(statement.with_for_update() if lock else statement).first()
    if row is None:
        raise NotFound(
            Text(
                "Tidak ada permintaan pembukaan pseudonim ini.",
                "There is no such reversal: see `gapura reversals list`.",
            )
        )
    return row


def _reversal(row: Row[*tuple[Any, ...]], now: datetime) -> Reversal:
    approved = row.state == "approved"
    until = row.settled_at + PERFORMED_WITHIN if approved else None
    return Reversal(
        id=row.id,
        sector=row.sector,
        names=len(row.name_hashes),
        legal_basis=row.legal_basis,
        reference=row.reference,
        reason=row.reason,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        state="lapsed" if until is not None and now >= until else row.state,
        settled_by=row.settled_by,
        settled_at=row.settled_at,
        perform_until=until,
        performed_at=row.performed_at,
    )


def _person(keys: SectorKeys, name: str) -> UUID | None:
    try:
        return keys.person(name)
    except UnusablePseudonym:
        return None


def _refuse_unnamed(actor: Staff) -> None:
    """Neither a token nor the installation is one of two people; on the console one says who one is."""
    if actor.id == INSTALLATION.id or not (actor.in_person or actor.on_console):
        raise NotPermitted(
            Text(
                "Pembukaan pseudonim terjadi antara dua orang yang bernama: masuklah sendiri.",
                "A reversal is between two people who are named: sign in, or say who acts with --as.",
            ),
            code="in_person_only",
        )
