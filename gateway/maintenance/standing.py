"""What one process knows of maintenance: asked again each second, of the database and of the file.

A request looks at what is known and waits for nobody. While the database does not answer, what it said last
stands, and the file alone can close or open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gateway.errors import StoreUnavailable
from gateway.maintenance.orders import Orders
from gateway.maintenance.switch import read_switch
from gateway.maintenance.window import Window

_ASKED_EVERY_S = 1.0


class Tell(Protocol):
    """Hears that this process has closed, or opened again."""

    def __call__(self, *, closed: bool, until: datetime | None) -> None:
        """Write it down."""


class Standing:
    """The window that this process knows of. Read on the event loop, renewed from a thread."""

    def __init__(
        self, orders: Orders, home: Path, clock: Callable[[], datetime], tell: Tell | None = None
    ) -> None:
        self._orders = orders
        self._home = home
        self._clock = clock
        self._tell = tell
        self._ordered: Window | None = None
        self._told_closed = False
        # None as good as always: a request then pays for one look.
        self.window: Window | None = None

    @property
    def in_force(self) -> Window | None:
        """The window, if it has begun."""
        window = self.window
        return window if window is not None and window.in_force(self._clock()) else None

    async def run(self) -> None:
        """Ask again and again until cancelled."""
        while True:
            await asyncio.to_thread(self.renew)
            await asyncio.sleep(_ASKED_EVERY_S)

    def renew(self) -> None:
        """Ask now. The file wins over an order that has not begun. Blocks."""
        with suppress(StoreUnavailable):
            self._ordered = self._orders.present()
        ordered, switched = self._ordered, read_switch(self._home)
        begun = ordered is not None and ordered.in_force(self._clock())
        self.window = ordered if switched is None or begun else switched
        closed = self.in_force
        if self._tell is not None and (closed is not None) != self._told_closed:
            self._tell(closed=closed is not None, until=closed.until if closed else None)
            self._told_closed = closed is not None
