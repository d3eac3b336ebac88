"""Small processes that append, place and sign until they are killed: `python -m ... URL`.

For each line that it reads it starts one, by a fork, because hundreds of interpreters would take minutes to
start. A writer prints the receipt of an entry only after `append` has returned, as an answer leaves only
then. Between them stand its process id, and `ended`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import uuid
from dataclasses import replace
from datetime import UTC, datetime

from gateway.audit.log import AuditLog
from gateway.audit.sequencer import Sequencer
from gateway.audit.signing import Receipts, log_key
from gateway.database import Database
from tests.gateway.audit.logs import ORIGIN, outcome

_CALLERS = 8


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


async def _append(log: AuditLog, receipts: Receipts) -> None:
    while True:
        entry = replace(outcome(uuid.uuid4().int), at=datetime.now(UTC))
        sealed = await log.append(entry)
        _say(receipts.sign(sealed))


async def _write(database: Database) -> None:
    log, receipts = AuditLog(database), Receipts(ORIGIN, b"r" * 32)
    await asyncio.gather(*(_append(log, receipts) for _ in range(_CALLERS)))


def _keep_in_order(database: Database) -> None:
    sequencer = Sequencer(database, log_key(ORIGIN, b"s" * 32), lambda: datetime.now(UTC))
    while True:
        sequencer.integrate(16)
        sequencer.sign()


def _write_until_killed(url: str) -> None:
    database = Database(url)
    threading.Thread(target=_keep_in_order, args=(database,), daemon=True).start()
    asyncio.run(_write(database))


if __name__ == "__main__":
    for _ in sys.stdin:
        writer = os.fork()
        if not writer:
            _write_until_killed(sys.argv[1])
        _say(str(writer))
        os.waitpid(writer, 0)
        _say("\nended")
