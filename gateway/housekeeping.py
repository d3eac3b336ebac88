"""What a serving process does beside serving, again and again: forget what has done its duty.

A chore that fails is told and tried at its next turn: a database outage must end neither the chore nor the
process. It MUST NOT delete anything that is evidence.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


class Tell(Protocol):
    """Writes one event to the log, as `gateway.telemetry.Telemetry.event` does."""

    def __call__(self, name: str, *, level: str = ..., **fields: Any) -> None:
        """Write it."""
        ...


@dataclass(frozen=True, slots=True)
class Chore:
    """`act` blocks, and gives how many things it forgot. Every process may run it: repeating is harmless."""

    name: str
    every_s: float
    act: Callable[[], int]


def every_minute(name: str, act: Callable[[], int]) -> Chore:
    """For marks that live for minutes."""
    return Chore(name, _MINUTE_S, act)


def every_hour(name: str, act: Callable[[], int]) -> Chore:
    """For what is counted by the day."""
    return Chore(name, _HOUR_S, act)


def every_day(name: str, act: Callable[[], int]) -> Chore:
    """For what is kept for months."""
    return Chore(name, _DAY_S, act)


async def keep_house(chores: Sequence[Chore], tell: Tell) -> None:
    """Run every chore in its own rhythm until cancelled, the first time after one pause."""
    await asyncio.gather(*(_repeat(chore, tell) for chore in chores))


async def _repeat(chore: Chore, tell: Tell) -> None:
    while True:
        await asyncio.sleep(chore.every_s)
        try:
            count = await asyncio.to_thread(chore.act)
        except Exception as error:  # noqa: BLE001 - housekeeping must survive a database outage
            tell("chore:failed", level="warning", chore=chore.name, error=type(error).__name__)
        else:
            tell("chore:done", chore=chore.name, count=count)


def collect_rarely() -> None:
    """Look for garbage in cycles less often, and never among what lives as long as the process.

    A request leaves none, but makes enough objects that the collector would read through all policies and
    routes for every thousand of them: a tenth of a request's time, and a pause that others wait for.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
