"""The witness's side: no fork, no step back and no foreign signature gets its name."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.audit.proofs import Checkpoint, Unproven
from gateway.audit.signing import log_key, witness_key
from gateway.audit.tables import audit_cosignatures
from gateway.audit.tree import parse_tile_path
from gateway.audit.witness import Fetch, Witness
from gateway.audit.witnesses import accept_cosignatures, add_witness
from gateway.database import Database
from gateway.migrations import migrate
from tests.gateway.audit.logs import NOW, ORIGIN, RunningLog

LOG_KEY = log_key(ORIGIN, b"s" * 32)


def over(log: RunningLog) -> Fetch:
    """What a witness gets over HTTP, without the HTTP."""

    def fetch(path: str) -> bytes:
        if path == "checkpoint":
            head = log.ledger.head()
            assert head is not None
            return head.note.encode()
        _, level, name = path.split("/", 2)
        tile = log.ledger.tile(int(level), *parse_tile_path(name))
        assert tile is not None
        return tile

    return fetch


@pytest.fixture
def logs(tmp_path: Path) -> list[RunningLog]:
    running = []
    for number in range(2):
        database = Database(f"sqlite:///{tmp_path / f'{number}.db'}")
        migrate(database)
        running.append(RunningLog(database, LOG_KEY))
    return running


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness([LOG_KEY.verifier], witness_key("bpk.go.id/saksi", b"w" * 32), tmp_path / "state")


def test_it_cosigns_a_log_that_grows(logs: list[RunningLog], witness: Witness) -> None:
    log = logs[0]
    for count in (1, 254, 1, 1, 300):
        size = (log.ledger.head() or Checkpoint("", 0, b"", b"", ())).size
        log.write(count, first=size + 1)
        checkpoint, note = witness.cosign(over(log), NOW)
        assert checkpoint.size == size + count
        assert Checkpoint.parse(note).signed_by(witness.own_key.verifier)
    assert witness.cosign(over(log), NOW)[0].size == 557


def test_a_log_shown_differently_to_two_people_is_caught(logs: list[RunningLog], witness: Witness) -> None:
    """Both histories carry good signatures of the log: only who saw one of them can tell."""
    shown, hidden = logs
    shown.write(40)
    hidden.write(39)
    hidden.write(60, first=500)
    witness.cosign(over(shown), NOW)
    before = witness.state.read_bytes()
    with pytest.raises(Unproven, match="forked"):
        witness.cosign(over(hidden), NOW)
    assert witness.state.read_bytes() == before


def test_another_tree_of_the_same_size_is_caught(logs: list[RunningLog], witness: Witness) -> None:
    logs[0].write(40)
    logs[1].write(40, first=2)
    witness.cosign(over(logs[0]), NOW)
    with pytest.raises(Unproven, match="forked"):
        witness.cosign(over(logs[1]), NOW)


def test_a_log_that_goes_back_is_caught(logs: list[RunningLog], witness: Witness) -> None:
    logs[0].write(40)
    logs[1].write(39)
    witness.cosign(over(logs[0]), NOW)
    with pytest.raises(Unproven, match="cannot follow"):
        witness.cosign(over(logs[1]), NOW)


def test_a_log_of_another_key_is_not_cosigned(tmp_path: Path, logs: list[RunningLog]) -> None:
    stranger = log_key(ORIGIN, b"t" * 32).verifier
    logs[0].write(1)
    witness = Witness([stranger], witness_key("w", b"w" * 32), tmp_path / "state")
    with pytest.raises(Unproven, match="not signed"):
        witness.cosign(over(logs[0]), NOW)
    assert not witness.state.exists()


def test_a_witness_s_newer_cosignature_takes_the_place_of_its_older(
    database: Database, witness: Witness
) -> None:
    log = RunningLog(database, LOG_KEY)
    log.write(3)
    own = witness.own_key.verifier
    add_witness(database, str(own), actor="staff-7", reason="B-1", at=NOW)
    for hours in (0, 1):
        later = NOW + timedelta(hours=hours)
        _, note = witness.cosign(over(log), later)
        assert accept_cosignatures(database, note, later) == [own.name]
        with database.reading() as connection:
            (kept,) = connection.execute(select(audit_cosignatures)).all()
        assert kept.at == later
        assert kept.line in note
