"""All simulators as real servers on the registry's synthetic people: for training partners and for the demo.

Refuses a registry that holds anybody real. The credentials are training words, written like real ones so that
the gateway is configured as it will be; nothing here is secret, and nothing of it works anywhere else.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import uvicorn
from sqlalchemy import Row, select
from starlette.types import ASGIApp

from connectors.dukcapil.kind import DUKCAPIL
from connectors.kind import (
    Clock,
    Secrets,
    Setting,
    SimulatedEnrolment,
    SimulatedPerson,
    Simulation,
    SourceKind,
)
from connectors.registered import KINDS
from connectors.simulators import programmes
from connectors.simulators.big import BigSimulator
from connectors.simulators.invented_maps import SERVICES, InventedLayers
from gateway.database import Database
from gateway.errors import Conflict, NotFound
from gateway.registry.personas import PERSONAS
from gateway.registry.regions import known_regions
from gateway.registry.tables import enrolments, households, people
from gateway.settings import SOURCES_FILE
from gateway.sources.configured import FEEDBACK, MAPS, PROGRAMMES

_HOST = "127.0.0.1"
# What a simulator may know of a person, by field of the dictionary; `region` comes on top.
_KNOWN = (
    *("full_name", "birth_date", "birth_place", "sex", "mother_name", "address", "rt", "rw"),
    *("family_card_number", "life_status", "identity_status"),
)


def training_people(database: Database, most: int) -> tuple[SimulatedPerson, ...]:
    """The personas and up to `most` others. Raises Conflict where the registry holds anybody real."""
    columns = (people, households.c.family_card_number)
    everyone = select(*columns).outerjoin(households, households.c.id == people.c.household_id)
    chosen = everyone.where(people.c.nik.is_not(None))
    personas = chosen.where(database.one_of(people.c.nik, "niks"))
    with database.reading() as connection:
        if connection.execute(select(people.c.id).where(people.c.synthetic.is_(False)).limit(1)).first():
            raise Conflict(
                "This registry holds people who are not synthetic. Simulators are for training only: "
                "give them a home of their own, as `gapura demo` makes one."
            )
        rows = [
            *connection.execute(personas, {"niks": [one.nik for one in PERSONAS]}),
            *connection.execute(chosen.order_by(people.c.id).limit(most)),
        ]
        enrolled = connection.execute(select(enrolments)).all()
    by_id = {row.id: row for row in rows}
    if not by_id:
        raise NotFound("The registry holds no synthetic people: run `gapura demo --once` first.")
    held: defaultdict[UUID, list[SimulatedEnrolment]] = defaultdict(list)
    for one in enrolled:
        held[one.person_id].append(SimulatedEnrolment(one.programme, one.starts_on, one.ends_on, one.segment))
    bearers = Counter(row.nik for row in by_id.values())
    return tuple(
        _simulated(row, held.get(row.id, ()), shares_nik=bearers[row.nik] > 1) for row in by_id.values()
    )


def _simulated(row: Row[Any], enrolled: Sequence[SimulatedEnrolment], *, shares_nik: bool) -> SimulatedPerson:
    known = {name: getattr(row, name) for name in _KNOWN} | {"region": row.region_code}
    return SimulatedPerson(row.nik, known, tuple(enrolled), shares_nik)


@dataclass(frozen=True, slots=True)
class _Section:
    """A section of `sources.toml` that leads to a simulator: `simulator` is whose, `path` where in it."""

    name: str
    simulator: str
    secrets: Secrets
    keys: Mapping[str, Setting]
    path: str = ""


def simulator_names(kinds: Sequence[SourceKind[Any]] = KINDS) -> tuple[str, ...]:
    """What can be simulated: every registered kind of source, the programmes' lists as one, and maps."""
    return tuple(_simulations(kinds))


def _simulations(kinds: Sequence[SourceKind[Any]]) -> Mapping[str, Simulation]:
    """The simulators by name, in the order of their ports."""
    of_kinds = {kind.name: kind.simulation for kind in kinds}
    return of_kinds | {PROGRAMMES: programmes.SIMULATION, MAPS: _MAPS}


def _sections(kinds: Sequence[SourceKind[Any]]) -> Iterator[_Section]:
    for name, simulation in _simulations(kinds).items():
        if name != PROGRAMMES:
            yield _Section(name, name, simulation.secrets, simulation.keys, simulation.path)
    lists = programmes.SIMULATION
    for programme in programmes.LISTED:
        yield _Section(f"{PROGRAMMES}.{programme}", PROGRAMMES, lists.secrets, lists.keys)
    if any(kind is DUKCAPIL for kind in kinds):
        yield _Section(FEEDBACK, DUKCAPIL.name, {"token": "token-latihan"}, _FEEDBACK_KEYS)


def _serve_maps(population: Sequence[SimulatedPerson], _secrets: Secrets, _clock: Clock) -> ASGIApp:
    """BIG's server with the country's regions, and the villages in which these people live."""
    homes = {code for person in population if (code := person.text("region"))}
    return BigSimulator(InventedLayers(known_regions, homes)).app


# BIG asks nobody who they are: no secrets.
_MAPS = Simulation(
    serve=_serve_maps,
    secrets={},
    keys={f"layers.{level}": f"/{service}/MapServer/0" for service, level in SERVICES.items()},
    path="/rbi/rest/services",
)
# Dukcapil's simulator takes feedback as well.
_FEEDBACK_KEYS = {
    "path": "/databalikan/api/store",
    "institution_id": "027",
    "institution_name": "KEMENTERIAN SOSIAL (LATIHAN)",
}


class _Server:
    """One simulator on one port, in a thread of its own; may be stopped and started again."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self.port = port
        self._running: tuple[uvicorn.Server, threading.Thread, socket.socket] | None = None

    @property
    def address(self) -> str:
        return f"http://{_HOST}:{self.port}"

    def start(self) -> None:
        if self._running:
            return
        try:
            listener = socket.create_server((_HOST, self.port))
        except OSError:
            raise Conflict(f"Port {self.port} is in use: choose another with --port.") from None
        self.port = listener.getsockname()[1]
        # No log of any kind: addresses of BPJS hold whom it is asked about.
        config = uvicorn.Config(
            self._app,
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        self._running = server, thread, listener

    def stop(self) -> None:
        if self._running:
            server, thread, listener = self._running
            server.should_exit = True
            thread.join()
            listener.close()
            self._running = None


class Training:
    """A simulator of every source on these people, and the configuration that leads to them.

    `home` takes `sources.toml`, where a gateway of this home finds it, and the folder `training` with the
    credentials. The first source has `first_port`, the others follow (0 = any that is free).
    """

    def __init__(
        self,
        population: Sequence[SimulatedPerson],
        home: Path,
        first_port: int = 0,
        *,
        kinds: Sequence[SourceKind[Any]] = KINDS,
    ) -> None:
        self._home = home
        self._sections = tuple(_sections(kinds))
        clock: Clock = _utc_now
        self._servers = {
            name: _Server(one.serve(population, one.secrets, clock), first_port and first_port + at)
            for at, (name, one) in enumerate(_simulations(kinds).items())
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The sources that are simulated, in the order of their ports."""
        return tuple(self._servers)

    @property
    def file(self) -> Path:
        """The configuration that leads to these simulators."""
        return self._home / SOURCES_FILE

    def start(self, name: str) -> str:
        """Serve one source; gives its address. Raises Conflict where the port is taken."""
        server = self._servers[name]
        server.start()
        return server.address

    def stop(self, name: str) -> None:
        """Let one source go down: connections to it are refused until it is started again."""
        self._servers[name].stop()

    def write_configuration(self) -> str:
        """Write the credentials and `sources.toml`, and give the latter's text. Start the sources first.

        Raises Conflict where a `sources.toml` is in the way that no training wrote.
        """
        self._refuse_another()
        for section in self._sections:
            for file_name, text in section.secrets.items():
                _write_private(self._home / _CREDENTIALS / section.name / file_name, text)
        text = "\n".join([_HEADING, *map(self._written, self._sections)])
        _write_private(self.file, text)
        return text

    def close(self) -> None:
        """Stop every server."""
        for server in self._servers.values():
            server.stop()

    def _refuse_another(self) -> None:
        """What somebody configured by hand is not ours to replace."""
        if self.file.exists() and not self.file.read_text(encoding="utf-8").startswith(_HEADING):
            raise Conflict(
                f"{self.file} is not of the simulators, and would be replaced by theirs: move it away, or "
                "choose another GAPURA_HOME."
            )

    def _written(self, section: _Section) -> str:
        settings: dict[str, Setting] = {
            "base_url": self._servers[section.simulator].address + section.path,
            "credentials_folder": f"{_CREDENTIALS}/{section.name}",
            "simulated": True,
            "breaker.open_s": _PROBED_EVERY_S,
            **section.keys,
        }
        # What JSON writes of texts, numbers, truth values and lists of them, TOML reads.
        lines = (f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
        return f"[{section.name}]\n{''.join(lines)}"


# Short, for who trains wants to see a source come back.
_PROBED_EVERY_S = 2.0
_CREDENTIALS = "training"
_HEADING = "# For training, on invented people. Written anew whenever the simulators start."


@contextmanager
def training(
    population: Sequence[SimulatedPerson],
    home: Path,
    first_port: int = 0,
    *,
    kinds: Sequence[SourceKind[Any]] = KINDS,
) -> Iterator[Training]:
    """All simulators, served until the block ends, with their configuration written."""
    opened = Training(population, home, first_port, kinds=kinds)
    try:
        for name in opened.names:
            opened.start(name)
        opened.write_configuration()
        yield opened
    finally:
        opened.close()


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)  # the file may be there already, with another mode
        file.write(text)


def _utc_now() -> datetime:
    return datetime.now(UTC)
