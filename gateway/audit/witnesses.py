"""Witnesses: who may cosign, and the cosignatures that count.

A cosignature counts only from a key that staff added, over a checkpoint that this log made, as
c2sp.org/tlog-cosignature (Ed25519, v1) has it. Adding a witness is an act of the log itself.
"""

from __future__ import annotations

import os
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.audit.entry import act
from gateway.audit.ledger import Ledger
from gateway.audit.log import BLIND_BYTES, add_entries
from gateway.audit.proofs import WITNESS_KEY, Checkpoint, Unproven, VerifierKey
from gateway.audit.signing import cosignature_line
from gateway.audit.tables import audit_checkpoints, audit_cosignatures, audit_witnesses
from gateway.database import Database
from gateway.errors import BadInput, Conflict, NotFound


def add_witness(database: Database, key_text: str, *, actor: str, reason: str, at: datetime) -> VerifierKey:
    """Accept cosignatures of this key from now on. Raises BadInput, or Conflict for a name in use."""
    try:
        key = VerifierKey.parse(key_text)
    except Unproven as problem:
        raise BadInput(f"The witness's key cannot be used: {problem}.") from None
    if key.kind != WITNESS_KEY:
        raise BadInput("That is a log's key: a witness's key has signature type 4 (cosignature/v1).")
    entry = act(
        actor=actor,
        act="witness.add",
        object_id=key.name,
        object_sha256=None,
        reason=reason,
        at=at,
        key=str(key),
    )
    with database.unit_of_work() as connection:
        if connection.execute(
            select(audit_witnesses.c.key).where(audit_witnesses.c.name == key.name)
        ).scalar():
            raise Conflict(f"The witness {key.name} has a key already; another key needs another name.")
        connection.execute(insert(audit_witnesses).values(name=key.name, key=str(key), added_at=at))
        add_entries(connection, [entry.seal(os.urandom(BLIND_BYTES))])
    return key


def accept_cosignatures(database: Database, unverified_note: str, at: datetime) -> list[str]:
    """Keep the good cosignatures of a checkpoint note; gives the names of their witnesses.

    Raises BadInput for a note without any, NotFound for a checkpoint that this log did not make.
    """
    try:
        checkpoint = Checkpoint.parse(unverified_note)
    except Unproven as problem:
        raise BadInput(f"The note cannot be used: {problem}.") from None
    lines = {
        witness.name: line
        for witness in Ledger(database).witnesses()
        if (line := cosignature_line(unverified_note, witness))
    }
    with database.unit_of_work() as connection:
        ours = connection.execute(
            select(audit_checkpoints.c.note).where(audit_checkpoints.c.size == checkpoint.size)
        ).scalar()
        if ours is None or Checkpoint.parse(ours).body != checkpoint.body:
            raise NotFound("This log made no such checkpoint.")
        if not lines:
            raise BadInput("The note has no good cosignature of a witness that is known here.")
        store = (sqlite if database.is_sqlite else postgresql).insert(audit_cosignatures)
        newer = store.on_conflict_do_update(
            index_elements=[audit_cosignatures.c.size, audit_cosignatures.c.witness],
            set_={"at": store.excluded.at, "line": store.excluded.line},
        )
        for name, line in lines.items():
            connection.execute(newer, {"size": checkpoint.size, "witness": name, "at": at, "line": line})
    return sorted(lines)
