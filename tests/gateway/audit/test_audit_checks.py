"""Checks that staff ask for: of one entry at once, of the whole log in the background, seen from anywhere."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from gateway.audit.checks import Check, LogChecks
from gateway.audit.entry import act
from gateway.audit.inclusion import check_standing
from gateway.audit.log import add_entries
from gateway.audit.overview import overview
from gateway.audit.signing import log_key, witness_key
from gateway.audit.tables import audit_checks, audit_entries
from gateway.audit.witnesses import accept_cosignatures, add_witness
from gateway.database import Database
from gateway.errors import Conflict
from tests.gateway.audit.logs import NOW, ORIGIN, RunningLog


def _checks(log: RunningLog) -> LogChecks:
    return LogChecks(log.database, lambda: [log.key.verifier], log.clock, rest=lambda _s: None)


def _done(checks: LogChecks, actor: str = "ani") -> Check:
    begun = checks.start(actor)
    assert checks._running is not None
    checks._running.join(30)
    (now,) = (one for one in checks.recent() if one.id == begun.id)
    return now


def test_a_check_of_a_sound_log_ends_sound_and_is_itself_on_record(database: Database) -> None:
    log = RunningLog(database)
    log.write(300, sign_every=100)
    checks = _checks(log)
    came = _done(checks)
    assert came.state(log.clock()) == "sound"
    assert (came.asked_by, came.done, came.total, came.checkpoints) == ("ani", 300, 300, 3)
    log.sequencer.step()
    assert overview(database).entries == 301


def test_a_check_names_the_first_entry_that_somebody_changed(database: Database) -> None:
    log = RunningLog(database)
    log.write(50)
    with database.unit_of_work() as connection:
        changed = update(audit_entries).where(audit_entries.c.sequence == 31)
        connection.execute(changed.values(entry='{"outcome":"answered"}'))
    came = _done(_checks(log))
    assert came.state(log.clock()) == "unsound"
    assert came.finding is not None
    assert came.finding.startswith("entry 30: changed")


def test_a_check_by_a_key_that_is_not_the_logs_is_not_sound(database: Database) -> None:
    log = RunningLog(database)
    log.write(5)
    other = log_key(ORIGIN, b"o" * 32)
    checks = LogChecks(database, lambda: [other.verifier], log.clock, rest=lambda _s: None)
    assert _done(checks).state(log.clock()) == "unsound"


def test_one_check_runs_at_a_time_and_one_whose_process_died_hinders_nobody(database: Database) -> None:
    log = RunningLog(database)
    log.write(3)
    checks = _checks(log)
    came = _done(checks)
    with database.unit_of_work() as connection:  # as a process leaves it that dies in the middle
        connection.execute(update(audit_checks).values(ended_at=None, done=1))
    with pytest.raises(Conflict):
        checks.start("budi")
    log.clock.now += timedelta(seconds=61)
    assert checks.recent()[0].state(log.clock()) == "interrupted"
    assert _done(checks, "budi").state(log.clock()) == "sound"
    assert [one.asked_by for one in checks.recent()] == ["budi", "ani"]
    assert came.id == checks.recent()[1].id


def test_a_check_tells_how_far_it_is_and_rests_as_long_as_it_works(database: Database) -> None:
    log = RunningLog(database)
    log.write(20)
    rests: list[float] = []
    checks = LogChecks(database, lambda: [log.key.verifier], log.clock, rest=rests.append)
    _done(checks)
    assert rests
    assert all(rest >= 0 for rest in rests)


def test_one_entry_is_checked_against_the_signed_root_and_its_witnesses(database: Database) -> None:
    log = RunningLog(database)
    sealed = log.write(20)
    witness = witness_key("saksi.example", b"w" * 32)
    add_witness(database, str(witness.verifier), actor="ani", reason="first", at=NOW)
    head = log.ledger.head()
    assert head is not None
    note = head.note + witness.line(head.note.partition("\n\n")[0].encode() + b"\n", NOW)
    assert accept_cosignatures(database, note, NOW) == ["saksi.example"]
    standing = log.ledger.find(sealed[6].entry.exchange_id)
    assert standing is not None
    checked = check_standing(log.ledger, [log.key.verifier], standing)
    assert checked.proven
    assert (checked.index, checked.sha256, checked.size) == (6, sealed[6].sha256.hex(), 20)
    assert checked.signed_by == (str(log.key.verifier),)
    assert checked.cosigned_by == ("saksi.example",)
    (seen,) = overview(database).witnesses
    assert (seen.name, seen.size, seen.at) == ("saksi.example", 20, NOW)


def test_one_changed_entry_is_not_proven(database: Database) -> None:
    log = RunningLog(database)
    sealed = log.write(20)
    with database.unit_of_work() as connection:
        changed = update(audit_entries).where(audit_entries.c.exchange_id == sealed[6].entry.exchange_id)
        connection.execute(changed.values(entry='{"outcome":"refused"}'))
    standing = log.ledger.find(sealed[6].entry.exchange_id)
    assert standing is not None
    checked = check_standing(log.ledger, [log.key.verifier], standing)
    assert not checked.proven
    assert checked.problem is not None


def test_an_entry_without_a_checkpoint_waits(database: Database) -> None:
    log = RunningLog(database)
    log.write(3)
    entry = act(actor="ani", act="x.y", object_id="x", object_sha256=None, reason="", at=NOW)
    with database.unit_of_work() as connection:
        add_entries(connection, [entry.seal(bytes(32))])
    standing = log.ledger.find(entry.exchange_id, "act")
    assert standing is not None
    checked = check_standing(log.ledger, [log.key.verifier], standing)
    assert checked.waits
    assert not checked.proven
