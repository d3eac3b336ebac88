"""Bundles, witnesses and erasure, through the commands that people use, against a running gateway."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select, text

from gateway.audit.proofs import Checkpoint, VerifierKey
from gateway.audit.tables import audit_entries
from gateway.database import Database
from tests.gateway.audit.test_audit_http import ask, keys, proof_of
from tests.living import LivingGateway


@pytest.fixture(scope="module", autouse=True)
def staff(gateway: LivingGateway) -> None:
    for staff_id, role in (("oka", "operator"), ("ani", "auditor"), ("budi", "author"), ("gone", "auditor")):
        gateway.gapura("staff", "add", staff_id, "--name", staff_id, "--role", role)
    gateway.gapura("staff", "disable", "gone", "--reason", "left")


def acts_of(gateway: LivingGateway, act: str) -> list[dict[str, Any]]:
    database = Database(gateway.settings.effective_database_url)
    with database.reading() as connection:
        entries = connection.execute(select(audit_entries.c.entry).where(audit_entries.c.kind == "act"))
        said = [json.loads(entry) for (entry,) in entries]
    database.close()
    return [one for one in said if one["act"] == act]


def verified(folder: Path, *arguments: str) -> tuple[int, str]:
    ran = subprocess.run(
        [sys.executable, "-I", "verify.py", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == ""
    return ran.returncode, ran.stdout


def test_a_bundle_proves_an_exchange_offline_and_nothing_that_was_tampered_with(
    gateway: LivingGateway, tmp_path: Path
) -> None:
    answer = ask(gateway)
    exchange_id = answer.json()["exchange_id"]
    proof_of(gateway, exchange_id)
    (tmp_path / "verify.py").write_text(gateway.gapura("audit", "verifier"), encoding="utf-8")
    gateway.gapura("audit", "bundle", exchange_id, "--output", str(tmp_path / "b.json"))
    (tmp_path / "response.json").write_bytes(answer.content)
    (tmp_path / "request.json").write_bytes(answer.request.content)
    key = gateway.gapura("audit", "key").strip()
    assert key == keys(gateway)["checkpoint_key"]
    given = ("--key", key, "--request", "request.json", "--response", "response.json")
    status, words = verified(tmp_path, "bundle", "b.json", *given)
    assert (status, words.count("byte for byte")) == (0, 2), words

    bundle = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))
    wording = bundle["agreement"]["text"].encode()
    assert hashlib.sha256(wording).hexdigest() == answer.json()["agreement"]["sha256"]
    assert bundle["consumer"]["sector"] == "kesehatan"
    assert set(bundle["says"]) == {"id", "en"}
    for member, harmed in {
        "entry": bundle["entry"].replace("eligibility", "records"),
        "salt": "00" * 32,
        "agreement": {**bundle["agreement"], "text": "another text"},
        "agreement ": {**bundle["agreement"], "version": 9},
        "fields": {"nik": "keep"},
        "consumer": {**bundle["consumer"], "id": "somebody-else"},
        "proof": bundle["proof"].replace("index ", "index 1"),
    }.items():
        (tmp_path / "bad.json").write_text(json.dumps({**bundle, member.strip(): harmed}), encoding="utf-8")
        status, words = verified(tmp_path, "bundle", "bad.json", *given)
        assert (status, words.startswith("NOT PROVEN")) == (1, True), member
    (tmp_path / "response.json").write_bytes(answer.content + b" ")
    assert verified(tmp_path, "bundle", "b.json", *given)[0] == 1
    other = key.replace("/log+", "/lag+", 1)
    assert verified(tmp_path, "bundle", "b.json", "--key", other)[0] == 1


def test_a_bundle_of_an_act_of_staff_is_proven_in_words_that_are_true_of_an_act(
    gateway: LivingGateway, tmp_path: Path
) -> None:
    (tmp_path / "verify.py").write_text(gateway.gapura("audit", "verifier"), encoding="utf-8")
    database = Database(gateway.settings.effective_database_url)
    with database.reading() as connection:
        acts = select(audit_entries.c.exchange_id).where(audit_entries.c.kind == "act")
        act_id = connection.execute(acts.order_by(audit_entries.c.sequence).limit(1)).scalar_one()
    database.close()
    told = gateway.gapura("audit", "bundle", str(act_id), "--output", str(tmp_path / "act.json"))
    assert "proves the act" in told
    bundle = json.loads((tmp_path / "act.json").read_text(encoding="utf-8"))
    entry = json.loads(bundle["entry"])
    said = json.dumps(bundle["says"])
    assert "administrative act" in said
    for untrue in ("exchange", "consumer", "pertukaran", "konsumen", "salt"):
        assert untrue not in said
    assert "salt" not in bundle
    key = gateway.gapura("audit", "key").strip()
    status, words = verified(tmp_path, "bundle", "act.json", "--key", key)
    assert status == 0, words
    assert f"{entry['actor']} did {entry['act']} to {entry['object']}" in words
    given = ("--key", key, "--request", "act.json")
    assert verified(tmp_path, "bundle", "act.json", *given) == (
        1,
        "NOT PROVEN: the entry is of an administrative act, which has no request\n",
    )
    unknown = gateway.gapura("audit", "bundle", "00000000-0000-4000-8000-000000000000", status=2)
    assert "no entry of an exchange or an act" in unknown
    assert "erased" not in unknown


def test_a_witness_cosigns_what_continues_and_the_gateway_shows_it(
    gateway: LivingGateway, tmp_path: Path
) -> None:
    proof_of(gateway, ask(gateway).json()["exchange_id"])
    name = f"bpk.example.go.id/{tmp_path.name}"
    public = gateway.gapura("audit", "witness-key", name, str(tmp_path / "key")).strip()
    witness = ("witness", gateway.url, str(tmp_path / "key"), "--key", keys(gateway)["checkpoint_key"])
    state = ("--state", str(tmp_path / "state"))
    assert "answers 400" in gateway.gapura("audit", *witness, *state, status=1), (
        "an unknown witness is refused"
    )
    gateway.gapura("audit", "add-witness", public, "--as", "oka", "--reason", "B-1/2026")
    (added,) = (one for one in acts_of(gateway, "witness.add") if one["object"] == name)
    assert added["actor"] == "oka@console"
    gateway.gapura("audit", *witness, *state)
    proof_of(gateway, ask(gateway).json()["exchange_id"])
    assert "Cosigned" in gateway.gapura("audit", *witness, *state)
    assert name in gateway.gapura("audit", "checkpoints")
    seen = Checkpoint.parse((tmp_path / "state").read_text(encoding="utf-8"))
    note = gateway.http.get(f"{gateway.url}/log/checkpoint/{seen.size}").text
    assert Checkpoint.parse(note).signed_by(VerifierKey.parse(public))
    assert public in keys(gateway)["witnesses"]

    proof_of(gateway, ask(gateway).json()["exchange_id"])
    file = tmp_path / "note"
    gateway.gapura("audit", *witness, *state, "--output", str(file))
    assert name in gateway.gapura("audit", "cosign", str(file))

    withdrawn = gateway.gapura("audit", "withdraw-witness", name, "--as", "oka", "--reason", "B-2/2026")
    assert f"Cosignatures of {name} are no longer accepted; those up to " in withdrawn
    assert "answers 400" in gateway.gapura("audit", *witness, *state, status=1)
    told = keys(gateway)
    assert public not in told["witnesses"]
    assert public in {one["key"] for one in told["withdrawn_witnesses"]}
    note = gateway.http.get(f"{gateway.url}/log/checkpoint/{seen.size}").text
    assert Checkpoint.parse(note).signed_by(VerifierKey.parse(public)), "what it cosigned stays cosigned"


def test_erasure_leaves_the_hash_and_verify_says_under_an_order(gateway: LivingGateway) -> None:
    exchanges = [ask(gateway).json()["exchange_id"] for _ in range(2)]
    for exchange_id in exchanges:
        proof_of(gateway, exchange_id)
    act = ("--order", "PTUN-7/2026", "--as", "ani")
    gateway.gapura("audit", "erase", exchanges[0], *act)
    assert proof_of(gateway, exchanges[0])["entry"], "the rest of the entry still proves the exchange"
    gateway.gapura("audit", "erase", exchanges[1], *act, "--payload")
    assert {one["actor"] for one in acts_of(gateway, "audit.erase")} == {"ani@console"}
    assert gateway.gapura("audit", "verify").count("erased under an order") >= 2
    assert "nothing to erase" in gateway.gapura("audit", "erase", exchanges[1], *act, status=2)
    engine = create_engine(gateway.settings.effective_database_url)
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT entry, subjects, blind FROM audit_entries WHERE kind = 'outcome' AND entry IS NULL")
        ).all()
    engine.dispose()
    assert [tuple(row) for row in rows] == [(None, None, None)]


@pytest.mark.parametrize(
    ("staff_id", "why"),
    [
        ("ghost", "no staff account of this id"),
        ("gone", "gone is disabled"),
        ("budi", "needs the role auditor or operator"),
    ],
)
def test_nobody_erases_or_adds_a_witness_who_is_not_known_to_be_in_charge(
    gateway: LivingGateway, tmp_path: Path, staff_id: str, why: str
) -> None:
    exchange_id = ask(gateway).json()["exchange_id"]
    proof_of(gateway, exchange_id)
    public = gateway.gapura("audit", "witness-key", f"bpk.example.go.id/{staff_id}", str(tmp_path / "key"))
    before = (acts_of(gateway, "audit.erase"), keys(gateway)["witnesses"])
    erase = ("erase", exchange_id, "--order", "PTUN-8/2026", "--payload")
    assert why in gateway.gapura("audit", *erase, "--as", staff_id, status=2)
    add = ("add-witness", public.strip(), "--reason", "B-2/2026")
    assert why in gateway.gapura("audit", *add, "--as", staff_id, status=2)
    assert (acts_of(gateway, "audit.erase"), keys(gateway)["witnesses"]) == before
    gateway.gapura("audit", "bundle", exchange_id, "--output", str(tmp_path / "still-there.json"))


@pytest.mark.parametrize("arguments", [("erase", "no-uuid", "--order", "x", "--as", "y"), ("bundle", "x")])
def test_a_malformed_exchange_id_is_told_before_anything_happens(
    gateway: LivingGateway, arguments: tuple[str, ...]
) -> None:
    assert "valid UUID" in gateway.gapura("audit", *arguments, status=2)
