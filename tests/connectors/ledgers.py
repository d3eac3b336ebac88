"""A quota ledger for one process, for tests that need no database."""

from __future__ import annotations

from datetime import date

from connectors.quota import Grant


class DictLedger:
    """Exact under asyncio: nothing awaits between reading and writing."""

    def __init__(self) -> None:
        self.made: dict[tuple[str, date], int] = {}
        self.down = False

    async def take(self, source: str, day: date, count: int, limit: int) -> Grant:
        if self.down:
            raise OSError("no database")
        made = self.made.get((source, day), 0)
        granted = max(0, min(count, limit - made))
        self.made[source, day] = made + granted
        return Grant(granted, max(0, limit - made - granted))

    async def give_back(self, source: str, day: date, count: int) -> None:
        self.made[source, day] = max(0, self.made[source, day] - count)

    async def at_most(self, source: str, day: date, remaining: int, limit: int) -> None:
        self.made[source, day] = max(self.made.get((source, day), 0), limit - remaining)

    async def remaining(self, source: str, day: date, limit: int) -> int:
        return max(0, limit - self.made.get((source, day), 0))
