"""A sixth source, as somebody would add one: a connector, its simulator and its kind in one file.

An invented vehicle office says whether somebody is in its books as the owner of a vehicle. Nothing of it is
real. Beside this file it takes one line in the registry, in tests `kinds=(*KINDS, SAMSAT)`, and its FIELDS in
the dictionary.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import date, timedelta

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from connectors.base import NotFound, Outcome, Record, Subject, Unavailable
from connectors.kind import (
    Clock,
    Connect,
    OwnKeys,
    Secrets,
    SimulatedPerson,
    Simulation,
    SourceKind,
)
from connectors.transport.client import Transport
from connectors.transport.failures import SourceFailure
from connectors.transport.settings import SourceSettings

FIELDS = """
vehicle_owner:
  label: {id: tercatat sebagai pemilik kendaraan, en: registered as the owner of a vehicle}
  type: word
  words: ["yes", "no"]
  sensitivity: specific
  source: samsat
  ceiling: full
"""
_WORDS = {True: "yes", False: "no"}


class SamsatConnector:
    """Whether somebody owns a vehicle, by NIK."""

    name = "samsat"
    provides = frozenset({"vehicle_owner"})
    needs = frozenset[str]()
    outside = True
    many_at_once = False
    fresh_for: timedelta | None = timedelta(days=1)

    def __init__(self, transport: Transport, office: str, token: str, clock: Clock) -> None:
        self._transport = transport
        self._office = office
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        self._clock = clock

    async def fetch(
        self, subjects: Sequence[Subject], fields: frozenset[str], on_date: date, deadline: float
    ) -> Sequence[Outcome]:
        del fields, on_date
        return await asyncio.gather(*(self._fetch(one, deadline) for one in subjects))

    async def ping(self) -> None:
        await self._ask("", asyncio.get_running_loop().time() + self._transport.settings.attempt_timeout_s)

    async def _fetch(self, subject: Subject, deadline: float) -> Outcome:
        if subject.nik is None or subject.person_id is None:
            return NotFound()
        try:
            answer = await self._ask(subject.nik, deadline)
        except SourceFailure as failure:
            return Unavailable(failure.since or self._clock(), cause=failure.cause)
        known = isinstance(answer, dict) and isinstance(answer.get("owner"), bool)
        if not known:
            return NotFound()
        return Record(subject.person_id, {"vehicle_owner": _WORDS[answer["owner"]]}, self._clock().date())

    async def _ask(self, nik: str, deadline: float) -> object:
        content = json.dumps({"office": self._office, "nik": nik}).encode()
        reply = await self._transport.send(
            "POST", "/owners", deadline=deadline, headers=self._headers, content=content
        )
        return reply.data


class SamsatKeys(OwnKeys):
    office: str


def _configure(keys: SamsatKeys, source: SourceSettings, secrets: Secrets) -> Connect:
    return lambda surroundings: SamsatConnector(
        surroundings.transport(source), keys.office, secrets["token"], surroundings.clock
    )


def _serve(people: Sequence[SimulatedPerson], secrets: Secrets, clock: Clock) -> ASGIApp:
    del clock
    owns = {person.nik: person.lot(2) == 0 for person in people}

    async def owners(request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {secrets['token']}":
            return JSONResponse({"message": "who are you"}, 401)
        return JSONResponse({"owner": owns.get((await request.json())["nik"])})

    return Starlette(routes=[Route("/owners", owners, methods=["POST"])])


SAMSAT = SourceKind(
    name="samsat",
    section=SamsatKeys,
    secrets=("token",),
    words={"vehicle_owner": frozenset(_WORDS.values())},
    configure=_configure,
    simulation=Simulation(serve=_serve, secrets={"token": "kunci-latihan"}, keys={"office": "35"}),
)
