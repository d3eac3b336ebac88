"""A person's rights over the wire: through an app under its agreement, and through an auditor."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from gateway.database import Database
from gateway.registry.personas import persona
from tests.gateway.staff.office import bearers
from tests.living import LivingGateway

OWN = "/v1/access-history"
ADMIN = "/admin/v1/rights"


def _own(gateway: LivingGateway, key: str, **more: Any) -> dict[str, Any]:
    body = {"purpose": "own-status", "nik": persona(key).nik, **more}
    answer = gateway.post("cek-bansos", OWN, body)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def _ask(gateway: LivingGateway, key: str) -> str:
    question = {"purpose": "pbi-jk-eligibility", "programme": "PBI-JK"}
    subjects = [{"ref": "1", "nik": persona(key).nik}]
    answer = gateway.post("bpjs-kesehatan", "/v1/eligibility", {**question, "subjects": subjects})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["exchange_id"])


@pytest.fixture(scope="module")
def staff(gateway: LivingGateway) -> dict[str, dict[str, str]]:
    """Headers of an auditor and of an author."""
    database = Database(gateway.settings.effective_database_url)
    headers = bearers(database, "auditor", "author")
    database.close()
    return headers


def _post(gateway: LivingGateway, headers: dict[str, str], path: str, **body: Any) -> httpx.Response:
    return gateway.http.post(gateway.url + ADMIN + path, headers=headers, json=body)


def test_a_person_learns_who_asked_about_them_at_once_and_in_words(gateway: LivingGateway) -> None:
    reference = _ask(gateway, "eligible")
    said = _own(gateway, "eligible")
    newest = said["accesses"][0]
    assert newest["reference"] == reference
    assert newest["by"]["id"] == "bpjs-kesehatan"
    assert (newest["purpose"], newest["programme"]) == ("pbi-jk-eligibility", "PBI-JK")
    assert newest["legal_basis"]
    assert newest["fields"]
    assert "Layak" not in newest["words"]["en"]
    assert "dijawab layak" in newest["words"]["id"]


def test_asking_for_the_history_is_in_the_history(gateway: LivingGateway) -> None:
    first = _own(gateway, "not_checked")
    second = _own(gateway, "not_checked")
    assert second["accesses"][0]["reference"] == first["exchange_id"]
    assert second["accesses"][0]["outcome"] == "history"


def test_a_history_holds_no_value_of_the_person(gateway: LivingGateway) -> None:
    _ask(gateway, "eligible")
    told = json.dumps(_own(gateway, "eligible"))
    row = persona("eligible").row()
    assert not [name for name in ("NIK", "Nama", "Nama_Ibu_Kandung") if row[name] in told]


def test_of_a_number_that_two_people_share_no_history_is_told(gateway: LivingGateway) -> None:
    _ask(gateway, "duplicate")
    said = _own(gateway, "duplicate")
    assert (said["reason"], said["accesses"]) == ("duplicate_identity", [])


def test_a_history_needs_an_agreement_of_its_kind(gateway: LivingGateway) -> None:
    body = {"purpose": "pbi-jk-eligibility", "nik": persona("eligible").nik}
    answer = gateway.post("bpjs-kesehatan", OWN, body)
    assert (answer.status_code, answer.json()["code"]) == (403, "operation_not_covered")


def test_nobody_is_told_from_a_stranger(gateway: LivingGateway) -> None:
    said = gateway.post("cek-bansos", OWN, {"purpose": "own-status", "nik": "9999999999999999"}).json()
    assert (said["reason"], said["accesses"]) == ("not_found", [])


def test_the_answer_carries_a_receipt_as_every_answer_does(gateway: LivingGateway) -> None:
    body = {"purpose": "own-status", "nik": persona("eligible").nik}
    assert gateway.post("cek-bansos", OWN, body).headers["Gapura-Receipt"].count(".") == 2


def test_a_page_leads_to_the_older_ones(gateway: LivingGateway) -> None:
    said = _own(gateway, "eligible")
    newest = said["accesses"][0]["reference"]
    older = _own(gateway, "eligible", before=newest)
    assert [one["reference"] for one in older["accesses"]] == [
        one["reference"] for one in said["accesses"][1:]
    ]


def test_an_auditor_sees_it_too_and_the_person_sees_that_pusdatin_looked(
    gateway: LivingGateway, staff: dict[str, dict[str, str]]
) -> None:
    nik = persona("eligible").nik
    answer = _post(gateway, staff["auditor"], "/access-history", nik=nik, reason="Surat 1/2026")
    assert answer.status_code == 200, answer.text
    (person,) = answer.json()["people"]
    by_id = _post(gateway, staff["auditor"], "/access-history", person_id=person, reason="Surat 1/2026")
    assert by_id.json()["accesses"][1]["operation"] == "rights.history_read"
    newest = _own(gateway, "eligible")["accesses"][0]
    assert (newest["operation"], newest["by"]["id"]) == ("rights.history_read", None)
    assert "the.auditor" not in json.dumps(newest)


def test_of_a_shared_number_an_auditor_is_told_whose_it_may_be(
    gateway: LivingGateway, staff: dict[str, dict[str, str]]
) -> None:
    nik = persona("duplicate").nik
    said = _post(gateway, staff["auditor"], "/access-history", nik=nik, reason="Surat 2/2026").json()
    assert len(said["people"]) == 2
    refused = _post(gateway, staff["auditor"], "/copy", nik=nik, reason="Surat 2/2026")
    assert (refused.status_code, refused.json()["code"]) == (409, "duplicate_identity")
    one = _post(gateway, staff["auditor"], "/copy", person_id=said["people"][0], reason="Surat 2/2026")
    assert one.status_code == 200


def test_a_copy_holds_what_the_registry_holds_and_who_received_what(
    gateway: LivingGateway, staff: dict[str, dict[str, str]]
) -> None:
    reference = _ask(gateway, "eligible")
    nik = persona("eligible").nik
    copy = _post(gateway, staff["auditor"], "/copy", nik=nik, reason="Surat 3/2026").json()
    held = {one["field"]: one for one in copy["held"]}
    assert held["nik"]["value"] == nik
    assert held["full_name"]["value"] == persona("eligible").row()["Nama"]
    assert held["decile"]["source"] == "dtks"
    assert held["decile"]["as_of"]
    assert reference in {one["reference"] for one in copy["accesses"]}
    page = gateway.http.post(
        gateway.url + ADMIN + "/copy?output=html",
        headers=staff["auditor"],
        json={"nik": nik, "reason": "Surat 3/2026"},
    )
    assert page.headers["content-type"].startswith("text/html")
    assert persona("eligible").row()["Nama"] in page.text
    assert "src=" not in page.text
    assert "http" not in page.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"reason": "Surat 4/2026"}, 400),
        ({"nik": "12", "reason": "Surat 4/2026"}, 400),
        ({"nik": "9999999999999999", "reason": " "}, 400),
        ({"nik": "9999999999999999", "reason": "3578085203849991"}, 400),
        ({"nik": "9999999999999999"}, 422),
    ],
)
def test_what_cannot_be_served_is_refused_without_repeating_it(
    gateway: LivingGateway, staff: dict[str, dict[str, str]], body: dict[str, str], status: int
) -> None:
    answer = _post(gateway, staff["auditor"], "/access-history", **body)
    assert answer.status_code == status
    assert "9999999999999999" not in answer.text
    assert "3578085203849991" not in answer.text


@pytest.mark.parametrize("path", ["/access-history", "/copy", "/incidents"])
def test_only_an_auditor_stands_at_this_desk(
    gateway: LivingGateway, staff: dict[str, dict[str, str]], path: str
) -> None:
    answer = _post(gateway, staff["author"], path, nik=persona("eligible").nik, reason="curious")
    assert (answer.status_code, answer.json()["code"]) == (403, "role_missing")
    assert _post(gateway, {}, path).status_code == 401


def test_no_log_line_holds_the_number_that_was_asked_about(gateway: LivingGateway) -> None:
    assert persona("eligible").nik not in gateway.log
