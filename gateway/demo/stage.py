"""The stage of the demo: a gateway on synthetic people, outside sources, and the agencies that may ask it.

Everything is what a production set-up does, by the same code: keys, migrations, import, registration,
`gapura serve` as a process of its own, OAuth with real proofs. Only the people are made up, and the
agencies' private keys lie in the demo's home folder, which no agency's would.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

import httpx
from sqlalchemy import func, select

from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.errors import Conflict, GapuraError, NotFound
from gateway.installation import open_keys
from gateway.migrations import migrate
from gateway.oauth.client import GatewayClient
from gateway.oauth.consumers import ConsumerStore, utc_now
from gateway.oauth.jose import make_key_pair
from gateway.registry.imports import import_registry
from gateway.registry.synthetic import generate_people
from gateway.registry.tables import people
from gateway.settings import Settings
from gateway.sources.training import Training, training, training_people
from gateway.staff.roles import INSTALLATION

_SEED = 2021  # the year of Permensos 3/2021; any number does, the same one gives the same people
_START_TIMEOUT_S = 90
_SIMULATED_PEOPLE = 20_000

Say = Callable[[str], None]
# Begins a progress bar with these words and gives the function that moves it, from 0 to 1.
Watch = Callable[[str], Callable[[float], None]]


@dataclass(frozen=True, slots=True)
class DemoConsumer:
    """An agency of the demo. Its agreements are those of `policies/agreements/` that name its id."""

    id: str
    name: str
    sector: str
    regions: tuple[str, ...] = ()


CONSUMERS = (
    DemoConsumer("bpjs-kesehatan", "BPJS Kesehatan (demo)", "kesehatan"),
    DemoConsumer("pkh-pendamping", "Pendamping PKH (demo)", "pkh"),
    DemoConsumer("dinsos-jatim", "Dinas Sosial Jawa Timur (demo)", "dinsos-35", ("35",)),
    DemoConsumer("bps-statistik", "BPS (demo)", "statistik"),
    DemoConsumer("cek-bansos", "Cek Bansos (demo)", "cek-bansos"),
)


def client_key_file(settings: Settings, consumer_id: str) -> Path:
    """Where the demo keeps the private key of one of its agencies."""
    return settings.home / "demo-consumers" / f"{consumer_id}.jwk.json"


def prepare(
    settings: Settings, count: int, watch: Watch, say: Say, clock: Callable[[], datetime] = utc_now
) -> None:
    """Make the home folder, keys, database, people and consumers; whatever exists already is kept.

    By `clock` the people are imported and the consumers registered.
    """
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.effective_database_url)
    try:
        migrate(database)
        open_keys(database, settings.home / "keys", settings.key_source)
        with database.reading() as connection:
            present = connection.execute(select(func.count()).select_from(people)).scalar_one()
            real = connection.execute(select(people.c.id).where(~people.c.synthetic).limit(1)).first()
        if real is not None:
            raise Conflict(
                "This registry holds people who are not marked as synthetic; the demo would register its own "
                "consumers to see them. Unset GAPURA_DATABASE_URL, or choose another GAPURA_HOME."
            )
        if present:
            say(f"The registry holds {present} synthetic people from an earlier start.")
        else:
            _fill_registry(settings, database, count, watch, clock)
        _register_consumers(settings, ConsumerStore(database, clock))
    finally:
        database.close()


def _fill_registry(
    settings: Settings, database: Database, count: int, watch: Watch, clock: Callable[[], datetime]
) -> None:
    file = settings.home / "synthetic-people.parquet"
    generate_people(file, count, _SEED, with_personas=True, progress=watch("Inventing people"))
    moved = watch("Importing them")
    import_registry(
        database,
        file,
        rejects=settings.home / "rejected-rows.csv",
        progress=lambda done, total: moved(done / max(total, 1)),
        as_of=civil_day(clock()),
        clock=clock,
    )


def _register_consumers(settings: Settings, store: ConsumerStore) -> None:
    for consumer in CONSUMERS:
        path = client_key_file(settings, consumer.id)
        if path.exists():
            continue
        private_jwk, public_jwk = make_key_pair("ES256")
        path.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            store.register(
                INSTALLATION,
                id=consumer.id,
                name=consumer.name,
                sector=consumer.sector,
                regions=consumer.regions,
                jwks={"keys": [public_jwk]},
                reason="the demo",
            )
        except Conflict as error:
            raise Conflict(
                f"{consumer.id} is registered, but its demo key {path} is gone. Remove the folder "
                f"{settings.home} to begin afresh."
            ) from error
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(private_jwk, file)


@contextmanager
def outside_sources(settings: Settings) -> Iterator[Training]:
    """Simulators of the outside sources on the demo's people, and the `sources.toml` that leads to them."""
    from gateway.demo import maps  # noqa: PLC0415 - geometry, which the short commands need not wait for

    database = Database(settings.effective_database_url)
    try:
        population = training_people(database, _SIMULATED_PEOPLE)
        maps.lay_out_extract(settings, population)
        with training(population, settings.home) as simulators:
            maps.import_maps(database, simulators.file)
            yield simulators
    finally:
        database.close()


def refuse_taken_port(settings: Settings) -> None:
    """Raise Conflict when somebody listens where the gateway is to listen."""
    try:
        socket.create_connection((settings.host, settings.port), timeout=2).close()
    except OSError:
        return
    raise Conflict(f"Port {settings.port} is in use: choose another with --port.")


class Process(Protocol):
    """What is asked of a served gateway: whether it is gone, and that it be."""

    def poll(self) -> int | None:
        """Its status when it is gone, None while it lives."""

    def kill(self) -> None:
        """End it at once."""

    def wait(self) -> int:
        """Wait until it is gone; its status."""


Served = TypeVar("Served", bound=Process)


def serve(environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """`gapura serve` as a process of its own, which adds what it says to a log."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve"], stdout=file, stderr=file, env=environment
        )


def start_gateway(settings: Settings, begin: Callable[[Mapping[str, str], Path], Served]) -> Served:
    """A served gateway, its log in the home folder; returns when it is ready.

    `begin` is `serve`, or does the same in another way. Raises GapuraError when the port is taken or the
    gateway does not come up.
    """
    log = settings.home / "gateway.log"
    refuse_taken_port(settings)
    process = begin({**os.environ, **settings.environment()}, log)
    waited_until = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < waited_until:
        if process.poll() is not None:
            raise GapuraError(f"The gateway ended at once; its log is {log}.")
        if _answers(f"{settings.issuer}/health/ready"):
            return process
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise GapuraError(f"The gateway did not become ready within {_START_TIMEOUT_S} s; its log is {log}.")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code < 500  # noqa: PLR2004 - any server error
    except httpx.HTTPError:
        return False


def client_for(settings: Settings, consumer_id: str, http: httpx.Client) -> GatewayClient:
    """An OAuth client that acts as one of the demo's agencies. Raises NotFound when there is no such one."""
    path = client_key_file(settings, consumer_id)
    if not path.exists():
        known = ", ".join(consumer.id for consumer in CONSUMERS)
        raise NotFound(f"No demo key for {consumer_id}. The demo has: {known}. Run `gapura demo` first.")
    return GatewayClient(settings.issuer, consumer_id, json.loads(path.read_text(encoding="utf-8")), http)
