"""What staff see of runs and findings through the admin API, and how they follow findings up."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from gateway.api import problems
from gateway.api.admin.findings import finding_router
from gateway.api.admin.reconciliations import reconciliation_router
from gateway.api.admin.session import session_router
from gateway.api.wire import MEMBER_NAMES
from gateway.audit.log import AuditLog
from gateway.cli import app
from gateway.database import Database
from gateway.errors import NotFound
from gateway.limits.ledger import LimitLedger
from gateway.reconciliation.alone import alone
from gateway.reconciliation.extract_folder import ExtractFolder
from gateway.reconciliation.opening import Reconciling, open_reconciling
from gateway.reconciliation.runs import Run
from gateway.registry.connector import RegistryConnector
from gateway.staff.roles import INSTALLATION, Role
from policies.pseudonym import SectorKeys
from tests.gateway.reconciliation.bureau import LOST, REASON, RIGHT, Bureau
from tests.gateway.reconciliation.registry import (
    TODAY,
    carried_out_at_once,
    crowd,
    now,
    settle,
    submitted,
    write_extract,
)
from tests.gateway.staff.office import PASSWORD, InProcess, Office

RUNS, FINDINGS = "/admin/v1/reconciliations", "/admin/v1/findings"
EVERYBODY = crowd(60)
_WHY = {"reason": REASON}


class Desk:
    """Staff over a registry of sixty people, compared once, and the routes they use."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.office, self.database, self.folder = Office(database, folder), database, folder
        settle(database, EVERYBODY)
        self.first = self.carry_out()
        roles: dict[str, Role] = {"ani": "operator", "citra": "auditor", "dewi": "author"}
        for staff_id, role in roles.items():
            self.office.hire(staff_id, role)
        self.served = FastAPI()
        problems.install(self.served, MEMBER_NAMES)
        check = self.office.desk.check
        for router in (
            session_router(self.office.desk),
            reconciliation_router(self.reconciling(), check, now),
            finding_router(self.reconciling(), check, now),
        ):
            self.served.include_router(router)

    def reconciling(self) -> Reconciling:
        async def no_sector_keys(_sector: str) -> SectorKeys:
            raise AssertionError("no pseudonym is made here")

        return open_reconciling(
            self.office.settings,
            self.database,
            RegistryConnector(self.database),
            no_sector_keys,
            AuditLog(self.database),
            LimitLedger(self.database, Bureau(self.database, self.folder).hasher, now),
            self.office.keys,
            now,
        )

    def carry_out(self, *, all_well: bool = False) -> Run:
        extract = write_extract(self.folder / "extract.csv", EVERYBODY, all_well=all_well)
        run = submitted(self.database, extract)
        return carried_out_at_once(self.database, self.folder, run)

    def signed_in(self, staff_id: str) -> httpx.Client:
        browser = httpx.Client(
            transport=InProcess(self.served),
            base_url=self.office.origin,
            headers={"Accept-Language": "en"},
        )
        answer = browser.post("/admin/v1/session", json={"id": staff_id, "password": PASSWORD})
        browser.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        return browser


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path)


def _pages(browser: httpx.Client, path: str, members: str) -> Iterator[list[dict[str, Any]]]:
    after = ""
    while after is not None:
        page = browser.get(path + (f"&after={after}" if after else "")).json()
        yield page[members]
        after = page["next"]


def test_findings_are_listed_and_counted_by_region_kind_state_run_and_person(desk: Desk) -> None:
    auditor = desk.signed_in("citra")

    def total(query: str) -> int:
        answer = auditor.get(f"{FINDINGS}?{query}")
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        assert len(said["findings"]) == min(said["total"], 200)
        return int(said["total"])

    assert total("limit=200") == 30
    assert total("limit=200&region=32") == total("limit=200&region=32.73") == 10
    assert total("limit=200&region=35.78") == 20
    assert total("limit=200&kind=moved") == 6
    assert total("limit=200&state=open&state=sent") == 30
    assert total("limit=200&state=closed") == 0
    assert total(f"limit=200&run={desk.first.id}") == 30
    assert total(f"limit=200&run={uuid4()}") == 0
    assert total(f"limit=200&person_id={EVERYBODY[1].id}") == 1
    paged = [one["id"] for page in _pages(auditor, f"{FINDINGS}?limit=8", "findings") for one in page]
    assert paged == sorted(set(paged))
    assert len(paged) == 30
    counted = auditor.get(f"{FINDINGS}/counts").json()
    assert counted["total"] == 30
    assert [(one["region"], one["open"], one["closed"]) for one in counted["regions"]] == [
        ("32.73", 10, 0),
        ("35.78", 20, 0),
    ]
    of_one = auditor.get(f"{FINDINGS}/counts?region=32").json()
    assert [one["region"] for one in of_one["regions"]] == ["32.73"]
    whole = auditor.get(f"{FINDINGS}?limit=200").text
    assert not any(one.row["nik"] in whole or one.row["full_name"] in whole for one in EVERYBODY)


def test_a_finding_tells_its_steps_and_what_runs_made_of_the_person(desk: Desk) -> None:
    operator = desk.signed_in("ani")
    (found,) = operator.get(f"{FINDINGS}?person_id={EVERYBODY[1].id}").json()["findings"]
    at = f"{FINDINGS}/{found['id']}"
    answer = {"answer": "confirmed", "reference": "460/112/2026", **_WHY}
    said = operator.post(f"{at}/answer", json=answer)
    assert (said.status_code, said.json()["state"], said.json()["answered_by"]) == (200, "answered", "ani")
    desk.carry_out(all_well=True)
    told = operator.get(at).json()
    steps = [(one["state"], one["by"], one["answer"], one["reason"]) for one in told["history"]]
    assert steps == [
        ("open", None, None, None),
        ("answered", "ani", "confirmed", REASON),
        ("closed", None, None, None),
    ]
    assert told["history"][-1]["run_id"] == told["closed_run"] != told["opened_run"]
    assert [(one["before"], one["after"]) for one in told["statuses"]] == [
        (None, "deceased"),
        ("deceased", "matched"),
    ]
    again = operator.post(f"{at}/answer", json=answer)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert operator.get(f"{FINDINGS}/{uuid4()}").status_code == 404


def test_only_an_operator_answers_and_closes_and_that_is_on_record(desk: Desk) -> None:
    auditor, operator, author = (desk.signed_in(one) for one in ("citra", "ani", "dewi"))
    (found,) = operator.get(f"{FINDINGS}?person_id={EVERYBODY[2].id}").json()["findings"]
    at = f"{FINDINGS}/{found['id']}"
    assert author.get(at).status_code == author.get(FINDINGS).status_code == 403
    for path, body in (("answer", {"answer": "not_so", **_WHY}), ("close", _WHY)):
        assert auditor.post(f"{at}/{path}", json=body).json()["code"] == "role_missing"
    assert operator.post(f"{at}/close", json={}).status_code == 422
    closed = operator.post(f"{at}/close", json=_WHY)
    assert (closed.status_code, closed.json()["state"]) == (200, "closed")
    assert [one["state"] for one in operator.get(at).json()["history"]] == ["open", "closed"]
    (act,) = desk.office.acts("finding.closed")
    assert (act["actor"], act["object"], act["reason"]) == ("ani", f"finding/{found['id']}", REASON)


def test_a_malformed_answer_is_told_the_words_that_there_are(desk: Desk) -> None:
    operator = desk.signed_in("ani")
    said = operator.post(f"{FINDINGS}/{uuid4()}/answer", json={"answer": "maybe", **_WHY}).text
    for word in ("confirmed", "corrected", "not_so", "not_found", "in_progress"):
        assert word in said
    kinds = operator.get(f"{FINDINGS}?kind=nothing").json()["errors"][0]
    assert "enrolled_but_deceased" in kinds["expected"]
    limit = operator.get(f"{FINDINGS}?limit=0").json()["errors"][0]
    assert limit["expected"] == "a number, at least 1"
    assert limit["got"] is None  # a text, as all that an address says
    nik = {"answer": "confirmed", "reference": EVERYBODY[1].row["nik"], **_WHY}
    refused = operator.post(f"{FINDINGS}/{uuid4()}/answer", json=nik)
    assert refused.status_code == 422
    assert EVERYBODY[1].row["nik"] not in refused.text


def test_a_work_list_goes_to_an_operator_in_person_holds_that_regency_alone_and_counts_as_sent(
    desk: Desk,
) -> None:
    order = {"region": "32.73", **_WHY}
    assert desk.signed_in("citra").post(f"{FINDINGS}/export", json=order).status_code == 403
    operator = desk.signed_in("ani")
    made = operator.post(f"{FINDINGS}/export", json=order)
    assert made.status_code == 200, made.text
    assert made.headers["content-disposition"] == 'attachment; filename="findings-32.73.csv"'
    rows = list(csv.DictReader(io.StringIO(made.text)))
    theirs = {one.row["nik"] for one in EVERYBODY if one.region.startswith("32.73")}
    assert len(rows) == 10
    assert {row["nik"] for row in rows} <= theirs
    schema = operator.get(f"{FINDINGS}/export/schema").json()
    assert [column["name"] for column in schema["fields"]] == list(rows[0])
    (act,) = desk.office.acts("findings.exported")
    assert (act["actor"], act["object"], act["findings"]) == ("ani", "region/32.73", 10)
    sent = operator.get(f"{FINDINGS}?state=sent&limit=200").json()
    assert (sent["total"], {one["region"] for one in sent["findings"]}) == (10, {"32.73"})
    history = operator.get(f"{FINDINGS}/{sent['findings'][0]['id']}").json()["history"]
    assert [one["state"] for one in history] == ["open", "sent"]
    nobody = operator.post(f"{FINDINGS}/export", json={"region": "99.99", **_WHY})
    assert nobody.status_code == 400


def test_a_run_is_told_by_region_beside_the_run_before_and_with_its_report(desk: Desk) -> None:
    auditor = desk.signed_in("citra")
    alone_told = auditor.get(f"{RUNS}/{desk.first.id}/regions").json()
    assert (alone_told["run_before"], alone_told["match_rate_before"]) == (None, None)
    last = desk.carry_out(all_well=True)
    told = auditor.get(f"{RUNS}/{last.id}/regions").json()
    assert (told["run_before"], told["match_rate"]) == (str(desk.first.id), 1.0)
    bandung, surabaya = told["regions"]
    assert (bandung["code"], bandung["people"], surabaya["code"], surabaya["people"]) == (
        *("32.73", 20),
        *("35.78", 40),
    )
    assert (surabaya["match_rate"], surabaya["statuses"]) == (1.0, {"matched": 40})
    before = {region["code"]: region for region in alone_told["regions"]}["35.78"]
    assert surabaya["match_rate_before"] == before["match_rate"] < 1
    assert surabaya["statuses_before"] == before["statuses"]
    assert told["labels"]["matched"]["en"] == "matched"
    report = auditor.get(f"{RUNS}/{last.id}/report").json()
    assert (report["run_before"], report["statuses"]) == (str(desk.first.id), {"matched": 60})
    assert report["findings"]["closed"] == 30
    assert report["quality"]["35"]["people"] == 40
    assert auditor.get(f"{RUNS}/{uuid4()}/regions").status_code == 404


def test_runs_are_listed_newest_first_and_say_whether_anybody_is_at_them(desk: Desk) -> None:
    auditor = desk.signed_in("citra")
    waiting = submitted(desk.database, desk.folder / "extract.csv")
    pages = list(_pages(auditor, f"{RUNS}?limit=1", "reconciliations"))
    assert [one["id"] for page in pages for one in page].count(str(waiting.id)) == 1
    assert auditor.get(RUNS).json()["total"] == 2
    assert auditor.get(f"{RUNS}?after={uuid4()}").status_code == 404
    at = f"{RUNS}/{waiting.id}"
    assert [auditor.get(at).json()[name] for name in ("state", "worked_on")] == ["queued", False]
    with alone(desk.database) as held:
        assert held is not None
        assert auditor.get(at).json()["worked_on"] is True
    assert auditor.get(at).json()["worked_on"] is False
    assert auditor.get(f"{at}/report").status_code == 404
    done = auditor.get(f"{RUNS}/{desk.first.id}").json()
    assert (done["checked"], done["people"], done["submitted_by"]) == (60, 60, INSTALLATION.actor)
    assert (done["as_of"], done["accepted_by_rule"], done["worked_on"]) == (TODAY.isoformat(), 0, False)


def test_the_extracts_of_the_home_folder_are_told_by_name_and_no_other_file_can_be_named(
    tmp_path: Path,
) -> None:
    folder = ExtractFolder(tmp_path / "extracts")
    assert folder.all() == []
    (folder.path / "november").mkdir(parents=True)
    (folder.path / "november" / "part-1.csv").write_bytes(b"123")
    (folder.path / "november" / "part-2.csv").write_bytes(b"45")
    for name in ("october.csv", ".hidden", "dua kata.csv"):
        (folder.path / name).write_bytes(b"1")
    (folder.path / "gone.csv").symlink_to(tmp_path / "nowhere")
    for path in (folder.path / "november", *folder.path.rglob("part-*")):
        os.utime(path, (2e9, 2e9))
    november, october = folder.all()
    assert (november.name, november.kind, november.files, november.bytes) == ("november", "folder", 2, 5)
    assert (october.name, october.kind, october.files, october.bytes) == ("october.csv", "file", 1, 1)
    assert folder.path_of("october.csv") == str(folder.path / "october.csv")
    (tmp_path / "secret").write_bytes(b"")
    for name in ("september.csv", "../secret", "..", ""):
        with pytest.raises(NotFound):
            folder.path_of(name)


def test_the_commands_tell_totals_and_whether_anybody_is_at_a_run(desk: Desk) -> None:
    url = desk.database.engine.url.render_as_string(hide_password=False)
    environment = {"GAPURA_HOME": str(desk.folder), "GAPURA_DATABASE_URL": url}

    def gapura(*words: str) -> str:
        result = CliRunner().invoke(app, ["reconcile", *words], env=environment)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.stdout

    assert "nobody" not in gapura("status", str(desk.first.id))
    waiting = submitted(desk.database, desk.folder / "extract.csv")
    assert "queued, nobody is at it" in gapura("status")
    assert f"gapura reconcile dukcapil --resume {waiting.id}" in gapura("status", str(waiting.id))
    with alone(desk.database) as held:
        assert held is not None
        assert "nobody" not in gapura("status") + gapura("status", str(waiting.id)).lower()
    everywhere, here = gapura("findings").split(), gapura("findings", "--region", "32").split()
    assert everywhere[everywhere.index("total", 7) :] == ["total", "30", "0", "0", "0", "30"]
    assert ("35.78" in everywhere, "35.78" in here, here[-1]) == (True, False, "10")
    made = gapura("export", "32.73", "--reason", REASON, "--folder", str(desk.folder / "out"))
    assert made.startswith("10 findings of 32.73")
    file = desk.folder / "out" / "findings-32.73.csv"
    assert (file.stat().st_mode & 0o777, len(file.read_text().splitlines())) == (0o600, 11)


def test_what_a_rule_accepted_is_told_of_the_run(database: Database, tmp_path: Path) -> None:
    bureau = Bureau(database, tmp_path)
    bureau.settle(LOST)
    for staff_id, role in (("ani", "operator"), ("budi", "approver")):
        bureau.office.hire(staff_id, role)  # type: ignore[arg-type] # the words are roles
    ani, budi = (bureau.office.sign_in(one).session.staff for one in ("ani", "budi"))
    rule = bureau.rules.set(ani, 0.99, 5, REASON)
    bureau.rules.approve(budi, rule.id, REASON)
    run = bureau.run(proposed={LOST: RIGHT[LOST]})
    assert run.accepted_by_rule == 1
    assert run.report is not None
    assert run.report["accepted_by_rule"] == 1
