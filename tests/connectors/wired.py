"""Every connector behind one address, so that one suite can treat all of them alike.

Kinds of source come from `connectors/registered.py` unasked. What is pulled instead of asked, lists and maps,
is named here. Each is asked about invented people or villages of its own simulator, or of a recording of a
server that others wrote, and says what its caller was told.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from shapely.geometry import box, mapping
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from connectors.base import Connector, Outcome, Subject, Unavailable
from connectors.big.areas import Edition, FeatureDriver
from connectors.big.layers import ArcGisLayer, BigLayers
from connectors.big.ogc_features import OgcFeatures
from connectors.big.wfs import WfsLayer
from connectors.kind import SimulatedEnrolment, SimulatedPerson, SourceKind, Surroundings
from connectors.programmes.publisher import ClientCredentials, ProgrammeListSource
from connectors.quota import Grant
from connectors.registered import KINDS
from connectors.simulators.big import BigSimulator, village
from connectors.simulators.programmes import ProgrammesSimulator, Row
from connectors.transport.client import Transport
from connectors.transport.failures import SourceFailure

RECORDED = Path(__file__).parent / "recorded"
NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)
TODAY = date(2026, 11, 21)
EDITION = Edition("contoh-2025", date(2025, 4, 25))
CREDENTIALS = ClientCredentials("made-up", "made-up-secret")


def clock() -> datetime:
    """The same time on both sides: what it dates can be compared."""
    return NOW


def _person(serial: int) -> SimulatedPerson:
    known = {
        "full_name": "Siti Wulandari",
        "birth_date": date(1987, 3, 4),
        "birth_place": "Surabaya",
        "sex": "P",
        "mother_name": "Sri Kartika",
        "address": "Jl. Melati 17",
        "family_card_number": "3578011202149002",
        "region": "35.78.01.1001",
    }
    insured = SimulatedEnrolment("PBI-JK", date(2026, 1, 1))
    return SimulatedPerson(f"357801040387{serial:04}", known, (insured,))


PEOPLE = tuple(_person(serial) for serial in range(9001, 9041))
# Where the registry and the population register differ, so that a true answer holds both verdicts.
DIFFERENT = {"birth_date": date(1987, 4, 3), "mother_name": "Wahyuni Lestari", "full_name": "Siti Wulandary"}
VILLAGES = tuple(
    village(f"35.78.01.100{number}", f"Contoh {number}", mapping(box(112 + number, -7, 112.9 + number, -6)))
    for number in (1, 2, 3)
)
MEMBERS = tuple(Row("PKH", person.nik, date(2026, 1, 1), segment="lansia") for person in PEOPLE[:5])


@dataclass(frozen=True)
class Told:
    """What the caller of a connector was told.

    `answer` can be compared with that of another time; of a pull that ended early it is what came until then.
    `cause` is why it is not all, None where it is. `failure` is what a pull raised. `counted` is the number
    of calls that the quota's ledger takes for made, None for a source without quota.
    """

    answer: tuple[Any, ...]
    cause: str | None = None
    failure: SourceFailure | None = None
    counted: int | None = None

    @property
    def text(self) -> str:
        """Everything that this could leave in a log."""
        trace = traceback.format_exception(self.failure) if self.failure else []
        return "".join([repr(self.answer), self.cause or "", *trace])


Ask = Callable[[float, int], Awaitable[Told]]


@dataclass(frozen=True)
class Wired:
    """One connector, not connected yet.

    `serve` makes its source. `connect` gives how to ask it: `ask(deadline, number)` about so many people, one
    after another where there is nobody to ask about. The first transport leads to the source that is tested,
    the second to a sound one beside it. `path` is what the address has after the host.
    """

    name: str
    serve: Callable[[], ASGIApp]
    connect: Callable[[Transport, Transport], Ask]
    path: str = ""


# --- Sources that are asked about people


@dataclass
class Tally:
    """A quota's ledger for one test: exact under asyncio, for nothing awaits between reading and writing."""

    made: int = 0

    async def take(self, source: str, day: date, count: int, limit: int) -> Grant:  # noqa: ARG002 - the ledger's seam
        granted = max(0, min(count, limit - self.made))
        self.made += granted
        return Grant(granted, limit - self.made)

    async def give_back(self, source: str, day: date, count: int) -> None:  # noqa: ARG002 - the ledger's seam
        self.made -= count

    async def at_most(self, source: str, day: date, remaining: int, limit: int) -> None:
        """The source's own count is not looked at: what is tested is ours."""

    async def remaining(self, source: str, day: date, limit: int) -> int:  # noqa: ARG002 - the ledger's seam
        return limit - self.made


def subjects(number: int = 1) -> list[Subject]:
    return [
        Subject(person.nik, UUID(int=place), {**person.known, **DIFFERENT, "nik": person.nik})
        for place, person in enumerate(PEOPLE[:number], start=1)
    ]


async def fetched(connector: Connector, deadline: float, number: int, ledger: Tally) -> Told:
    asked = subjects(number)
    outcomes: tuple[Outcome, ...] = tuple(await connector.fetch(asked, connector.provides, TODAY, deadline))
    assert len(outcomes) == len(asked)
    causes = [one.cause for one in outcomes if isinstance(one, Unavailable)]
    answer = tuple(one for one in outcomes if not isinstance(one, Unavailable))
    metered = ledger.made if hasattr(connector, "quota_left") else None
    return Told(answer, causes[0] if causes else None, counted=metered)


def _of_kind(kind: SourceKind[Any], name: str = "", **keys: Any) -> Wired:
    simulation = kind.simulation

    def connect(tested: Transport, _sound: Transport) -> Ask:
        ledger = Tally()
        section = kind.section.model_validate({**simulation.keys, **keys})
        surroundings = Surroundings(lambda _: tested, clock, ledger, on_quota_low=lambda _: None)
        connector = kind.configure(section, tested.settings, simulation.secrets)(surroundings)
        return lambda deadline, number: fetched(connector, deadline, number, ledger)

    serve = partial(simulation.serve, PEOPLE, simulation.secrets, clock)
    return Wired(name or kind.name, serve, connect, simulation.path)


# --- Sources that are pulled


async def pulled(pages: AsyncGenerator[Any, None], read: Callable[[Any], tuple[Any, ...]]) -> Told:
    """One pull: what it gave until it ended, or failed."""
    answer: list[Any] = []
    try:
        async with aclosing(pages):
            async for page in pages:
                answer += read(page)
    except SourceFailure as failure:
        return Told(tuple(answer), failure.cause, failure)
    return Told(tuple(answer))


async def _several(pull: Callable[[], Awaitable[Told]], number: int) -> Told:
    """So many pulls at once; what the first failing one was told stands for all."""
    told = await asyncio.gather(*(pull() for _ in range(number)))
    return next((one for one in told if one.cause is not None), told[0])


def _programme_list(tested: Transport, sound: Transport, *, tokens_tested: bool) -> Ask:
    api, tokens = (sound, tested) if tokens_tested else (tested, sound)

    async def ask(deadline: float, number: int) -> Told:
        def pull() -> Awaitable[Told]:
            # A source of its own for each pull: a token that is kept spares the endpoint that is tested.
            source = ProgrammeListSource(
                name="pkh",
                programme="PKH",
                api=api,
                path="/bansos/1.0/memberships",
                tokens=tokens,
                token_path="/oauth2/token",
                credentials=CREDENTIALS,
                clock=clock,
                page_size=2,
            )
            return pulled(source.pages(None, deadline), lambda page: page.memberships)

        return await _several(pull, number)

    return ask


def _map(driver: Callable[[Transport, float], FeatureDriver], tested: Transport, _sound: Transport) -> Ask:
    async def ask(deadline: float, number: int) -> Told:
        def pull() -> Awaitable[Told]:
            patience_s = deadline - asyncio.get_running_loop().time()
            areas = BigLayers(driver(tested, patience_s)).pull("village", EDITION)
            return pulled(areas, lambda page: page.areas)

        return await _several(pull, number)

    return ask


def _arcgis(transport: Transport, patience_s: float) -> FeatureDriver:
    return ArcGisLayer(transport, "/BATASWILAYAH/BATAS_DESAKEL_AR/MapServer/0", 2, patience_s=patience_s)


def _ogc_features(transport: Transport, patience_s: float) -> FeatureDriver:
    return OgcFeatures(transport, "villages", 2, patience_s)


def _wfs(transport: Transport, patience_s: float) -> FeatureDriver:
    return WfsLayer(transport, "/wfs", "ms:villages", 2, patience_s)


@dataclass(frozen=True)
class Recording:
    """Answers that pygeoapi 0.21 and MapServer 8.0 gave about three villages, given again.

    They were asked by two villages a page; their own address is written into them as recorded.invalid.
    """

    media_type: str
    file_for: Callable[[Mapping[str, str]], str]
    path: str
    app: Starlette = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "app", Starlette(routes=[Route(self.path, self._answer)]))

    async def _answer(self, request: Request) -> Response:
        text = (RECORDED / self.file_for(request.query_params)).read_text(encoding="utf-8")
        body = text.replace("recorded.invalid", request.headers["host"])
        return Response(body, media_type=self.media_type)


def _pygeoapi_file(asked: Mapping[str, str]) -> str:
    return f"pygeoapi_page_{2 if asked.get('offset') == '2' else 1}.json"


def _mapserver_file(asked: Mapping[str, str]) -> str:
    if asked.get("resultType") == "hits":
        return "mapserver_hits.xml"
    return f"mapserver_page_{2 if asked['startIndex'] == '2' else 1}.xml"


WIRED: tuple[Wired, ...] = (
    *(_of_kind(kind) for kind in KINDS),
    *(
        _of_kind(kind, "dukcapil record", call="record", method="CALL_NIK")
        for kind in KINDS
        if kind.name == "dukcapil"
    ),
    Wired(
        "programme list",
        lambda: ProgrammesSimulator(MEMBERS, "made-up", "made-up-secret", clock=clock).app,
        partial(_programme_list, tokens_tested=False),
    ),
    Wired(
        "programme token",
        lambda: ProgrammesSimulator(MEMBERS, "made-up", "made-up-secret", clock=clock).app,
        partial(_programme_list, tokens_tested=True),
    ),
    Wired(
        "arcgis",
        lambda: BigSimulator({"BATASWILAYAH/BATAS_DESAKEL_AR": VILLAGES}).app,
        partial(_map, _arcgis),
        "/rbi/rest/services",
    ),
    Wired(
        "ogc features",
        lambda: Recording("application/json", _pygeoapi_file, "/collections/villages/items").app,
        partial(_map, _ogc_features),
    ),
    Wired(
        "wfs",
        lambda: Recording("text/xml", _mapserver_file, "/wfs").app,
        partial(_map, _wfs),
    ),
)
