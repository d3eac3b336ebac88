"""Checks that staff ask for: of one entry at once, of the whole log in the background, seen from anywhere."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from gateway.audit.checks import Check, LogChecks
from gateway.audit.entry import act
from gateway.audit.inclusion import check_standing
from gateway.audit.ledger import accepted_witnesses
from gateway.audit.log import add_entries
from gateway.audit.overview import overview
from gateway.audit.signing import NoteKey, log_key, witness_key
from gateway.audit.tables import audit_checks, audit_entries
from gateway.audit.witnesses import accept_cosignatures, add_witness, withdraw_witness
from gateway.database import Database
from gateway.errors import BadInput, Conflict, NotFound
from gateway.vitals.log import log_standing
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


def test_a_withdrawn_witness_is_trusted_until_it_was_withdrawn_and_no_longer(database: Database) -> None:
    log = RunningLog(database)
    sealed = log.write(20)
    witness = witness_key("saksi.example", b"w" * 32)
    add_witness(database, str(witness.verifier), actor="ani", reason="first", at=NOW)
    assert accept_cosignatures(database, _cosigned_by(witness, log), NOW) == ["saksi.example"]
    later = NOW + timedelta(hours=1)
    assert withdraw_witness(database, "saksi.example", actor="budi", reason="bocor", at=later) == 20
    # What came before stays: of the exchange, of the checkpoint, of the log's overview.
    standing = log.ledger.find(sealed[6].entry.exchange_id)
    assert standing is not None
    assert check_standing(log.ledger, [log.key.verifier], standing).cosigned_by == ("saksi.example",)
    (seen,) = overview(database).witnesses
    assert (seen.size, seen.withdrawn_at) == (20, later)
    assert log.ledger.witnesses() == []
    assert [(one.key, one.withdrawn_at) for one in log.ledger.withdrawn_witnesses()] == [
        (witness.verifier, later)
    ]
    # What comes afterwards does not count, whatever time a stolen key writes into it.
    log.write(5, first=21)
    with pytest.raises(BadInput, match="no good cosignature of a witness that is accepted"):
        accept_cosignatures(database, _cosigned_by(witness, log), later)
    assert log.ledger.recent_heads(1)[0][1] == ()
    with database.reading() as connection:
        assert log_standing(connection, later + timedelta(days=9)).uncosigned_s == {}
        (said,) = [
            json.loads(text)
            for text in connection.execute(select(audit_entries.c.entry)).scalars()
            if "witness.withdraw" in (text or "")
        ]
    told = (said["actor"], said["object"], said["reason"], said["cosigned_to"], said["key"])
    assert told == ("budi", "saksi.example", "bocor", 20, str(witness.verifier))


def test_a_withdrawal_is_for_good_and_of_a_witness_that_is_there(database: Database) -> None:
    witness = witness_key("saksi.example", b"w" * 32)
    with pytest.raises(NotFound, match="No witness is called"):
        withdraw_witness(database, "saksi.example", actor="ani", reason="x", at=NOW)
    add_witness(database, str(witness.verifier), actor="ani", reason="first", at=NOW)
    assert withdraw_witness(database, "saksi.example", actor="ani", reason="x", at=NOW) is None
    with pytest.raises(Conflict, match="withdrawn already"):
        withdraw_witness(database, "saksi.example", actor="ani", reason="x", at=NOW)
    with pytest.raises(Conflict, match="another key needs another name"):
        add_witness(database, str(witness.verifier), actor="ani", reason="again", at=NOW)
    renamed = witness_key("saksi.example/2", b"w" * 32)
    with pytest.raises(Conflict, match="withdrawn under another name"):
        add_witness(database, str(renamed.verifier), actor="ani", reason="again", at=NOW)
    fresh = witness_key("saksi.example/2", b"x" * 32)
    add_witness(database, str(fresh.verifier), actor="ani", reason="another key", at=NOW)
    with database.reading() as connection:
        assert accepted_witnesses(connection) == [fresh.verifier]


def _cosigned_by(witness: NoteKey, log: RunningLog) -> str:
    """The log's newest checkpoint with the witness's line, which says that it was made at NOW."""
    head = log.ledger.head()
    assert head is not None
    return head.note + witness.line(head.note.partition("\n\n")[0].encode() + b"\n", NOW)


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
