"""Guards, with a stand-in for the keeper that begins at once: it lives until its standard input ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from gateway.keeping.failures import Failure
from gateway.keeping.guard import KeeperGuard, Turn, _end
from gateway.settings import Settings, load_settings

FEW_S = 0.01
LIVES = "import os, sys; print(os.getpid(), file=open(sys.argv[1], 'a'), flush=True); sys.stdin.read()"
STUBBORN = "import time; print(flush=True); time.sleep(3600)"


class Home:
    """A home folder, whose stand-ins write down that they began; and what its guards told."""

    def __init__(self, folder: Path) -> None:
        self.settings: Settings = load_settings({"GAPURA_HOME": str(folder)})
        self.told: list[dict[str, str]] = []
        self._running: list[asyncio.Task[None]] = []
        self._begun = folder / "begun"

    def tell(self, name: str, *, level: str = "info", **fields: str) -> None:
        self.told.append({"event": name, "level": level, **fields})

    def pids(self) -> list[int]:
        """Of all stand-ins that ever began here, in their order."""
        return [int(line) for line in self._begun.read_text().split()] if self._begun.exists() else []

    def guard(self, program: str = LIVES) -> asyncio.Task[None]:
        """Begin one, of this stand-in."""
        command = (sys.executable, "-I", "-S", "-c", program, str(self._begun))
        guard = KeeperGuard(self.settings, self.tell, command=command, pause_s=FEW_S)
        self._running.append(asyncio.create_task(guard.run()))
        return self._running[-1]

    async def leave(self) -> None:
        """Stop all guards."""
        for one in self._running:
            await stop(one)

    async def nth(self, number: int) -> int:
        """The process id of the so-manieth stand-in, as soon as there is one."""
        await until(lambda: len(self.pids()) >= number)
        return self.pids()[number - 1]


async def stop(guard: asyncio.Task[None]) -> None:
    guard.cancel()
    await asyncio.wait([guard])


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - of files and processes, which set no event
            await asyncio.sleep(FEW_S)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    home = Home(tmp_path)
    yield home
    await home.leave()


async def test_a_keeper_that_is_killed_is_told_and_has_a_successor(home: Home) -> None:
    home.guard()
    os.kill(await home.nth(1), signal.SIGKILL)
    await home.nth(2)
    assert home.told == [{"event": "audit:not_integrated", "level": "error", "error": "KeeperEnded(-9)"}]


async def test_a_keeper_that_somebody_told_to_end_has_a_successor_and_is_no_failure(home: Home) -> None:
    home.guard()
    os.kill(await home.nth(1), signal.SIGTERM)
    await home.nth(2)
    assert home.told == []


async def test_a_guard_that_stops_leaves_no_keeper(home: Home) -> None:
    guard = home.guard()
    keeper = await home.nth(1)
    await stop(guard)
    assert not psutil.pid_exists(keeper)
    assert home.told == []


async def test_the_guards_of_one_home_have_one_keeper_and_the_next_one_takes_over(home: Home) -> None:
    first = home.guard()
    keeper = await home.nth(1)
    home.guard()
    await asyncio.sleep(10 * FEW_S)  # it asks for its turn meanwhile
    assert home.pids() == [keeper]
    await stop(first)
    await home.nth(2)
    assert not psutil.pid_exists(keeper)


async def test_what_a_keeper_says_failed_is_told_and_nothing_else_that_it_writes(home: Home) -> None:
    lines = [
        Failure("audit:forked", "LogForked").line(),
        b"a library says something\n",
        b'{"event": "gateway:stopped", "error": "TimeoutError"}\n',
        b'{"event": "audit:forked", "error": "Ani binti Budi, 9000"}\n',
        b'["audit:forked"]\n',
        Failure.of(TimeoutError("of whom, it does not say")).line(),
    ]
    said = f"import sys; sys.stdout.buffer.write({b''.join(lines)!r}); sys.stdout.flush();"
    home.guard(said + LIVES)
    await until(lambda: len(home.told) >= 2)
    assert [(one["event"], one["error"]) for one in home.told] == [
        ("audit:forked", "LogForked"),
        ("audit:not_integrated", "TimeoutError"),
    ]


async def test_a_machine_that_starts_no_process_is_told_and_asked_again(home: Home, tmp_path: Path) -> None:
    guard = KeeperGuard(home.settings, home.tell, command=(str(tmp_path / "missing"),), pause_s=FEW_S)
    running = asyncio.create_task(guard.run())
    await until(lambda: len(home.told) >= 2)
    await stop(running)
    assert {one["error"] for one in home.told} == {"FileNotFoundError"}


def test_a_turn_is_one_processs_until_it_is_given_back(tmp_path: Path) -> None:
    first, second = Turn(tmp_path), Turn(tmp_path)
    assert [first.take(), first.take(), second.take()] == [True, True, False]
    first.give_back()
    assert [second.take(), first.take()] == [True, False]
    second.give_back()


def test_a_folder_in_which_no_lock_can_be_had_keeps_nobody_from_the_work(tmp_path: Path) -> None:
    assert Turn(tmp_path / "no-such-folder").take()


def test_a_keeper_that_does_not_end_by_itself_is_killed() -> None:
    keeper = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", STUBBORN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    with keeper:
        assert keeper.stdout is not None
        keeper.stdout.readline()
        assert _end(keeper, within_s=FEW_S) == -signal.SIGKILL
