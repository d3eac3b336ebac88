"""After a restore: judges the log that came back, undoes what must not come back, and goes on honestly.

A restored database is a true copy of an earlier moment, and that is the trouble: whoever signed out is signed
in, revoked tokens count, what was erased may be there again. And if the moment is before a checkpoint that
others hold, the log has been rolled back: going on under its name would tell two histories under one name. It
then goes on under a new name, and its first entry there says what was lost. It MUST NOT put anything into the
log that was lost, and MUST NOT sign before it has compared.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import delete, func, select, text, update

from gateway.audit import erasure
from gateway.audit.entry import act
from gateway.audit.keyring import EvidenceKeyring
from gateway.audit.ledger import stored_tree
from gateway.audit.log import BLIND_BYTES, add_entries
from gateway.audit.proofs import Checkpoint, Unproven
from gateway.audit.sequencer import Sequencer
from gateway.audit.tables import audit_entries, audit_facets, audit_identity, audit_listed
from gateway.audit.transparency import TransparentLog
from gateway.audit.verification import Progress, verify
from gateway.audit.verifier import Report
from gateway.backup.later_log import LostAct
from gateway.backup.making import MADE
from gateway.backup.sets import BackupSet
from gateway.database import Database
from gateway.errors import BadInput, NotFound
from gateway.keys import Keys
from gateway.pseudonyms.sector_keys import FOLDER, SectorKeyring
from gateway.staff.acts import Details
from gateway.staff.roles import Staff
from gateway.staff.tables import staff_sessions

RESTORED = "database.restored"
_NUMBERED = re.compile(r"(.+)/(\d+)")


@dataclass(frozen=True, slots=True)
class Standing:
    """What came back. `report` is of the log by itself.

    Of the kept checkpoints, those that are `ahead` cover more entries than there are: each proves a loss;
    those that are `contradicted` were signed over other entries than these. `newest_at` is when the newest
    entry was written, `replayed_to` the last commit that the server replayed (None once it was started
    again). `vouched` says whether the log names the restored set by its seal, None where it says nothing of
    this set.
    """

    entries: int
    newest_at: datetime | None
    replayed_to: datetime | None
    report: Report
    ahead: tuple[Checkpoint, ...]
    contradicted: tuple[Checkpoint, ...]
    vouched: bool | None

    @property
    def is_sound(self) -> bool:
        """Whether this is the log that it says it is, as far as it goes."""
        return self.report.finding is None and not self.contradicted and self.vouched is not False

    @property
    def lost(self) -> int:
        """How many entries were signed and are gone, as far as the kept checkpoints tell."""
        return max((one.size for one in self.ahead), default=self.entries) - self.entries


def judge(
    database: Database,
    log: TransparentLog,
    kept_notes: Sequence[str],
    one: BackupSet | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Standing:
    """Place what waits, recompute the whole log, and compare it with checkpoints that were kept elsewhere.

    Raises BadInput for a note that neither this log nor one of its witnesses signed.
    """
    while log.sequencer.integrate():
        pass
    kept = [_opened(log, note) for note in kept_notes]
    with database.reading() as connection:
        tree = stored_tree(connection)
        newest_at = connection.execute(select(func.max(audit_entries.c.at))).scalar()
        contradicted = [one for one in kept if one.size <= tree.size and tree.root(one.size) != one.root]
    return Standing(
        entries=tree.size,
        newest_at=newest_at,
        replayed_to=_replayed_to(database),
        report=verify(database, *log.keyring.verifiers(), progress=progress),
        ahead=tuple(one for one in kept if one.size > tree.size),
        contradicted=tuple(contradicted),
        vouched=None if one is None else _vouched(database, one),
    )


def _opened(log: TransparentLog, unverified_note: str) -> Checkpoint:
    """A checkpoint of this log that the log itself has signed, or a witness whom it accepts.

    Not one whom it withdrew: nobody can tell when a signature was made that comes only now.
    """
    keys = log.keyring.verifiers()
    try:
        checkpoint = Checkpoint.parse(unverified_note)
    except Unproven as problem:
        raise BadInput(f"What was given with --checkpoint cannot be read: {problem}.") from None
    if checkpoint.origin in {key.name for key in keys}:
        signers = [*[key for key in keys if key.name == checkpoint.origin], *log.ledger.witnesses()]
        if any(checkpoint.signed_by(key) for key in signers):
            return checkpoint
    raise BadInput(
        f"The checkpoint of {checkpoint.size} entries is signed neither by {log.origin} nor by a witness "
        "who is accepted here. If a key was rotated, or the witness added, after the moment that was "
        "restored, give a checkpoint from before; of a witness that was withdrawn, one with the log's own "
        "signature."
    )


def missing_salts(keyring: SectorKeyring, present: Sequence[str]) -> list[str]:
    """The names of the salts that the database counts on and that are not among the key files `present`."""
    return [
        name
        for one in keyring.versions()
        if one.salted and one.destroyed_at is None
        if (name := f"{FOLDER}/v{one.version}.{one.sector}.salt") not in present
    ]


@dataclass(frozen=True, slots=True)
class Undone:
    """What was undone, as numbers: sessions ended, entries erased again, token-signing keys retired."""

    sessions: int
    erased: int
    keys: int


def undo_what_must_not_come_back(
    database: Database,
    log: TransparentLog,
    keys: Keys,
    lost: Sequence[LostAct],
    actor: Staff,
    clock: Callable[[], datetime],
) -> Undone:
    """End every session, refuse every token that was issued before, erase again what was ordered erased.

    Orders among the `lost` acts are given again, under their own reference. Safe to repeat. The marks of used
    proofs and assertions that were lost cannot be had back: what they marked is valid for minutes, which have
    to pass before a gateway serves.
    """
    with database.unit_of_work() as connection:
        sessions = connection.execute(delete(staff_sessions)).rowcount
    erased = erasure.follow_orders(database)
    for order in lost:
        if order.act == erasure.ERASE:
            erased += _ordered_again(database, log, order, actor, clock())
    fresh = keys.rotate(clock(), delay_s=0)
    retired = [status.kid for status in keys.statuses(clock()) if status.kid != fresh.kid]
    for kid in retired:
        keys.retire(kid, clock())
    return Undone(sessions, erased, len(retired))


def _ordered_again(
    database: Database, log: TransparentLog, order: LostAct, actor: Staff, at: datetime
) -> int:
    try:
        return erasure.erase(
            database,
            UUID(order.object.removeprefix("exchange/")),
            scope=cast("erasure.Scope", order.scope),
            order=order.reason,
            actor=actor.actor,
            at=at,
            integrate=log.sequencer.integrate,
        )
    except NotFound:  # the exchange was lost with its order, or both its entries are empty already
        return 0


def record_restore(
    database: Database,
    keys: Keys,
    log: TransparentLog,
    standing: Standing,
    one: BackupSet | None,
    *,
    actor: Staff,
    reason: str,
    clock: Callable[[], datetime],
) -> str:
    """Write the restore down in the log and sign it; gives the name under which the log goes on.

    That is another than before when `standing` is behind a checkpoint that others hold: the old name ends,
    and with it whatever was signed under it stays checkable. Needs the role that owns the tables then.
    """
    if not reason.strip():
        raise BadInput("A restore needs a reason, for the audit log.")
    now = clock()
    furthest = max(standing.ahead, key=lambda checkpoint: checkpoint.size, default=None)
    name = log.origin if furthest is None else next_name(log.origin)
    lost: Details = {"lost_size": furthest.size, "lost_root": furthest.root.hex()} if furthest else {}
    entry = act(
        actor=actor.actor,
        act=RESTORED,
        object_id="database" if one is None else f"backup/{one.manifest.id}",
        object_sha256=None if one is None else one.seal,
        reason=reason.strip(),
        at=now,
        entries=standing.entries,
        log=name,
        **lost,
    )
    with database.unit_of_work() as connection:
        add_entries(connection, [entry.seal(os.urandom(BLIND_BYTES))])
        if furthest is not None:
            connection.execute(update(audit_identity).values(origin=name))
    keyring = log.keyring
    if furthest is not None:
        keyring = EvidenceKeyring(database, keys, name, clock)
        keyring.rotate("log", actor=actor.actor, reason=reason)
    sequencer = Sequencer(database, keyring, clock)
    while sequencer.integrate():
        pass
    sequencer.sign()
    return name


def next_name(origin: str) -> str:
    """The name under which a log goes on that was rolled back: numbered, from 2 on."""
    numbered = _NUMBERED.fullmatch(origin)
    return f"{numbered[1]}/{int(numbered[2]) + 1}" if numbered else f"{origin}/2"


def _replayed_to(database: Database) -> datetime | None:
    if database.is_sqlite:
        return None
    with database.reading() as connection:
        moment: datetime | None = connection.execute(text("SELECT pg_last_xact_replay_timestamp()")).scalar()
        return moment


def _vouched(database: Database, one: BackupSet) -> bool | None:
    """Whether the log names this set by its seal; None when it does not name the set at all."""
    chosen = (
        select(audit_entries.c.entry)
        .join(audit_listed, audit_listed.c.sequence == audit_entries.c.sequence)
        .join(audit_facets, audit_facets.c.id == audit_listed.c.facet)
        .where(audit_facets.c.kind == "act", audit_facets.c.what == MADE)
    )
    with database.reading() as connection:
        acts = [json.loads(entry) for entry in connection.execute(chosen).scalars() if entry is not None]
    seals = {said["object_sha256"] for said in acts if said["object"] == f"backup/{one.manifest.id}"}
    return one.seal in seals if seals else None
