"""Beranda and Konsumen as their people use them: who is told what, what is kept, what takes two."""

from __future__ import annotations

import json
import re

from gateway.oauth.jose import make_key_pair
from tests.gateway.console.conftest import Office

NEW = "/console/consumers/_new"


def _key(kid: str = "") -> str:
    _, public = make_key_pair("ES256")
    return json.dumps(public | ({"kid": kid} if kid else {}))


def _typed(consumer_id: str, **other: str) -> dict[str, str]:
    usual = {"name": "Dinas Contoh", "sector": "dinsos-32", "regions": "32, 32.73", "office": "Bidang Data"}
    also = {"email": "data@example.go.id", "jwks": _key(), "reason": "Surat CONTOH-1/2026"}
    return {"id": consumer_id, **usual, **also, **other}


def _propose(office: Office, consumer_id: str, **other: str) -> None:
    writer = office.browser("perancang")
    seen = writer.send(writer.open(NEW), "Propose the consumer", **_typed(consumer_id, **other))
    assert seen.path.startswith(f"/console/consumers/{consumer_id}"), seen.text


def test_a_registration_that_is_wrong_is_shown_again_with_all_that_was_typed(office: Office) -> None:
    writer = office.browser("perancang")
    for wrong in ({"jwks": "{not json"}, {"sector": "Two Words"}, {"regions": ""}, {"reason": ""}):
        typed = _typed("dinas-salah", **wrong)
        seen = writer.send(writer.open(NEW), "Propose the consumer", **typed)
        assert seen.status in {400, 422}, wrong
        fields = seen.form("Propose the consumer").fields
        assert {name: fields[name][0].strip() for name in typed} == typed
    assert writer.open("/console/consumers/dinas-salah").status == 404


def test_a_private_key_is_refused_and_not_given_back_and_every_problem_is_a_line(office: Office) -> None:
    private, _ = make_key_pair("ES256")
    writer = office.browser("perancang", "id")
    typed = _typed("dinas-bocor", jwks=json.dumps(private), sector="Dua Kata")
    seen = writer.send(writer.open(NEW), "Usulkan konsumen", **typed)
    assert seen.status == 400
    assert private["d"] not in seen.html
    assert seen.form("Usulkan konsumen").fields["jwks"][0].strip() == ""
    assert "memuat kunci privat" in seen.text
    assert re.search(r'id="sector-error">Diharapkan 1 sampai 32', seen.html)
    assert "Periksa isian yang ditandai." in seen.text
    assert "<li>" not in seen.html.partition('role="alert"')[2].partition("</div>")[0]


def test_what_a_registration_needs_is_marked_before_it_is_sent(office: Office) -> None:
    html = office.browser("perancang").open(NEW).html
    for name in ("id", "name", "sector", "office", "email", "jwks", "reason"):
        assert re.search(rf'<(?:input|textarea) id="{name}"[^>]* required', html), name
    for name, right in (("id", "dinsos-jatim"), ("sector", "kesehatan")):
        pattern = re.search(rf'id="{name}"[^>]* pattern="([^"]*)"', html)
        assert pattern
        assert re.fullmatch(pattern[1], right)
        assert not re.fullmatch(pattern[1], "Dua Kata")


def test_a_malformed_registration_names_no_pointer(office: Office) -> None:
    writer = office.browser("perancang", "id")
    seen = writer.send(writer.open(NEW), "Usulkan konsumen", **_typed("dinas-salah", jwks="bukan JSON"))
    assert seen.status == 422
    assert "Periksa isian yang ditandai." in seen.text
    assert "Ini bukan set kunci." in seen.text
    assert "/jwks" not in seen.text
    assert "openapi" not in seen.text


def test_a_consumer_is_let_in_by_somebody_else_and_suspended_with_a_reason(office: Office) -> None:
    _propose(office, "dinas-baru")
    writer, approver = office.browser("perancang"), office.browser("penyetuju")
    assert "Approve" not in writer.open("/console/consumers/dinas-baru").links
    home = approver.open("/console")
    assert "1 for you to approve" in home.text
    seen = approver.open(home.links["Dinas Contoh"])
    assert "waits to be let in" in seen.text
    seen = approver.open(seen.links["Approve"])
    assert approver.send(seen, "Approve").status in {400, 422}  # without a reason
    seen = approver.send(seen, "Approve", reason="CONTOH-1/2026")
    assert "Done; it is in the audit log" in seen.text
    assert "active" in seen.text
    operator = office.browser("operator")
    seen = operator.open(operator.open("/console/consumers/dinas-baru").links["Suspend the consumer"])
    assert "refused from now on" in seen.text
    seen = operator.send(seen, "Suspend it now", reason="CONTOH-2/2026")
    assert "suspended" in seen.text
    assert "Let the consumer call again" not in seen.links
    assert "Another operator or approver lets it call again" in seen.text
    assert "Let the consumer call again" in approver.open("/console/consumers/dinas-baru").links
    again = operator.open("/console/consumers/dinas-baru/acts/resume")
    refused = operator.send(again, "Let it call again", reason="CONTOH-3/2026")
    assert refused.status == 403
    assert refused.form("Let it call again").fields["reason"][0].strip() == "CONTOH-3/2026"


def test_a_state_that_was_changed_meanwhile_is_not_acted_upon(office: Office) -> None:
    _propose(office, "dinas-berubah")
    approver, writer = office.browser("penyetuju"), office.browser("perancang")
    before = approver.open("/console/consumers/dinas-berubah/acts/approve")
    form = writer.open("/console/consumers/dinas-berubah/edit")
    assert form.form("Keep the change").fields["regions"] == ["32, 32.73"]
    kept = writer.send(form, "Keep the change", name="Dinas Berubah", reason="salah ketik")
    assert "Dinas Berubah" in kept.text
    assert approver.send(before, "Approve", reason="CONTOH-1/2026").status == 409


def test_a_key_is_proposed_approved_by_another_and_the_last_one_cannot_be_ended(office: Office) -> None:
    writer, approver = office.browser("perancang"), office.browser("penyetuju")
    page = "/console/consumers/bps-statistik"
    seen = writer.send(writer.open(f"{page}/keys/_new"), "Propose the key", jwk="{}", reason="CONTOH")
    assert seen.status in {400, 422}
    seen = writer.send(
        writer.open(f"{page}/keys/_new"), "Propose the key", jwk=_key("2027/01"), reason="CONTOH", overlap="7"
    )
    assert "waits for approval" in seen.text
    seen = approver.open(f"{page}/acts/approve-key?kid=2027/01")
    assert "7 days after it counts" in seen.text
    seen = approver.send(seen, "Approve the key", reason="CONTOH")
    assert "2027/01" in seen.text
    assert "waits for approval" not in seen.text
    ended = approver.open(f"{page}/acts/end-key?kid=2027/01")
    assert "2027/01" not in approver.send(ended, "End the key now", reason="CONTOH").text


def test_the_list_is_narrowed_by_its_address(office: Office) -> None:
    browser = office.browser("operator")
    assert "6 consumers" not in browser.open("/console/consumers?search=kesehatan").text
    seen = browser.open("/console/consumers?search=bpjs")
    assert "1 consumers" in seen.text
    assert "BPJS Kesehatan (demo)" in seen.links
    assert "No consumer fits." in browser.open("/console/consumers?search=nobody&state=active").text
    assert browser.open("/console/consumers?state=nonsense&after=zzz").status == 200


def test_what_was_asked_shows_in_the_traffic_and_on_the_consumers_page(office: Office) -> None:
    answer = office.gateway.post(
        "bpjs-kesehatan",
        "/v1/eligibility",
        {
            "purpose": "pbi-jk-eligibility",
            "programme": "PBI-JK",
            "subjects": [{"ref": "1", "nik": "3578085203849991"}],
        },
    )
    browser = office.browser("operator")
    seen = browser.open("/console/consumers/bpjs-kesehatan")
    exchange = f"/console/audit/exchanges/{answer.json()['exchange_id']}"
    assert exchange in seen.html
    author = office.browser("perancang").open("/console/consumers/bpjs-kesehatan")
    assert exchange not in author.html, "who may not read it is not led to it"
    assert re.search(r"1 of [\d,]+", seen.text)
    assert "<meter" in seen.html
    for _ in range(100):  # the totals follow the log within seconds
        traffic = browser.open("/console?range=30d")
        if "BPJS Kesehatan (demo)" in traffic.links:
            break
    assert traffic.html.count("<tr>") > 30
    assert browser.open("/console?range=nonsense").status == 200


def test_a_consumer_without_an_agreement_leads_its_author_to_a_new_one(office: Office) -> None:
    _propose(office, "dinas-tanpa")
    writer = office.browser("perancang")
    link = writer.open("/console/consumers/dinas-tanpa").links["Write an agreement"]
    assert writer.open(link).form("Begin the draft").fields["consumer"] == ["dinas-tanpa"]
    assert "Write an agreement" not in office.browser("operator").open("/console/consumers/dinas-tanpa").links


def test_nothing_is_offered_that_a_role_may_not_do(office: Office) -> None:
    seen = office.browser("penyetuju").open("/console/consumers/cek-bansos")
    assert "Suspend the consumer" in seen.links
    assert "Edit" not in seen.links
    assert "Register a consumer" not in office.browser("penyetuju").open("/console/consumers").links
    refused = office.browser("penyetuju")
    form = refused.open(NEW)
    assert refused.send(form, "Propose the consumer", **_typed("dinas-terlarang")).status == 403
