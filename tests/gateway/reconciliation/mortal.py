"""A worker that kills itself at a chosen moment: `python -m tests.gateway.reconciliation.mortal URL FOLDER`.

For each line that it reads (`PHASE MOMENT`) it forks a worker, as the product composes one. The worker dies
before its MOMENT-th statement or commit, on any engine of the process (the registry's, the jobs', the audit
log's), counted from the phase on: `start` is its beginning, `chunks` the first chunk and what its thread does
from then on. `compare` dies while it compares. It says `ready`, then for each `killed` or `ended`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import dbos._queue
from sqlalchemy import Engine, event

from gateway.database import Database
from gateway.reconciliation.results import Summary
from gateway.reconciliation.runs import Run
from gateway.reconciliation.working import Compare
from tests.gateway.reconciliation.registry import plainly, worker

CHUNK_PEOPLE = 4
_FIRST_OF_A_CHUNK = "checked_people"


class Fate:
    """Where this process ends."""

    def __init__(self, phase: str, moment: int) -> None:
        self._phase = phase
        self._moment = moment
        self._counting = phase == "start"
        self._thread: int | None = None
        self._seen = 0
        self._lock = threading.Lock()

    def heard(self, statement: str) -> None:
        """A statement is about to be run, or a commit."""
        with self._lock:
            if self._phase == "chunks" and not self._counting and _FIRST_OF_A_CHUNK in statement:
                # From now on of the thread that stores alone: those that look for work look as often as the
                # machine is slow.
                self._counting, self._thread = True, threading.get_ident()
            if not self._counting or self._thread not in {None, threading.get_ident()}:
                return
            self._seen += 1
            if self._seen == self._moment:
                self.now()

    def comparing(self) -> None:
        """The comparison has begun."""
        if self._phase == "compare":
            self.now()

    def now(self) -> None:
        """End the process."""
        os.kill(os.getpid(), signal.SIGKILL)


def _live(url: str, folder: Path, fate: Fate) -> None:
    @event.listens_for(Engine, "before_cursor_execute")
    def _statement(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        fate.heard(statement)

    @event.listens_for(Engine, "commit")
    def _commit(_connection: Any) -> None:
        fate.heard("commit")

    database = Database(url)
    compare = _mortal(plainly(database), fate)
    worker(database, folder, chunk_people=CHUNK_PEOPLE, compare=compare)()
    database.close()


def _mortal(compare: Compare, fate: Fate) -> Compare:
    def dying(run: Run, folder: Path) -> Summary:
        summary = compare(run, folder)
        fate.comparing()
        return summary

    return dying


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> None:
    """Fork a worker for each line, and tell how it ended."""
    # What was left is taken up by DBOS's own queue, which a second between looks would make slow to test.
    defaults = dbos._queue.Queue.__init__.__kwdefaults__
    assert defaults is not None
    defaults["polling_interval_sec"] = 0.02
    url, folder = sys.argv[1], Path(sys.argv[2])
    _say("ready")
    for line in sys.stdin:
        phase, moment = line.split()
        child = os.fork()
        if not child:
            _live(url, folder, Fate(phase, int(moment)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        _say("killed" if os.WIFSIGNALED(status) else "ended")


if __name__ == "__main__":
    main()
