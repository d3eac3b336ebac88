"""Witnesses: who may cosign, and the cosignatures that count.

A cosignature counts only from a key that staff added, over a checkpoint that this log made, as
c2sp.org/tlog-cosignature (Ed25519, v1) has it. Adding a witness is an act of the log itself, and so is
withdrawing one. What counts then is when a cosignature came here: the time in it is its signer's word, and
whoever has stolen a key writes there what they like.
"""

from __future__ import annotations

import os
from datetime import datetime

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from gateway.audit.entry import act
from gateway.audit.ledger import accepted_witnesses
from gateway.audit.log import BLIND_BYTES, add_entries
from gateway.audit.proofs import WITNESS_KEY, Checkpoint, Unproven, VerifierKey
from gateway.audit.signing import cosignature_line
from gateway.audit.tables import (
    audit_checkpoints,
    audit_cosignatures,
    audit_withdrawn_witnesses,
    audit_witnesses,
)
from gateway.database import Database
from gateway.errors import BadInput, Conflict, NotFound


def add_witness(database: Database, key_text: str, *, actor: str, reason: str, at: datetime) -> VerifierKey:
    """Accept cosignatures of this key from now on.

    Raises BadInput, or Conflict for a name in use and for a key that was withdrawn under another name.
    """
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
        if any(withdrawn.public == key.public for withdrawn in _withdrawn(connection)):
            raise Conflict("This key was withdrawn under another name: the witness has to make another one.")
        connection.execute(insert(audit_witnesses).values(name=key.name, key=str(key), added_at=at))
        add_entries(connection, [entry.seal(os.urandom(BLIND_BYTES))])
    return key


def withdraw_witness(database: Database, name: str, *, actor: str, reason: str, at: datetime) -> int | None:
    """Accept no cosignature of this witness any more, for good; up to which size it cosigned, if at all.

    Cosignatures that came before are kept and count: their key was trusted when they came. Raises
    NotFound for a name that no witness has, Conflict for one that was withdrawn.
    """
    known = select(audit_witnesses.c.key).where(audit_witnesses.c.name == name)
    cosigned_to = select(func.max(audit_cosignatures.c.size)).where(audit_cosignatures.c.witness == name)
    try:
        with database.unit_of_work() as connection:
            key: str | None = connection.execute(known).scalar()
            if key is None:
                raise NotFound(f"No witness is called {name}: GET /log/keys tells those that there are.")
            size: int | None = connection.execute(cosigned_to).scalar()
            entry = act(
                actor=actor,
                act="witness.withdraw",
                object_id=name,
                object_sha256=None,
                reason=reason,
                at=at,
                key=key,
                cosigned_to=size or 0,
            )
            connection.execute(insert(audit_withdrawn_witnesses).values(name=name, withdrawn_at=at))
            add_entries(connection, [entry.seal(os.urandom(BLIND_BYTES))])
    except IntegrityError:
        raise Conflict(f"The witness {name} is withdrawn already.") from None
    return size


def _withdrawn(connection: Connection) -> list[VerifierKey]:
    chosen = select(audit_witnesses.c.key).where(
        audit_witnesses.c.name.in_(select(audit_withdrawn_witnesses.c.name))
    )
    return [VerifierKey.parse(key) for key in connection.execute(chosen).scalars()]


def accept_cosignatures(database: Database, unverified_note: str, at: datetime) -> list[str]:
    """Keep the good cosignatures of a checkpoint note; gives the names of their witnesses.

    Raises BadInput for a note without any, NotFound for a checkpoint that this log did not make.
    """
    try:
        checkpoint = Checkpoint.parse(unverified_note)
    except Unproven as problem:
        raise BadInput(f"The note cannot be used: {problem}.") from None
    with database.unit_of_work() as connection:
        lines = {
            witness.name: line
            for witness in accepted_witnesses(connection)
            if (line := cosignature_line(unverified_note, witness))
        }
        ours = connection.execute(
            select(audit_checkpoints.c.note).where(audit_checkpoints.c.size == checkpoint.size)
        ).scalar()
        if ours is None or Checkpoint.parse(ours).body != checkpoint.body:
            raise NotFound("This log made no such checkpoint.")
        if not lines:
            raise BadInput("The note has no good cosignature of a witness that is accepted here.")
        store = (sqlite if database.is_sqlite else postgresql).insert(audit_cosignatures)
        newer = store.on_conflict_do_update(
            index_elements=[audit_cosignatures.c.size, audit_cosignatures.c.witness],
            set_={"at": store.excluded.at, "line": store.excluded.line},
        )
        for name, line in lines.items():
            connection.execute(newer, {"size": checkpoint.size, "witness": name, "at": at, "line": line})
    return sorted(lines)
