"""Receipts, proofs and tiles as a partner, a witness and a stranger get them from a running gateway."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import Any

import httpx
import pytest
from joserfc import jws
from joserfc.jwk import OKPKey

from gateway.audit.proofs import (
    Checkpoint,
    InclusionProof,
    VerifierKey,
    check_consistency,
    leaf_hash,
    open_checkpoint,
)
from gateway.audit.tree import Tree, tile_path, tiles_of
from gateway.registry.personas import PERSONAS
from tests.gateway.keeping.keepers import keepers_of
from tests.living import LivingGateway

PATH = "/v1/eligibility"
CONSUMER = "bpjs-kesehatan"


def ask(gateway: LivingGateway, number: int = 0) -> httpx.Response:
    subjects = [{"ref": "1", "nik": PERSONAS[number].nik}]
    question = {"purpose": "pbi-jk-eligibility", "programme": "PBI-JK", "subjects": subjects}
    response = gateway.post(CONSUMER, PATH, question)
    assert response.status_code == 200, response.text
    return response


def proof_of(gateway: LivingGateway, exchange_id: str) -> dict[str, Any]:
    """Ask until the next checkpoint covers the exchange, as often as Retry-After allows."""
    for _ in range(20):
        response = get(gateway, f"/v1/exchanges/{exchange_id}/proof")
        if response.status_code == 200:
            body: dict[str, Any] = response.json()
            return body
        assert (response.status_code, response.json()["code"]) == (409, "not_yet_integrated")
        time.sleep(int(response.headers["Retry-After"]))
    raise AssertionError("no checkpoint in a minute")


def get(gateway: LivingGateway, path: str, consumer: str = CONSUMER) -> httpx.Response:
    return gateway.http.get(gateway.url + path, headers=gateway.client(consumer).credentials("GET", path))


def keys(gateway: LivingGateway) -> dict[str, Any]:
    body: dict[str, Any] = gateway.http.get(gateway.url + "/log/keys").json()
    return body


def test_every_answer_carries_a_receipt_that_an_independent_library_verifies(gateway: LivingGateway) -> None:
    response = ask(gateway)
    published = keys(gateway)
    receipt = jws.deserialize_compact(
        response.headers["Gapura-Receipt"],
        OKPKey.import_key(published["receipt_keys"][0]),
        algorithms=["Ed25519"],
    )
    claims = json.loads(receipt.payload)
    answer = response.json()
    assert (claims["log"], claims["sub"]) == (published["origin"], CONSUMER)
    assert claims["exchange"] == answer["exchange_id"]
    assert claims["agreement"] == answer["agreement"]["sha256"]

    proven = proof_of(gateway, answer["exchange_id"])
    salt = bytes.fromhex(proven["salt"])
    assert claims["entry"] == proven["entry_sha256"] == hashlib.sha256(proven["entry"].encode()).hexdigest()
    assert claims["response"] == hashlib.sha256(salt + response.content).hexdigest()
    assert claims["request"] == hashlib.sha256(salt + response.request.content).hexdigest()
    key = VerifierKey.parse(published["checkpoint_key"])
    InclusionProof.parse(proven["proof"]).check(bytes.fromhex(proven["entry_sha256"]), key)


def test_the_log_is_kept_in_order_by_a_process_of_its_own_unless_its_database_is_a_file(
    gateway: LivingGateway,
) -> None:
    proof_of(gateway, ask(gateway).json()["exchange_id"])
    assert gateway.process is not None
    is_file = gateway.settings.effective_database_url.startswith("sqlite")
    assert len(keepers_of(gateway.process.pid)) == (0 if is_file else 1)


def test_the_entry_shown_to_a_consumer_does_not_say_by_which_hash_the_log_knows_a_person(
    gateway: LivingGateway,
) -> None:
    """That hash is the same towards every consumer: two of them could join their people by it."""
    proven = proof_of(gateway, ask(gateway).json()["exchange_id"])
    entry = json.loads(proven["entry"])
    assert "subjects" not in entry
    assert entry["counts"]
    assert entry["as_of"]
    assert entry["legal_basis"]


def test_a_proof_is_for_the_consumer_that_made_the_exchange_and_nobody_else(gateway: LivingGateway) -> None:
    exchange_id = ask(gateway).json()["exchange_id"]
    proof_of(gateway, exchange_id)
    for consumer, path in (
        ("bps-statistik", f"/v1/exchanges/{exchange_id}/proof"),
        (CONSUMER, "/v1/exchanges/00000000-0000-4000-8000-000000000000/proof"),
    ):
        response = get(gateway, path, consumer)
        assert (response.status_code, response.json()["detail"]) == (404, "You made no such exchange.")
    assert gateway.http.get(f"{gateway.url}/v1/exchanges/{exchange_id}/proof").status_code == 401


def test_a_refusal_has_its_proof_too(gateway: LivingGateway) -> None:
    refused = gateway.post(
        CONSUMER, PATH, {"purpose": "x", "programme": "PKH", "subjects": [{"ref": "1", "nik": "1"}]}
    )
    assert refused.status_code == 403
    entry = json.loads(proof_of(gateway, refused.json()["exchange_id"])["entry"])
    assert (entry["outcome"], entry["purpose"]) == ("refused", None)


def test_a_tile_client_rebuilds_the_signed_root_and_the_consistency_of_two_checkpoints(
    gateway: LivingGateway,
) -> None:
    key = VerifierKey.parse(keys(gateway)["checkpoint_key"])
    proof_of(gateway, ask(gateway).json()["exchange_id"])
    first = open_checkpoint(gateway.http.get(gateway.url + "/log/checkpoint").text, key)
    proof_of(gateway, ask(gateway, 1).json()["exchange_id"])
    response = gateway.http.get(gateway.url + "/log/checkpoint")
    second = open_checkpoint(response.text, key)
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert second.size > first.size
    tree = fetched(gateway, second)
    assert tree.root() == second.root
    proof = tree.consistency_proof(first.size, second.size)
    check_consistency(first.size, second.size, proof, first.root, second.root)
    again = gateway.http.get(f"{gateway.url}/log/checkpoint/{first.size}")
    assert open_checkpoint(again.text, key) == first


def test_entry_bundles_hash_to_the_leaves_and_hold_nothing_but_hashes(gateway: LivingGateway) -> None:
    proven = proof_of(gateway, ask(gateway).json()["exchange_id"])
    size = Checkpoint.parse(InclusionProof.parse(proven["proof"]).note).size
    path = tile_path(0, 0, size)
    tile = gateway.http.get(f"{gateway.url}/log/{path}").content
    bundle = gateway.http.get(f"{gateway.url}/log/{path.replace('tile/0/', 'tile/entries/')}").content
    assert len(bundle) == size * 34
    for number in range(size):
        entry = bundle[34 * number : 34 * (number + 1)]
        assert entry[:2] == b"\x00\x20"
        assert tile[32 * number : 32 * (number + 1)] == leaf_hash(entry[2:])
    assert bytes.fromhex(proven["entry_sha256"]) in bundle


@pytest.mark.parametrize(
    "path", ["0/001", "0/000.p/256", "0/0", "64/000", "entries/x", "1/000", "0/x000/000"]
)
def test_a_tile_that_is_not_there_is_not_found_or_refused(gateway: LivingGateway, path: str) -> None:
    assert gateway.http.get(f"{gateway.url}/log/tile/{path}").status_code in {404, 422}


def test_a_cosignature_of_a_stranger_is_refused(gateway: LivingGateway) -> None:
    proof_of(gateway, ask(gateway).json()["exchange_id"])
    note = gateway.http.get(gateway.url + "/log/checkpoint").text
    assert gateway.http.post(gateway.url + "/log/cosignatures", content=note).status_code == 400
    foreign = base64.b64encode(b"r" * 32).decode()
    note = f"elsewhere/log\n1\n{foreign}\n\n\u2014 elsewhere/log AAAAAA==\n"
    assert gateway.http.post(gateway.url + "/log/cosignatures", content=note.encode()).status_code == 404


def fetched(gateway: LivingGateway, checkpoint: Checkpoint) -> Tree:
    tiles = {
        (level, index): gateway.http.get(f"{gateway.url}/log/{tile_path(level, index, width)}").content
        for level, index, width in tiles_of(checkpoint.size)
    }
    return Tree(checkpoint.size, lambda level, index: tiles[level, index])
