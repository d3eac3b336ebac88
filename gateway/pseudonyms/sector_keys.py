"""The versions of sector keys: made on first use, followed by a next one, destroyed with their salts.

Each version has a random salt, a file `v2.kesehatan.salt` of mode 0600 in the folder `sectors` of the keys.
The database knows only numbers, dates and a mark: where a salt is missing or is another one, the sector's
names are refused rather than made anew, which would rename everybody in silence. An orphaned salt is used,
not replaced: whatever came between the file and the commit, a version never has two salts.

A running process sees every change by the folder's modification time, as it does for signing keys. A salt
MUST NOT be copied into the database, an error or a log.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.database import Database
from gateway.errors import BadInput, Conflict, FileUnusable, KeysUnavailable, NotFound
from gateway.key_files import changing, erase, locked, private_folder, read_private, stamp_of, write_once
from gateway.pseudonyms.tables import sector_key_versions
from gateway.staff.acts import Act, Details, RecordAct, record_in_audit_log
from gateway.staff.roles import INSTALLATION, Staff
from policies.pseudonym import SectorKey, SectorKeys, derive_sector_key

FOLDER = "sectors"
LONGEST_OVERLAP_DAYS = 730

_SALT_BYTES = 32
_MARK_LABEL = b"gapura sector key mark\0"

VersionState = Literal["current", "overlap", "ended", "destroyed"]


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One version of a sector's key, without the key.

    Its names are made from `made_at` until a next version is, and taken back before `names_until` (UTC; None
    while it is the newest). `destroyed_at` is when its salt was; without a salt it cannot be.
    """

    sector: str
    version: int
    made_at: datetime
    names_until: datetime | None
    destroyed_at: datetime | None
    salted: bool
    mark: str | None

    def state(self, now: datetime) -> VersionState:
        """Where it is in its life."""
        if self.destroyed_at is not None:
            return "destroyed"
        if self.names_until is None:
            return "current"
        return "overlap" if now < self.names_until else "ended"


@dataclass(frozen=True, slots=True)
class _Held:
    """One sector's keys as last read, with the moment up to which each older one is accepted."""

    keys: SectorKeys
    until: Mapping[int, datetime]

    def at(self, now: datetime) -> SectorKeys:
        ended = {version for version, until in self.until.items() if until <= now}
        if not ended:
            return self.keys
        kept = {version: key for version, key in self.keys.by_version.items() if version not in ended}
        return SectorKeys(self.keys.current, kept)


class SectorKeyring:
    """The sector keys of one installation. Safe to share between threads and processes of one key folder.

    `of` serves requests; everything else blocks and is for commands and housekeeping. Each act is recorded in
    its own transaction.
    """

    def __init__(
        self,
        database: Database,
        keys_folder: Path,
        master: bytes,
        clock: Callable[[], datetime],
        record: RecordAct = record_in_audit_log,
    ) -> None:
        self._database = database
        self._folder = keys_folder / FOLDER
        self._master = master
        self._clock = clock
        self._record = record
        self._stamp: int | None = None
        self._held: dict[str, _Held] = {}
        self._reading = asyncio.Lock()
        private_folder(self._folder)

    def __repr__(self) -> str:
        return f"SectorKeyring({str(self._folder)!r})"

    async def of(self, sector: str) -> SectorKeys:
        """The keys of a sector as they stand now; a sector's first one is made when it is first needed.

        Raises KeysUnavailable when a salt is not in the folder, FileUnusable, StoreUnavailable.
        """
        stamp = stamp_of(self._folder)
        if stamp != self._stamp:
            self._held, self._stamp = {}, stamp
        seen = self._held  # what is read under an older stamp must not outlive it
        if sector not in seen:
            async with self._reading:
                if sector not in seen:
                    seen[sector] = await asyncio.to_thread(self._read, sector)
        return seen[sector].at(self._clock())

    def read(self, sector: str) -> SectorKeys:
        """As `of`, for commands."""
        return self._read(sector).at(self._clock())

    def versions(self, sector: str | None = None) -> Sequence[KeyVersion]:
        """Every version of one sector, or of all, oldest first."""
        with self._database.reading() as connection:
            return _versions(connection, sector)

    def sectors(self) -> frozenset[str]:
        """The sectors that ever had a key: no other has names."""
        return frozenset(one.sector for one in self.versions())

    def rotate(self, actor: Staff, sector: str, overlap_days: int, reason: str) -> KeyVersion:
        """Make the next version: answers give its names at once, the older names are taken back meanwhile.

        Raises NotFound for a sector that has no key yet, BadInput for days out of range.
        """
        if not 0 <= overlap_days <= LONGEST_OVERLAP_DAYS:
            raise BadInput(f"The overlap is 0 to {LONGEST_OVERLAP_DAYS} days, got {overlap_days}.")
        now = self._clock()
        with self._changing() as connection:
            present = _newest(_versions(connection, sector), sector)
            until = now + timedelta(days=overlap_days)
            version = present.version + 1
            connection.execute(update(_T).where(*_is(sector, present.version)).values(names_until=until))
            made = self._add(connection, sector, version, now)
            details: Details = {"version": version, "overlap_until": until.isoformat()}
            self._write_down(connection, actor, "sector_key.rotated", sector, reason, now, details)
            return made

    def destroy(
        self, actor: Staff, sector: str, version: int, reason: str, *, early: bool = False
    ) -> KeyVersion:
        """Destroy a version's salt: nobody, we included, can lead its names back to people any more.

        Raises NotFound, Conflict for the newest version, for one whose names are still taken back unless
        `early`, for one that has no salt, and for one that is destroyed.
        """
        now = self._clock()
        path = self._path(sector, version)
        with self._changing() as connection:
            known = {one.version: one for one in _versions(connection, sector)}
            if version not in known:
                raise NotFound(f"{sector} has no key of version {version}: see `gapura keys sectors`.")
            present = known[version]
            _refuse_destruction(present, now, early=early, leftover=path.exists())
            if present.destroyed_at is None:
                connection.execute(update(_T).where(*_is(sector, version)).values(destroyed_at=now))
            details = {"version": version}
            self._write_down(connection, actor, "sector_key.destroyed", sector, reason, now, details)
        # After the commit: a salt that is gone while the database counts on it would stop the sector. What a
        # crash leaves between the two, housekeeping erases.
        self._erase(path)
        return next(one for one in self.versions(sector) if one.version == version)

    def destroy_ended(self) -> list[KeyVersion]:
        """Destroy what has had its time, and erase what is destroyed and still or again in the folder."""
        now = self._clock()
        destroyed = []
        for one in self.versions():
            match one.state(now):
                case "ended" if one.salted:
                    try:
                        destroyed.append(self.destroy(INSTALLATION, one.sector, one.version, "overlap ended"))
                    except Conflict:
                        continue  # another process was faster
                case "destroyed":
                    self._erase(self._path(one.sector, one.version))
        return destroyed

    def _erase(self, path: Path) -> None:
        if path.exists():
            with changing(self._folder):
                erase(path)

    def note_rekeyed(self, actor: Staff, sector: str, reason: str, *, count: int, unusable: int) -> None:
        """Record that a partner's pseudonyms were renewed on the console, and how many could not be."""
        details = {"names": count, "unusable": unusable}
        with self._database.unit_of_work() as connection:
            self._write_down(connection, actor, "sector_key.rekeyed", sector, reason, self._clock(), details)

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        """A transaction that no process of this folder reads the keys beside."""
        with changing(self._folder), self._database.unit_of_work() as connection:
            yield connection

    def _read(self, sector: str) -> _Held:
        now = self._clock()
        if not self.versions(sector):
            self._begin(sector, now)
        with locked(self._folder):
            versions = self.versions(sector)
            newest = _newest(versions, sector)
            accepted = [one for one in versions if one.state(now) in {"current", "overlap"}]
            keys = {one.version: self._key(one) for one in accepted}
        until = {one.version: one.names_until for one in accepted if one.names_until is not None}
        return _Held(SectorKeys(keys[newest.version], keys), until)

    def _begin(self, sector: str, now: datetime) -> None:
        # Another process or machine may be faster: of two rows for one version the second is refused.
        with suppress(IntegrityError), self._changing() as connection:
            if not _versions(connection, sector):
                self._add(connection, sector, 1, now)

    def _key(self, one: KeyVersion) -> SectorKey:
        path = self._path(one.sector, one.version)
        if one.salted and not path.exists():
            raise KeysUnavailable(
                f"{path} is missing: the key of {one.sector}, version {one.version}, was made elsewhere or "
                "is lost. Copy it from the other machine or from the backup."
            )
        key = self._derived(one.sector, one.version, _read_salt(path) if one.salted else None)
        if one.mark is not None and one.mark != _mark_of(key):
            raise KeysUnavailable(
                f"{path} is not the salt with which version {one.version} of {one.sector} began: put the "
                "right one back from the backup."
            )
        return key

    def _add(self, connection: Connection, sector: str, version: int, now: datetime) -> KeyVersion:
        path = self._path(sector, version)
        if not path.exists():
            write_once(path, secrets.token_hex(_SALT_BYTES) + "\n")
        mark = _mark_of(self._derived(sector, version, _read_salt(path)))
        row = {"sector": sector, "version": version, "made_at": now, "salted": True, "mark": mark}
        connection.execute(insert(_T).values(row))
        return KeyVersion(sector, version, now, None, None, salted=True, mark=mark)

    def _derived(self, sector: str, version: int, salt: bytes | None) -> SectorKey:
        return derive_sector_key(self._master, sector, version, salt)

    def _path(self, sector: str, version: int) -> Path:
        return self._folder / f"v{version}.{sector}.salt"

    def _write_down(
        self,
        connection: Connection,
        actor: Staff,
        act: str,
        sector: str,
        reason: str,
        at: datetime,
        details: Details,
    ) -> None:
        if not reason.strip():
            raise BadInput("reason: expected words that say why")
        self._record(connection, Act(actor.actor, act, f"sector/{sector}", at, reason.strip(), details))


_T = sector_key_versions


def _is(sector: str, version: int) -> tuple[Any, Any]:
    return _T.c.sector == sector, _T.c.version == version


def _versions(connection: Connection, sector: str | None) -> list[KeyVersion]:
    statement = select(_T).order_by(_T.c.sector, _T.c.version)
    if sector is not None:
        statement = statement.where(_T.c.sector == sector)
    return [_version_of(row) for row in connection.execute(statement)]


def _version_of(row: Row[*tuple[Any, ...]]) -> KeyVersion:
    return KeyVersion(
        sector=row.sector,
        version=row.version,
        made_at=row.made_at,
        names_until=row.names_until,
        destroyed_at=row.destroyed_at,
        salted=row.salted,
        mark=row.mark,
    )


def _newest(versions: Sequence[KeyVersion], sector: str) -> KeyVersion:
    if not versions:
        raise NotFound(f"The sector {sector} has no key yet: it is made with its first pseudonym.")
    return versions[-1]


def _refuse_destruction(one: KeyVersion, now: datetime, *, early: bool, leftover: bool) -> None:
    named = f"Version {one.version} of {one.sector}"
    match one.state(now):
        case "current":
            raise Conflict(f"{named} is in use: run `gapura keys rotate-sector {one.sector}` first.")
        case "destroyed" if not leftover:
            raise Conflict(f"{named} is destroyed already.")
        case "overlap" if not early:
            raise Conflict(
                f"{named} is taken back until {one.names_until:%Y-%m-%d %H:%M} UTC; --early ends that."
            )
    if not one.salted:
        raise Conflict(
            f"{named} was begun before versions had salts of their own. Its names are refused after its "
            "overlap, but it cannot be destroyed apart from the master key."
        )


def _mark_of(key: SectorKey) -> str:
    return hashlib.sha256(_MARK_LABEL + key.token_key).hexdigest()


def _read_salt(path: Path) -> bytes:
    text = read_private(path).strip()
    if not re.fullmatch(rf"[0-9a-f]{{{2 * _SALT_BYTES}}}", text):
        raise FileUnusable(
            f"{path} is no salt: expected {2 * _SALT_BYTES} hexadecimal digits, got {len(text)} characters. "
            "Restore it from its backup."
        )
    return bytes.fromhex(text)
