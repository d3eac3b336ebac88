"""Waits for programs that others wrote to listen."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

_START_TIMEOUT_S = 10


def wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when somebody answers at 127.0.0.1:`port`. Raises RuntimeError with the program's log."""
    until = time.monotonic() + _START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < until:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise RuntimeError(log.read_text(encoding="utf-8"))
