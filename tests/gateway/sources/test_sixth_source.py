"""Adding a source touches one file, one line and its fields: it is then simulated, configured and asked."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from connectors.kind import SimulatedPerson
from connectors.registered import KINDS
from gateway.app import build_app, build_services
from gateway.database import Database
from gateway.demo import stage
from gateway.registry.personas import persona
from gateway.settings import Settings, load_settings
from gateway.sources.folder import Sources, build_sources
from gateway.sources.training import Training, training, training_people
from tests.connectors.sixth_source import FIELDS, SAMSAT

POLICIES = Path(__file__).parents[3] / "policies"
# The one line.
SIX = (*KINDS, SAMSAT)


def stocked(folder: Path, database_url: str, port: int) -> Settings:
    """A home whose dictionary has the new source's field, and whose Dinas may see it."""
    shutil.copytree(POLICIES, folder / "policies", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    with (folder / "policies" / "fields.yaml").open("a", encoding="utf-8") as dictionary:
        dictionary.write(FIELDS)
    agreement = folder / "policies" / "agreements" / "dinsos-jatim-verification.yaml"
    text = agreement.read_text(encoding="utf-8")
    agreement.write_text(text.replace("\nfields:\n", "\nfields:\n  vehicle_owner: keep\n"), encoding="utf-8")
    environment = {"HOME": "home", "DATABASE_URL": database_url, "POLICIES": "policies"}
    environment |= {name: str(folder / environment[name]) for name in ("HOME", "POLICIES")}
    settings = load_settings({f"GAPURA_{name}": value for name, value in environment.items()}, port=port)
    stage.prepare(settings, 50, lambda _words: lambda _share: None, lambda _: None)
    return settings


@dataclass
class Served:
    """A gateway that knows six sources, and their simulators."""

    settings: Settings
    http: httpx.Client
    people: Sequence[SimulatedPerson]
    simulators: Training
    sources: Sources

    def asks_who_owns_a_vehicle(self) -> dict[str, Any]:
        client = stage.client_for(self.settings, "dinsos-jatim", self.http)
        answer = client.post(
            "/v1/records",
            {
                "purpose": "regional-verification",
                "subjects": [{"ref": "x", "nik": persona("pkh_member").nik}],
                "fields": ["vehicle_owner", "decile"],
            },
        )
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said


@contextmanager
def serving(settings: Settings, sources: Sources, listening: socket.socket) -> Iterator[None]:
    """The gateway on real HTTP, its sources closed on the event loop that used them."""
    app = build_app(build_services(settings, sources=sources.connectors))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))

    async def serve() -> None:
        await server.serve([listening])
        await sources.aclose()

    thread = threading.Thread(target=asyncio.run, args=[serve()])
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def gateway(database_url: str, tmp_path: Path) -> Iterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        settings = stocked(tmp_path, database_url, listening.getsockname()[1])
        database = Database(settings.effective_database_url)
        people = training_people(database, 50)
        with training(people, tmp_path / "training", kinds=SIX) as simulators:
            sources = build_sources(simulators.file, database, lambda: datetime.now(UTC), kinds=SIX)
            with serving(settings, sources, listening), httpx.Client(trust_env=False, timeout=30) as http:
                yield Served(settings, http, people, simulators, sources)
        database.close()


def test_a_sixth_source_answers_through_an_agreement_and_says_when_it_is_down(gateway: Served) -> None:
    said = gateway.asks_who_owns_a_vehicle()
    head, (result,) = said["fields"]["vehicle_owner"], said["results"]
    (known,) = [one for one in gateway.people if one.nik == persona("pkh_member").nik]
    assert result["values"]["vehicle_owner"] == {0: "yes", 1: "no"}[known.lot(2)]
    assert "decile" in result["values"]
    assert (head["released_as"], head["source"]) == ("keep", "samsat")

    gateway.simulators.stop("samsat")
    (result,) = gateway.asks_who_owns_a_vehicle()["results"]
    assert "vehicle_owner" not in result["values"]
    assert "decile" in result["values"]
    assert result["exceptions"]["vehicle_owner"]["state"] == "unknown"
    assert "since" in result["exceptions"]["vehicle_owner"]

    gateway.simulators.start("samsat")
    (result,) = gateway.asks_who_owns_a_vehicle()["results"]
    assert "vehicle_owner" in result["values"]
