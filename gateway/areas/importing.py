"""Importing one layer of a map: what came becomes the edition in one transaction, after all of it has come.

A pull that fails leaves the store as it was. What is unchanged is not written again, and what came no more is
removed, except where its new drawing was rejected: then the old one stays. MUST NOT repair a code.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, text, true
from sqlalchemy.dialects import postgresql, sqlite

from connectors.big.areas import RejectedFeature
from connectors.big.codes import LEVELS, Edition, Level, level_of
from connectors.big.layers import AreaPage
from gateway.advisory_locks import AdvisoryLock
from gateway.areas.arrivals import Arrivals
from gateway.areas.editions import read_editions
from gateway.areas.tables import area_editions, area_layers, areas
from gateway.database import Database
from gateway.errors import BadInput, Conflict
from gateway.registry.tables import regions
from gateway.shrinking import refuse_shrinking

# Two imports at once take turns at the end. Any constant does.
_ROWS_PER_STATEMENT = 500
_EDITION = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/-]{0,63}")

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is imported: one level of an edition, or the part of it that lies in region `within`."""

    edition: Edition
    level: Level
    within: str | None = None

    def clause(self, code: ColumnElement[str]) -> ColumnElement[bool]:
        """Whether a code belongs to that part."""
        if self.within is None:
            return true()
        return or_(code == self.within, code.startswith(f"{self.within}.", autoescape=True))


def wanted_layer(
    level: Level, edition: str, valid_from: date, valid_until: date | None, within: str | None
) -> Wanted:
    """The layer that an operator names. Raises BadInput for what cannot be meant."""
    if not _EDITION.fullmatch(edition):
        raise BadInput("An edition is named in 1 to 64 letters, digits, blanks and . _ / -, like big-2025.")
    if valid_until is not None and valid_until < valid_from:
        raise BadInput(f"The edition ends on {valid_until}, before it begins on {valid_from}.")
    if within is not None:
        try:
            above = level_of(within)
        except ValueError as error:
            raise BadInput(f"The region within which to import is {error}.") from None
        if LEVELS.index(above) > LEVELS.index(level):
            raise BadInput(f"A {above} holds no {level}: name a larger region to import within.")
    return Wanted(Edition(edition, valid_from, valid_until), level, within)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many codes the layer shares with the registry's table of regions, and how many only one has."""

    both: int
    map_only: int
    registry_only: int


@dataclass(slots=True)
class ImportReport:
    """What became of a layer. `read` counts features, the others areas; `rejected` counts them by reason.

    `kept` are areas that stay as they were because their new drawing was rejected. `registry` is None where
    the registry's table of regions is empty.
    """

    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    gone: int = 0
    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    registry: Comparison | None = None


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the store holds of the wanted part: fingerprints by code; 0 is the revision of no layer.

    `earlier` counts the areas of the edition that came before this one.
    """

    fingerprints: Mapping[str, str]
    revision: int
    earlier: int


class AreaImport:
    """Imports one layer. `source` names where it comes from, `on_rejected` hears of every feature refused.

    An import that would remove more than `most_gone_percent` of the areas wanted is held (None: never).
    """

    def __init__(
        self,
        database: Database,
        wanted: Wanted,
        *,
        source: str,
        clock: Callable[[], datetime],
        most_gone_percent: int | None = None,
        on_rejected: Callable[[RejectedFeature], None] = lambda feature: None,  # noqa: ARG005 - nobody hears
        progress: Progress = lambda read, announced: None,  # noqa: ARG005 - nobody watches
    ) -> None:
        self._database = database
        self._wanted = wanted
        self._source = source
        self._clock = clock
        self._most_gone_percent = most_gone_percent
        self._on_rejected = on_rejected
        self._progress = progress

    async def __call__(self, pages: AsyncIterator[AreaPage]) -> ImportReport:
        """Take every page, then make them the layer.

        Raises what `pages` raises, BadInput where no area is believed, Held where too many are gone, Conflict
        where the edition is known with other days or another import changed the layer meanwhile,
        StoreUnavailable. After any of them the store is as it was.
        """
        standing = await asyncio.to_thread(self._read_standing)
        report = ImportReport()
        with Arrivals() as arrivals:
            missing = await self._receive(pages, standing, arrivals, report)
            self._refuse_shrinking(standing, missing, report)
            await asyncio.to_thread(self._settle, standing, arrivals, missing, report)
        return report

    async def _receive(
        self, pages: AsyncIterator[AreaPage], standing: _Standing, arrivals: Arrivals, report: ImportReport
    ) -> set[str]:
        """Count and keep what comes; the codes that the store has and that did not come, believed or not."""
        missing, refused = set(standing.fingerprints), set[str]()
        async for page in pages:
            for area in page.areas:
                fingerprint = area.fingerprint
                known = standing.fingerprints.get(area.code)
                missing.discard(area.code)
                report.new += known is None
                report.changed += known is not None and known != fingerprint
                report.unchanged += known == fingerprint
                if known != fingerprint:
                    arrivals.add(area, fingerprint)
            for feature in page.rejected:
                report.rejected[feature.reason] += 1
                refused |= {feature.code} if feature.code else set()
                self._on_rejected(feature)
            report.read = page.read
            self._progress(page.read, page.announced)
        if not report.new + report.changed + report.unchanged:
            raise BadInput(
                f"Of {report.read} features none is a {self._wanted.level} that can be believed; nothing was "
                "changed. Is it the right layer, level and region?"
            )
        report.kept = len(missing & refused)
        return missing - refused

    def _read_standing(self) -> _Standing:
        wanted = self._wanted
        held = select(areas.c.code, areas.c.fingerprint).where(
            areas.c.edition == wanted.edition.name,
            areas.c.level == wanted.level,
            wanted.clause(areas.c.code),
        )
        with self._database.reading() as connection:
            _check_days(wanted.edition, read_editions(connection))
            revision = self._revision(connection)
            fingerprints = {row.code: row.fingerprint for row in connection.execute(held)}
            return _Standing(fingerprints, revision, self._count_earlier(connection))

    def _count_earlier(self, connection: Connection) -> int:
        wanted = self._wanted
        before = [one for one in read_editions(connection) if one.valid_from < wanted.edition.valid_from]
        if not before:
            return 0
        name = max(before, key=lambda one: one.valid_from).name
        of_it = (areas.c.edition == name, areas.c.level == wanted.level, wanted.clause(areas.c.code))
        return connection.execute(select(func.count()).select_from(areas).where(*of_it)).scalar_one()

    def _refuse_shrinking(self, standing: _Standing, missing: set[str], report: ImportReport) -> None:
        """Compare with what stands, or where this is the edition's first, with the edition before it."""
        what, held, gone = f"areas of level {self._wanted.level}", len(standing.fingerprints), len(missing)
        if not held:
            what, held = f"{what} of the edition before", standing.earlier
            gone = max(0, held - report.new)
        refuse_shrinking(what, held=held, gone=gone, most_percent=self._most_gone_percent)

    def _revision(self, connection: Connection) -> int:
        stored = select(area_layers.c.revision).where(self._is_this_layer())
        return connection.execute(stored).scalar() or 0

    def _is_this_layer(self) -> ColumnElement[bool]:
        wanted = self._wanted
        return and_(area_layers.c.edition == wanted.edition.name, area_layers.c.level == wanted.level)

    def _settle(self, standing: _Standing, arrivals: Arrivals, gone: set[str], report: ImportReport) -> None:
        """The one transaction. Writes nothing where nothing is new."""
        with self._database.unit_of_work() as connection:
            if not self._database.is_sqlite:
                connection.execute(text(f"SELECT pg_advisory_xact_lock({AdvisoryLock.AREAS_IMPORT:d})"))
            if self._revision(connection) != standing.revision:
                raise Conflict(
                    "Another import of this layer has just ended, and this one was compared with what stood "
                    "before: nothing was changed. Run it again."
                )
            self._write_edition(connection)
            if report.new or report.changed or gone or not standing.revision:
                self._write_areas(connection, arrivals.rows())
                self._remove(connection, gone)
                self._write_layer(connection, standing.revision + 1)
            report.registry = self._compare(connection)
        report.gone = len(gone)

    def _write_edition(self, connection: Connection) -> None:
        """Know the edition. Its last day is only changed where one is given."""
        edition = self._wanted.edition
        _check_days(edition, read_editions(connection))
        row = {"name": edition.name, "valid_from": edition.valid_from, "valid_until": edition.valid_until}
        statement = self._insert(area_editions).values(row)
        if edition.valid_until is None:
            connection.execute(statement.on_conflict_do_nothing())
            return
        changed = area_editions.c.valid_until.is_distinct_from(edition.valid_until)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["name"], set_={"valid_until": edition.valid_until}, where=changed
            )
        )

    def _write_areas(self, connection: Connection, rows: Iterable[dict[str, Any]]) -> None:
        statement = self._insert(areas)
        said = {one.name: statement.excluded[one.name] for one in areas.columns if not one.primary_key}
        statement = statement.on_conflict_do_update(index_elements=["edition", "code"], set_=said)
        remaining = iter(rows)
        while part := list(islice(remaining, _ROWS_PER_STATEMENT)):
            connection.execute(statement, part)

    def _remove(self, connection: Connection, codes: set[str]) -> None:
        named = delete(areas).where(
            areas.c.edition == self._wanted.edition.name, self._database.one_of(areas.c.code, "codes")
        )
        if codes:
            connection.execute(named, {"codes": sorted(codes)})

    def _write_layer(self, connection: Connection, revision: int) -> None:
        edition, level = self._wanted.edition.name, self._wanted.level
        counted = select(func.count()).where(areas.c.edition == edition, areas.c.level == level)
        said = {
            "source": self._source,
            "areas": connection.execute(counted).scalar_one(),
            "imported_at": self._clock(),
            "revision": revision,
        }
        statement = self._insert(area_layers).values(edition=edition, level=level, **said)
        connection.execute(statement.on_conflict_do_update(index_elements=["edition", "level"], set_=said))

    def _compare(self, connection: Connection) -> Comparison | None:
        wanted = self._wanted
        known = select(regions.c.code).where(
            regions.c.level == LEVELS.index(wanted.level) + 1,
            regions.c.valid_to.is_(None),
            wanted.clause(regions.c.code),
        )
        drawn = select(areas.c.code).where(
            areas.c.edition == wanted.edition.name, areas.c.level == wanted.level, wanted.clause(areas.c.code)
        )
        registered, mapped = (set(connection.execute(codes).scalars()) for codes in (known, drawn))
        if not registered:
            return None
        return Comparison(len(registered & mapped), len(mapped - registered), len(registered - mapped))

    def _insert(self, table: Any) -> Any:
        return (sqlite if self._database.is_sqlite else postgresql).insert(table)


def _check_days(edition: Edition, known: Iterable[Edition]) -> None:
    """Refuse an edition that would leave in doubt what is in force. Raises Conflict."""
    for other in known:
        if other.name == edition.name and other.valid_from != edition.valid_from:
            raise Conflict(
                f"Edition {other.name} is in the store as valid from {other.valid_from}: give that day, or "
                "another name."
            )
        if other.name != edition.name and other.valid_from == edition.valid_from:
            raise Conflict(
                f"Edition {other.name} is valid from {other.valid_from} too, and one of two editions must "
                "come later: give its name, if that is the edition meant, or another day."
            )
