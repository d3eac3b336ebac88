"""Names over HTTP, against a running gateway: a rotation by command, renewal, and what is refused."""

from __future__ import annotations

import pytest

from tests.living import LivingGateway

BPJS = "bpjs-kesehatan"
PURPOSE = "pbi-jk-eligibility"
NIK = "3578081808759992"  # one of the demo's personas


def _pseudonym(gateway: LivingGateway, **subject: str) -> str:
    question = {
        "purpose": PURPOSE,
        "programme": "PBI-JK",
        "subjects": [{"ref": "1", **(subject or {"nik": NIK})}],
    }
    answer = gateway.post(BPJS, "/v1/eligibility", question)
    assert answer.status_code == 200, answer.text
    name: str = answer.json()["results"][0]["pseudonym"]
    return name


def _asked(*names: str, member: str = "pseudonym", purpose: str = PURPOSE) -> dict[str, object]:
    return {
        "purpose": purpose,
        "subjects": [{"ref": str(at), member: name} for at, name in enumerate(names)],
    }


def test_a_rotation_reaches_a_running_gateway_and_a_partner_renews_its_names(
    gateway: LivingGateway,
) -> None:
    old = _pseudonym(gateway)
    version = int(old.split(".")[0][1:])
    said = gateway.gapura("keys", "rotate-sector", "kesehatan", "--overlap-days", "30", "--reason", "a test")
    assert f"version {version + 1}" in said
    new = _pseudonym(gateway)
    assert new.startswith(f"v{version + 1}.kesehatan.")
    assert _pseudonym(gateway, pseudonym=old) == new
    answer = gateway.post(BPJS, "/v1/pseudonyms/rekey", _asked(old, "rubbish"))
    assert answer.status_code == 200, answer.text
    assert answer.headers["Gapura-Receipt"].count(".") == 2
    assert answer.json()["results"] == [
        {"ref": "0", "pseudonym": new},
        {"ref": "1", "reason": "unusable_name"},
    ]
    assert old not in gateway.log
    assert new not in gateway.log
    assert "overlap" in gateway.gapura("keys", "sectors")


@pytest.mark.parametrize("path", ["translate", "open"])
def test_what_no_agreement_grants_is_refused_and_says_what_to_ask_for(
    gateway: LivingGateway, path: str
) -> None:
    member = "pseudonym" if path == "translate" else "translation"
    answer = gateway.post(BPJS, f"/v1/pseudonyms/{path}", _asked(_pseudonym(gateway), member=member))
    assert (answer.status_code, answer.json()["code"]) == (403, "translation_not_granted")
    assert "translation" in answer.json()["remedy"] or "Pusdatin" in answer.json()["remedy"]
    assert answer.json()["exchange_id"]


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"purpose": PURPOSE, "subjects": []},
        {"purpose": PURPOSE, "subjects": [{"ref": "1", "nik": NIK}]},
        {"purpose": PURPOSE, "subjects": [{"ref": "1", "pseudonym": 7}]},
        _asked(*["x"] * 1001),
    ],
)
def test_a_malformed_request_is_told_where_and_repeats_nothing(
    gateway: LivingGateway, form: dict[str, object]
) -> None:
    answer = gateway.post(BPJS, "/v1/pseudonyms/rekey", form)
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed_request")
    assert NIK not in answer.text


@pytest.mark.parametrize("path", ["rekey", "translate", "open"])
def test_strangers_learn_nothing_of_names(gateway: LivingGateway, path: str) -> None:
    answer = gateway.http.post(f"{gateway.url}/v1/pseudonyms/{path}", json=_asked("x"))
    assert answer.status_code == 401
    assert "DPoP" in answer.headers["www-authenticate"]
