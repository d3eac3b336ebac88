"""Which fields the sources of these settings have, for a command that judges a policy. Nobody is asked.

It MUST come to the same as `gateway.app.build_services`, which opens what is only read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from gateway.agreements.store import PolicyStore
from gateway.app import registry_fields
from gateway.areas.connector import AreasConnector
from gateway.database import Database
from gateway.provision import fields_by_source, provided_by
from gateway.registry.existing.connector import ExistingRegistry
from gateway.settings import Settings
from gateway.sources.folder import build_sources
from gateway.sources.unconfigured import unconfigured_sources


def provided_here(database: Database, settings: Settings) -> Mapping[str, frozenset[str]]:
    """The fields of each source, by its name; of one that is not configured those of the dictionary in force.

    Raises SettingsInvalid, PolicyError where what is in force does not load.
    """
    outside = build_sources(settings.sources_file, database, _now)
    try:
        known = {
            ExistingRegistry.name: registry_fields(settings),
            AreasConnector.name: AreasConnector.provides,
            **provided_by(outside.connectors),
        }
    finally:
        outside.close()
    everywhere = frozenset[str]().union(*known.values())
    in_force = fields_by_source(PolicyStore(database, _now).book().dictionary)
    return {**known, **provided_by(unconfigured_sources(in_force, everywhere, _now()))}


def _now() -> datetime:
    return datetime.now(UTC)
