"""All simulators as real servers on the registry's synthetic people: for training partners and for the demo.

Refuses a registry that holds anybody real. The credentials are training words, written like real ones so that
the gateway is configured as it will be; nothing here is secret, and nothing of it works anywhere else.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID
from zlib import crc32

import uvicorn
from sqlalchemy import Row as SelectedRow
from sqlalchemy import select
from starlette.types import ASGIApp

from connectors.simulators.bpjs import BpjsSimulator, Member, Segment
from connectors.simulators.dukcapil import Account, DukcapilSimulator
from connectors.simulators.programmes import ProgrammesSimulator, Row
from gateway.database import Database
from gateway.errors import Conflict, NotFound
from gateway.registry.periods import period_of, period_start
from gateway.registry.personas import PERSONAS
from gateway.registry.tables import enrolments, households, people

_HOST = "127.0.0.1"
TrainingSource = Literal["dukcapil", "bpjs", "programmes"]
SOURCES: tuple[TrainingSource, ...] = ("dukcapil", "bpjs", "programmes")
_CUSTOMER = "KEMENSOS"
_LISTED = ("PKH", "BPNT", "BST")
# A number that no registry of the demo holds: what an operator sees of a row that fits nobody.
_UNKNOWN_NIK = "3578014101809999"
# One in so many people is in a programme's list and not yet in the registry.
_NEWLY_LISTED = 40

_SECRETS: Mapping[str, Mapping[str, str]] = {
    "dukcapil": {"user_id": "latihan", "password": "rahasia-latihan", "ip_user": "10.0.0.1"},
    "bpjs": {"consumer_id": "10000", "secret": "rahasia-latihan", "user_key": "kunci-latihan"},
    "programmes": {"client_id": "gapura-latihan", "client_secret": "rahasia-latihan"},
}


@dataclass(frozen=True, slots=True)
class TrainingPeople:
    """The synthetic people as each source knows them."""

    dukcapil: Sequence[Mapping[str, Any]] = field(repr=False)
    bpjs: Sequence[Member] = field(repr=False)
    programmes: Sequence[Row] = field(repr=False)


def training_people(database: Database, most: int, today: date) -> TrainingPeople:
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
    held: defaultdict[UUID, list[SelectedRow[Any]]] = defaultdict(list)
    for enrolment in enrolled:
        held[enrolment.person_id].append(enrolment)
    shared = {nik for nik, count in Counter(row.nik for row in by_id.values()).items() if count > 1}
    return TrainingPeople(
        dukcapil=[_at_dukcapil(row, shared) for row in by_id.values()],
        bpjs=[
            _at_bpjs(row, number, {one.programme for one in held[row.id] if one.ends_on is None})
            for number, row in enumerate(by_id.values(), start=1)
            if row.birth_date is not None and row.sex is not None and not _is_unknown_to_bpjs(row, held)
        ],
        programmes=list(_listed(by_id, held, today)),
    )


def _at_dukcapil(row: SelectedRow[Any], shared: set[str]) -> dict[str, Any]:
    """As the registry has them, except those of whom the registry itself says that Dukcapil differs."""
    names = ("nik", "full_name", "birth_date", "birth_place", "sex", "mother_name", "address", "rt", "rw")
    person = {name: getattr(row, name) for name in (*names, "family_card_number", "life_status")}
    person["region"] = row.region_code
    if row.nik in shared or row.identity_status == "duplicate":
        person["dukcapil_state"] = "duplicate"
    elif row.identity_status == "unmatched":
        person |= {"full_name": "ORANG LAIN CONTOH", "birth_date": date(1950, 1, 1)}
    return person


def _is_unknown_to_bpjs(row: SelectedRow[Any], held: Mapping[UUID, Sequence[SelectedRow[Any]]]) -> bool:
    insured = any(one.programme == "PBI-JK" for one in held.get(row.id, ()))
    return not insured and _lot(row, 4) == 0


def _at_bpjs(row: SelectedRow[Any], number: int, programmes: set[str]) -> Member:
    """Recipients of PBI-JK as such, the others by lot; the dead are inactive."""
    by_lot: tuple[Segment, ...] = ("private", "self_employed", "pbi_apbd")
    segment: Segment = "pbi_apbn" if "PBI-JK" in programmes else by_lot[_lot(row, len(by_lot))]
    dead = row.life_status == "deceased"
    return Member(
        nik=row.nik,
        name=row.full_name,
        card_number=f"{number:013}",
        birth_date=row.birth_date,
        sex=row.sex,
        segment=segment,
        class_="3" if segment.startswith("pbi") else "2",
        active=not dead and not (segment == "self_employed" and _lot(row, 2) == 0),
        inactive_because="MENINGGAL" if dead else "KARENA PREMI",
    )


def _listed(
    by_id: Mapping[UUID, SelectedRow[Any]], held: Mapping[UUID, Sequence[SelectedRow[Any]]], today: date
) -> Iterator[Row]:
    """Who the registry has enrolled, some whom it does not know of yet, and one whom it cannot know."""
    quarter = period_start(period_of(today))
    for row in by_id.values():
        enrolled = [one for one in held.get(row.id, ()) if one.programme in _LISTED]
        for one in enrolled:
            yield Row(one.programme, row.nik, one.starts_on, one.ends_on, one.segment)
        if not enrolled and _lot(row, _NEWLY_LISTED) == 0:
            yield Row("PKH", row.nik, quarter, segment="anak_sekolah")
    yield Row("PKH", _UNKNOWN_NIK, quarter)


def _lot(row: SelectedRow[Any], outcomes: int) -> int:
    """The same for the same person every time."""
    return crc32(row.nik.encode()) % outcomes


class _Server:
    """One simulator on one port, in a thread of its own; may be stopped and started again."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self.port = port
        self._running: tuple[uvicorn.Server, threading.Thread, socket.socket] | None = None

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
    """The simulators of Dukcapil, BPJS and the programmes, and the configuration that leads to them.

    `folder` takes `sources.toml` and the credentials; `first_port` is Dukcapil's, the others follow (0 = any
    that is free).
    """

    def __init__(self, population: TrainingPeople, folder: Path, first_port: int = 0) -> None:
        self._folder = folder
        login, signer, client = (_SECRETS[name] for name in SOURCES)
        self.dukcapil = DukcapilSimulator(
            population.dukcapil,
            accounts=(
                Account(_CUSTOMER, login["user_id"], login["password"], frozenset({login["ip_user"]})),
            ),
        )
        self.bpjs = BpjsSimulator(
            population.bpjs, signer["consumer_id"], signer["secret"], signer["user_key"], clock=_utc_now
        )
        self.programmes = ProgrammesSimulator(
            population.programmes, client["client_id"], client["client_secret"], clock=_utc_now
        )
        apps = {"dukcapil": self.dukcapil.app, "bpjs": self.bpjs.app, "programmes": self.programmes.app}
        self._servers = {
            name: _Server(apps[name], first_port and first_port + at) for at, name in enumerate(SOURCES)
        }

    @property
    def file(self) -> Path:
        """The configuration that leads to these simulators."""
        return self._folder / "sources.toml"

    def start(self, name: TrainingSource) -> str:
        """Serve one source; gives its address. Raises Conflict where the port is taken."""
        server = self._servers[name]
        server.start()
        return f"http://{_HOST}:{server.port}"

    def stop(self, name: TrainingSource) -> None:
        """Let one source go down: connections to it are refused until it is started again."""
        self._servers[name].stop()

    def write_configuration(self) -> str:
        """Write the credentials and `sources.toml`, and give the latter's text. Start the sources first."""
        for name, secrets in _SECRETS.items():
            for file_name, text in secrets.items():
                _write_private(self._folder / name / file_name, text)
        ports = {name: server.port for name, server in self._servers.items()}
        lists = "".join(_LIST.format(programme=one, port=ports["programmes"]) for one in _LISTED)
        text = _CONFIGURATION.format(customer=_CUSTOMER, **ports) + lists
        _write_private(self.file, text)
        return text

    def close(self) -> None:
        """Stop every server."""
        for server in self._servers.values():
            server.stop()


@contextmanager
def training(population: TrainingPeople, folder: Path, first_port: int = 0) -> Iterator[Training]:
    """All simulators, served until the block ends, with their configuration written."""
    opened = Training(population, folder, first_port)
    try:
        for name in SOURCES:
            opened.start(name)
        opened.write_configuration()
        yield opened
    finally:
        opened.close()


_CONFIGURATION = """\
# For training, on invented people. The credentials are in the folders beside this file.
[dukcapil]
base_url = "http://127.0.0.1:{dukcapil}"
credentials_folder = "dukcapil"
family = "central_named"
customer = "{customer}"
threshold = 80
daily_quota = 10000
warn_at = [1000, 100]

[bpjs]
base_url = "http://127.0.0.1:{bpjs}/vclaim-rest"
credentials_folder = "bpjs"
"""
_LIST = """
[programmes.{programme}]
base_url = "http://127.0.0.1:{port}"
path = "/bansos/1.0/memberships"
token_path = "/oauth2/token"
credentials_folder = "programmes"
"""


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)  # the file may be there already, with another mode
        file.write(text)


def _utc_now() -> datetime:
    return datetime.now(UTC)
