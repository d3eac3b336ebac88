"""How a process leaves without an answer being lost: it says so first, goes on serving, and stops then.

At SIGTERM `/health/ready` turns to 503 and every answer closes its connection, so that whoever balances the
load sends its requests elsewhere; after `drain_s` seconds the server closes its door and finishes what was
begun. Ctrl-C, and a second SIGTERM, wait for nothing.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_CLOSE = (b"connection", b"close")


class Draining:
    """Whether this process is about to leave. One per process."""

    def __init__(self, drain_s: float) -> None:
        self._drain_s = drain_s
        self.begun = False

    @contextmanager
    def heeding(self) -> Iterator[None]:
        """Put off what the server does at SIGTERM, from within its main thread and running event loop.

        Without a time to drain, in another thread, or where no server heeds signals, nothing is put off.
        """
        found = signal.getsignal(signal.SIGTERM)
        in_charge = threading.current_thread() is threading.main_thread() and callable(found)
        if not (self._drain_s and in_charge):
            yield
            return
        stop = cast("Callable[[int, FrameType | None], object]", found)
        loop = asyncio.get_running_loop()

        def leave_soon(number: int, frame: FrameType | None) -> None:
            if self.begun:
                stop(number, frame)
                return
            self.begun = True
            loop.call_soon_threadsafe(loop.call_later, self._drain_s, stop, number, None)

        if callable(stop):
            signal.signal(signal.SIGTERM, leave_soon)
        yield


class LastAnswers:
    """ASGI middleware: once the process is about to leave, an answer is the last of its connection."""

    def __init__(self, app: ASGIApp, draining: Draining) -> None:
        self._app = app
        self._draining = draining

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection event."""
        return self._app(scope, receive, self._closing(send) if self._draining.begun else send)

    @staticmethod
    def _closing(send: Send) -> Send:
        async def closing_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], _CLOSE]
            await send(message)

        return closing_send
