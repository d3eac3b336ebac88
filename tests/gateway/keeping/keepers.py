"""Keepers as tests see them: processes beneath a gateway, or beneath the test itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import psutil


def keepers_of(pid: int) -> list[psutil.Process]:
    """The keepers that a process or those beneath it have at this moment."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.cmdline()[-1:] == ["gateway.keeping"]:
                found.append(process)
    return found


def wait_for(holds: Callable[[], object]) -> None:
    """Return as soon as it holds: a busy machine may take its time."""
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)
