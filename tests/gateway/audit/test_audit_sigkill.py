"""SIGKILL while entries are appended, placed and signed without pause, many times, on both databases.

After every kill another process goes on with the same log. Together with the whole-gateway kills of
`tests/gateway/test_sigkill.py` these are more than 300.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from joserfc import jws
from joserfc.jwk import OKPKey
from sqlalchemy import select

from gateway.audit.proofs import check_consistency, open_checkpoint
from gateway.audit.signing import Receipts, log_key
from gateway.audit.tables import audit_entries, audit_leaves, audit_pending
from gateway.audit.verification import verify
from gateway.database import Database
from tests.gateway.audit.logs import ORIGIN, RunningLog

ROOT = Path(__file__).parent.parent.parent.parent
KILLS = 135
KEY = log_key(ORIGIN, b"s" * 32)


def test_no_kill_loses_an_entry_or_leaves_a_tree_that_was_not_signed(
    database: Database, database_url: str
) -> None:
    receipts: list[str] = []
    signed = None
    with _nursery(database_url) as nursery:
        for kill in range(KILLS):
            receipts += _killed_after(nursery, 1 + kill * 7 % 40)
            if kill % 15 == 0:
                signed = _still_consistent(database, signed)
    log = RunningLog(database, KEY)
    while log.sequencer.integrate():
        pass
    log.sequencer.sign()
    report = verify(database, KEY.verifier)
    assert report.finding is None
    with database.reading() as connection:
        texts = connection.execute(
            select(audit_leaves.c.sha256).join(
                audit_entries, audit_entries.c.sequence == audit_leaves.c.sequence
            )
        ).scalars()
        placed = {bytes(digest).hex() for digest in texts}
        assert connection.execute(select(audit_pending)).first() is None
        assert (
            report.entries == len(placed) == len(connection.execute(select(audit_entries.c.sequence)).all())
        )
    key = OKPKey.import_key(Receipts(ORIGIN, b"r" * 32).jwk)
    for receipt in receipts:
        claims = json.loads(jws.deserialize_compact(receipt, key, algorithms=["Ed25519"]).payload)
        assert claims["entry"] in placed  # and the tree over what was placed has just been verified
    assert len(receipts) >= KILLS
    assert report.checkpoints > KILLS // 5


def _still_consistent(database: Database, before: str | None) -> str | None:
    """The newest checkpoint, which continues the one that was seen before."""
    ledger = RunningLog(database, KEY).ledger
    head = ledger.head()
    if head is None:
        return before
    if before:
        first, second = open_checkpoint(before, KEY.verifier), open_checkpoint(head.note, KEY.verifier)
        proof = ledger.consistency(first.size, second.size)
        check_consistency(first.size, second.size, proof, first.root, second.root)
    return head.note


@contextmanager
def _nursery(url: str) -> Iterator[subprocess.Popen[str]]:
    """The process that starts a writer for each line it is given."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.gateway.audit.writer", url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _killed_after(nursery: subprocess.Popen[str], receipts: int) -> list[str]:
    """Start a writer, kill it as soon as it has handed out so many receipts; gives every whole one."""
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    nursery.stdin.write("\n")
    nursery.stdin.flush()
    lines, got, writer = nursery.stdout, [], 0
    while (line := lines.readline().strip()) != "ended":
        if line.isdigit():
            writer = int(line)
        elif line.count(".") == 2:
            got.append(line)
        if writer and len(got) >= receipts:
            os.kill(writer, signal.SIGKILL)
            writer = 0
    assert len(got) >= receipts, "the writer ended by itself"
    return got
