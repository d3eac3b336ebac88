"""SIGKILL at every step of an exchange and of the log's upkeep, and at moments that nobody chose.

`--kills N` says how many per database: few by default, because every run pays for them. The count of the
record, 300 on each: `sh deploy/test.sh tests/gateway/test_sigkill.py --kills 300`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from joserfc import jws
from joserfc.jwk import OKPKey
from sqlalchemy import select

from gateway.api.leaving import RECEIPT_HEADER
from gateway.audit.entry import exchange_salt, message_hash
from gateway.audit.proofs import check_consistency, open_checkpoint
from gateway.audit.tables import audit_entries, audit_leaves, audit_pending
from gateway.audit.transparency import TransparentLog, open_log
from gateway.audit.verification import verify
from gateway.database import Database
from gateway.demo import stage
from gateway.keys import Keys
from gateway.registry.personas import persona
from gateway.settings import Settings, load_settings
from tests.gateway.mortal import LIVE, STEPS
from tests.living import free_port, without_gapura_variables

ROOT = Path(__file__).parent.parent.parent
CALLERS = 4
TARGETED_OF = 5  # of so many kills, all but one are at a step
QUESTION = {"purpose": "identity-check", "subjects": [{"ref": "1", "nik": persona("eligible").nik}]}
# Steps at which the outcome is in the log already, though its answer has not left.
LOGGED = frozenset({"audit_entries:committed", "answer:leaving", "answer:begun", "answer:left"})


@dataclass(frozen=True)
class Death:
    """Where a gateway is to die: at this step, in its so-manieth exchange, of its intent or its outcome."""

    step: str
    exchange: int
    of_intent: bool = False

    def __str__(self) -> str:
        if not self.step.startswith("audit_entries:"):
            return f"{self.step} {self.exchange}"
        return f"{self.step} {2 * self.exchange - self.of_intent}"

    def expected(self) -> Counter[str]:
        """The entries that a gateway leaves that dies so, by kind; one caller asks it, one after another."""
        before_intent = self.of_intent and not self.step.endswith(":committed")
        logged = self.step in LOGGED and not self.of_intent
        return Counter(
            intent=self.exchange - before_intent,
            outcome=self.exchange if logged else self.exchange - 1,
        )


def _deaths(count: int) -> Iterator[Death]:
    """Every step, within the first exchange of a process and within later ones, in turn."""
    every = [Death(step, 1) for step in STEPS]
    every += [Death(step, 1, of_intent=True) for step in STEPS if step.startswith("audit_entries:")]
    for number in range(count):
        if number % TARGETED_OF == TARGETED_OF - 1:
            yield Death(LIVE, number)
            continue
        targeted = number - number // TARGETED_OF
        step = every[targeted % len(every)]
        yield Death(step.step, 1 + (targeted + targeted // len(every)) % 3, step.of_intent)


@dataclass
class Crowd:
    """Callers who ask until the gateway is gone, and keep every whole answer with its receipt."""

    settings: Settings
    answers: list[tuple[bytes, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._https = [httpx.Client(trust_env=False, timeout=30) for _ in range(CALLERS)]
        self._clients = [stage.client_for(self.settings, "dinsos-jatim", http) for http in self._https]

    def ask_until_killed(self, callers: int) -> None:
        threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "the gateway was not killed"

    def _ask(self, number: int) -> None:
        while True:
            try:
                response = self._clients[number].post("/v1/records", QUESTION)
            except httpx.HTTPError:
                return
            assert response.status_code == 200, response.text
            self.answers.append((response.content, response.headers[RECEIPT_HEADER]))

    def close(self) -> None:
        for http in self._https:
            http.close()


class Aftermath:
    """What is on disk after each kill, beside what was there before it."""

    def __init__(self, settings: Settings) -> None:
        self._database = Database(settings.effective_database_url)
        self.keys = Keys.open(settings.home / "keys")
        self.log: TransparentLog = open_log(
            self._database, self.keys, settings.issuer, lambda: datetime.now(UTC)
        )
        self._texts: dict[int, str] = self._new_texts()
        self._note: str | None = None

    def _new_texts(self, after: int = 0) -> dict[int, str]:
        chosen = select(audit_entries.c.sequence, audit_entries.c.entry)
        with self._database.reading() as connection:
            rows = connection.execute(chosen.where(audit_entries.c.sequence > after))
            return {row.sequence: row.entry for row in rows}

    def newly_logged(self) -> Counter[str]:
        """Which kinds of entries were added since the last call."""
        new = self._new_texts(max(self._texts, default=0))
        self._texts |= new
        return Counter(json.loads(text)["kind"] for text in new.values())

    def refuse_another_history(self) -> None:
        """The newest signed checkpoint continues the one that was seen after an earlier kill."""
        head, (key,) = self.log.ledger.head(), self.log.keyring.verifiers()
        if self._note and head:
            first, second = open_checkpoint(self._note, key), open_checkpoint(head.note, key)
            proof = self.log.ledger.consistency(first.size, second.size)
            check_consistency(first.size, second.size, proof, first.root, second.root)
        self._note = head.note if head else self._note

    def refuse_loss(self) -> int:
        """Every entry that was ever seen is there and in the tree, which agrees with all its signatures."""
        while self.log.sequencer.integrate():
            pass
        self.log.sequencer.sign()
        report = verify(self._database, *self.log.keyring.verifiers())
        assert report.finding is None
        assert self._new_texts() == self._texts
        with self._database.reading() as connection:
            assert connection.execute(select(audit_pending)).first() is None
            assert len(connection.execute(select(audit_leaves.c.sequence)).all()) == len(self._texts)
        return report.checkpoints

    def refuse_unproven(self, answer: bytes, receipt: str) -> None:
        """The answer is the one that the log holds, and its receipt leads into the signed tree."""
        exchange_id = UUID(json.loads(answer)["exchange_id"])
        key = OKPKey.import_key(self.log.receipts.jwk)
        claims = json.loads(jws.deserialize_compact(receipt, key, algorithms=["Ed25519"]).payload)
        standing = self.log.ledger.find(exchange_id)
        assert standing is not None
        assert standing.leaf_index is not None
        digest = bytes.fromhex(claims["entry"])
        proof = self.log.ledger.proof(standing.leaf_index)
        assert proof is not None
        proof.check(digest, *self.log.keyring.verifiers())
        said = message_hash(exchange_salt(self.keys.audit_key, exchange_id), answer)
        assert said == claims["response"] == json.loads(standing.text or "")["response_hash"]

    def close(self) -> None:
        self._database.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_kill_at_any_step_leaves_no_answer_without_evidence_and_no_evidence_lost(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = (
        f"sqlite:///{tmp_path / 'gapura.db'}" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    )
    kills: int = request.config.getoption("--kills")
    settings = _stocked(tmp_path, url)
    with _nursery(settings) as nursery:
        crowd, aftermath = Crowd(settings), Aftermath(settings)
        for death in _deaths(kills):
            answered = len(crowd.answers)
            _live_and_die(nursery, crowd, death)
            logged, answered = aftermath.newly_logged(), len(crowd.answers) - answered
            _refuse_surprise(death, logged, answered)
            aftermath.refuse_another_history()
    checkpoints = aftermath.refuse_loss()
    for answer, receipt in crowd.answers:
        aftermath.refuse_unproven(answer, receipt)
    crowd.close()
    aftermath.close()
    # Enough happened between the kills to mean something; how much more does, is the machine's.
    assert len(crowd.answers) >= sum(death.exchange - 1 for death in _deaths(kills) if death.step in LOGGED)
    assert checkpoints > 0


def _refuse_surprise(death: Death, logged: Mapping[str, int], answered: int) -> None:
    """What the log holds of a gateway's life is what its death allows, and so is what was answered."""
    assert answered <= logged["outcome"], death
    if death.step != LIVE and not death.step.startswith(("audit_leaves", "audit_checkpoints")):
        assert logged == +death.expected(), death
        # The last answer may have left whole before the kill.
        assert death.exchange - 1 <= answered <= death.exchange - (death.step != "answer:left"), death


def _live_and_die(nursery: subprocess.Popen[str], crowd: Crowd, death: Death) -> None:
    pid = int(_heard(nursery, str(death)))
    if death.step == LIVE:
        moment_s = 0.1 + death.exchange * 7 % 41 / 100
        killing = threading.Timer(moment_s, os.kill, (pid, signal.SIGKILL))
        killing.start()
        crowd.ask_until_killed(CALLERS)
        killing.join()
    else:
        crowd.ask_until_killed(1)
        assert _heard(nursery) == f"killed at {death.step}"
    assert _heard(nursery) == f"ended by {-signal.SIGKILL}"


def _heard(nursery: subprocess.Popen[str], said: str | None = None) -> str:
    """The nursery's next line, after it was told `said`."""
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    if said is not None:
        nursery.stdin.write(f"{said}\n")
        nursery.stdin.flush()
    return nursery.stdout.readline().strip()


def _stocked(folder: Path, url: str) -> Settings:
    """A home with a few people, and an agreement that lets one consumer ask as fast as it can."""
    policies = folder / "policies"
    shutil.copytree(ROOT / "policies", policies, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    agreement = policies / "agreements" / "dinsos-jatim-identity-check.yaml"
    text = agreement.read_text(encoding="utf-8").replace(
        "requests_per_minute: 600\n  subjects_per_day: 5000",
        "requests_per_minute: 100000\n  subjects_per_day: 5000000",
    )
    assert "5000000" in text
    agreement.write_text(text, encoding="utf-8")
    environment = {"GAPURA_HOME": str(folder / "home"), "GAPURA_DATABASE_URL": url}
    settings = load_settings(environment, port=free_port(), policies=policies)
    stage.prepare(settings, 10, lambda _words: lambda _share: None, lambda _: None)
    return settings


@contextmanager
def _nursery(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    with (settings.home / "gateway.log").open("ab") as log:
        nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.gateway.mortal"],
            cwd=ROOT,
            env={**without_gapura_variables(), **settings.environment()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert _heard(nursery) == "ready", (settings.home / "gateway.log").read_text(encoding="utf-8")
        yield nursery
    finally:
        nursery.kill()
        nursery.communicate()


def test_the_deaths_name_every_step_and_every_kind_of_entry() -> None:
    deaths: list[Any] = list(_deaths(TARGETED_OF * 6))
    assert {death.step for death in deaths} == {*STEPS, LIVE}
    assert {death.of_intent for death in deaths if death.step == "audit_entries:written"} == {True, False}
