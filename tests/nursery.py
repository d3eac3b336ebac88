"""Gateways forked from a process that has imported them already: one `python -m tests.nursery` per pytest.

An interpreter takes two seconds of processor to import the gateway, and the suite serves a hundred of them.
What is forked runs `gapura serve` from its own entry point, with its own environment and log; what is
imported is the only thing it did not do itself. It reads one line of JSON for each, answers with the process
id, and when its input ends it takes along whoever still lives. MUST NOT start a thread or open a connection.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parent.parent


@dataclass
class Forked:
    """A process that the nursery began, as far as a test needs it: a `subprocess.Popen` without a status."""

    pid: int

    def __post_init__(self) -> None:
        self._fd = os.pidfd_open(self.pid)

    def poll(self) -> int | None:
        """Whether it is gone: 0 then, whatever its status was, and None while it lives."""
        return 0 if select.select([self._fd], [], [], 0)[0] else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it is gone, at most so many seconds. Raises subprocess.TimeoutExpired."""
        if not select.select([self._fd], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("gapura serve", timeout or 0)
        return 0

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it is gone."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._fd, number)

    def kill(self) -> None:
        """Have it gone at once."""
        self.send_signal(signal.SIGKILL)


def serve(environment: Mapping[str, str], log: Path) -> Forked:
    """`gapura serve` with nothing but this environment; what it says is added to the log."""
    nursery = _nursery()
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    nursery.stdin.write(json.dumps({"environment": dict(environment), "log": str(log)}) + "\n")
    nursery.stdin.flush()
    said = nursery.stdout.readline()
    assert said, "the nursery is gone"
    return Forked(int(said))


@cache
def _nursery() -> subprocess.Popen[str]:
    begun = subprocess.Popen(
        [sys.executable, "-m", "tests.nursery"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(_end, begun)
    return begun


def _end(nursery: subprocess.Popen[str]) -> None:
    nursery.communicate()


def _tend(orders: IO[str]) -> None:
    """Fork a gateway for each order, until there are no more."""
    alive: set[int] = set()
    for order in orders:
        alive -= _gone(alive)
        pid = os.fork()
        if pid == 0:
            _live(**json.loads(order))
        alive.add(pid)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    for pid in alive - _gone(alive):
        os.kill(pid, signal.SIGKILL)


def _gone(pids: set[int]) -> set[int]:
    return {pid for pid in pids if os.waitpid(pid, os.WNOHANG)[0]}


def _live(environment: Mapping[str, str], log: str) -> None:
    """Be `gapura serve`; never returns."""
    from gateway.cli import main  # noqa: PLC0415 - imported by the nursery already, when it is its own program

    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    written = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for number, target in ((os.open(os.devnull, os.O_RDONLY), 0), (written, 1), (written, 2)):
        os.dup2(number, target)
    sys.argv = ["gapura", "serve"]
    status = 1
    try:
        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    import uvloop  # noqa: F401 - what a served gateway imports, here once for all of them

    import gateway.app
    import gateway.commands.serving
    import gateway.serving  # noqa: F401 - as above

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the tests end it by ending
    _tend(sys.stdin)
