"""The log's keys change, and whatever was signed before is proven as it was."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from sqlalchemy import select, text
from typer.testing import CliRunner

from gateway.audit.bundle import bundle
from gateway.audit.keyring import EvidenceKeyring
from gateway.audit.log import add_entries
from gateway.audit.proofs import Checkpoint, Unproven, VerifierKey, open_checkpoint
from gateway.audit.publication import standalone_verifier
from gateway.audit.signing import witness_key
from gateway.audit.tables import audit_entries, audit_keys
from gateway.audit.transparency import TransparentLog, open_log
from gateway.audit.verification import dump, verify
from gateway.audit.verifier import check_bundle
from gateway.audit.witness import Witness
from gateway.cli import app
from gateway.database import Database
from gateway.errors import BadInput, Conflict
from gateway.keys import Keys
from tests.gateway.audit.logs import Clock, outcome
from tests.gateway.audit.test_audit_witness import over

ISSUER = "https://gapura.example.go.id"
WEEK = timedelta(days=7)
KEPT = {"actor": "staff-7", "reason": "B-12/2026"}


class Gateway:
    """The log as one gateway keeps it, with keys of its own and a clock that is moved."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.keys = Keys.open(folder / "keys")
        self.clock = Clock()
        self.log = self.opened()
        self.ledger = self.log.ledger
        self._written = 0

    def opened(self) -> TransparentLog:
        """As another process opens it."""
        return open_log(self.database, self.keys, ISSUER, self.clock)

    def answer(self) -> str:
        """Log one exchange, sign the tree; gives the receipt."""
        self._written += 1
        sealed = outcome(self._written).seal(self._written.to_bytes(32, "big"))
        with self.database.unit_of_work() as connection:
            add_entries(connection, [sealed])
        self.clock.pass_by(5)
        self.log.sequencer.step()
        return self.log.receipts.sign(sealed)

    def note(self) -> str:
        head = self.ledger.head()
        assert head is not None
        return head.note


@pytest.fixture
def gateway(database: Database, tmp_path: Path) -> Gateway:
    return Gateway(database, tmp_path)


def _key(text: str) -> VerifierKey:
    return VerifierKey.parse(text)


def test_in_an_overlap_every_checkpoint_satisfies_who_knows_the_old_key_and_who_knows_the_new(
    gateway: Gateway,
) -> None:
    (old,) = gateway.log.keyring.verifiers()
    new = _key(gateway.log.keyring.rotate("log", overlap=WEEK, **KEPT).public)
    gateway.answer()
    assert open_checkpoint(gateway.note(), old) == open_checkpoint(gateway.note(), new)
    gateway.clock.pass_by(WEEK.total_seconds())
    gateway.answer()
    open_checkpoint(gateway.note(), new)
    with pytest.raises(Unproven, match="not signed by"):
        open_checkpoint(gateway.note(), old)
    assert gateway.log.keyring.verifiers() == [new, old]


def test_a_leaked_key_signs_no_more_at_once_and_neither_does_one_in_an_overlap(gateway: Gateway) -> None:
    gateway.log.keyring.rotate("log", overlap=WEEK, **KEPT)
    third = gateway.log.keyring.rotate("log", **KEPT)
    gateway.answer()
    assert len(Checkpoint.parse(gateway.note()).lines) == 1
    open_checkpoint(gateway.note(), _key(third.public))
    assert len({key.public for key in gateway.log.keyring.versions("log")}) == 3


def test_a_log_verifies_across_rotations_by_all_its_keys_and_not_by_some(gateway: Gateway) -> None:
    gateway.answer()
    gateway.log.keyring.rotate("log", **KEPT)
    gateway.answer()
    keys = gateway.log.keyring.verifiers()
    report = verify(gateway.database, *keys)
    assert (report.finding, report.entries, report.checkpoints) == (None, 3, 2)
    for key in keys:
        with pytest.raises(Unproven, match="not signed by"):
            verify(gateway.database, key)


def test_the_stand_alone_verifier_reads_a_log_whose_key_was_rotated(gateway: Gateway, tmp_path: Path) -> None:
    gateway.answer()
    gateway.log.keyring.rotate("log", **KEPT)
    gateway.answer()
    new, old = gateway.log.keyring.verifiers()
    (tmp_path / "verify.py").write_text(standalone_verifier(), encoding="utf-8")
    (tmp_path / "log.jsonl").write_bytes(b"".join(dump(gateway.database, new, old)))

    def checked(*keys: VerifierKey) -> tuple[int, str]:
        options = [option for key in keys for option in ("--key", str(key))]
        command = [sys.executable, "-I", "verify.py", "log", "log.jsonl", *options]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return ran.returncode, ran.stdout

    assert checked(old, new) == (0, "3 entries agree with 2 signed checkpoints.\n")
    assert checked(new)[0] == checked(old)[0] == 1


def test_a_bundle_of_before_and_a_bundle_of_after_prove_the_same_exchange(gateway: Gateway) -> None:
    def made() -> dict[str, object]:
        return bundle(gateway.log, gateway.keys.audit_key, UUID(int=1), lambda name: {"id": name})

    gateway.answer()
    before = made()
    gateway.log.keyring.rotate("log", **KEPT)
    gateway.log.keyring.rotate("receipts", **KEPT)
    gateway.answer()
    after = made()
    new, old = gateway.log.keyring.verifiers()
    assert "Entry 0 of gapura.example.go.id/log is in its signed tree of 1 entries." in check_bundle(
        before, old
    )
    assert "Entry 0 of gapura.example.go.id/log is in its signed tree of 4 entries." in check_bundle(
        after, new
    )
    with pytest.raises(Unproven):
        check_bundle(before, new)
    assert (len(before["receipt_keys"]), after["keys"]) == (1, [str(new), str(old)])  # type: ignore[arg-type]


def test_a_receipt_names_its_key_and_old_receipts_are_proven_by_what_stays_published(
    gateway: Gateway,
) -> None:
    other = gateway.opened()
    before = gateway.answer()
    made = other.keyring.rotate("receipts", **KEPT)
    assert (gateway.log.refresh(), gateway.log.refresh()) == (1, 0)
    after = gateway.answer()
    published = {jwk["kid"]: jwk for jwk in gateway.log.keyring.jwks("receipts")}
    assert len(published) == 2
    kids = [jws.extract_compact(receipt.encode()).headers()["kid"] for receipt in (before, after)]
    assert published[kids[1]]["x"] == made.public
    for receipt, kid in zip((before, after), kids, strict=True):
        key = OKPKey.import_key(published[kid])
        claims = json.loads(jws.deserialize_compact(receipt, key, algorithms=["Ed25519"]).payload)
        assert claims["log"] == "gapura.example.go.id/log"
    key = OKPKey.import_key(published[kids[1]])
    with pytest.raises(JoseError):
        jws.deserialize_compact(before, key, algorithms=["Ed25519"])


def test_messages_are_signed_by_the_newest_key_once_a_process_has_looked(gateway: Gateway) -> None:
    before = gateway.log.keyring.message_key
    gateway.opened().keyring.rotate("messages", **KEPT)
    assert gateway.log.keyring.message_key == before
    assert (gateway.log.refresh(), gateway.log.refresh()) == (1, 0)
    kids = [gateway.log.keyring.message_key.kid, before.kid]
    assert [jwk["kid"] for jwk in gateway.log.keyring.jwks("messages")] == kids


def test_a_witness_goes_on_when_it_is_given_the_new_key_beside_the_old(
    gateway: Gateway, tmp_path: Path
) -> None:
    def witness(*keys: VerifierKey) -> Witness:
        return Witness(keys, witness_key("bpk.go.id/saksi", b"w" * 32), tmp_path / "state")

    (old,) = gateway.log.keyring.verifiers()
    gateway.answer()
    witness(old).cosign(over(gateway), gateway.clock.now)
    new = _key(gateway.log.keyring.rotate("log", **KEPT).public)
    gateway.answer()
    for some in ((old,), (new,)):
        with pytest.raises(Unproven, match="not signed by"):
            witness(*some).cosign(over(gateway), gateway.clock.now)
    assert witness(old, new).cosign(over(gateway), gateway.clock.now)[0].size == 3


def test_a_rotation_is_an_act_that_pins_the_public_key_and_no_private_one_is_stored(gateway: Gateway) -> None:
    made = gateway.log.keyring.rotate("log", overlap=WEEK, **KEPT)
    with gateway.database.reading() as connection:
        (act,) = connection.execute(select(audit_entries.c.entry)).scalars()
        stored = str(connection.execute(select(audit_keys)).all())
    said = json.loads(act)
    assert (said["act"], said["object"], said["key"]) == ("log_key.rotated", "log-key/2", made.public)
    assert (said["actor"], said["reason"]) == ("staff-7", "B-12/2026")
    for purpose in ("audit checkpoint signing", "audit checkpoint signing, version 2"):
        assert gateway.keys.derive(purpose).hex() not in stored


def test_of_rotations_at_the_same_moment_each_follows_another_or_is_refused(gateway: Gateway) -> None:
    rings = [
        EvidenceKeyring(gateway.database, gateway.keys, gateway.log.origin, gateway.clock) for _ in range(4)
    ]

    def rotated(ring: EvidenceKeyring) -> bool:
        try:
            ring.rotate("log", **KEPT)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        made = sum(pool.map(rotated, rings))
    versions = gateway.log.keyring.versions("log")
    assert [one.version for one in versions] == list(range(1 + made, 0, -1))
    assert [one.until is None for one in versions] == [True, *[False] * made]


@pytest.mark.parametrize(
    ("overlap", "reason"), [(-timedelta(1), "x"), (timedelta(367), "x"), (WEEK, ""), (WEEK, " ")]
)
def test_a_rotation_without_a_reason_or_with_a_boundless_overlap_does_not_happen(
    gateway: Gateway, overlap: timedelta, reason: str
) -> None:
    with pytest.raises(BadInput):
        gateway.log.keyring.rotate("log", actor="x", reason=reason, overlap=overlap)
    assert len(gateway.log.keyring.versions("log")) == 1


def test_keys_derived_from_another_master_key_or_for_another_purpose_differ(
    gateway: Gateway, tmp_path: Path
) -> None:
    def public(keys: Keys) -> set[str]:
        ring = EvidenceKeyring(gateway.database, keys, gateway.log.origin, gateway.clock)
        return {
            ring._public(purpose, version)
            for purpose in ("log", "receipts", "messages")
            for version in (1, 2, 3)
        }

    assert len(public(gateway.keys) | public(Keys.open(tmp_path / "other"))) == 18


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setenv("GAPURA_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_an_operator_rotates_both_keys_by_command(command: Callable[..., str], tmp_path: Path) -> None:
    first = command("audit", "key").split()
    second = command("keys", "rotate-log", "--overlap-days", "30", "--reason", "B-1/2026").split()[0]
    assert command("audit", "key").split() == [second, *first]
    command("keys", "rotate-receipts", "--reason", "B-2/2026")
    command("keys", "rotate-messages", "--reason", "B-3/2026")
    listed = command("keys", "evidence").splitlines()
    assert [line.split()[:4] for line in listed] == [
        ["log", "v2", "signs", "now"],
        ["log", "v1", "signs", "until"],
        ["receipts", "v2", "signs", "now"],
        ["receipts", "v1", "signs", "until"],
        ["messages", "v2", "signs", "now"],
        ["messages", "v1", "signs", "until"],
    ]
    database = Database(f"sqlite:///{tmp_path / 'home' / 'gapura.db'}")
    with database.reading() as connection:
        acts = connection.execute(text("SELECT entry FROM audit_entries WHERE kind = 'act'")).scalars()
        assert [json.loads(act)["act"] for act in acts][-3:] == [
            *("log_key.rotated", "receipt_key.rotated", "message_key.rotated")
        ]
    database.close()
