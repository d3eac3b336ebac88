"""The admin API of policies over its own wire: ETags, conditions, differences in words, and roles."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel

from gateway.agreements.lifecycle import ACTS, ROLES_FOR
from gateway.api import problems
from gateway.api.admin import policies, policy_forms
from gateway.api.admin.documentation import MEMBER_NAMES
from gateway.api.admin.session import session_router
from gateway.staff.roles import INSTALLATION, ROLES
from tests.gateway.agreements.bureau import NAME, SHIPPED, Bureau, narrower, wider
from tests.gateway.staff.office import Office
from tests.policies.test_mistakes import HURRIED

POLICY = f"/admin/v1/policies/agreement/{NAME}"
STAFF = {"ani": ("author",), "budi": ("author", "approver"), "oka": ("approver",), "oda": ("operator",)}
CASE = """\
people:
  bu Wati:
    sex: P
    region: "35.78.01.1001"

cases:
  - case: {id: kasus baru, en: a new case}
    on: 2026-03-02
    person: bu Wati
    request: {operation: records}
    expect: {denied: operation_not_covered}
"""


class Desk(Office):
    """An office whose staff make policies."""

    def app(self) -> FastAPI:
        app = FastAPI()
        problems.install(app, MEMBER_NAMES)
        app.include_router(session_router(self.desk))
        app.include_router(policies.policy_router(self.bureau.store, self.desk.check, self.clock))
        return app

    bureau: Bureau


@pytest.fixture
def desk(bureau: Bureau, tmp_path: Path) -> Desk:
    opened = Desk(bureau.database, tmp_path)
    opened.bureau = bureau
    for staff_id, roles in STAFF.items():
        opened.hire(staff_id, *roles)  # type: ignore[arg-type]
    return opened


def _form(texts: tuple[bytes, bytes], **more: str) -> dict[str, str]:
    return {"text": texts[0].decode(), "cases": texts[1].decode(), **more}


def _draft(browser: httpx.Client, texts: tuple[bytes, bytes]) -> httpx.Response:
    answer = browser.post(f"{POLICY}/drafts", json=_form(texts))
    assert answer.status_code == 201, answer.text
    return answer


def _act(browser: httpx.Client, act: str, seen: httpx.Response, reason: str = "") -> httpx.Response:
    path = f"{POLICY}/versions/{seen.json()['version']}/acts/{act}"
    return browser.post(path, json={"reason": reason}, headers={"If-Match": seen.headers["etag"]})


def test_a_draft_tells_what_it_changes_and_what_each_of_us_may_do(desk: Desk) -> None:
    ani, oka = desk.signed_in("ani"), desk.signed_in("oka")
    made = _draft(ani, wider())
    assert made.headers["location"] == f"{POLICY}/versions/2"
    told = made.json()
    assert (told["state"], told["problems"], told["text"]) == ("draft", [], wider()[0].decode())
    assert (told["difference"]["against"], told["difference"]["direction"]) == (1, "widening")
    (clause,) = told["difference"]["items"]
    assert (clause["path"], clause["way"]) == ("fields.birth_date", "wider")
    assert "tanggal lahir" in clause["words"]["id"]
    assert "only as year and month" in clause["words"]["en"]
    acts = {act["act"]: [one["code"] for one in act["unmet"]] for act in told["acts"]}
    assert acts == {"edit": [], "submit": [], "discard": [], "activate": ["widening_needs_approval"]}
    seen = oka.get(f"{POLICY}/versions/2")
    assert seen.headers["etag"] == made.headers["etag"] == f'"{told["etag"]}"'
    acts = {act["act"]: [one["code"] for one in act["unmet"]] for act in seen.json()["acts"]}
    assert acts["edit"] == acts["submit"] == ["role_missing"]


def test_a_change_widens_by_two_people_and_the_refusal_says_who_can_help(desk: Desk) -> None:
    budi, oka = desk.signed_in("budi"), desk.signed_in("oka")
    seen = _act(budi, "submit", _draft(budi, wider()))
    refused = _act(budi, "approve", seen)
    assert (refused.status_code, refused.headers["content-type"]) == (409, "application/problem+json")
    problem = refused.json()
    assert problem["code"] == "conditions_unmet"
    assert [one["code"] for one in problem["unmet"]] == ["second_person"]
    assert set(problem["unmet"][0]["who"]) == {"id", "en"}
    approved = _act(oka, "approve", seen)
    assert (approved.status_code, approved.json()["approver"]) == (200, "oka")
    assert _act(budi, "activate", approved).json()["state"] == "active"
    detail = budi.get(POLICY).json()
    assert (detail["in_force"], detail["open_version"]) == (2, None)
    assert [(v["version"], v["state"]) for v in detail["versions"]] == [(2, "active"), (1, "superseded")]
    assert [done["act"] for done in detail["history"]][:4] == ["activate", "approve", "submit", "edit"]


def test_an_api_token_neither_approves_nor_reopens_but_closes(desk: Desk) -> None:
    ani, oka = desk.signed_in("ani"), desk.signed_in("oka")
    robot = desk.browser()
    secret = desk.desk.tokens.add(INSTALLATION, "oka", name="nightly", roles=frozenset({"approver"}), days=1)[
        1
    ]
    robot.headers["Authorization"] = f"Bearer {secret}"
    submitted = _act(ani, "submit", _draft(ani, wider()))
    refused = _act(robot, "approve", submitted)
    assert (refused.status_code, [one["code"] for one in refused.json()["unmet"]]) == (409, ["person_needed"])
    approved = _act(oka, "approve", submitted)
    refused = _act(robot, "activate", approved)
    assert [one["code"] for one in refused.json()["unmet"]] == ["person_needed"]
    active = _act(ani, "activate", approved)
    suspended = _act(robot, "suspend", active, reason="surat 12/PDK/2026")
    assert suspended.status_code == 200
    refused = _act(robot, "resume", suspended, reason="over")
    assert [one["code"] for one in refused.json()["unmet"]] == ["second_person", "person_needed"]


def test_a_suspension_names_since_when_why_and_who_can_end_it(desk: Desk) -> None:
    oda = desk.signed_in("oda")
    suspended = _act(oda, "suspend", oda.get(f"{POLICY}/versions/1"), reason="surat 12/PDK/2026").json()
    assert suspended["resumable_by"] == ["budi", "oka"]
    assert suspended["reason"] == "surat 12/PDK/2026"
    listed = oda.get("/admin/v1/policies", params={"kind": "agreement"}).json()["policies"]
    told = {one["name"]: (one["suspended_since"], one["suspended_for"]) for one in listed}
    assert told[NAME] == (suspended["changed_at"], "surat 12/PDK/2026")
    assert {told[name] for name in told if name != NAME} == {(None, None)}
    assert oda.get(f"{POLICY}/versions/1").json()["resumable_by"] == ["budi", "oka"]


def test_before_a_suspension_it_is_told_who_could_end_it_or_that_nobody_could(desk: Desk) -> None:
    oda, oka = desk.signed_in("oda"), desk.signed_in("oka")
    seen = oda.get(f"{POLICY}/versions/1")
    assert seen.json()["resumable_afterwards"] == ["budi", "oka"]
    assert oka.get(f"{POLICY}/versions/1").json()["resumable_afterwards"] == ["budi"]
    suspended = _act(oda, "suspend", seen, reason="surat 12/PDK/2026").json()
    assert suspended["resumable_afterwards"] is None


def test_another_goes_on_with_a_draft_or_discards_it_and_begins_anew(desk: Desk) -> None:
    ani, budi, oka = desk.signed_in("ani"), desk.signed_in("budi"), desk.signed_in("oka")
    seen = _draft(ani, narrower())
    match = {"If-Match": seen.headers["etag"]}
    taken = budi.put(f"{POLICY}/versions/2", json=_form(wider()), headers=match)
    assert (taken.json()["author"], taken.json()["editors"]) == ("ani", ["ani", "budi"])
    silent = _act(oka, "discard", taken)
    assert [one["code"] for one in silent.json()["unmet"]] == ["reason_missing"]
    discarded = _act(oka, "discard", taken, reason="nobody needs it")
    assert (discarded.status_code, discarded.json()["state"], discarded.json()["acts"]) == (
        200,
        "discarded",
        [],
    )
    again = ani.post(f"{POLICY}/drafts", json=_form(narrower(version=3)))
    assert (again.status_code, again.json()["version"], again.json()["editors"]) == (201, 3, ["ani"])
    versions = [(one["version"], one["state"]) for one in ani.get(POLICY).json()["versions"]]
    assert versions == [(3, "draft"), (2, "discarded"), (1, "active")]


def test_an_act_without_its_role_names_who_has_it(desk: Desk) -> None:
    seen = _draft(desk.signed_in("ani"), narrower())
    refused = _act(desk.signed_in("oda"), "submit", seen)
    assert refused.status_code == 403
    assert refused.json()["held_by"] == {"author": ["ani", "budi"]}


def test_without_if_match_nothing_is_changed(desk: Desk) -> None:
    ani = desk.signed_in("ani")
    _draft(ani, narrower())
    for method, path, form in (
        ("PUT", f"{POLICY}/versions/2", _form(wider())),
        ("POST", f"{POLICY}/versions/2/acts/activate", {}),
        ("POST", f"{POLICY}/versions/2/cases", {"case": CASE}),
    ):
        answer = ani.request(method, path, json=form)
        assert (answer.status_code, answer.json()["code"]) == (428, "if_match_missing"), path
    assert ani.get(f"{POLICY}/versions/2").json()["state"] == "draft"


def test_the_second_of_two_editors_gets_the_difference_and_loses_nothing(desk: Desk) -> None:
    ani, budi = desk.signed_in("ani"), desk.signed_in("budi")
    seen = _draft(ani, narrower())
    match = {"If-Match": seen.headers["etag"]}
    first = ani.put(f"{POLICY}/versions/2", json=_form(narrower(), reason="a word"), headers=match)
    assert first.status_code == 200
    second = budi.put(f"{POLICY}/versions/2", json=_form(wider()), headers=match)
    assert second.status_code == 409
    problem = second.json()
    assert (problem["code"], problem["present_version"]) == ("changed_meanwhile", 2)
    assert "by ani" in problem["detail"]
    assert f'"{problem["present_etag"]}"' == first.headers["etag"]
    assert problem["difference"]["direction"] == "widening"
    assert any("year and month" in item["words"]["en"] for item in problem["difference"]["items"])
    assert any(line.startswith("+  birth_date") for line in problem["difference"]["lines"])
    merged = {"If-Match": f'"{problem["present_etag"]}"'}
    again = budi.put(f"{POLICY}/versions/2", json=_form(wider()), headers=merged)
    assert (again.status_code, again.json()["editors"]) == (200, ["ani", "budi"])


def test_a_second_draft_is_told_of_the_first(desk: Desk) -> None:
    _draft(desk.signed_in("ani"), narrower())
    answer = desk.signed_in("budi").post(f"{POLICY}/drafts", json=_form(wider()))
    assert (answer.status_code, answer.json()["present_version"]) == (409, 2)


def test_a_text_with_every_kind_of_mistake_is_told_line_by_line(desk: Desk) -> None:
    text = "\n".join(line.split("## ")[0].rstrip() for line in HURRIED.splitlines())
    ani = desk.signed_in("ani")
    told = ani.post("/admin/v1/policies/agreement/sample/drafts", json={"text": text}).json()
    mistakes = [number for number, line in enumerate(HURRIED.splitlines(), 1) if "## " in line]
    assert [int(problem.split(":")[1]) for problem in told["problems"]] == mistakes
    assert told["difference"]["direction"] is None
    submit = next(act for act in told["acts"] if act["act"] == "submit")
    assert [one["what"]["en"] for one in submit["unmet"]] == told["problems"]


def test_a_case_is_put_into_a_draft_and_everything_else_stays(desk: Desk) -> None:
    ani = desk.signed_in("ani")
    seen = _draft(ani, narrower())
    match = {"If-Match": seen.headers["etag"]}
    kept = ani.post(f"{POLICY}/versions/2/cases", json={"case": CASE}, headers=match)
    assert (kept.status_code, kept.json()["problems"]) == (200, [])
    before, after = narrower()[1].decode().split("\n"), kept.json()["cases"].split("\n")
    assert not [line for line in difflib.ndiff(before, after) if line.startswith("- ")]
    assert "a new case" in kept.json()["cases"]
    match = {"If-Match": kept.headers["etag"]}
    for text in ("nonsense", "cases:\n", "people: {}\ncases: []\n"):
        answer = ani.post(f"{POLICY}/versions/2/cases", json={"case": text}, headers=match)
        assert answer.status_code in {200, 400}
        if answer.status_code == 200:
            assert answer.json()["problems"]
            match = {"If-Match": answer.headers["etag"]}


def test_versions_are_compared_as_asked(desk: Desk) -> None:
    ani = desk.signed_in("ani")
    _act(ani, "activate", _draft(ani, narrower()))
    back = ani.get(f"{POLICY}/diff", params={"from": 2, "to": 1}).json()
    assert (back["against"], back["direction"]) == (2, "widening")
    assert ani.get(f"{POLICY}/diff").json()["direction"] == "unchanged"
    assert ani.get(f"{POLICY}/diff", params={"from": 1}).json()["direction"] == "narrowing"
    assert ani.get(f"{POLICY}/diff", params={"from": 9}).status_code == 404


def test_the_list_shows_what_is_in_force_how_it_stands_and_what_is_open(desk: Desk) -> None:
    oda = desk.signed_in("oda")
    _draft(desk.signed_in("ani"), wider())
    seen = oda.get(f"{POLICY}/versions/1")
    suspended = _act(oda, "suspend", seen, reason="incident")
    assert suspended.status_code == 200
    listed = {(one["kind"], one["name"]): one for one in oda.get("/admin/v1/policies").json()["policies"]}
    own = listed["agreement", NAME]
    assert (own["standing"], own["in_force"], own["open_version"]) == ("suspended", 1, 2)
    assert own["consumer"] == "bpjs-kesehatan"
    assert listed["dictionary", "fields"]["standing"] == "active"
    # Nobody did anything with this one: its last day is over.
    assert listed["agreement", "dinsos-jatim-flood-relief"]["standing"] == "expired"
    programmes = oda.get("/admin/v1/policies", params={"kind": "programme"}).json()["policies"]
    assert [one["name"] for one in programmes] == ["bpnt", "bst", "pbi-jk", "pkh"]


def test_rules_and_the_dictionary_have_the_same_life(desk: Desk) -> None:
    ani, oka = desk.signed_in("ani"), desk.signed_in("oka")
    text = (SHIPPED / "programmes" / "pkh.yaml").read_text("utf-8")
    text = text.replace("version: 1", "version: 2").replace("Family Hope", "Family of Hope")
    made = ani.post("/admin/v1/policies/programme/pkh/drafts", json={"text": text})
    assert made.json()["difference"]["items"][0]["way"] == "neutral"
    path = "/admin/v1/policies/programme/pkh/versions/2/acts"
    for browser, act in ((ani, "submit"), (oka, "approve"), (ani, "activate")):
        made = browser.post(f"{path}/{act}", json={}, headers={"If-Match": made.headers["etag"]})
        assert made.status_code == 200, made.text
    revoked = oka.post(f"{path}/revoke", json={"reason": "x"}, headers={"If-Match": made.headers["etag"]})
    assert [one["code"] for one in revoked.json()["unmet"]] == ["wrong_state"]


def test_every_route_refuses_strangers_and_each_act_asks_for_its_roles(desk: Desk) -> None:
    routes = list(policies.policy_router(desk.bureau.store, desk.desk.check, desk.clock).routes)
    acts = set()
    for route in routes:
        assert isinstance(route, APIRoute)
        path = route.path.format(kind="agreement", name=NAME, number=1)
        for method in route.methods:
            answer = desk.browser().request(method, path, json={}, headers={"If-Match": '"x"'})
            assert answer.status_code == 401, path
        act = path.rpartition("/acts/")[2] if "/acts/" in path else None
        if act is not None:
            acts.add(act)
            assert f"role {' or '.join(ROLES_FOR[act])}" in route.description  # type: ignore[index]
    assert acts == set(ACTS) - {"edit"}
    assert set(ROLES) == {role for roles in STAFF.values() for role in roles} | {"auditor"}


@pytest.mark.parametrize(
    "form", [{"text": ""}, {"text": "x", "extra": 1}, {"text": "\ud800"}, {"text": "x" * 500_000}, {}]
)
def test_a_malformed_form_is_told_by_pointer(desk: Desk, form: dict[str, Any]) -> None:
    answer = desk.signed_in("ani").post(
        f"{POLICY}/drafts",
        content=json.dumps(form).encode("ascii"),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422, answer.text


def test_every_member_of_a_form_can_be_named_in_a_pointer() -> None:
    forms = [
        value
        for value in vars(policy_forms).values()
        if isinstance(value, type) and issubclass(value, BaseModel) and value.model_config.get("extra")
    ]
    assert {name for form in forms for name in form.model_fields} <= MEMBER_NAMES
