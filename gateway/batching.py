"""Natural batching: calls that wait while a batch is under way share the next one.

One batch runs at a time. There is no timer: the batch in flight is the window, so a lone call waits for
nobody and a crowd shares one transaction. Used for reads (one query for many requests), for admission (one
transaction for many proofs) and for the audit log (one commit for many entries).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from gateway.spans import Open, present, shared

Item = TypeVar("Item")
Result = TypeVar("Result")


class NaturalBatch(Generic[Item, Result]):
    """Collects calls of one event loop and runs them together.

    `run` gets 1 to `limit` items and MUST return one result per item, in order; a result that is an
    exception is raised to that item's caller only. If `run` itself raises, every caller of that batch
    gets the exception: for a commit that is the truth, none of it happened.
    A cancelled caller does not take its item back: what was submitted is run.
    """

    def __init__(
        self, run: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]], *, limit: int = 512
    ) -> None:
        self._run = run
        self._limit = limit
        self._waiting: deque[tuple[Item, asyncio.Future[Result], tuple[Open, ...]]] = deque()
        self._pump: asyncio.Task[None] | None = None

    def __call__(self, item: Item) -> asyncio.Future[Result]:
        """The result of `item`, there when the batch that holds it has ended."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, future, present()))
        if self._pump is None:
            self._pump = loop.create_task(self._drain())
        return future

    async def _drain(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(self._limit, len(self._waiting)))]
                items = [item for item, _, _ in batch]
                try:
                    with shared(opened for _, _, opened in batch):
                        results = await self._run(items)
                except Exception as error:  # noqa: BLE001 - handed to the callers, who wait for it
                    results = [error] * len(batch)
                for (_, future, _), result in zip(batch, results, strict=True):
                    if future.done():
                        continue
                    if isinstance(result, Exception):
                        future.set_exception(result)
                    else:
                        future.set_result(result)
        finally:
            self._pump = None


class OneThread:
    """A thread of its own for calls that block, one at a time."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def __call__(self, function: Callable[[Item], Result], item: Item) -> Result:
        """What `function` gives for `item`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, item)

    def close(self) -> None:
        """Wait for the call under way and end."""
        self._thread.shutdown(wait=True)
