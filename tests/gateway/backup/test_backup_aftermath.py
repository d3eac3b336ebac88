"""What a restored log is judged by, what is undone, and what is told of what was lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, func, insert, select, update

from gateway.audit.erasure import Scope, erase, follow_orders
from gateway.audit.log import add_entries
from gateway.audit.proofs import Checkpoint
from gateway.audit.signing import cosigned, log_key, signed_checkpoint, witness_key
from gateway.audit.tables import audit_entries, audit_subjects
from gateway.audit.transparency import TransparentLog, open_log
from gateway.audit.verification import dump, verify
from gateway.audit.witnesses import add_witness, withdraw_witness
from gateway.backup.aftermath import judge, missing_salts, next_name, record_restore
from gateway.backup.later_log import lost_acts
from gateway.database import Database
from gateway.errors import BadInput, FileUnusable
from gateway.installation import open_keys
from gateway.keys import Keys
from gateway.pseudonyms.sector_keys import SectorKeyring
from gateway.staff.roles import INSTALLATION
from tests.gateway.audit.logs import NOW, Clock, RunningLog, outcome, suspension

WITNESS = witness_key("bpk.go.id/saksi", b"w" * 32)


class Restored:
    """A database with keys and a log of five entries, as it came back."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.keys: Keys = open_keys(database, folder / "keys")
        self.clock = Clock()
        self.log: TransparentLog = open_log(database, self.keys, "https://gapura.example.go.id", self.clock)
        add_witness(database, str(WITNESS.verifier), actor="a", reason="b", at=NOW)
        self.running = RunningLog(database)
        self.running.sequencer = self.log.sequencer
        self.running.clock = self.clock
        self.running.write(4)

    @property
    def head(self) -> str:
        head = self.log.ledger.head()
        assert head is not None
        return head.note

    def forged(self, size: int) -> str:
        """A checkpoint over entries that are not there, signed by this log's key."""
        with self.database.reading() as connection:
            keys = self.log.keyring.signers(connection, self.clock())
        return signed_checkpoint(keys, size, b"r" * 32, self.clock())


@pytest.fixture
def restored(database: Database, tmp_path: Path) -> Restored:
    return Restored(database, tmp_path)


def test_a_log_that_holds_what_others_hold_is_sound(restored: Restored) -> None:
    standing = judge(restored.database, restored.log, [restored.head])
    assert (standing.is_sound, standing.ahead, standing.entries) == (True, (), 5)


def test_what_waited_for_its_place_counts_as_there(restored: Restored) -> None:
    before = restored.head
    with restored.database.unit_of_work() as connection:
        add_entries(connection, [outcome(9).seal(bytes(32))])
    assert judge(restored.database, restored.log, [before]).entries == 6


def test_a_checkpoint_of_more_entries_says_how_many_are_lost(restored: Restored) -> None:
    standing = judge(restored.database, restored.log, [restored.head, restored.forged(12)])
    assert [one.size for one in standing.ahead] == [12]
    assert standing.lost == 7
    assert standing.is_sound


def test_a_checkpoint_over_other_entries_makes_it_another_log(restored: Restored) -> None:
    standing = judge(restored.database, restored.log, [restored.forged(3)])
    assert [one.size for one in standing.contradicted] == [3]
    assert not standing.is_sound


def test_a_cosignature_alone_is_enough_and_a_strangers_is_not(restored: Restored) -> None:
    body = Checkpoint.parse(restored.head).body
    alone = cosigned(body.decode() + "\n", [WITNESS.line(body, NOW)])
    assert judge(restored.database, restored.log, [alone]).is_sound
    withdraw_witness(restored.database, WITNESS.name, actor="a", reason="b", at=NOW)
    with pytest.raises(BadInput, match="of a witness that was withdrawn, one with the log's own"):
        judge(restored.database, restored.log, [alone])
    stranger = witness_key("stranger.example", b"x" * 32)
    for note in (
        cosigned(body.decode() + "\n", [stranger.line(body, NOW)]),
        signed_checkpoint([log_key("another/log", b"s" * 32)], 3, b"r" * 32, NOW),
        "no checkpoint",
    ):
        with pytest.raises(BadInput, match="checkpoint"):
            judge(restored.database, restored.log, [note])


def test_a_changed_entry_is_found_before_anything_goes_on(restored: Restored) -> None:
    with restored.database.unit_of_work() as connection:
        changed = update(audit_entries).where(audit_entries.c.sequence == 3)
        connection.execute(changed.values(entry="{}"))
    assert not judge(restored.database, restored.log, []).is_sound


def test_after_a_loss_the_log_goes_on_under_a_new_name_whose_first_entries_say_so(
    restored: Restored,
) -> None:
    database, log = restored.database, restored.log
    standing = judge(database, log, [restored.forged(12)])
    restored.clock.pass_by(60)
    name = record_restore(
        database,
        restored.keys,
        log,
        standing,
        None,
        actor=INSTALLATION,
        reason="fire in the server room",
        clock=restored.clock,
    )
    assert name == f"{log.origin}/2"
    again = open_log(database, restored.keys, "https://gapura.example.go.id", restored.clock)
    assert again.origin == name
    head = again.ledger.head()
    assert head is not None
    signed = Checkpoint.parse(head.note)
    assert (signed.origin, signed.size) == (name, 7)
    assert not any(signed.signed_by(key) for key in log.keyring.verifiers() if key.name == log.origin)
    assert verify(database, *again.keyring.verifiers()).finding is None
    with database.reading() as connection:
        chosen = select(audit_entries.c.entry).where(audit_entries.c.kind == "act")
        told = [json.loads(text) for text in connection.execute(chosen).scalars() if text]
    [said] = [act for act in told if act["act"] == "database.restored"]
    assert (said["entries"], said["lost_size"], said["log"]) == (5, 12, name)


def test_without_a_loss_the_log_keeps_its_name(restored: Restored) -> None:
    standing = judge(restored.database, restored.log, [restored.head])
    restored.clock.pass_by(60)
    name = record_restore(
        restored.database,
        restored.keys,
        restored.log,
        standing,
        None,
        actor=INSTALLATION,
        reason="drill",
        clock=restored.clock,
    )
    assert name == restored.log.origin
    assert Checkpoint.parse(restored.head).origin == name


@pytest.mark.parametrize(
    ("before", "after"), [("a/log", "a/log/2"), ("a/log/2", "a/log/3"), ("b/9x", "b/9x/2")]
)
def test_names_are_numbered(before: str, after: str) -> None:
    assert next_name(before) == after


def test_what_was_erased_and_came_back_is_erased_again_and_nothing_else(restored: Restored) -> None:
    database = restored.database
    columns = [audit_entries.c[name] for name in ("sequence", "entry", "subjects", "blind")]
    with database.reading() as connection:
        before = connection.execute(select(*columns).order_by(columns[0])).all()
        indexed = connection.execute(select(audit_subjects)).all()

    def order(number: int, scope: Scope) -> None:
        erase(
            database,
            outcome(number).exchange_id,
            scope=scope,
            order="PTUN-8/2026",
            actor="ani",
            at=NOW,
            integrate=restored.log.sequencer.integrate,
        )

    order(1, "payload")
    order(3, "subjects")
    assert follow_orders(database) == 0
    with database.unit_of_work() as connection:  # as a backup from before brings them back
        for row in before:
            values = {"entry": row.entry, "subjects": row.subjects, "blind": row.blind}
            connection.execute(
                update(audit_entries).where(audit_entries.c.sequence == row.sequence).values(**values)
            )
        connection.execute(delete(audit_subjects))
        for row in indexed:
            connection.execute(insert(audit_subjects).values(**row._mapping))
    assert follow_orders(database) == 2
    assert follow_orders(database) == 0
    with database.reading() as connection:
        now = {row.exchange_id.int: row for row in connection.execute(select(audit_entries))}
        assert connection.execute(select(func.count()).select_from(audit_subjects)).scalar() == 0
    assert now[1].entry is None
    assert (now[3].entry is None, now[3].subjects) == (False, None)
    assert all(now[number].entry is not None for number in (2, 4))
    assert verify(database, *restored.log.keyring.verifiers()).finding is None


def written(log: Restored, file: Path) -> Path:
    keys = log.log.keyring.verifiers()
    file.write_bytes(b"".join(dump(log.database, *keys)))
    return file


def test_acts_that_the_restored_log_does_not_have_are_told(restored: Restored, tmp_path: Path) -> None:
    keys = restored.log.keyring.verifiers()
    lost = suspension()
    restored.running.add([lost.seal(b"b" * 32)])
    later = written(restored, tmp_path / "later.jsonl")
    assert lost_acts(restored.database, later, keys) == []
    with restored.database.unit_of_work() as connection:
        connection.execute(delete(audit_entries).where(audit_entries.c.exchange_id == lost.exchange_id))
    [told] = lost_acts(restored.database, later, keys)
    assert (told.act, told.object, told.actor, told.reason) == ("agreement.suspend", "x", "staff-7", "B-12")


def test_a_dump_that_was_changed_or_is_of_another_log_is_not_believed(
    restored: Restored, tmp_path: Path
) -> None:
    later = written(restored, tmp_path / "later.jsonl")
    stranger = [log_key("another/log", b"s" * 32).verifier]
    with pytest.raises(FileUnusable, match="keys signed"):
        lost_acts(restored.database, later, stranger)
    later.write_bytes(later.read_bytes().replace(b"bpjs-kesehatan", b"bpjs-kesehatam", 1))
    with pytest.raises(FileUnusable, match="not whole"):
        lost_acts(restored.database, later, restored.log.keyring.verifiers())


def test_a_salt_that_is_not_among_the_restored_keys_is_named(restored: Restored, tmp_path: Path) -> None:
    keyring = SectorKeyring(
        restored.database, tmp_path / "keys", restored.keys.master, lambda: datetime.now(UTC)
    )
    keyring.read("kesehatan")
    keyring.rotate(INSTALLATION, "kesehatan", 30, "drill")
    present = ["sectors/v1.kesehatan.salt"]
    assert missing_salts(keyring, present) == ["sectors/v2.kesehatan.salt"]
    assert missing_salts(keyring, [*present, "sectors/v2.kesehatan.salt"]) == []
