"""The same question asked twice at once is sent once, and nobody suffers for sharing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from connectors.transport.client import Transport
from connectors.transport.coalescing import Coalescing, Patience
from connectors.transport.failures import ConnectionLost, Rejected, Timeout
from connectors.transport.settings import SourceSettings
from tests.connectors import faults
from tests.connectors.faults import FaultProxy

pytestmark = pytest.mark.anyio


class Held:
    """A source that answers when told to, and the way to it."""

    def __init__(self, source: FaultProxy, transport: Transport, go: asyncio.Event) -> None:
        self.source, self.transport, self.go = source, transport, go

    def ask(self, key: str | None, within_s: float = 30.0) -> asyncio.Task[object]:
        deadline = asyncio.get_running_loop().time() + within_s
        return asyncio.create_task(self.transport.send("GET", "/", deadline=deadline, key=key))

    async def under_way(self, requests: int) -> None:
        await self.source.reached(requests)


@pytest.fixture
async def held() -> AsyncIterator[Held]:
    go = asyncio.Event()
    async with FaultProxy(otherwise=faults.held_until(go)) as source:
        settings = SourceSettings(
            name="sample", base_url=source.base_url, max_attempts=3, attempt_timeout_s=30.0
        )
        async with Transport(settings) as transport:
            yield Held(source, transport, go)


async def test_equal_questions_share_one_answer_and_different_ones_do_not(held: Held) -> None:
    asked = [held.ask("a") for _ in range(50)] + [held.ask("b"), held.ask(None), held.ask(None)]
    await held.under_way(4)
    held.go.set()
    replies = await asyncio.gather(*asked)
    assert len({id(reply) for reply in replies}) == 4
    state = held.transport.state()
    assert (held.source.requests, state.questions, state.coalesced) == (4, 4, 49)


async def test_an_answer_is_not_kept_for_those_who_come_later(held: Held) -> None:
    held.go.set()
    await held.ask("a")
    await held.ask("a")
    assert held.source.requests == 2


async def test_nobody_joins_a_question_in_the_moment_between_its_answer_and_its_askers() -> None:
    loop = asyncio.get_running_loop()
    sharing: Coalescing[int] = Coalescing(loop.time)
    asked: list[int] = []
    late: list[asyncio.Task[tuple[int, bool]]] = []

    async def ask(_patience: Patience) -> int:
        asked.append(len(asked))
        if len(asked) == 1:
            loop.call_soon(lambda: late.append(asyncio.create_task(sharing("a", loop.time() + 30, ask))))
        return asked[-1]

    assert await sharing("a", loop.time() + 30, ask) == (0, False)
    assert await late[0] == (1, False)


async def test_the_first_asker_may_leave_without_failing_the_others(held: Held) -> None:
    first = held.ask("a")
    await held.under_way(1)
    others = [held.ask("a") for _ in range(3)]
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    held.go.set()
    await asyncio.gather(*others)
    assert held.source.requests == 1


async def test_the_question_ends_when_the_last_asker_leaves(held: Held) -> None:
    asked = [held.ask("a") for _ in range(3)]
    await held.under_way(1)
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    await held.source.deserted()
    assert held.transport.state().in_flight == 0
    held.go.set()
    await held.ask("a")
    assert held.source.requests == 2, "nobody joins a question that was given up"


async def test_each_asker_keeps_to_a_deadline_of_its_own(held: Held) -> None:
    hurried = held.ask("a", within_s=0.5)
    await held.under_way(1)
    patient = held.ask("a")
    with pytest.raises(Timeout):
        await hurried
    held.go.set()
    await patient
    assert held.transport.state().breaker == "closed"


async def test_a_shared_failure_is_raised_to_each_as_its_own() -> None:
    async with FaultProxy(faults.status(404)) as source:
        settings = SourceSettings(name="sample", base_url=source.base_url)
        async with Transport(settings) as transport:
            deadline = asyncio.get_running_loop().time() + 30
            outcomes = await asyncio.gather(
                *(transport.send("GET", "/", deadline=deadline, key="a") for _ in range(5)),
                return_exceptions=True,
            )
    assert source.requests == 1
    assert len({id(outcome) for outcome in outcomes}) == 5
    assert {(type(failure), failure.status) for failure in outcomes if isinstance(failure, Rejected)} == {
        (Rejected, 404)
    }


async def test_closing_gives_every_waiter_a_failure_and_leaves_no_task(held: Held) -> None:
    before = asyncio.all_tasks()
    asked = [held.ask("a") for _ in range(3)]
    await held.under_way(1)
    await held.transport.aclose()
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectionLost] * 3
    await held.source.deserted()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
