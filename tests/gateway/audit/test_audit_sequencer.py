"""Placing and signing: every committed entry once, in order, whoever runs the sequencer."""

from __future__ import annotations

import itertools
import threading
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, insert, select, update

from gateway.audit.log import add_entries
from gateway.audit.proofs import CompactRange, check_consistency, leaf_hash, open_checkpoint
from gateway.audit.sequencer import LogForked, Sequencer, log_origin
from gateway.audit.tables import audit_checkpoints, audit_leaves, audit_pending, audit_tiles
from gateway.audit.tree import tiles_of
from gateway.database import Database
from tests.gateway.audit.logs import ORIGIN, RunningLog, outcome


def test_every_entry_gets_its_place_and_the_checkpoint_its_root(database: Database) -> None:
    log = RunningLog(database)
    sealed = log.write(700, sign_every=90)
    compact = CompactRange()
    for entry in sealed:
        compact.append(leaf_hash(entry.sha256))
    notes = [open_checkpoint(note, log.key.verifier) for note in log.ledger.notes()]
    assert [note.size for note in notes] == [90, 180, 270, 360, 450, 540, 630, 700]
    assert notes[-1].root == compact.root()
    for earlier, later in itertools.pairwise(notes):
        proof = log.ledger.consistency(earlier.size, later.size)
        check_consistency(earlier.size, later.size, proof, earlier.root, later.root)
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(audit_pending)).scalar() == 0
        stored = {
            (row.level, row.tile_index): len(row.hashes) // 32
            for row in connection.execute(select(audit_tiles))
        }
    assert stored == {(level, index): width for level, index, width in tiles_of(700)}


def test_an_inclusion_proof_of_any_entry_checks_against_the_signed_root(database: Database) -> None:
    log = RunningLog(database)
    for number, entry in enumerate(log.write(300)):
        proof = log.ledger.proof(number)
        assert proof is not None
        assert proof.check(entry.sha256, log.key.verifier).size == 300


def test_a_number_that_is_committed_late_still_gets_its_place(database: Database) -> None:
    """PostgreSQL gives numbers before the commit: a smaller one may appear after a larger was placed."""
    log = RunningLog(database)
    log.write(3)
    with database.unit_of_work() as connection:
        connection.execute(insert(audit_pending).values(sequence=0, sha256=b"l" * 32))
    assert log.sequencer.integrate() == 1
    with database.reading() as connection:
        leaf = connection.execute(select(audit_leaves).where(audit_leaves.c.sequence == 0)).one()
    assert leaf.leaf_index == 3


def test_several_sequencers_at_once_place_each_entry_once(database: Database) -> None:
    log = RunningLog(database)
    with database.unit_of_work() as connection:
        add_entries(connection, [outcome(number).seal(b"b" * 32) for number in range(1, 601)])
    others = [Sequencer(database, log.key, log.clock) for _ in range(4)]

    def work(sequencer: Sequencer) -> None:
        for _ in range(40):
            sequencer.integrate(25)
            sequencer.sign()

    threads = [threading.Thread(target=work, args=(sequencer,)) for sequencer in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.sequencer.step()
    with database.reading() as connection:
        sequences = connection.execute(
            select(audit_leaves.c.sequence).order_by(audit_leaves.c.leaf_index)
        ).scalars()
        assert list(sequences) == list(range(1, 601))
    notes = [open_checkpoint(note, log.key.verifier) for note in log.ledger.notes()]
    for earlier, later in itertools.pairwise(notes):
        proof = log.ledger.consistency(earlier.size, later.size)
        check_consistency(earlier.size, later.size, proof, earlier.root, later.root)


def test_a_checkpoint_is_made_when_the_tree_has_grown_and_the_last_one_is_old_enough(
    database: Database,
) -> None:
    log = RunningLog(database)
    assert log.sequencer.sign() is False
    log.write(1)
    assert log.sequencer.sign() is False
    with database.unit_of_work() as connection:
        add_entries(connection, [outcome(2).seal(b"b" * 32)])
    log.sequencer.step()
    assert len(log.ledger.notes()) == 1
    assert log.sequencer.sign(not_after=log.clock() - timedelta(seconds=1)) is False
    log.clock.pass_by(2)
    log.sequencer.step()
    assert len(log.ledger.notes()) == 2


@pytest.mark.parametrize("damage", ["tile", "shorter"])
def test_a_tree_that_does_not_continue_its_last_checkpoint_is_never_signed(
    database: Database, damage: str
) -> None:
    log = RunningLog(database)
    log.write(5)
    with database.unit_of_work() as connection:
        if damage == "tile":
            connection.execute(update(audit_tiles).values(hashes=b"x" * 32 * 5))
        else:
            connection.execute(delete(audit_leaves).where(audit_leaves.c.leaf_index >= 3))
        add_entries(connection, [outcome(6).seal(b"b" * 32)])
    with pytest.raises(LogForked):
        log.sequencer.sign() if damage == "shorter" else log.write(1, first=7)
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(audit_checkpoints)).scalar() == 1


def test_the_log_keeps_the_name_that_it_was_first_given(database: Database) -> None:
    assert log_origin(database, ORIGIN) == ORIGIN
    assert log_origin(database, "elsewhere.example/log") == ORIGIN


def test_what_no_checkpoint_covers_is_not_shown(database: Database) -> None:
    log = RunningLog(database)
    log.write(3)
    with database.unit_of_work() as connection:
        add_entries(connection, [outcome(4).seal(b"b" * 32)])
    log.sequencer.integrate()
    assert log.ledger.tile(0, 0, 4) is None
    assert log.ledger.leaves(0, 4) is None
    assert log.ledger.proof(3) is None
    assert len(log.ledger.tile(0, 0, 3) or b"") == 96
