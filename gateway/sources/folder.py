"""The outside sources of one process, built from `sources.toml`: connectors, lists, and how each fares.

It knows no source by name: what each one needs is said by its kind, in `connectors/registered.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from connectors.base import Connector
from connectors.kind import SourceKind, Surroundings
from connectors.programmes.publisher import ProgrammeListSource
from connectors.quota import Metered, QuotaWarning
from connectors.registered import KINDS
from connectors.transport.client import Transport, Watch, unwatched
from connectors.transport.observed import SourceState
from connectors.transport.settings import SourceSettings
from gateway.database import Database
from gateway.errors import NotFound, SettingsInvalid
from gateway.sources.configured import (
    Configured,
    ConfiguredList,
    ConfiguredSource,
    list_name,
    read_sources,
)
from gateway.sources.last_known import Remembering
from gateway.sources.quota import DatabaseQuotaLedger


class Tell(Protocol):
    """Writes one event to the log, as `gateway.telemetry.Telemetry.event` does."""

    def __call__(self, name: str, *, level: str = ..., **fields: Any) -> None:
        """Write it."""
        ...


def tell_nobody(name: str, *, level: str = "info", **fields: Any) -> None:
    """For a command, which shows what it sees itself."""
    del name, level, fields


@dataclass(frozen=True, slots=True)
class MembershipList:
    """A programme's list and the programmes that it excludes (None: every other)."""

    source: ProgrammeListSource
    excludes: frozenset[str] | None

    @property
    def exclusive_pairs(self) -> frozenset[frozenset[str]] | None:
        """As `connectors.programmes.rows.double_memberships` wants them."""
        if self.excludes is None:
            return None
        return frozenset(frozenset({self.source.programme, other}) for other in self.excludes)


@dataclass(frozen=True, slots=True)
class Sources:
    """The outside sources that are configured. Belongs to one event loop; `aclose` it there.

    `connectors` answer exchanges; `lists`, by programme, are pulled. Both are empty where nothing is
    configured. `simulated` names the connectors whose source is a double.
    """

    connectors: tuple[Connector, ...] = ()
    lists: Mapping[str, MembershipList] = field(default_factory=dict)
    simulated: frozenset[str] = frozenset()
    _transports: tuple[Transport, ...] = ()
    _quotas: Mapping[str, Callable[[], Awaitable[int]]] = field(default_factory=dict)
    _remembering: tuple[Remembering, ...] = ()
    _ledger: DatabaseQuotaLedger | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What can be checked: connectors by name, lists by programme."""
        return (*(connector.name for connector in self.connectors), *self.lists)

    def states(self) -> list[SourceState]:
        """Each source as this process knows it, connectors first. To be asked on its event loop."""
        return [transport.state() for transport in self._transports]

    async def quota_left(self, source: str) -> int | None:
        """How many calls are left today, None where there is no quota. Raises StoreUnavailable."""
        count = self._quotas.get(source)
        return None if count is None else await count()

    async def check(self, name: str) -> None:
        """Return when the source answers us; raises SourceFailure when not, NotFound for an unknown name.

        Asks the source about nobody. Spends one call of its quota, where it has one.
        """
        asked = {connector.name: connector.ping for connector in self.connectors}
        for programme, one in self.lists.items():
            asked |= {programme: one.source.ping, one.source.name: one.source.ping}
        if name not in asked:
            known = ", ".join(self.names) or "none is configured"
            raise NotFound(f"There is no such source. Sources: {known}.")
        await asked[name]()

    def list_of(self, programme: str) -> MembershipList:
        """The list of a programme; raises NotFound."""
        if programme not in self.lists:
            known = ", ".join(self.lists) or "none is configured"
            raise NotFound(f"There is no list of this programme. Lists: {known}.")
        return self.lists[programme]

    async def aclose(self) -> None:
        """Abandon what is under way at the sources, keep what they said, let go of everything."""
        for transport in self._transports:
            await transport.aclose()
        for one in self._remembering:
            await one.aclose()
        self.close()

    def close(self) -> None:
        """Stop the threads; for a process that has asked nobody anything."""
        for one in self._remembering:
            one.close()
        if self._ledger is not None:
            self._ledger.close()


def build_sources(
    path: Path | None,
    database: Database,
    clock: Callable[[], datetime],
    tell: Tell = tell_nobody,
    *,
    watch: Watch = unwatched,
    kinds: Sequence[SourceKind[Any]] = KINDS,
) -> Sources:
    """The sources that the file at `path` configures; none without a path.

    Asks nobody anything yet. Tells `source:quota_low` and `source:verdicts_not_kept`; `watch` hears of each
    attempt.
    Raises SettingsInvalid with every problem of the file.
    """
    configured = read_sources(path, kinds)
    try:
        return _Building(database, clock, tell, watch).whole(configured)
    except ValueError as error:
        raise SettingsInvalid([f"{path}: {error}"]) from None


@dataclass(slots=True)
class _Building:
    database: Database
    clock: Callable[[], datetime]
    tell: Tell
    watch: Watch
    transports: list[Transport] = field(default_factory=list)
    quotas: dict[str, Callable[[], Awaitable[int]]] = field(default_factory=dict)
    remembering: list[Remembering] = field(default_factory=list)
    ledger: DatabaseQuotaLedger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = DatabaseQuotaLedger(self.database)

    def whole(self, configured: Configured) -> Sources:
        connectors = tuple(self._connector(one) for one in configured.sources)
        lists = {one.programme: self._list(one) for one in configured.lists}
        return Sources(
            connectors,
            lists,
            frozenset(one.name for one in configured.sources if one.simulated),
            tuple(self.transports),
            self.quotas,
            tuple(self.remembering),
            self.ledger,
        )

    def _connector(self, configured: ConfiguredSource) -> Connector:
        connector = configured.connect(
            Surroundings(self._transport, self.clock, self.ledger, self._quota_low)
        )
        if isinstance(connector, Metered):
            self.quotas[connector.name] = connector.quota_left
        return self._remembered(connector, configured.words)

    def _list(self, configured: ConfiguredList) -> MembershipList:
        api = self._transport(configured.api)
        same = configured.tokens is configured.api
        source = ProgrammeListSource(
            name=list_name(configured.programme),
            programme=configured.programme,
            api=api,
            path=configured.path,
            tokens=api if same else self._transport(configured.tokens),
            token_path=configured.token_path,
            credentials=configured.credentials,
            clock=self.clock,
            page_size=configured.page_size,
        )
        return MembershipList(source, configured.excludes)

    def _remembered(self, connector: Connector, words: Mapping[str, frozenset[str]]) -> Connector:
        def lost(count: int, why: str) -> None:
            self.tell(
                "source:verdicts_not_kept", level="warning", source=connector.name, count=count, error=why
            )

        one = Remembering(connector, self.database, self.clock, words=words, on_lost=lost)
        self.remembering.append(one)
        return one

    def _quota_low(self, warning: QuotaWarning) -> None:
        self.tell(
            "source:quota_low",
            level="warning",
            source=warning.source,
            day=warning.day.isoformat(),
            threshold=warning.level,
            calls_left=warning.remaining,
        )

    def _transport(self, settings: SourceSettings) -> Transport:
        transport = Transport(settings, utc=self.clock, watch=self.watch)
        self.transports.append(transport)
        return transport
