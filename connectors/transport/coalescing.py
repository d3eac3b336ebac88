"""The same question asked twice at once is sent once.

Callers with an equal key wait for one task. It runs as long as anybody waits, however the others fare: a
caller's cancellation or deadline is that caller's alone. Nothing is kept once it has ended: this is no cache.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


@dataclass(slots=True)
class Patience:
    """Until when somebody wants the answer (clock of the owner). Joining a question may prolong it."""

    deadline: float


class Abandoned(Exception):  # noqa: N818 - named for what happened
    """The owner closed while the question was under way."""


@dataclass(slots=True)
class _Flight(Generic[Result]):
    task: asyncio.Task[Result]
    patience: Patience
    waiting: int = 0


class Coalescing(Generic[Result]):
    """Questions under way, by key."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._flights: dict[Hashable, _Flight[Result]] = {}
        self._tasks: set[asyncio.Task[Result]] = set()
        self._closed = False

    async def __call__(
        self, key: Hashable, deadline: float, ask: Callable[[Patience], Coroutine[Any, Any, Result]]
    ) -> tuple[Result, bool]:
        """What `ask` gives, and whether it was somebody else's; raises TimeoutError at `deadline`.

        `ask` is called only if no question with this key is under way. Its exceptions reach every waiter,
        so failures had better be results. Raises Abandoned when closed meanwhile.
        """
        flight = self._flights.get(key)
        joined = flight is not None and not flight.task.done()
        if flight is None or not joined:
            flight = self._take_off(key, deadline, ask)
        flight.patience.deadline = max(flight.patience.deadline, deadline)
        flight.waiting += 1
        try:
            async with asyncio.timeout(deadline - self._clock()):
                return await asyncio.shield(flight.task), joined
        except asyncio.CancelledError:
            own = asyncio.current_task()
            if self._closed and flight.task.done() and own is not None and not own.cancelling():
                raise Abandoned from None
            raise
        finally:
            flight.waiting -= 1
            if flight.task.done() or not flight.waiting:
                self._land(key, flight)

    async def aclose(self) -> None:
        """Stop everything under way."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take_off(
        self, key: Hashable, deadline: float, ask: Callable[[Patience], Coroutine[Any, Any, Result]]
    ) -> _Flight[Result]:
        patience = Patience(deadline)
        task = asyncio.create_task(ask(patience))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._flights[key] = flight = _Flight(task, patience)
        return flight

    def _land(self, key: Hashable, flight: _Flight[Result]) -> None:
        """Let nobody join any more; stop what nobody waits for."""
        if self._flights.get(key) is flight:
            del self._flights[key]
        flight.task.cancel()
