"""SIGKILL under load: whatever was answered has its audit entry, on both databases, every time."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import create_engine, text

from gateway import demo
from gateway.audit.entry import exchange_salt, message_hash
from gateway.keys import Keys
from gateway.registry.personas import PERSONAS
from tests.living import LivingGateway, living_gateway

KILLS = 20
CALLERS = 4
# Answers after which the gateway is killed; varied so that the kill meets every stage of an exchange.
ANSWERS_BEFORE_KILL = [3 + 7 * (number % 5) for number in range(KILLS)]
QUESTION = {"purpose": "pbi-jk-eligibility", "programme": "PBI-JK"}


class Crowd:
    """Callers that ask without pause until the gateway is gone, and keep every whole answer they got."""

    def __init__(self, gateway: LivingGateway) -> None:
        self._gateway = gateway
        self._enough = threading.Event()
        self._wanted = 0
        self._lock = threading.Lock()
        self.answers: list[bytes] = []

    def ask_until_killed(self, wanted: int) -> None:
        self._wanted = len(self.answers) + wanted
        self._enough.clear()
        callers = [threading.Thread(target=self._call, args=(number,)) for number in range(CALLERS)]
        for caller in callers:
            caller.start()
        assert self._enough.wait(60), "the gateway answers too slowly for this test"
        self._gateway.stop(signal.SIGKILL)
        for caller in callers:
            caller.join()

    def _call(self, number: int) -> None:
        subjects = [{"ref": "1", "nik": PERSONAS[number].nik}]
        with httpx.Client(trust_env=False, timeout=10) as http:
            client = demo.client_for(self._gateway.settings, "bpjs-kesehatan", http)
            while True:
                try:
                    response = client.post("/v1/eligibility", {**QUESTION, "subjects": subjects})
                except httpx.HTTPError:
                    return  # killed
                assert response.status_code == 200, response.text
                with self._lock:
                    self.answers.append(response.content)
                    if len(self.answers) >= self._wanted:
                        self._enough.set()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_twenty_kills_leave_no_answer_without_its_audit_entry(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = (
        f"sqlite:///{tmp_path / 'gapura.db'}" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    )
    with living_gateway(tmp_path / "home", url, people=100) as gateway:
        crowd = Crowd(gateway)
        for wanted in ANSWERS_BEFORE_KILL:
            crowd.ask_until_killed(wanted)
            gateway.start()
        entries = _entries(url)
        audit_key = Keys.open(gateway.settings.home / "keys").audit_key
    assert len(crowd.answers) >= sum(ANSWERS_BEFORE_KILL)
    for answer in crowd.answers:
        exchange_id = json.loads(answer)["exchange_id"]
        salt = exchange_salt(audit_key, UUID(exchange_id))
        assert entries[exchange_id]["response_hash"] == message_hash(salt, answer)


def _entries(url: str) -> dict[str, dict[str, str]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = (
            connection.execute(text("SELECT entry FROM audit_entries WHERE kind = 'outcome'")).scalars().all()
        )
    engine.dispose()
    parsed = [json.loads(row) for row in rows]
    return {entry["exchange_id"]: entry for entry in parsed}
