"""Likely persons through the admin API and on the command line, with what each shows and refuses."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update
from typer.testing import CliRunner, Result

from gateway.api import problems
from gateway.api.admin.likely_persons import likely_person_router
from gateway.api.admin.session import session_router
from gateway.api.wire import MEMBER_NAMES
from gateway.cli import app
from gateway.database import Database
from gateway.errors import BadInput, RoleMissing
from gateway.reconciliation.tables import likely_persons
from gateway.staff.roles import Role
from tests.gateway.reconciliation.bureau import CROWD, LOST, OTHER, REASON, RIGHT, WRONG, Bureau
from tests.gateway.staff.office import PASSWORD, InProcess

_AT = "/admin/v1/reconciliations"
_WHY = {"reason": REASON}


@pytest.fixture
def bureau(database: Database, tmp_path: Path) -> Bureau:
    bureau = Bureau(database, tmp_path)
    bureau.settle(LOST, OTHER)
    bureau.run()
    roles: dict[str, Role] = {"ani": "operator", "budi": "approver", "citra": "auditor", "dewi": "author"}
    for staff_id, role in roles.items():
        bureau.office.hire(staff_id, role)
    return bureau


def _signed_in(bureau: Bureau, staff_id: str) -> httpx.Client:
    served = FastAPI()
    problems.install(served, MEMBER_NAMES)
    check = bureau.office.desk.check
    for router in (
        session_router(bureau.office.desk),
        likely_person_router(bureau.likely, bureau.rules, check),
    ):
        served.include_router(router)
    browser = httpx.Client(transport=InProcess(served), base_url=bureau.office.origin)
    answer = browser.post("/admin/v1/session", json={"id": staff_id, "password": PASSWORD})
    browser.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return browser


def test_the_queue_is_paged_and_a_persons_candidates_come_with_reasons_and_without_a_nik(
    bureau: Bureau,
) -> None:
    auditor = _signed_in(bureau, "citra")
    first = auditor.get(f"{_AT}/likely-persons?limit=1").json()
    second = auditor.get(f"{_AT}/likely-persons?limit=1&after={first['next']}").json()
    last = auditor.get(f"{_AT}/likely-persons?limit=1&after={second['next']}").json()
    told = {one["person_id"] for page in (first, second) for one in page["people"]}
    assert told == {str(CROWD[LOST].id), str(CROWD[OTHER].id)}
    assert (last["people"], last["next"]) == ([], None)
    of_bandung = auditor.get(f"{_AT}/likely-persons?region=32.73").json()["people"]
    assert [one["person_id"] for one in of_bandung] == [str(CROWD[LOST].id)]

    answer = auditor.get(f"{_AT}/likely-persons/{CROWD[LOST].id}")
    (candidate,) = answer.json()["candidates"]
    assert candidate["reasons"][0]["words"] == {"id": "sama", "en": "same"}
    assert (candidate["state"], candidate["probability"]) == ("proposed", 0.995)
    assert not any(nik in answer.text for nik in (*RIGHT.values(), *WRONG.values()))
    assert auditor.get(f"{_AT}/likely-persons/{CROWD[0].id}").status_code == 404
    assert _signed_in(bureau, "dewi").get(f"{_AT}/likely-persons").status_code == 403


def test_the_queue_begins_with_the_most_probable_and_goes_on_behind_whoever_was_decided_about(
    bureau: Bureau,
) -> None:
    lost, other = (str(CROWD[number].id) for number in (LOST, OTHER))
    with bureau.database.unit_of_work() as connection:
        of_other = likely_persons.c.person_id == CROWD[OTHER].id
        connection.execute(update(likely_persons).where(of_other).values(probability=0.3))
    operator = _signed_in(bureau, "ani")

    def people(query: str) -> list[str]:
        answer = operator.get(f"{_AT}/likely-persons{query}").json()
        return [one["person_id"] for one in answer["people"]]

    assert people("") == [lost, other]
    assert people(f"?limit=1&after={lost}") == [other]
    assert people("?least=0.3") == [lost, other]
    assert people("?least=0.31") == [lost]
    operator.post(f"{_AT}/candidates/{bureau.candidate(LOST).id}/refuse", json=_WHY)
    assert people("") == people(f"?after={lost}") == [other]
    assert operator.get(f"{_AT}/likely-persons?after={CROWD[0].id}").status_code == 404


def test_an_operator_who_is_signed_in_accepts_and_refuses(bureau: Bureau) -> None:
    accepted, refused = (bureau.candidate(number).id for number in (LOST, OTHER))
    auditor = _signed_in(bureau, "citra")
    assert auditor.post(f"{_AT}/candidates/{accepted}/accept", json=_WHY).status_code == 403
    assert bureau.nik(LOST) == WRONG[LOST]

    operator = _signed_in(bureau, "ani")
    done = operator.post(f"{_AT}/candidates/{accepted}/accept", json=_WHY)
    assert (done.status_code, done.json()["state"], done.json()["decided_by"]) == (200, "accepted", "ani")
    assert operator.post(f"{_AT}/candidates/{refused}/refuse", json=_WHY).json()["state"] == "refused"
    again = operator.post(f"{_AT}/candidates/{accepted}/accept", json=_WHY)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert (bureau.nik(LOST), bureau.nik(OTHER)) == (RIGHT[LOST], WRONG[OTHER])
    assert operator.get(f"{_AT}/likely-persons").json() == {"people": [], "next": None}


def test_a_rule_is_set_by_an_operator_and_approved_by_an_approver(bureau: Bureau) -> None:
    operator, approver = _signed_in(bureau, "ani"), _signed_in(bureau, "budi")
    form = {"least_probability": 0.99, "least_agreeing": 5, **_WHY}
    made = operator.post(f"{_AT}/acceptance-rules", json=form)
    assert (made.status_code, made.json()["state"]) == (201, "set")
    rule = f"{_AT}/acceptance-rules/{made.json()['id']}"
    assert operator.post(f"{rule}/approve", json=_WHY).status_code == 403
    assert approver.post(f"{rule}/approve", json=_WHY).json()["state"] == "active"
    assert operator.post(f"{rule}/end", json=_WHY).json()["ended_by"] == "ani"
    assert [one["state"] for one in approver.get(f"{_AT}/acceptance-rules").json()["rules"]] == ["ended"]
    assert operator.post(f"{_AT}/acceptance-rules", json={**form, "least_agreeing": 1}).status_code == 422


def test_the_commands_show_decide_and_set_rules(bureau: Bureau) -> None:
    environment = {
        "GAPURA_HOME": str(bureau.folder),
        "GAPURA_DATABASE_URL": bureau.database.engine.url.render_as_string(hide_password=False),
    }

    def gapura(*words: str, refused_as: type[Exception] | None = None) -> Result:
        result = CliRunner().invoke(app, ["reconcile", *words], env=environment)
        if refused_as is None:
            assert result.exit_code == 0, (result.output, result.exception)
        else:
            assert isinstance(result.exception, refused_as), (result.output, result.exception)
        return result

    accepted, refused = (str(bureau.candidate(number).id) for number in (LOST, OTHER))
    assert str(CROWD[LOST].id) in gapura("candidates", "--region", "32.73").stdout
    shown = gapura("candidates", str(CROWD[LOST].id)).stdout
    assert "sama / same" in shown
    assert accepted in shown
    assert RIGHT[LOST] not in shown
    gapura("accept", accepted, "--as", "budi", "--reason", REASON, refused_as=RoleMissing)
    gapura("accept", accepted, "--as", "ani", "--reason", REASON)
    gapura("refuse", refused, "--as", "ani", "--reason", REASON)
    assert (bureau.nik(LOST), bureau.nik(OTHER)) == (RIGHT[LOST], WRONG[OTHER])

    least = ("--least-probability", "0.99", "--least-agreeing", "5")
    slips = gapura("rules", "set", "--least-probability", "0.5", "--least-agreeing", "9", refused_as=BadInput)
    for option in ("--least-probability", "--least-agreeing", "--reason", "--as"):
        assert f"{option}: expected" in str(slips.exception)
    rule = gapura("rules", "set", *least, "--as", "ani", "--reason", REASON).stdout.split()[0]
    gapura("rules", "approve", rule, "--as", "ani", "--reason", REASON, refused_as=RoleMissing)
    assert "active" in gapura("rules", "approve", rule, "--as", "budi", "--reason", REASON).stdout
    assert "ended" in gapura("rules", "end", rule, "--as", "ani", "--reason", REASON).stdout
    assert rule in gapura("rules", "list").stdout
    assert [act["actor"] for act in bureau.acts("likely_person.accepted")] == ["ani@console"]
