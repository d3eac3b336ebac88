"""Chores are repeated, and one that fails takes nothing with it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.housekeeping import Chore, keep_house

pytestmark = pytest.mark.anyio


async def test_a_chore_that_fails_is_told_and_tried_again_while_the_others_go_on() -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    enough = asyncio.Event()
    turns = {"weak": 0, "sound": 0}

    def tell(name: str, *, level: str = "info", **fields: Any) -> None:
        told.append((name, {**fields, "level": level}))
        if turns["weak"] >= 2 and turns["sound"] >= 2:
            enough.set()

    def weak() -> int:
        turns["weak"] += 1
        raise OSError("words that nobody may read")

    def sound() -> int:
        turns["sound"] += 1
        return 7

    keeping = asyncio.create_task(
        keep_house([Chore("weak", 0.001, weak), Chore("sound", 0.001, sound)], tell)
    )
    async with asyncio.timeout(10):
        await enough.wait()
    keeping.cancel()
    assert ("chore:failed", {"chore": "weak", "error": "OSError", "level": "warning"}) in told
    assert ("chore:done", {"chore": "sound", "count": 7, "level": "info"}) in told
