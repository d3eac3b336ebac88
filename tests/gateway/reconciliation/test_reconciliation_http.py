"""The whole story over HTTP: a run through the admin API, eligibility follows, the region works it off."""

from __future__ import annotations

import csv
import json
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select

from gateway.audit.tables import audit_entries
from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.reconciliation.tables import findings
from gateway.registry.personas import persona
from gateway.registry.tables import people
from tests.gateway.staff.office import bearers
from tests.living import LivingGateway

ADMIN = "/admin/v1/reconciliations"
FINDINGS = "/v1/findings"
PURPOSE = "findings-follow-up"
_COLUMNS = ("nik", "full_name", "birth_date", "birth_place", "sex", "mother_name", "region_code")
_WAIT_S = 60


@pytest.fixture(scope="module")
def staff(gateway: LivingGateway) -> dict[str, dict[str, str]]:
    """Headers of an operator and of an auditor."""
    database = Database(gateway.settings.effective_database_url)
    headers = bearers(database, "operator", "auditor")
    database.close()
    return headers


@pytest.fixture(scope="module")
def completed(gateway: LivingGateway, staff: dict[str, dict[str, str]]) -> dict[str, Any]:
    """A run that the API was asked for: two personas have died and one is not in the register."""
    _write_extract(gateway, dead={"eligible", "other_province"}, absent={"undetermined_decile"})
    run = _submit(gateway, staff, "first-submission")
    assert run.status_code == 201, run.text
    again = _submit(gateway, staff, "first-submission")
    assert again.json()["id"] == run.json()["id"]
    until = time.monotonic() + _WAIT_S
    while True:
        answer = gateway.http.get(f"{gateway.url}{ADMIN}/{run.json()['id']}", headers=staff["auditor"])
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        if said["state"] not in {"queued", "running"}:
            assert said["state"] == "completed", said["failure"]
            return said
        assert time.monotonic() < until, said
        time.sleep(0.1)


def _submit(
    gateway: LivingGateway, staff: dict[str, dict[str, str]], key: str, **more: Any
) -> httpx.Response:
    headers = {**staff["operator"], "Idempotency-Key": f'"{key}"'}
    body = {"way": "extract", "extract": "dukcapil.csv", **more}
    return gateway.http.post(gateway.url + ADMIN, headers=headers, json=body)


def _write_extract(gateway: LivingGateway, *, dead: set[str], absent: set[str]) -> None:
    folder = gateway.settings.home / "extracts"
    folder.mkdir(exist_ok=True)
    died, gone = ({persona(key).nik for key in keys} for keys in (dead, absent))
    database = Database(gateway.settings.effective_database_url)
    with database.reading() as connection:
        rows = connection.execute(select(*(people.c[name] for name in _COLUMNS))).all()
    database.close()
    today = civil_day(datetime.now(UTC)).isoformat()
    told = set(gone)
    with (folder / "dukcapil.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*_COLUMNS, "family_card_number", "person_state", "state_since", "as_of"])
        for row in rows:
            if row.nik and len(row.nik) == 16 and row.nik.isdigit() and row.nik not in told:
                told.add(row.nik)
                writer.writerow([*row, "", "deceased" if row.nik in died else "alive", "", today])


def _get(gateway: LivingGateway, consumer: str, **query: Any) -> httpx.Response:
    return gateway.client(consumer).get(f"{FINDINGS}?{urlencode({'purpose': PURPOSE, **query})}")


def _entries(gateway: LivingGateway) -> list[dict[str, Any]]:
    database = Database(gateway.settings.effective_database_url)
    with database.reading() as connection:
        texts = connection.execute(select(audit_entries.c.entry).order_by(audit_entries.c.sequence)).scalars()
        said = [json.loads(text) for text in texts]
    database.close()
    return said


def _acts(gateway: LivingGateway, name: str) -> list[dict[str, Any]]:
    return [one for one in _entries(gateway) if one.get("act") == name]


def _answer_with_key(gateway: LivingGateway, path: str, report: dict[str, Any]) -> httpx.Response:
    proven = gateway.client("dinsos-jatim").credentials("POST", path)
    headers = {**proven, "Idempotency-Key": '"the-answer-to-this"'}
    return gateway.http.post(gateway.url + path, json=report, headers=headers)


def _finding_of(gateway: LivingGateway, key: str) -> UUID:
    database = Database(gateway.settings.effective_database_url)
    with database.reading() as connection:
        found: UUID = connection.execute(
            select(findings.c.id)
            .join(people, people.c.id == findings.c.person_id)
            .where(people.c.nik == persona(key).nik)
        ).scalar_one()
    database.close()
    return found


def test_a_run_through_the_api_tells_its_progress_and_its_report(
    gateway: LivingGateway, staff: dict[str, dict[str, str]], completed: dict[str, Any]
) -> None:
    assert completed["checked"] == completed["people"] == sum(completed["statuses"].values())
    assert completed["statuses"]["deceased"] == 2
    assert completed["rate_per_s"] > 0
    assert completed["submitted_by"].startswith("the.operator@token:")
    report = gateway.http.get(f"{gateway.url}{ADMIN}/{completed['id']}/report", headers=staff["auditor"])
    assert report.json()["regions"]["32.73"]["statuses"]["deceased"] == 1
    acts = [one for one in _entries(gateway) if one["kind"] == "act" and "reconciliation" in one["act"]]
    assert [(one["act"], one["actor"].split("@")[0]) for one in acts] == [
        ("reconciliation.submitted", "the.operator"),
        ("reconciliation.completed", "reconciliation"),
    ]


@pytest.mark.usefixtures("completed")
def test_whoever_was_found_dead_is_ineligible_and_the_unmatched_unknown_from_the_next_request(
    gateway: LivingGateway,
) -> None:
    question = {"purpose": "pbi-jk-eligibility", "programme": "PBI-JK"}
    keys = ("eligible", "undetermined_decile")
    subjects = [{"ref": key, "nik": persona(key).nik} for key in keys]
    answer = gateway.post("bpjs-kesehatan", "/v1/eligibility", {**question, "subjects": subjects})
    dead, unmatched = answer.json()["results"]
    assert (dead["decision"], dead["clauses"]["alive"]) == ("ineligible", "no")
    assert (unmatched["decision"], unmatched["clauses"]["identity_matched"]) == ("unknown", "unknown")


@pytest.mark.usefixtures("completed")
def test_a_region_fetches_its_own_findings_page_by_page_and_no_other(gateway: LivingGateway) -> None:
    whole = _get(gateway, "dinsos-jatim", limit=500)
    assert whole.status_code == 200, whole.text
    told = whole.json()["findings"]
    assert {one["region"][:2] for one in told} == {"35"}
    own = next(one for one in told if one["id"] == str(_finding_of(gateway, "eligible")))
    assert (own["kind"], own["state"]) == ("enrolled_but_deceased", "open") or own["kind"] == "deceased"
    assert own["person"]["values"]["full_name"] == "SULASTRI CONTOH"
    assert "nik" not in own["person"]["values"]
    assert persona("eligible").nik not in whole.text
    assert str(_finding_of(gateway, "other_province")) not in whole.text

    paged: list[str] = []
    following: dict[str, Any] = {}
    while True:
        page = _get(gateway, "dinsos-jatim", limit=2, **following).json()
        paged += [one["id"] for one in page["findings"]]
        if "next" not in page:
            break
        following = {"after": page["next"]}
    assert paged == [one["id"] for one in told]
    again = _get(gateway, "dinsos-jatim", limit=500).json()["findings"]
    assert {one["state"] for one in again} == {"sent"}


@pytest.mark.usefixtures("completed")
def test_another_regions_findings_are_refused_and_the_attempt_is_on_record(gateway: LivingGateway) -> None:
    foreign = _finding_of(gateway, "other_province")
    report = {"purpose": PURPOSE, "answer": "confirmed"}
    attempts = [
        _get(gateway, "dinsos-jatim", region="32.73"),
        gateway.post("dinsos-jatim", f"{FINDINGS}/{foreign}/answer", report),
        gateway.post("dinsos-jatim", f"{FINDINGS}/{uuid4()}/answer", report),
    ]
    for attempt in attempts:
        assert (attempt.status_code, attempt.json()["code"]) == (403, "finding_not_covered")
    refused = {attempt.json()["exchange_id"] for attempt in attempts}
    entries = {one["exchange_id"]: one for one in _entries(gateway) if one.get("exchange_id") in refused}
    assert entries.keys() == refused
    assert {one["reason"] for one in entries.values()} == {"finding_not_covered"}
    assert {one["consumer"] for one in entries.values()} == {"dinsos-jatim"}


@pytest.mark.usefixtures("completed")
def test_a_region_says_what_became_of_a_finding_and_that_is_on_record(gateway: LivingGateway) -> None:
    own = _finding_of(gateway, "eligible")
    report = {"purpose": PURPOSE, "answer": "confirmed", "reference": "460/112/2026"}
    answer = gateway.post("dinsos-jatim", f"{FINDINGS}/{own}/answer", report)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["finding"]["state"], answer.json()["finding"]["answer"]) == (
        "answered",
        "confirmed",
    )
    act = next(one for one in _entries(gateway) if one.get("act") == "finding.answered")
    assert (act["actor"], act["object"], act["reason"]) == ("dinsos-jatim", f"finding/{own}", "460/112/2026")
    before = len(_acts(gateway, "finding.answered"))
    first, second = (_answer_with_key(gateway, f"{FINDINGS}/{own}/answer", report) for _ in range(2))
    assert (first.status_code, second.headers["idempotency-replayed"]) == (200, "?1")
    assert (second.content, second.headers["gapura-receipt"]) == (
        first.content,
        first.headers["gapura-receipt"],
    )
    assert len(_acts(gateway, "finding.answered")) == before + 1
    malformed = gateway.post(
        "dinsos-jatim", f"{FINDINGS}/{own}/answer", {**report, "reference": persona("eligible").nik}
    )
    assert malformed.status_code == 422


@pytest.mark.usefixtures("completed")
def test_whoever_has_no_agreement_for_findings_gets_none(gateway: LivingGateway) -> None:
    answer = gateway.client("bpjs-kesehatan").get(f"{FINDINGS}?purpose=pbi-jk-eligibility")
    assert (answer.status_code, answer.json()["code"]) == (403, "operation_not_covered")


@pytest.mark.usefixtures("completed")
def test_only_operators_act_on_runs_and_what_is_over_stays_over(
    gateway: LivingGateway, staff: dict[str, dict[str, str]], completed: dict[str, Any]
) -> None:
    refused = gateway.http.post(
        gateway.url + ADMIN,
        headers={**staff["auditor"], "Idempotency-Key": '"another-key"'},
        json={"way": "live"},
    )
    assert (refused.status_code, refused.json()["code"]) == (403, "role_missing")
    paused = gateway.http.post(
        f"{gateway.url}{ADMIN}/{completed['id']}/pause", headers=staff["operator"], json={"reason": "uji"}
    )
    assert paused.status_code == 409
    outside = _submit(gateway, staff, "a-third-key", extract="..")
    assert outside.status_code == 422
    assert _submit(gateway, staff, "a-fourth-key", extract="nothing.csv").status_code == 404
    assert gateway.http.post(gateway.url + ADMIN, headers=staff["operator"], json={}).status_code == 422
    other_order = _submit(gateway, staff, "first-submission", region="35")
    assert (other_order.status_code, other_order.json()["code"]) == (422, "idempotency_key_reused")
    without = gateway.http.post(gateway.url + ADMIN, headers=staff["operator"], json={"way": "live"})
    assert (without.status_code, without.json()["code"]) == (400, "idempotency_key_missing")
