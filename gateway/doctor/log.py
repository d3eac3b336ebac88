"""The audit log: does it get on, is its newest checkpoint good, do witnesses keep up, was anything found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import select

from gateway.audit.ledger import Ledger, stored_tree
from gateway.audit.proofs import Unproven, VerifierKey, open_checkpoint
from gateway.audit.tables import audit_keys
from gateway.database import Database
from gateway.doctor.findings import Finding, good, graded
from gateway.vitals.log import LogStanding, log_standing

# The sequencer takes half a second; the alert GapuraLogNotIntegrated waits as long.
_WAITS_LONG_S = 60.0
_UNCOSIGNED_S, _LONG_UNCOSIGNED_S = 2 * 3600.0, 24 * 3600.0


def examine_log(database: Database, now: datetime) -> Iterator[Finding]:
    """How the log stands, and whether its newest checkpoint is of this tree, signed by a key of this log."""
    with database.reading() as connection:
        standing = log_standing(connection, now)
    yield from _of_standing(standing)
    yield from _of_witnesses(standing)
    yield _of_head(database, standing.entries)


def _of_standing(standing: LogStanding) -> Iterator[Finding]:
    yield graded(
        "log",
        f"{standing.entries:,} entries in their place, {standing.waiting} waiting, the oldest for "
        f"{standing.oldest_waiting_s:.0f} s",
        "Is any gateway running? Its log says `audit:not_integrated` and why. "
        "See RUNBOOK.md, GapuraLogNotIntegrated.",
        wrong=standing.oldest_waiting_s > _WAITS_LONG_S,
    )
    yield graded(
        "log",
        "the last check found: " + standing.found if standing.found else "no check found anything wrong",
        "Touch nothing, keep the database as it is, call the auditor. See RUNBOOK.md, GapuraLogUnsound.",
        wrong=standing.found is not None,
    )


def _of_witnesses(standing: LogStanding) -> Iterator[Finding]:
    if not standing.uncosigned_s:
        yield Finding(
            "witnesses",
            "notice",
            "nobody cosigns the log: whoever rules the database could roll it back unseen",
            "Ask an agency outside to run `gapura audit witness`; `gapura audit add-witness` accepts it.",
        )
    for name, age_s in standing.uncosigned_s.items():
        yield graded(
            "witnesses",
            f"{name}: the oldest checkpoint it has not cosigned is {age_s / 3600:.1f} h old",
            "Ask its operator whether `gapura audit witness` still runs, and what it says.",
            wrong=age_s > _LONG_UNCOSIGNED_S,
            notice=age_s > _UNCOSIGNED_S,
        )


def _of_head(database: Database, entries: int) -> Finding:
    ledger = Ledger(database)
    head = ledger.head()
    if head is None:
        return graded(
            "checkpoint",
            "there is none yet",
            "One is made within seconds of the first exchange: is a gateway running?",
            wrong=entries > 0,
        )
    do = "Touch nothing and keep the database as it is. See RUNBOOK.md, GapuraLogForked."
    try:
        checkpoint = open_checkpoint(head.note, *_keys_of(database))
    except Unproven as problem:
        return Finding("checkpoint", "wrong", f"the newest is not good: {problem}", do)
    with database.reading() as connection:
        tree = stored_tree(connection)
        fits = tree.size >= checkpoint.size and tree.root(checkpoint.size) == checkpoint.root
    if not fits:
        said = f"the newest is not good: the tree of {tree.size:,} entries is not the one that it signs"
        return Finding("checkpoint", "wrong", said, do)
    return good("checkpoint", f"the newest, of {checkpoint.size:,} entries, is signed and fits the tree")


def _keys_of(database: Database) -> list[VerifierKey]:
    with database.reading() as connection:
        chosen = select(audit_keys.c.public).where(audit_keys.c.purpose == "log")
        return [VerifierKey.parse(key) for key in connection.execute(chosen).scalars()]
