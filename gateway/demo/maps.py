"""What the demo's console has of regions: invented borders for its map, and an extract to reconcile with.

Both come from the simulators, by the same code as in production. MUST NOT be used on a registry of real
people: the borders are rectangles, and the extract is made up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from connectors.big.codes import Edition
from connectors.kind import SimulatedPerson
from gateway.areas.configured import read_map_server
from gateway.areas.editions import layers
from gateway.areas.importing import AreaImport, Wanted
from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.reconciliation.extract_folder import EXTRACT_FOLDER
from gateway.registry.regions import IN_FORCE_SINCE
from gateway.settings import Settings
from gateway.sources.training_extract import write_extract

_EDITION = Edition("latihan", IN_FORCE_SINCE)
_EXTRACT = "dukcapil-latihan.csv"


def import_maps(database: Database, sources: Path) -> None:
    """Bring the simulated map server's regencies in, unless any map is there already.

    `sources` is the `sources.toml` that leads to the simulators, which MUST be served. Raises SourceFailure.
    """
    if layers(database):
        return
    wanted, server = Wanted(_EDITION, "regency"), read_map_server(sources)
    pages = server.pull(wanted.level, wanted.edition, wanted.within)
    asyncio.run(AreaImport(database, wanted, source="latihan", clock=lambda: datetime.now(UTC))(pages))


def lay_out_extract(settings: Settings, population: Sequence[SimulatedPerson]) -> None:
    """Put an extract of these people where a reconciliation can be started with it, unless one is there."""
    file = settings.home / EXTRACT_FOLDER / _EXTRACT
    if not file.exists():
        file.parent.mkdir(mode=0o700, exist_ok=True)
        write_extract(population, file, civil_day(datetime.now(UTC)))
