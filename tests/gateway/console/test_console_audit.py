"""Jejak audit, Sumber data and Pengaturan, worked with in a browser without scripts against a served gateway.

One module for the three: a served gateway takes seconds to start.
"""

from __future__ import annotations

import json
import re
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.audit.verifier import main as verify
from gateway.registry.personas import persona
from tests.gateway.console.browsing import Browser, Seen
from tests.gateway.console.conftest import Office

NEW_PASSWORD = "lima perahu di atas bukit"
WIB = ZoneInfo("Asia/Jakarta")
_CODE = re.compile(r"gpr_[A-Za-z0-9_-]{40,}")


@pytest.fixture(scope="module")
def asked(office: Office) -> str:
    """The id of an exchange that is in the log and listed."""
    question = {"purpose": "pbi-jk-eligibility", "programme": "PBI-JK"}
    subjects = [{"ref": "1", "nik": persona("eligible").nik}]
    answer = office.gateway.post("bpjs-kesehatan", "/v1/eligibility", {**question, "subjects": subjects})
    assert answer.status_code == 200, answer.text
    exchange_id = str(answer.json()["exchange_id"])
    _until(office.browser("operator"), "/console/audit", exchange_id)
    _until(office.browser("operator"), f"/console/audit/exchanges/{exchange_id}", "Proven")
    return exchange_id


def _until(browser: Browser, path: str, sign: str) -> Seen:
    """The page, once the gateway has caught up with what it shows."""
    for _ in range(100):
        seen = browser.open(path)
        assert seen.status == 200, seen.text
        if sign in seen.html:
            return seen
        time.sleep(0.1)
    raise AssertionError(f"{sign} does not come")


def test_an_exchange_is_found_by_what_stands_in_the_address_and_by_its_id(office: Office, asked: str) -> None:
    operator = office.browser("operator")
    found = operator.open(
        "/console/audit?consumer=bpjs-kesehatan&outcome=answered&purpose=pbi-jk-eligibility"
    )
    assert asked in found.html
    assert "selected>" in found.html
    assert asked not in operator.open("/console/audit?outcome=refused").html
    assert asked not in operator.open("/console/audit?until=2020-01-01").html
    assert asked not in operator.open("/console/audit?consumer=dinsos-jatim").html
    seen = operator.send(operator.open("/console/audit"), "Find", reference=f" {asked} ")
    assert seen.path.endswith(f"/exchanges/{asked}")
    seen = operator.send(operator.open("/console/audit"), "Find", reference=asked[:8].upper())
    assert seen.path.endswith(f"/exchanges/{asked}"), "in short, as lists show it"
    assert "That is no reference" in operator.open("/console/audit?reference=x").text
    assert "Nothing in the log begins so." in operator.open("/console/audit/acts?reference=" + asked[:8]).text


def test_a_list_of_exchanges_leads_on_page_by_page(office: Office, asked: str) -> None:
    operator = office.browser("operator")
    api = operator.open("/admin/v1/exchanges?limit=1").response.json()
    assert len(api["exchanges"]) == 1
    newest = api["exchanges"][0]
    assert newest["exchange_id"] == asked
    assert newest["outcome_words"]["id"]
    assert operator.open("/admin/v1/exchanges?after=" + asked).response.json()["exchanges"] == []


def test_an_exchange_tells_what_left_what_was_withheld_and_why_and_how_it_is_proven(
    office: Office, asked: str
) -> None:
    seen = office.browser("operator").open(f"/console/audit/exchanges/{asked}")
    for words in ("BPJS Kesehatan", "PBI-JK", "bpjs-pbi-jk", "Eligible", "Legal basis", "Receipt"):
        assert words in seen.text
    assert "Proven The entry stands unchanged in the signed log." in seen.text
    assert "No witness has cosigned this checkpoint yet" in seen.text
    assert persona("eligible").nik not in seen.html


def test_a_bundle_that_was_downloaded_verifies_and_its_making_is_on_record(
    office: Office, asked: str, tmp_path: Path
) -> None:
    operator = office.browser("operator")
    page = operator.open(f"/console/audit/exchanges/{asked}")
    refused = operator.send(page, "Download the bundle", reason="0" * 16)
    assert refused.status == 400
    assert "0" * 16 in refused.form("Download the bundle").fields["reason"], "what was typed stays"
    file = operator.send(page, "Download the bundle", reason="BPK 17/2026").response
    assert f'filename="bundle-{asked}.json"' in file.headers["content-disposition"]
    bundle = tmp_path / "bundle.json"
    bundle.write_bytes(file.content)
    said: list[str] = []
    assert verify(["bundle", str(bundle), "--key", json.loads(file.content)["keys"][0]], said.append) == 0
    assert any(asked in sentence for sentence in said)
    acts = _until(operator, "/console/audit/acts?act=audit.bundled", "BPK 17/2026")
    assert acts.links[f"Exchange {asked[:8]}"] == f"/console/audit/exchanges/{asked}"


def test_acts_of_staff_are_found_told_and_proven(office: Office) -> None:
    operator = office.browser("operator")
    found = _until(operator, "/console/audit/acts?actor=operator&act=staff.", "Signed in")
    address = next(link for link in found.links.values() if re.search(r"/acts/[0-9a-f-]{36}", link))
    seen = _until(operator, address, "Proven")
    assert "staff/operator" in seen.text
    for path in ("acts/abc", "exchanges/abc"):
        assert "There is no such page" in operator.open(f"/console/audit/{path}").text
    assert (
        operator.send(seen, "Download the bundle", reason="BPK 17/2026").response.json()["consumer"] is None
    )


def test_the_whole_log_is_checked_from_its_page_and_the_verifier_comes_with_it(office: Office) -> None:
    operator = office.browser("operator")
    begun = operator.send(operator.open("/console/audit/log"), "Check the whole log now")
    assert "The check of the whole log has begun" in begun.text
    assert "Sound" in _until(operator, "/console/audit/log", '<span class="badge good">Sound').text
    verifier = operator.open("/console/audit/log/verify.py").response
    compile(verifier.text, "verify.py", "exec")
    log = operator.open("/admin/v1/log").response.json()
    for what in ("log log.jsonl", "bundle bundle.json"):
        assert f"python verify.py {what} --key" in operator.open("/console/audit/log").html
    assert log["heads"][0]["size"] <= log["entries"]
    assert (log["checks"][0]["state"], log["checks"][0]["asked_by"]) == ("sound", "operator")


def test_a_persons_history_needs_a_reason_and_names_nobody_in_an_address(office: Office, asked: str) -> None:
    auditor = office.browser("penyetuju")
    form = auditor.open("/console/audit/person")
    nik = persona("eligible").nik
    refused = auditor.send(form, "Show the history", nik=nik, reason="")
    assert refused.status == 422
    assert refused.form("Show the history").fields["nik"] == [nik], "what was typed stays"
    seen = auditor.send(form, "Show the history", nik=nik, reason="Permohonan 31/PDP/2026")
    assert asked in seen.html
    assert "BPJS Kesehatan" in seen.text
    assert nik not in seen.path
    assert nik not in office.gateway.log
    _until(auditor, "/console/audit/acts?act=rights.history_read", "Permohonan 31/PDP/2026")


def test_a_consumer_is_found_by_a_part_of_its_name_and_asked_back_where_several_fit(
    office: Office, asked: str
) -> None:
    operator = office.browser("operator")
    assert asked in operator.open("/console/audit?consumer=BPJS").html, "only one is called so"
    several = operator.open("/console/audit?consumer=demo")
    assert "Which consumer is meant?" in several.text
    assert asked not in several.html
    assert several.links["BPJS Kesehatan (demo)"] == "/console/audit?consumer=bpjs-kesehatan"
    assert "No consumer has this" in operator.open("/console/audit?consumer=nobody+at+all").text
    assert '<option value="dinsos-jatim">' in operator.open("/console/agreements/_new?consumer=jatim").html


@pytest.mark.usefixtures("asked")
def test_an_incident_is_begun_counted_told_and_gone_from_what_needs_somebody(office: Office) -> None:
    auditor = office.browser("penyetuju")
    form = auditor.open("/console/audit/incidents/_new")
    button, today = "Begin the incident and its clock", f"{datetime.now(WIB):%Y-%m-%dT00:00}"
    typed = {"consumer_id": "bpjs-kesehatan", "first": today, "last": "x", "known_at": today}
    refused = auditor.send(form, button, **typed, reason="ND 7/2026")
    assert refused.status == 422
    assert refused.form(button).fields["first"] == [today], "what was typed stays"
    assert "A day and a time of day." in refused.text
    now = f"{datetime.now(WIB):%Y-%m-%dT%H:%M:%S}"
    begun = auditor.send(form, button, **{**typed, "last": now, "known_at": now}, reason="ND 7/2026")
    assert "its clock is running" in begun.text
    assert "People of whom something was told 1" in begun.text
    assert "Decision for PBI-JK \N{EN DASH} 1" in begun.text
    assert begun.path.split("?")[0] in auditor.open("/console").html
    letters = auditor.send(begun, "Write the notices", how="Berkas terkirim ke alamat yang salah.")
    assert "KEGAGALAN PELINDUNGAN DATA PRIBADI" in letters.text
    assert "Berkas terkirim ke alamat yang salah." in letters.text
    people = auditor.send(begun, "Show the people's ids", reason="ND 7/2026")
    assert "People of the registry: 1" in people.text
    auditor.send(begun, "Note that the people were told", reason="ND 8/2026")
    told = auditor.send(begun, "Note that the authority was told", reason="ND 9/2026")
    assert "everybody told" in told.text
    assert begun.path.split("?")[0] not in auditor.open("/console").html
    assert begun.path.split("?")[0] in auditor.open("/console/audit/incidents").html


def test_a_reversal_is_asked_for_approved_by_another_and_performed_once(office: Office) -> None:
    asking, approver = office.browser("operator"), office.browser("penyetuju")
    question = {"purpose": "pbi-jk-eligibility", "programme": "PBI-JK"}
    subjects = [{"ref": "1", "nik": persona("eligible").nik}]
    answer = office.gateway.post("bpjs-kesehatan", "/v1/eligibility", {**question, "subjects": subjects})
    name = answer.json()["results"][0]["pseudonym"]
    form, button = asking.open("/console/audit/reversals/_new"), "Ask for it; somebody else approves it"
    typed = {"sector": "kesehatan", "pseudonyms": name, "legal_basis": "court_order", "reason": "ND 7/2026"}
    refused = asking.send(form, button, **typed, reference="")
    assert refused.form(button).fields["pseudonyms"] == [name], "what was typed stays"
    mistyped = asking.send(form, button, **{**typed, "pseudonyms": f"{name} abc"}, reference="PN 17/2026")
    assert "pseudonyms, number 2: expected pseudonyms of the sector kesehatan" in mistyped.text
    page = asking.send(form, button, **typed, reference="PN 17/2026")
    assert "Somebody else with the role Approver settles it" in page.text
    address = page.path.split("?")[0]
    assert address in approver.open("/console").html
    assert not any(one.offers("Show who they are, this once") for one in page.forms)
    approve = "Approve: the people behind 1 pseudonyms may be seen"
    assert not any(one.offers(approve) for one in page.forms), "not whoever asked"
    approved = approver.send(approver.open(address), approve, reason="sesuai penetapan")
    assert "Only operator, who asked for it, can see them." in approved.text
    wrong = asking.send(asking.open(address), "Show who they are, this once", pseudonyms="v1.kesehatan.x")
    assert wrong.status == 409
    assert "in the same order, and send them again" in wrong.text
    shown = asking.send(asking.open(address), "Show who they are, this once", pseudonyms=name)
    assert persona("eligible").nik in shown.text
    assert name not in shown.html, "a person and the pseudonym never stand beside each other"
    assert persona("eligible").nik not in asking.open(address).html, "told once"
    assert office.browser("perancang").open(address).status == 403


def test_the_log_is_for_those_who_answer_for_it(office: Office, asked: str) -> None:
    author = office.browser("perancang")
    for path in ("/console/audit", "/console/audit/acts", "/console/audit/log", "/console/settings/keys"):
        seen = author.open(path)
        assert seen.status == 403, path
        assert "auditor" in seen.text.lower()
    assert author.open(f"/admin/v1/exchanges/{asked}").status == 403


def test_a_source_is_tested_now_by_an_operator_and_the_act_is_on_record(office: Office) -> None:
    operator = office.browser("operator")
    every = operator.open("/console/sources")
    assert "The registry of people" in every.text
    assert "Not configured" in every.text, "Dukcapil has no section in this gateway's sources"
    tested = operator.send(operator.open("/console/sources/dtks"), "Test now")
    assert "It answers." in tested.text
    assert "dtks" in _until(operator, "/console/audit/acts?act=source.tested", "sources/dtks").text
    author = office.browser("perancang").open("/console/sources/dtks")
    assert author.status == 200
    assert not any(form.offers("Test now") for form in author.forms)
    assert operator.open("/console/sources/nothing").status == 404


def test_the_usage_report_is_read_by_semester_and_downloaded(office: Office) -> None:
    operator = office.browser("operator")
    seen = operator.open("/console/sources/usage-report")
    (semester,) = seen.form("Show").fields["semester"]
    assert f"gapura rights usage {semester}" in seen.html
    table = operator.open(f"/console/sources/usage-report/{semester}.csv").response
    assert table.text.startswith("month,calls,consumer")
    assert f"usage-{semester}.csv" in table.headers["content-disposition"]
    document = operator.open(f"/console/sources/usage-report/{semester}.json").response.json()
    assert document["semester"] == semester
    assert operator.open("/console/sources/usage-report/2026-S3.csv").status == 400
    assert operator.open(f"/console/sources/usage-report/{semester}.exe").status == 404
    assert office.browser("perancang").open("/console/sources/usage-report").status == 403


def test_an_account_is_added_confirmed_by_another_disabled_and_enabled(office: Office) -> None:
    operator, approver = office.browser("operator"), office.browser("penyetuju")
    form = operator.open("/console/settings/staff/_new")
    button = "Register; the roles wait for a second person"
    wrong = operator.send(form, button, id="Budi!", name="Budi", roles=["author"], reason="ST 12")
    assert wrong.status == 400
    assert wrong.form(button).fields["name"] == ["Budi"], "what was typed stays"
    added = operator.send(form, button, id="budi", name="Budi", roles=["author"], reason="ST 12")
    assert "Its roles wait for a second person." in added.text
    assert not any(one.offers("Confirm these roles") for one in added.forms), "not whoever proposed them"
    for browser, below in ((approver, "Needs you"), (operator, "Waits for others")):
        told = browser.open("/console")
        assert "/console/settings/staff/budi" in told.html.split(f">{below}<")[1].split("</section>")[0]
    page = approver.open("/console/settings/staff/budi")
    assert "The roles are given" in approver.send(page, "Confirm these roles", reason="ST 12").text
    page = operator.open("/console/settings/staff/budi")
    disabled = operator.send(page, "Disable the account budi", reason="pindah")
    assert "refused from now on" in disabled.text
    enabled = operator.send(disabled, "Enable the account budi", reason="kembali")
    assert "can sign in again" in enabled.text
    fewer = operator.send(enabled, "Take away at once, propose what is more", roles=[], reason="selesai")
    assert operator.open("/admin/v1/staff/budi").response.json()["roles"] == [], fewer.text


def test_a_token_is_shown_once_and_refused_after_it_was_revoked(office: Office) -> None:
    operator = office.browser("operator")
    page = operator.open("/console/settings/tokens")
    assert operator.send(page, "Make the token", name="ekspor", days="0", roles=["auditor"]).status == 422
    made = operator.send(page, "Make the token", name="ekspor", days="30", roles=["auditor"])
    secret = _CODE.search(made.text)
    assert secret is not None
    headers = {"Authorization": f"Bearer {secret.group()}"}
    whoami = f"{office.gateway.url}/admin/v1/whoami"
    assert office.gateway.http.get(whoami, headers=headers).json()["roles"] == ["auditor"]
    again = operator.open("/console/settings/tokens")
    assert not _CODE.search(again.html)
    operator.send(again, "Revoke “ekspor”")
    assert office.gateway.http.get(whoami, headers=headers).status_code == 401


def test_a_password_is_set_by_a_secret_and_changed_by_whoever_knows_it(office: Office) -> None:
    told = office.gateway.gapura("staff", "add", "cici", "--name", "Cici", "--role", "author")
    secret = told.split("shown this once:")[1].split()[0]
    cici = office.stranger()
    form = cici.open("/console/enrol")
    typed = {"id": "cici", "secret": secret, "password": NEW_PASSWORD}
    assert cici.send(form, "Set the password", **typed, again="lain").status == 422
    own_id = {**typed, "password": "sandi panjang untuk cici"}
    weak = cici.send(form, "Set the password", **own_id, again=own_id["password"])
    assert (weak.status, "contains the account's id" in weak.text) == (400, True), weak.text
    set_now = cici.send(form, "Set the password", **typed, again=NEW_PASSWORD)
    assert "The password is set: sign in with it." in set_now.text
    assert cici.sign_in("cici", NEW_PASSWORD).status == 200
    page = cici.open("/console/settings/password")
    other = NEW_PASSWORD + " juga"
    wrong = cici.send(page, "Change the password", present="salah besar", new=other, again=other)
    assert wrong.status == 401
    changed = cici.send(page, "Change the password", present=NEW_PASSWORD, new=other, again=other)
    assert "The password was changed" in changed.text
    assert NEW_PASSWORD not in office.gateway.log


def test_keys_and_the_gateway_are_told_with_the_commands_that_rotate_them(office: Office) -> None:
    operator = office.browser("operator")
    keys = operator.open("/console/settings/keys")
    for command in ("gapura keys rotate", "gapura keys rotate-log --overlap-days", "rotate-sector"):
        assert command in keys.html
    told = operator.open("/admin/v1/keys").response.json()
    (receipts,) = office.gateway.http.get(f"{office.gateway.url}/log/keys").json()["receipt_keys"]
    assert [one["kid"] for one in told["receipts"]] == [receipts["kid"]]
    assert receipts["kid"] in keys.html, "as the page of an exchange names it"
    assert told["tokens"][0]["state"] == "signing"
    assert [one["signs"] for one in told["log"]] == [True]
    assert office.gateway.url in operator.open("/console/settings/gateway").text
    published = office.gateway.http.get(f"{office.gateway.url}/log/keys").json()["checkpoint_key"]
    assert operator.open("/admin/v1/gateway").response.json()["checkpoint_keys"] == [published]
