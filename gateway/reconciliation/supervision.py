"""What a serving process does for reconciling: it sees that somebody works where there is something to do.

The work is another process (`gapura reconcile work`): comparing millions must not share an interpreter with
requests that wait, and a serving process that never reconciles starts nothing and imports nothing for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime

from gateway.database import Database
from gateway.reconciliation.alone import alone
from gateway.reconciliation.runs import UNDER_WAY, Runs
from gateway.reconciliation.schedule import Schedule, submit_due
from gateway.settings import Settings

_ENDS_WITHIN_S = 10.0


class Supervision:
    """Of one serving process. Every process may have one: whoever does not get the lock ends at once."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        runs: Runs,
        schedule: Schedule,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._database = database
        self._runs = runs
        self._schedule = schedule
        self._clock = clock
        self._worker: subprocess.Popen[bytes] | None = None
        self._tending = threading.Lock()

    def tend(self) -> int:
        """Submit the scheduled run that is due, and start a worker where one is needed; how many were.

        Blocks for as long as a query takes. Raises StoreUnavailable.
        """
        with self._tending:
            submit_due(self._schedule, self._runs, self._clock)
            if self._is_at_work() or not self._runs.in_states(UNDER_WAY):
                return 0
            with alone(self._database) as free:
                if free is None:
                    return 0
            self._worker = subprocess.Popen(
                [sys.executable, "-m", "gateway", "reconcile", "work"],
                env={**os.environ, **self._settings.environment()},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            return 1

    def close(self) -> None:
        """End the worker, if it is ours: what it was at goes on with the next one."""
        with self._tending:
            if self._is_at_work() and self._worker is not None:
                self._worker.terminate()
                try:
                    self._worker.wait(_ENDS_WITHIN_S)
                except subprocess.TimeoutExpired:
                    self._worker.kill()
                    self._worker.wait()

    def _is_at_work(self) -> bool:
        return self._worker is not None and self._worker.poll() is None
