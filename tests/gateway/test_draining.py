"""A process that is told to end says so, serves on and closes its connections; told twice, it ends."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator

import httpx
import pytest
from starlette.responses import PlainTextResponse

from gateway.draining import Draining, LastAnswers
from tests.gateway.staff.office import InProcess

LONG, SHORT = 3600.0, 0.05


@pytest.fixture
def stops() -> Iterator[list[int]]:
    """What the server was told: it has said, as servers do, what it does at SIGTERM."""
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    yield told
    signal.signal(signal.SIGTERM, before)


def _serving(draining: Draining, act: Callable[[], object]) -> None:
    async def serve() -> None:
        with draining.heeding():
            act()
            await asyncio.sleep(4 * SHORT if draining._drain_s < LONG else 0)

    asyncio.run(serve())


def test_the_server_is_told_after_the_time_to_drain(stops: list[int]) -> None:
    draining = Draining(SHORT)
    _serving(draining, lambda: signal.raise_signal(signal.SIGTERM))
    assert draining.begun
    assert stops == [signal.SIGTERM]


def test_the_server_is_not_told_before(stops: list[int]) -> None:
    draining = Draining(LONG)
    _serving(draining, lambda: signal.raise_signal(signal.SIGTERM))
    assert draining.begun
    assert stops == []


def test_whoever_insists_is_heard_at_once(stops: list[int]) -> None:
    _serving(Draining(LONG), lambda: [signal.raise_signal(signal.SIGTERM) for _ in range(2)])
    assert stops == [signal.SIGTERM]


def test_without_a_time_to_drain_nothing_is_put_off(stops: list[int]) -> None:
    draining = Draining(0)
    _serving(draining, lambda: signal.raise_signal(signal.SIGTERM))
    assert (draining.begun, stops) == (False, [signal.SIGTERM])


@pytest.mark.parametrize("begun", [False, True])
def test_an_answer_of_a_process_that_leaves_is_the_last_of_its_connection(begun: bool) -> None:
    draining = Draining(LONG)
    draining.begun = begun
    app = LastAnswers(PlainTextResponse("said"), draining)
    with httpx.Client(transport=InProcess(app), base_url="http://test") as http:  # type: ignore[arg-type]
        answer = http.get("/")
    assert (answer.text, answer.headers.get("connection") == "close") == ("said", begun)
