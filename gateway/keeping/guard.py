"""What a serving process does for the keeper: it sees that one is at work, and tells what it hears from it.

Every serving process has a guard, and all of one home folder take turns by a lock on a file there: one of
them has a keeper, and when its process dies, whatever kills it, the next one's guard begins another. The lock
only spares memory: which keeper is at work at an instant, over all nodes, the database decides. So where no
lock can be had, there is a keeper nevertheless.

It MUST NOT give the keeper anything secret on its command line, which all of the machine can read.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, cast

from gateway.housekeeping import Tell
from gateway.keeping.failures import Failure
from gateway.settings import Settings

_COMMAND = (sys.executable, "-m", "gateway.keeping")
_LOCK = "keeper.lock"
_PAUSE_S = 2.0
# Longer than the keeper gives itself: it may be about to begin.
_ENDS_WITHIN_S = 10.0
# Of a keeper that somebody told to end, such as a stop of all processes of a node at once.
_AS_TOLD = frozenset({0, -signal.SIGTERM})


class Turn:
    """Whose guard sees to the keeper of a home folder: one process's at a time, over all of the machine."""

    def __init__(self, home: Path) -> None:
        self._file = home / _LOCK
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Whether it is ours: then until it is given back, or this process ends."""
        if self._descriptor is not None:
            return True
        try:
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            return not isinstance(error, BlockingIOError)  # but a file system without locks
        self._descriptor = descriptor
        return True

    def give_back(self) -> None:
        """Let the next one have it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class KeeperGuard:
    """Of one serving process on PostgreSQL."""

    def __init__(
        self,
        settings: Settings,
        tell: Tell,
        *,
        command: Sequence[str] = _COMMAND,
        pause_s: float = _PAUSE_S,
    ) -> None:
        """So long after its death a keeper has a successor, and so often another's turn is asked for."""
        self._settings = settings
        self._tell = tell
        self._command = command
        self._pause_s = pause_s
        self._turn = Turn(settings.home)

    async def run(self) -> None:
        """See that a keeper is at work until cancelled; then it ends, within seconds, before this does."""
        try:
            while True:
                try:
                    if self._turn.take():
                        await self._accompany_one()
                except Exception as error:  # noqa: BLE001 - the machine may be out of processes for a while
                    self._say(Failure.of(error))
                await asyncio.sleep(self._pause_s)
        finally:
            self._turn.give_back()

    async def _accompany_one(self) -> None:
        """Start a keeper, and tell what it says until it ends."""
        # Not by the event loop: uvloop leaves the socket that callers come to open in what it starts.
        keeper = subprocess.Popen(  # noqa: ASYNC220, S603 - a moment, once; our own command
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, **self._settings.environment()},
        )
        try:
            await self._listen(cast("IO[bytes]", keeper.stdout))
        finally:
            status = await asyncio.to_thread(_end, keeper)
        if status not in _AS_TOLD:
            self._say(Failure.ended(status))

    async def _listen(self, said: IO[bytes]) -> None:
        lines = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), said
        )
        try:
            async for line in lines:
                if failure := Failure.read(line):
                    self._say(failure)
        finally:
            transport.close()

    def _say(self, failure: Failure) -> None:
        self._tell(failure.event, level="error", error=failure.error)


def _end(keeper: subprocess.Popen[bytes], within_s: float = _ENDS_WITHIN_S) -> int:
    """Let go of a keeper, and wait until it is gone; gives its status. Blocks, for seconds at most."""
    cast("IO[bytes]", keeper.stdin).close()
    try:
        return keeper.wait(within_s)
    except subprocess.TimeoutExpired:
        keeper.kill()
        return keeper.wait()
