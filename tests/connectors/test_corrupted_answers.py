"""No corrupted answer makes a connector say what the intact one would not.

True answers of the simulators, and of servers that others wrote, are recorded as they came over the wire,
corrupted by Hypothesis and played to the connector over a real socket. What is then told may be less, never
another: not another verdict, state, membership or border; and no element of anybody's record anywhere.

Not asked for is what no reader could notice: see `corruption.py`. One verdict of Dukcapil in place of another
("Sesuai" for "Tidak Sesuai"), one digit of a row's NIK for another, or Dukcapil's verdicts on another person,
whom they do not name, are whole answers of their own.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any, Self

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from connectors.base import Record
from connectors.big.areas import Area
from connectors.bpjs.connector import BpjsCredentials
from connectors.bpjs.kind import BPJS
from connectors.dukcapil.kind import DUKCAPIL
from connectors.simulators.bpjs import BpjsSimulator, seal
from connectors.simulators.dukcapil import Account, DukcapilSimulator
from connectors.transport.breaker import BreakerSettings
from connectors.transport.client import Transport
from connectors.transport.settings import SourceSettings
from tests.connectors.corruption import (
    Says,
    body_of,
    damaged_bytes,
    damaged_json,
    damaged_xml,
    nothing,
    of_features,
    of_list,
    of_members,
    of_record,
    told_twice,
    with_body,
)
from tests.connectors.faults import FaultProxy, Talk, upstream
from tests.connectors.simulated import Stage, served
from tests.connectors.wired import NOW, PEOPLE, WIRED, Ask, Told, Wired, clock

STAGE = Stage()
PATIENCE_S = 10.0
# Registry's and record's, as either writes them; the birth date as Dukcapil does.
ELEMENTS = ("wulandar", "kartika", "lestari", "melati", "surabaya", "1987-03-04", "3578011202149002")
SAYS: dict[str, Says] = {
    "dukcapil record": of_record,
    "programme list": of_list,
    "arcgis": of_features,
    "ogc features": of_features,
    "wfs": of_members,
}
BY_NAME = {one.name: one for one in WIRED}


def _in_state(state: str) -> Wired:
    secrets = DUKCAPIL.simulation.secrets
    account = Account(
        user_id=secrets["user_id"], password=secrets["password"], ip_users=frozenset({secrets["ip_user"]})
    )
    rows = [{"nik": person.nik, **person.known, "dukcapil_state": state} for person in PEOPLE[:1]]
    known = [] if state == "not_found" else rows
    serve = lambda: DukcapilSimulator(known, accounts=(account,), clock=clock).app  # noqa: E731
    return replace(BY_NAME["dukcapil"], name=f"dukcapil, {state}", serve=serve)


NOBODY = replace(
    BY_NAME["bpjs"],
    name="bpjs, nobody",
    serve=lambda: BpjsSimulator([], **BPJS.simulation.secrets, clock=clock).app,
)
# The list's recording begins with its token.
RECORDED = (
    *(one for one in WIRED if one.name != "programme token"),
    *map(_in_state, ("deceased", "not_found")),
    NOBODY,
)


@dataclass
class Player:
    """Plays answers one after another, each on a connection of its own, which then ends; the last again."""

    answers: list[bytes]
    played: int = 0

    async def __call__(self, talk: Talk) -> None:
        answer = self.answers[min(self.played, len(self.answers) - 1)]
        self.played += 1
        await talk.say(answer)
        talk.writer.close()


class Studio:
    """One connector before a player, in a loop of its own that lasts for all examples of a test."""

    def __init__(self, wired: Wired, port: int) -> None:
        self.wired = wired
        self.says = SAYS.get(wired.name, nothing)
        self._port = port
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._player = Player([])

    def __enter__(self) -> Self:
        self._runner.run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()

    async def _open(self) -> None:
        heard: list[bytes] = []

        async def recorder(request: bytes) -> bytes:
            heard.append(await upstream(self._port)(request))
            return heard[-1]

        async with FaultProxy(source=recorder) as proxy, self._transport(proxy) as transport:
            self.truth = await self._ask(self.wired.connect(transport, transport))
        assert self.truth.answer
        assert self.truth.cause is None
        self.answers = heard
        proxy = await self._stack.enter_async_context(FaultProxy(otherwise=self._play))
        transport = await self._stack.enter_async_context(self._transport(proxy))
        self._connected = self.wired.connect(transport, transport)

    async def _play(self, talk: Talk) -> None:
        await self._player(talk)

    def _transport(self, proxy: FaultProxy) -> Transport:
        return Transport(
            SourceSettings(
                name="recorded",
                base_url=proxy.base_url + self.wired.path,
                max_attempts=1,
                retry_percent=0,
                retry_burst=0,
                breaker=BreakerSettings(failures=10**6, window_calls=10**6),
            )
        )

    async def _ask(self, ask: Ask) -> Told:
        return await ask(asyncio.get_running_loop().time() + PATIENCE_S, 1)

    def told(self, number: int, corrupted: bytes) -> Told:
        """What is told when the recorded answer of that number comes corrupted."""
        self._player = Player([*self.answers[:number], corrupted, *self.answers[number + 1 :]])
        return self._runner.run(self._ask(self._connected))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(STAGE) as address:
        yield int(address.rpartition(":")[2])


@pytest.fixture(scope="module", params=RECORDED, ids=lambda wired: wired.name)
def studio(request: pytest.FixtureRequest, port: int) -> Iterator[Studio]:
    STAGE.app = request.param.serve()
    with Studio(request.param, port) as opened:
        yield opened


@pytest.fixture
def told_to_operators(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    # At DEBUG httpcore quotes a status line that is none; the gateway's root logger is at WARNING.
    caplog.set_level(logging.INFO)
    return caplog


def assert_no_more_is_told(told: Told, truth: Told) -> None:
    for one in told.answer:
        assert any(_is_no_more_than(one, true) for true in truth.answer), f"{one} was never said"


def _is_no_more_than(said: Any, true: Any) -> bool:
    if isinstance(said, Record) and isinstance(true, Record):
        same = (said.person_id, said.default_as_of, said.as_of) == (
            true.person_id,
            true.default_as_of,
            true.as_of,
        )
        return same and all(value in (true.values[name], None) for name, value in said.values.items())
    if isinstance(said, Area) and isinstance(true, Area):
        # Without a date of its own, an area has that of its edition.
        return said == replace(true, as_of=said.as_of)
    return bool(said == true)


def assert_no_element_is_told(told: Told, log: str) -> None:
    shown = (told.text + log).lower()
    assert not [element for element in (*ELEMENTS, *(person.nik for person in PEOPLE)) if element in shown]


def assume_no_other_answer(studio: Studio, number: int, corrupted: bytes) -> None:
    assume(studio.says(body_of(corrupted)) <= studio.says(body_of(studio.answers[number])))


def check(studio: Studio, number: int, corrupted: bytes, log: pytest.LogCaptureFixture) -> None:
    told = studio.told(number, corrupted)
    assert_no_more_is_told(told, studio.truth)
    assert_no_element_is_told(told, log.text)


# Fixtures last for all examples on purpose: the log as a whole must hold nothing.
EXAMPLES = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@given(data=st.data())
@settings(EXAMPLES, max_examples=60)
def test_bytes_that_are_changed_lost_added_repeated_or_cut_off_say_nothing_else(
    studio: Studio, told_to_operators: pytest.LogCaptureFixture, data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, len(studio.answers) - 1))
    corrupted = data.draw(damaged_bytes(studio.answers[number]))
    assume_no_other_answer(studio, number, corrupted)
    check(studio, number, corrupted, told_to_operators)


@given(data=st.data())
@settings(EXAMPLES, max_examples=60)
def test_a_document_that_lost_its_structure_says_nothing_else(
    studio: Studio, told_to_operators: pytest.LogCaptureFixture, data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, len(studio.answers) - 1))
    intact = body_of(studio.answers[number]).decode()
    body = data.draw(damaged_xml(intact) if intact.startswith("<") else damaged_json(intact))
    corrupted = with_body(studio.answers[number], body.encode())
    assume_no_other_answer(studio, number, corrupted)
    check(studio, number, corrupted, told_to_operators)


@pytest.mark.parametrize(
    "studio", [BY_NAME["arcgis"], *RECORDED[:3]], indirect=True, ids=lambda wired: wired.name
)
def test_of_two_values_for_one_name_neither_is_believed(
    studio: Studio, told_to_operators: pytest.LogCaptureFixture
) -> None:
    for number, answer in enumerate(studio.answers):
        for second in ("Sesuai", "Tidak Sesuai (20)", "35.78.01.1009"):
            for text in told_twice(body_of(answer).decode(), second):
                check(studio, number, with_body(answer, text.encode()), told_to_operators)


@given(data=st.data())
@settings(EXAMPLES, max_examples=60)
@pytest.mark.parametrize("studio", [BY_NAME["bpjs"]], indirect=True, ids=lambda wired: wired.name)
def test_what_bpjs_sealed_in_a_broken_structure_says_nothing_else(
    studio: Studio, told_to_operators: pytest.LogCaptureFixture, data: st.DataObject
) -> None:
    corrupted = sealed_again(studio.answers[0], lambda content: data.draw(damaged_json(content)))
    check(studio, 0, corrupted, told_to_operators)


@pytest.mark.parametrize(
    "studio", [BY_NAME["bpjs"], BY_NAME["dukcapil record"]], indirect=True, ids=lambda wired: wired.name
)
def test_a_whole_answer_that_names_another_person_says_nothing(
    studio: Studio, told_to_operators: pytest.LogCaptureFixture
) -> None:
    asked, another = PEOPLE[0].nik, PEOPLE[1].nik
    answer = studio.answers[0]
    if studio.wired.name == "bpjs":
        about_another = sealed_again(answer, lambda content: content.replace(asked, another))
    else:
        about_another = answer.replace(asked.encode(), another.encode())
    assert about_another != answer
    told = studio.told(0, about_another)
    assert told.answer == ()
    assert_no_element_is_told(told, told_to_operators.text)


def sealed_again(answer: bytes, change: Callable[[str], str]) -> bytes:
    """BPJS's answer with its content changed, under the key of the call for which it was recorded."""
    secrets, stamp = BPJS.simulation.secrets, str(int(NOW.timestamp()))
    envelope = json.loads(body_of(answer))
    content = json.dumps(BpjsCredentials(**secrets).open(envelope["response"], stamp))
    envelope["response"] = seal(change(content), secrets["consumer_id"] + secrets["secret"] + stamp)
    return with_body(answer, json.dumps(envelope).encode())
