"""The admin API by which drafts are begun and filled in, and policies listed, over its own wire."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from gateway.agreements.lifecycle import Version
from gateway.agreements.listing import Wanted
from gateway.api import problems
from gateway.api.admin.documentation import MEMBER_NAMES
from gateway.api.admin.policies import policy_router
from gateway.api.admin.regions import region_router
from gateway.api.admin.session import session_router
from tests.gateway.agreements.bureau import ANI, NAME, OKA, Bureau, agreement_text, wider
from tests.gateway.staff.office import Office

POLICIES = "/admin/v1/policies"
POLICY = f"{POLICIES}/agreement/{NAME}"
DRAFT = f"{POLICY}/versions/2"


class Desk(Office):
    """An office whose staff fill in drafts."""

    bureau: Bureau

    def app(self) -> FastAPI:
        app = FastAPI()
        problems.install(app, MEMBER_NAMES)
        app.include_router(session_router(self.desk))
        app.include_router(policy_router(self.bureau.store, self.desk.check, self.clock))
        app.include_router(region_router(self.desk.check))
        return app


@pytest.fixture
def desk(bureau: Bureau, tmp_path: Path) -> Desk:
    opened = Desk(bureau.database, tmp_path)
    opened.bureau = bureau
    opened.hire("ani", "author")
    opened.hire("oka", "approver")
    return opened


def _begin(browser: httpx.Client, name: str = NAME, **form: object) -> httpx.Response:
    return browser.post(f"{POLICIES}/agreement/{name}/begin", json=form)


def _draft_of_what_is_in_force(browser: httpx.Client) -> httpx.Response:
    begun = _begin(browser, copy_of={"name": NAME, "version": 1})
    assert begun.status_code == 201, begun.text
    return begun


def _rows(answer: httpx.Response) -> dict[str, dict[str, object]]:
    return {row["field"]: row for group in answer.json()["groups"] for row in group["fields"]}


def test_the_matrix_is_written_into_the_text_and_the_rest_of_it_stays(desk: Desk) -> None:
    ani = desk.signed_in("ani")
    _draft_of_what_is_in_force(ani)
    seen = ani.get(f"{DRAFT}/matrix")
    row = _rows(seen)["birth_date"]
    assert row["chosen"] == row["active"]
    choice = {"field": "birth_date", "release": "generalise", "to": "year_month"}
    saved = ani.put(
        f"{DRAFT}/matrix", json={"choices": [choice]}, headers={"If-Match": f'"{seen.json()["etag"]}"'}
    )
    assert saved.status_code == 200, saved.text
    assert saved.json()["text"] == wider()[0].decode()
    (clause,) = saved.json()["difference"]["items"]
    assert (clause["path"], clause["way"]) == ("fields.birth_date", "wider")
    row = _rows(ani.get(f"{DRAFT}/matrix"))["birth_date"]
    assert (row["chosen"]["to"], row["active"]["to"]) == ("year_month", "year")  # type: ignore[index]


def test_a_choice_put_back_to_what_is_in_force_leaves_the_text_as_it_began(desk: Desk) -> None:
    ani = desk.signed_in("ani")
    begun = _draft_of_what_is_in_force(ani)
    saved, unnamed = begun, "welfare_status"
    assert f"  {unnamed}:" not in begun.json()["text"]
    for release in ("full", "none"):
        form = {"choices": [{"field": unnamed, "release": release}]}
        saved = ani.put(f"{DRAFT}/matrix", json=form, headers={"If-Match": saved.headers["etag"]})
        assert (unnamed in saved.json()["text"]) == (release == "full")
    assert saved.json()["text"] == begun.json()["text"]


def test_cases_that_only_the_draft_makes_untrue_are_told_and_adjusted_if_they_are_named(desk: Desk) -> None:
    ani = desk.signed_in("ani")
    etag = _draft_of_what_is_in_force(ani).headers["etag"]
    form = {"choices": [{"field": "birth_date", "release": "generalise", "to": "year_month"}]}
    saved = ani.put(f"{DRAFT}/matrix", json=form, headers={"If-Match": etag})
    assert saved.json()["problems"]
    told = ani.get(f"{DRAFT}/cases/adjust").json()
    (differs,) = told["cases"][0]["fields"]
    assert (differs["field"], differs["says"]["value"][:4]) == ("birth_date", differs["comes"]["value"][:4])
    numbers = [one["number"] for one in told["cases"]]
    sent = {"If-Match": f'"{told["etag"]}"'}
    path = f"{DRAFT}/cases/adjust"
    assert ani.post(path, json={"cases": [9999]}, headers=sent).status_code == 400
    assert ani.post(path, json={"cases": numbers}, headers={"If-Match": etag}).status_code == 409
    assert desk.signed_in("oka").post(path, json={"cases": numbers}, headers=sent).status_code == 403
    adjusted = ani.post(path, json={"cases": numbers}, headers=sent)
    assert (adjusted.status_code, adjusted.json()["problems"]) == (200, [])
    assert ani.get(path).json()["cases"] == []


def test_what_is_in_force_already_is_neither_submitted_nor_put_into_force_again(desk: Desk) -> None:
    begun = _draft_of_what_is_in_force(desk.signed_in("ani")).json()
    unmet = {one["act"]: [code["code"] for code in one["unmet"]] for one in begun["acts"]}
    assert unmet["activate"] == unmet["submit"] == ["same_as_in_force"]
    assert unmet["discard"] == []


def test_terms_that_cannot_be_meant_so_are_kept_and_told_by_field(desk: Desk) -> None:
    ani = desk.signed_in("ani")
    etag = _draft_of_what_is_in_force(ani).headers["etag"]
    form = {"valid_until": "2020-01-01", "regions": [], "consumer": "nobody-knows"}
    saved = ani.put(f"{DRAFT}/terms", json=form, headers={"If-Match": etag})
    assert saved.status_code == 200, saved.text
    warned = {one["field"] for one in ani.get(f"{DRAFT}/terms").json()["warnings"]}
    assert warned == {"valid_until", "regions", "consumer"}


def test_a_change_to_what_is_no_draft_any_more_is_told_to_be_lost_to_it(desk: Desk) -> None:
    ani = desk.signed_in("ani")
    draft = desk.bureau.draft(wider())
    desk.bureau.store.act("agreement", NAME, 2, "submit", ANI)
    form = {"choices": [{"field": "sex", "release": "none"}]}
    refused = ani.put(f"{DRAFT}/matrix", json=form, headers={"If-Match": f'"{draft.etag}"'}).json()
    assert (refused["code"], refused["present_state"]) == ("changed_meanwhile", "submitted")
    assert "cannot be saved" in refused["remedy"]


def test_of_two_who_fill_in_at_once_the_second_is_told_the_difference(desk: Desk) -> None:
    ani = desk.signed_in("ani")
    etag = _draft_of_what_is_in_force(ani).headers["etag"]
    first = {"choices": [{"field": "sex", "release": "none"}]}
    second = {"choices": [{"field": "region", "release": "none"}]}
    assert ani.put(f"{DRAFT}/matrix", json=first, headers={"If-Match": etag}).status_code == 200
    refused = ani.put(f"{DRAFT}/matrix", json=second, headers={"If-Match": etag})
    assert (refused.status_code, refused.json()["code"]) == (409, "changed_meanwhile")
    assert [item["path"] for item in refused.json()["difference"]["items"]] == ["fields.region"]
    assert ani.put(f"{DRAFT}/terms", json={"purpose": "other"}).status_code == 428


def test_terms_are_written_and_papers_that_lack_are_told(desk: Desk) -> None:
    ani = desk.signed_in("ani")
    etag = _draft_of_what_is_in_force(ani).headers["etag"]
    form = {
        "regions": ["35.78"],
        "valid_until": "2027-06-30",
        "documents": {"dpia": ""},
        "limits": {"requests_per_minute": 60, "subjects_per_day": 1000, "new_people_per_day": 500},
    }
    saved = ani.put(f"{DRAFT}/terms", json=form, headers={"If-Match": etag}).json()
    assert {one["path"] for one in saved["difference"]["items"]} >= {"scope.regions", "valid_until"}
    terms = ani.get(f"{DRAFT}/terms").json()
    assert [(one["code"], one["name"]) for one in terms["regions"]] == [("35.78", "Kota Surabaya")]
    assert terms["valid_until"] == "2027-06-30"
    lacking = [one["kind"] for one in terms["documents"] if one["why"] is not None]
    assert lacking == ["dpia"]
    refused = ani.put(
        f"{DRAFT}/terms", json={"valid_until": "tomorrow"}, headers={"If-Match": f'"{terms["etag"]}"'}
    )
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/valid_until")


def test_a_field_that_the_dictionary_lacks_and_a_text_that_is_no_yaml_are_refused(desk: Desk) -> None:
    ani = desk.signed_in("ani")
    etag = _draft_of_what_is_in_force(ani).headers["etag"]
    form = {"choices": [{"field": "shoe_size", "release": "full"}]}
    assert ani.put(f"{DRAFT}/matrix", json=form, headers={"If-Match": etag}).status_code == 400
    broken = ani.put(DRAFT, json={"text": "id: [", "cases": ""}, headers={"If-Match": etag})
    form = {"choices": [{"field": "sex", "release": "none"}]}
    refused = ani.put(f"{DRAFT}/matrix", json=form, headers={"If-Match": broken.headers["etag"]})
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_input")
    assert ani.get(f"{DRAFT}/terms").json()["consumer"] is None


def test_a_new_agreement_begins_with_nothing_or_with_a_copy_without_its_papers(desk: Desk) -> None:
    ani = desk.signed_in("ani")
    heading = {"title_id": "Baru", "title_en": "New", "consumer": "bps", "purpose": "new-one", "pks": "PKS 1"}
    outline = _begin(ani, "brand-new", **heading).json()
    assert (outline["version"], outline["state"]) == (1, "draft")
    assert outline["problems"]
    rows = _rows(ani.get(f"{POLICIES}/agreement/brand-new/versions/1/matrix"))
    assert {row["chosen"]["release"] for row in rows.values()} == {"none"}  # type: ignore[index]
    copy = _begin(ani, "a-copy", copy_of={"name": NAME, "version": 1}, **heading).json()
    assert copy["problems"] == []
    terms = ani.get(f"{POLICIES}/agreement/a-copy/versions/1/terms").json()
    assert {one["kind"]: one["number"] for one in terms["documents"] if one["number"]} == {"pks": "PKS 1"}
    assert _begin(ani, "third", copy_of={"name": "nobody", "version": 1}).status_code == 404
    assert ani.post(f"{POLICIES}/programme/new/begin", json={}).status_code == 400


def test_an_earlier_version_is_restored_as_a_draft_that_would_change_back(desk: Desk, bureau: Bureau) -> None:
    ani = desk.signed_in("ani")
    waiting = bureau.store.act("agreement", NAME, bureau.draft(wider()).version, "submit", ANI)
    approved = bureau.store.act("agreement", NAME, waiting.version, "approve", OKA)
    bureau.store.act("agreement", NAME, approved.version, "activate", ANI)
    restored = _begin(ani, copy_of={"name": NAME, "version": 1}, reason="back").json()
    assert (restored["version"], restored["problems"]) == (3, [])
    assert restored["text"] == agreement_text(version=3).decode()
    assert restored["difference"]["direction"] == "narrowing"


def test_a_list_finds_by_state_consumer_and_words_and_comes_in_pages(desk: Desk) -> None:
    oka = desk.signed_in("oka")

    def listed(**params: object) -> tuple[list[str], int]:
        answer = oka.get(POLICIES, params={"kind": "agreement", **params}).json()  # type: ignore[dict-item]
        return [one["name"] for one in answer["policies"]], answer["total"]

    names, total = listed()
    assert names == sorted(names)
    assert len(names) == total
    assert listed(per_page=2, page=2) == (names[2:4], total)
    assert listed(standing="expired") == (["dinsos-jatim-flood-relief"], 1)
    assert NAME not in listed(consumer="dinsos-jatim")[0]
    assert listed(search="BANJIR")[0] == ["dinsos-jatim-flood-relief"]
    assert listed(search="%")[0] == []
    assert listed(order="valid_until")[0][0] == "dinsos-jatim-flood-relief"
    assert listed(ends_by="2024-12-31")[1] == 1
    desk.bureau.draft(wider())
    assert listed(open_state="draft")[0] == [NAME]
    desk.bureau.store.act("agreement", NAME, 2, "submit", ANI)
    assert listed(open_state="draft")[0] == []
    assert listed(open_state="submitted")[0] == [NAME]
    assert oka.get(POLICIES, params={"per_page": 1000}).status_code == 422


def test_a_word_with_a_zero_byte_is_refused_in_words_or_finds_nothing(desk: Desk) -> None:
    answer = desk.signed_in("oka").get(POLICIES, params={"kind": "agreement", "consumer": "a\0b"})
    if desk.database.is_sqlite:
        assert (answer.status_code, answer.json()["policies"]) == (200, [])
        return
    told = answer.json()
    assert (answer.status_code, told["code"]) == (422, "text_unusable")
    assert "zero byte" in told["detail"]


def test_the_list_says_of_each_what_its_versions_say(bureau: Bureau) -> None:
    bureau.draft(wider())
    listed, _ = bureau.store.listed(Wanted(), 1, 200)
    versions: dict[tuple[str, str], list[Version]] = {}
    for version in bureau.store.versions():
        versions.setdefault((version.kind, version.name), []).append(version)
    assert {(one.kind, one.name) for one in listed} == versions.keys()
    for one in listed:
        of_one = versions[one.kind, one.name]
        assert one.newest == max(version.version for version in of_one)
        assert one.in_force == next(v.version for v in of_one if v.state == "active")
        assert one.open_version == next((v.version for v in of_one if v.state == "draft"), None)


def test_a_rule_is_told_in_words_with_the_days_of_its_parameters(desk: Desk) -> None:
    told = desk.signed_in("oka").get(f"{POLICIES}/programme/pkh/versions/1/rule").json()
    clauses = {clause["id"]: clause for clause in told["clauses"]}
    assert clauses["decile"]["asks"] == {
        "id": "desil kesejahteraan paling tinggi 4",
        "en": "welfare decile is at most 4",
    }
    assert clauses["alive"]["asks"]["id"] == "status hidup adalah hidup (alive)"
    (parameter,) = told["parameters"]
    assert [(one["since"], one["until"], one["when"]) for one in parameter["values"]] == [
        ("2025-02-05", None, "present")
    ]
    assert told["asked_under"][0]["reasons"]
    assert told["asked_under_more"] == 0


def test_the_dictionary_and_regions_are_found(desk: Desk) -> None:
    oka = desk.signed_in("oka")
    groups = oka.get("/admin/v1/dictionary").json()["groups"]
    assert groups[0]["fields"][0]["field"] == "nik"

    def found(**params: str) -> list[str]:
        return [one["code"] for one in oka.get("/admin/v1/regions", params=params).json()["regions"]]

    assert found(search="35.78")[0] == "35.78"
    assert "35.78" in found(search="surabaya")
    assert found(search="99.99") == []
    assert all(code.startswith("35.") for code in found(within="35"))


def test_only_authors_fill_in_drafts(desk: Desk) -> None:
    ani, oka = desk.signed_in("ani"), desk.signed_in("oka")
    etag = _draft_of_what_is_in_force(ani).headers["etag"]
    assert _begin(oka, "theirs").status_code == 403
    assert oka.put(f"{DRAFT}/matrix", json={"choices": []}, headers={"If-Match": etag}).status_code == 403
    assert oka.put(f"{DRAFT}/terms", json={}, headers={"If-Match": etag}).status_code == 403


def test_what_is_not_there_is_told_by_the_words_of_the_language(desk: Desk) -> None:
    ani = desk.signed_in("ani")
    indonesian = {"Accept-Language": "id"}
    for path, told in (("nobody", "Tidak ada perjanjian"), (f"{NAME}/versions/9", "dari perjanjian")):
        answer = ani.get(f"{POLICIES}/agreement/{path}", headers=indonesian)
        assert answer.status_code == 404
        assert told in answer.text


def test_of_a_text_that_is_no_yaml_neither_fields_nor_terms_are_told_as_known(desk: Desk) -> None:
    ani = desk.signed_in("ani")
    begun = _draft_of_what_is_in_force(ani)
    said = {name: begun.json()[name] for name in ("text", "cases")}
    told = ani.get(f"{DRAFT}/matrix").json(), ani.get(f"{DRAFT}/terms").json()
    assert [one["readable"] for one in told] == [True, True]
    assert told[1]["documents_judged"]
    broken = said | {"text": said["text"] + "bad: [yaml\n"}
    ani.put(DRAFT, json=broken, headers={"If-Match": begun.headers["etag"]}).raise_for_status()
    told = ani.get(f"{DRAFT}/matrix").json(), ani.get(f"{DRAFT}/terms").json()
    assert [one["readable"] for one in told] == [False, False]
    assert not told[1]["documents_judged"]
    assert ani.get(DRAFT).json()["missing_documents"] is None


def test_documents_that_are_missing_are_told_before_a_draft_is_submitted(desk: Desk) -> None:
    ani = desk.signed_in("ani")
    begun = _draft_of_what_is_in_force(ani)
    assert begun.json()["missing_documents"] == []
    form = {"documents": {"mou": ""}}
    saved = ani.put(f"{DRAFT}/terms", json=form, headers={"If-Match": begun.headers["etag"]})
    assert [one["kind"] for one in saved.json()["missing_documents"]] == ["mou"]
