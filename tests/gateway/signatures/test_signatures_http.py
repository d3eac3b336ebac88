"""Signed messages over real HTTP, made and verified by hand."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import pytest

from gateway.registry.personas import persona
from gateway.signatures.messages import COVERED_BY_REQUEST, REQUEST_TAG
from tests.gateway.signatures.by_hand import Said, content_digest, signed_fields, verified
from tests.living import LivingGateway

PATH = "/v1/eligibility"
CONSUMER = "bpjs-kesehatan"
QUESTION = {
    "purpose": "pbi-jk-eligibility",
    "programme": "PBI-JK",
    "subjects": [{"ref": "1", "nik": persona("eligible").nik}],
}


def switch(gateway: LivingGateway, *arguments: str) -> str:
    return gateway.gapura("consumers", "signatures", *arguments)


def ask(
    gateway: LivingGateway, question: Any = QUESTION, *, signing: bool, headers: dict[str, str] | None = None
) -> httpx.Response:
    """Ask as the consumer; its signature is added if it signs, then `headers` replace what it sent."""
    client, body = gateway.client(CONSUMER), orjson.dumps(question)
    sent = {**client.credentials("POST", PATH), "Content-Type": "application/json"}
    if signing:
        sent["Content-Digest"] = content_digest(body)
        fields = {name.lower(): value for name, value in sent.items()}
        said = Said({"@method": "POST", "@target-uri": gateway.url + PATH, **fields})
        meant: dict[str, Any] = {"created": int(time.time()), "tag": REQUEST_TAG, "keyid": client._key.kid}
        covered = (*COVERED_BY_REQUEST, "content-digest")
        sent |= signed_fields(said, covered, client._key.private_key, **meant)  # type: ignore[attr-defined]
    response = gateway.http.post(gateway.url + PATH, content=body, headers={**sent, **(headers or {})})
    client._remember_nonce(response)
    return response


def proven(gateway: LivingGateway, response: httpx.Response) -> dict[str, Any]:
    """What the answer's signature says, by the key that the gateway publishes."""
    body = response.content
    assert response.headers["content-digest"] == content_digest(body)
    keys = gateway.http.get(f"{gateway.url}/log/keys").json()["message_keys"]
    said = {"@status": str(response.status_code), **{k.lower(): v for k, v in response.headers.items()}}
    fields = {name.lower(): value for name, value in response.request.headers.items()}
    target = str(response.request.url)
    assert urlsplit(target).path == PATH
    asked = Said({"@method": response.request.method, "@target-uri": target, **fields})
    return verified(Said(said, asked), keys[0])


@pytest.fixture
def known(gateway: LivingGateway) -> LivingGateway:
    """The gateway, whose newest nonce the consumer knows, with nothing signed."""
    switch(gateway, CONSUMER, "off", "--reason", "test")
    assert gateway.post(CONSUMER, PATH, QUESTION).status_code == 200
    return gateway


def test_nothing_is_signed_for_who_did_not_ask_for_it(known: LivingGateway) -> None:
    response = ask(known, signing=False)
    assert response.status_code == 200
    assert not {"signature", "signature-input", "content-digest"} & {
        name.lower() for name in response.headers
    }


def test_answers_and_refusals_are_signed_for_who_wants_it_whether_it_signs_or_not(
    known: LivingGateway,
) -> None:
    assert "responses" in switch(known, CONSUMER, "responses", "--reason", "B-1/2026")
    answer = ask(known, signing=False)
    assert answer.status_code == 200
    covered = proven(known, answer)["covered"]
    assert {"@status", "content-digest", "gapura-receipt", "@target-uri;req", "dpop;req"} <= set(covered)
    refusal = ask(known, {**QUESTION, "purpose": "marketing"}, signing=False)
    assert refusal.status_code == 403
    assert "gapura-receipt" not in proven(known, refusal)["covered"]
    signed = ask(known, signing=True)
    assert "signature;req" in proven(known, signed)["covered"]


def test_a_consumer_that_is_bound_to_sign_is_refused_when_it_does_not_or_not_this(
    known: LivingGateway,
) -> None:
    switch(known, CONSUMER, "both", "--reason", "B-2/2026")
    assert switch(known) == f"{CONSUMER}  both\n"
    answer = ask(known, signing=True)
    assert answer.status_code == 200, answer.text
    proven(known, answer)
    replayed = known.http.post(
        answer.request.url, content=answer.request.content, headers=answer.request.headers
    )
    assert (replayed.status_code, replayed.json()["code"]) == (401, "invalid_dpop_proof")
    for response in (
        ask(known, signing=False),
        ask(known, signing=True, headers={"Content-Digest": content_digest(b"other")}),
        ask(known, signing=True, headers={"Signature": "mine=:AAAA:"}),
    ):
        assert (response.status_code, response.json()["code"]) == (401, "invalid_signature"), response.text
        assert response.headers["WWW-Authenticate"].startswith("DPoP ")
        proven(known, response)
