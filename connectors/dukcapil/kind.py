"""Dukcapil as a kind of source: its keys in `sources.toml`, its login, what is remembered, its simulator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from starlette.types import ASGIApp

from connectors.base import Connector
from connectors.dukcapil.connector import DukcapilConnector
from connectors.dukcapil.elements import ELEMENTS, PERSON_STATES, STATE_FIELD
from connectors.dukcapil.settings import DukcapilSettings
from connectors.dukcapil.wire import Credentials, Spelling
from connectors.kind import (
    Clock,
    Connect,
    OwnKeys,
    Secrets,
    SimulatedPerson,
    Simulation,
    SourceKind,
    Surroundings,
)
from connectors.simulators.dukcapil import Account, DukcapilSimulator, population_row
from connectors.transport.settings import SourceSettings

_CUSTOMER = "KEMENSOS"


class _SpellingKeys(OwnKeys):
    user_id: str | None = None
    password: str | None = None
    ip_user: str | None = None
    nik: str | None = None
    threshold: str | None = None


class DukcapilKeys(OwnKeys):
    """What `DukcapilSettings` explains. Its defaults stand there, not here."""

    family: Literal["central_named", "central_numeric", "regional"]
    customer: str
    threshold: int
    daily_quota: int
    region: str | None = None
    call: Literal["verify", "record"] | None = None
    method: str | None = None
    birth_date_format: str | None = None
    found_messages: list[str] | None = None
    warn_at: list[int] | None = None
    calls_per_second: float | None = None
    spelling: _SpellingKeys = Field(default_factory=_SpellingKeys)


def _configure(keys: DukcapilKeys, source: SourceSettings, secrets: Secrets) -> Connect:
    given = keys.model_dump(exclude_unset=True)
    given |= {name: tuple(given[name]) for name in ("found_messages", "warn_at") if name in given}
    given["spelling"] = Spelling(**given.get("spelling", {}))
    settings = DukcapilSettings(source=source, **given)
    credentials = Credentials(**secrets)

    def connect(surroundings: Surroundings) -> Connector:
        return DukcapilConnector(
            settings,
            credentials,
            surroundings.transport(source),
            surroundings.ledger,
            clock=surroundings.clock,
            on_quota_low=surroundings.on_quota_low,
        )

    return connect


def _serve(people: Sequence[SimulatedPerson], secrets: Secrets, clock: Clock) -> ASGIApp:
    account = Account(_CUSTOMER, secrets["user_id"], secrets["password"], frozenset({secrets["ip_user"]}))
    rows = [population_row(person) for person in people]
    return DukcapilSimulator(rows, accounts=(account,), clock=clock).app


DUKCAPIL = SourceKind(
    name="dukcapil",
    section=DukcapilKeys,
    secrets=("user_id", "password", "ip_user"),
    optional_secrets=("basic_login",),
    words={
        **dict.fromkeys(ELEMENTS, frozenset({"match", "no_match"})),
        STATE_FIELD: frozenset(PERSON_STATES),
    },
    configure=_configure,
    simulation=Simulation(
        serve=_serve,
        secrets={"user_id": "latihan", "password": "rahasia-latihan", "ip_user": "10.0.0.1"},
        keys={
            "family": "central_named",
            "customer": _CUSTOMER,
            "threshold": 80,
            "daily_quota": 10_000,
            "warn_at": [1000, 100],
        },
    ),
)
