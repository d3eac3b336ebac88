"""What a source brings along, said once: its keys, its secrets, its words, its connector, its simulator.

A kind of source is all that the gateway has to be told of it; `connectors/registered.py` lists them. A kind
MUST NOT read a file or know where its secrets are kept: both are checked for it, for all sources alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Generic, TypeVar
from zlib import crc32

from pydantic import BaseModel, ConfigDict
from starlette.types import ASGIApp

from connectors.base import Connector, Value
from connectors.quota import QuotaLedger, QuotaWarning
from connectors.transport.client import Transport
from connectors.transport.settings import SourceSettings

Clock = Callable[[], datetime]
Secrets = Mapping[str, str]
# What a key of sources.toml may hold.
Setting = str | int | float | bool | Sequence[str] | Sequence[int]


class OwnKeys(BaseModel):
    """The keys that only this source has in its section of `sources.toml`: none, until a subclass adds some.

    Strict: what is not named here is refused. How a source is reached, and where its secrets lie, is asked of
    every source and MUST NOT be repeated here.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Section = TypeVar("Section", bound=OwnKeys)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the gateway lends a connector.

    `transport` opens the way to a source and closes it when the gateway stops. `ledger` counts the calls of
    sources that have a quota, over all processes; `on_quota_low` hears when little of one is left.
    """

    transport: Callable[[SourceSettings], Transport]
    clock: Clock
    ledger: QuotaLedger
    on_quota_low: Callable[[QuotaWarning], None]


Connect = Callable[[Surroundings], Connector]


@dataclass(frozen=True, slots=True)
class SimulatedEnrolment:
    """A period in which an invented person is in a programme. `ends_on` is exclusive; None while it lasts."""

    programme: str
    starts_on: date
    ends_on: date | None = None
    segment: str | None = None


@dataclass(frozen=True, slots=True)
class SimulatedPerson:
    """An invented person as the registry knows them, from which each simulator makes a record of its own.

    `known` are the registry's values by field of the dictionary. `shares_nik` says that somebody else there
    bears the same NIK. MUST NOT be anybody real.
    """

    nik: str
    known: Mapping[str, Value]
    enrolments: tuple[SimulatedEnrolment, ...] = ()
    shares_nik: bool = False

    def text(self, name: str) -> str | None:
        """The registry's value of a field where that is a text."""
        value = self.known.get(name)
        return value if isinstance(value, str) else None

    def lot(self, outcomes: int) -> int:
        """A number below `outcomes`, the same for the same person every time."""
        return crc32(self.nik.encode()) % outcomes


Serve = Callable[[Sequence[SimulatedPerson], Secrets, Clock], ASGIApp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A source's double and what leads to it.

    `serve` makes the double: an application that knows these people and lets in whoever has these secrets.
    `secrets` are training words for every secret of the source, `keys` its own keys in a section that leads
    there, `path` what its base_url has after the host. None of it is secret or works anywhere else.
    """

    serve: Serve
    secrets: Secrets
    keys: Mapping[str, Setting] = field(default_factory=dict)
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind(Generic[Section]):
    """One kind of source.

    `name` is the source's name everywhere: in the dictionary, in answers, as its section of `sources.toml`.
    `section` are its own keys there. `secrets` and `optional_secrets` are files of its credentials folder.
    `words` are the values that may be remembered of it, by field; anything else it says is never stored.
    `configure` checks keys and secrets and gives what connects; it raises ValueError with every problem, and
    MUST NOT quote a value. `nik_in_address` says why its protocol wants a national id in the address; empty
    where it does not, and then no address may hold one.
    """

    name: str
    section: type[Section]
    secrets: tuple[str, ...]
    optional_secrets: tuple[str, ...] = ()
    words: Mapping[str, frozenset[str]]
    configure: Callable[[Section, SourceSettings, Secrets], Connect]
    simulation: Simulation
    nik_in_address: str = ""
