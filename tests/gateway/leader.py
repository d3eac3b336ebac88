"""A node that leads and then hangs: `python -m tests.gateway.leader DATABASE_URL`, to be killed.

It is in the middle of signing the log, and at work on reconciliations. It says `leading`, and hangs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection

from gateway.audit.sequencer import Sequencer
from gateway.audit.signing import NoteKey
from gateway.database import Database
from gateway.reconciliation.alone import alone


class _Hanging:
    """Is asked for its keys within the transaction of a checkpoint, and never answers."""

    def signers(self, connection: Connection, at: datetime) -> Sequence[NoteKey]:
        """Hang."""
        del connection, at
        sys.stdout.write("leading\n")
        sys.stdout.flush()
        while True:
            time.sleep(60)


def main() -> None:
    """Take what only one node has, and keep it until death."""
    database = Database(sys.argv[1])
    with alone(database) as free:
        assert free is not None
        Sequencer(database, _Hanging(), lambda: datetime.now(UTC)).sign()


if __name__ == "__main__":
    main()
