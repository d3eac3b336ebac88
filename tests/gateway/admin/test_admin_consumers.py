"""Consumers through the admin API, as the people who do it: an author, an operator and an approver."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel

from gateway.api.admin import consumer_forms, consumer_keys
from gateway.api.admin.consumer_keys import consumer_key_router
from gateway.api.admin.consumers import consumer_router
from gateway.api.admin.documentation import MEMBER_NAMES
from gateway.database import Database
from gateway.oauth.consumers import ConsumerStore
from gateway.staff.roles import INSTALLATION, known_roles
from tests.gateway.oauth.partner import make_key, public
from tests.gateway.staff.office import Office

ALL = "/admin/v1/consumers"
ONE = ALL + "/dinsos-jatim"
BOUND = "tls_client_certificate_bound_access_tokens"
KEY = public(make_key("ES256", "2026/11"))
SUCCESSOR = public(make_key("Ed25519", "2027/05"))
PROPOSAL: dict[str, Any] = {
    "id": "dinsos-jatim",
    "name": "Dinas Sosial",
    "sector": "dinsos-35",
    "regions": ["35"],
    "contact": {"office": "Bidang Data", "email": "data@example.go.id"},
    "jwks": {"keys": [KEY]},
    "reason": "PKS 12",
}


class Register(Office):
    """The office with the register of consumers on its desk."""

    @property
    def store(self) -> ConsumerStore:
        return ConsumerStore(self.database, self.clock)

    def app(self) -> FastAPI:
        app = super().app()
        for router in (consumer_router, consumer_key_router):
            app.include_router(router(self.store, self.desk.check))
        return app


@pytest.fixture
def office(database: Database, tmp_path: Any) -> Register:
    opened = Register(database, tmp_path)
    opened.hire("ani", "author")
    opened.hire("oni", "operator")
    opened.hire("oka", "approver")
    return opened


@pytest.fixture
def ani(office: Register) -> httpx.Client:
    return office.signed_in("ani")


@pytest.fixture
def oni(office: Register) -> httpx.Client:
    return office.signed_in("oni")


@pytest.fixture
def oka(office: Register) -> httpx.Client:
    return office.signed_in("oka")


def _did(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    content: dict[str, Any] = answer.json()
    return content


def _refused(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def _etag(browser: httpx.Client) -> dict[str, str]:
    return {"If-Match": browser.get(ONE).headers["etag"]}


def _do(browser: httpx.Client, act: str, **headers: str) -> httpx.Response:
    return browser.post(f"{ONE}/{act}", json={"reason": "checked"}, headers=headers)


def test_a_consumer_goes_from_proposal_to_daily_use_and_back_by_several_people(
    office: Register, ani: httpx.Client, oni: httpx.Client, oka: httpx.Client
) -> None:
    proposed = ani.post(ALL, json=PROPOSAL)
    told = _did(proposed, 201)
    assert (told["state"], told["proposed_by"], told["regions"]) == ("proposed", ["ani"], ["35"])
    assert (told["contact"], told["sandbox"]) == (PROPOSAL["contact"], False)
    assert [key["standing"] for key in told["keys"]] == ["awaiting_approval"]
    match = {"If-Match": proposed.headers["etag"]}
    approved = _do(oka, "approve", **match)
    assert (_did(approved)["state"], approved.json()["approved_by"]) == ("active", "oka")
    assert approved.headers["etag"] != match["If-Match"]
    assert _refused(_do(oka, "approve", **match)) == (409, "changed_meanwhile")
    assert _did(_do(oni, "disable"))["disabled_by"] == "oni"
    assert _refused(_do(oni, "enable")) == (403, "second_person_needed")
    assert _did(_do(oka, "enable"))["state"] == "active"
    assert [one["id"] for one in _did(ani.get(ALL))["consumers"]] == ["dinsos-jatim"]
    assert [(act["act"], act["actor"]) for act in office.acts() if act["object"].startswith("consumer/")] == [
        ("consumer.proposed", "ani"),
        ("consumer.approved", "oka"),
        ("consumer.disabled", "oni"),
        ("consumer.enabled", "oka"),
    ]


def test_nobody_approves_their_own_proposal_whatever_roles_they_have(office: Register) -> None:
    office.hire("budi", "author", "approver")
    budi = office.signed_in("budi")
    budi.post(ALL, json=PROPOSAL)
    assert _refused(_do(budi, "approve", **_etag(budi))) == (403, "second_person_needed")
    assert _did(budi.get(ONE))["state"] == "proposed"


def test_a_wider_jurisdiction_waits_and_a_narrower_one_counts(ani: httpx.Client, oka: httpx.Client) -> None:
    ani.post(ALL, json=PROPOSAL)
    _did(_do(oka, "approve", **_etag(oka)))
    wide = {"regions": "whole_country", "reason": "Perpres"}
    waiting = _did(ani.patch(ONE, json=wide, headers=_etag(ani)))
    assert (waiting["regions"], waiting["proposed_by"]) == (["35"], ["ani"])
    assert {part: value for part, value in waiting["waiting"].items() if value is not None} == {
        "regions": "whole_country"
    }
    assert _did(_do(oka, "approve", **_etag(oka)))["regions"] == "whole_country"
    narrow = {"regions": ["35.78"], "name": "Dinsos Surabaya", "reason": "addendum"}
    told = _did(ani.patch(ONE, json=narrow, headers=_etag(ani)))
    assert (told["regions"], told["name"], told["waiting"]) == (["35.78"], "Dinsos Surabaya", None)
    assert _refused(ani.patch(ONE, json={"regions": [], "reason": "x"}, headers=_etag(ani)))[0] == 422
    assert _refused(ani.patch(ONE, json={**narrow, "regions": ["99"]}, headers=_etag(ani)))[0] == 400


def test_a_certificate_in_place_of_proofs_waits_and_proofs_again_count(
    ani: httpx.Client, oka: httpx.Client
) -> None:
    ani.post(ALL, json=PROPOSAL)
    assert _did(_do(oka, "approve", **_etag(oka)))[BOUND] is False
    waiting = _did(ani.patch(ONE, json={BOUND: True, "reason": "PKS 12"}, headers=_etag(ani)))
    assert (waiting[BOUND], waiting["waiting"][BOUND]) == (False, True)
    assert _did(_do(oka, "approve", **_etag(oka)))[BOUND] is True
    told = _did(ani.patch(ONE, json={BOUND: False, "reason": "PKS 12"}, headers=_etag(ani)))
    assert (told[BOUND], told["waiting"]) == (False, None)


def test_into_the_sandbox_at_once_and_out_of_it_by_two(ani: httpx.Client, oka: httpx.Client) -> None:
    ani.post(ALL, json=PROPOSAL)
    _did(_do(oka, "approve", **_etag(oka)))

    def put(sandbox: bool) -> dict[str, Any]:
        form = {"sandbox": sandbox, "reason": "training"}
        return _did(ani.put(ONE + "/sandbox", json=form, headers=_etag(ani)))

    assert put(True)["sandbox"] is True
    waiting = put(False)
    assert (waiting["sandbox"], waiting["waiting"]["sandbox"]) == (True, False)
    assert _did(_do(oka, "refuse", **_etag(oka)))["waiting"] is None
    put(False)
    assert _did(_do(oka, "approve", **_etag(oka)))["sandbox"] is False


def test_a_key_is_followed_by_another_whose_approval_announces_its_end(
    office: Register, ani: httpx.Client, oni: httpx.Client, oka: httpx.Client
) -> None:
    ani.post(ALL, json=PROPOSAL)
    _did(_do(oka, "approve", **_etag(oka)))
    form = {"jwk": SUCCESSOR, "overlap_days": 7, "reason": "rotation"}
    _did(oni.post(ONE + "/keys", json=form), 201)
    assert _refused(_do(oka, "keys/2026/11/approve", **_etag(oka)))[0] == 409
    told = _did(_do(oka, "keys/2027%2F05/approve", **_etag(oka)))["keys"]
    assert [(key["kid"], key["standing"], key["not_after"]) for key in told] == [
        ("2026/11", "good", "2026-11-28T03:00:00Z"),
        ("2027/05", "good", None),
    ]
    office.clock.move(days=7)
    oni = office.signed_in("oni")
    assert {key["kid"]: key["standing"] for key in _did(oni.get(ONE))["keys"]} == {
        "2026/11": "ended",
        "2027/05": "good",
    }
    assert [key["kid"] for key in _did(_do(oni, "keys/2026/11/remove"))["keys"]] == ["2027/05"]
    assert _refused(_do(oni, "keys/2027/05/remove")) == (409, "conflict")
    assert _refused(_do(oni, "keys/none/remove")) == (404, "not_found")


def test_a_key_that_another_consumer_has_is_refused(ani: httpx.Client) -> None:
    ani.post(ALL, json=PROPOSAL)
    assert _refused(ani.post(ALL, json={**PROPOSAL, "id": "other"})) == (409, "key_in_use")


def _routes(office: Register) -> Iterator[tuple[str, str]]:
    for router in (consumer_router, consumer_key_router):
        for route in router(office.store, office.desk.check).routes:
            assert isinstance(route, APIRoute)
            yield from ((method, route.path) for method in route.methods)


FORMS: dict[str, dict[str, Any]] = {
    ALL: PROPOSAL,
    ALL + "/{consumer_id}/sandbox": {"sandbox": True, "reason": "x"},
    ALL + "/{consumer_id}/keys": {"jwk": SUCCESSOR, "reason": "x"},
}


def test_every_route_refuses_strangers_and_every_act_those_without_its_role(office: Register) -> None:
    office.hire("tor", "auditor")
    stranger, auditor = office.browser(), office.signed_in("tor")
    for method, path in _routes(office):
        form = FORMS.get(path, {"reason": "x"})
        at = path.replace("{consumer_id}", "dinsos-jatim").replace("{kid:path}", "k")
        headers = {"If-Match": '"1"'}
        assert stranger.request(method, at, json=form, headers=headers).status_code == 401, path
        if method != "GET":
            assert _refused(auditor.request(method, at, json=form, headers=headers)) == (403, "role_missing")
    assert auditor.get(ALL).status_code == 200


def test_a_programme_proposes_but_does_not_approve(office: Register) -> None:
    office.hire("budi", "author", "approver")
    roles = known_roles(["author", "approver"])
    _, secret = office.desk.tokens.add(INSTALLATION, "budi", name="x", roles=roles, days=1)
    programme = office.browser()
    programme.headers["Authorization"] = f"Bearer {secret}"
    assert programme.post(ALL, json=PROPOSAL).status_code == 201
    assert _do(programme, "approve", **_etag(programme)).status_code == 401


def test_every_problem_of_a_proposal_is_told_and_nothing_of_it_repeated(ani: httpx.Client) -> None:
    bad = {**PROPOSAL, "id": "RAHASIA", "sector": "RAHASIA", "contact": {"office": "x", "email": "RAHASIA"}}
    answer = ani.post(ALL, json={**bad, "jwks": {"keys": [{"kty": "oct", "k": "RAHASIA"}]}})
    assert _refused(answer) == (400, "bad_input")
    assert len(answer.json()["problems"]) == 4
    assert "RAHASIA" not in answer.text
    assert _refused(ani.post(ALL, json={**PROPOSAL, "rahasia": 1}))[0] == 422


@pytest.mark.parametrize("match", ["", "x", '"1.0"', "-1"])
def test_an_if_match_that_is_no_etag_of_a_consumer_is_refused(ani: httpx.Client, match: str) -> None:
    ani.post(ALL, json=PROPOSAL)
    answer = ani.patch(ONE, json={"name": "x", "reason": "x"}, headers={"If-Match": match})
    assert _refused(answer)[0] == 400
    assert _refused(ani.patch(ONE, json={"name": "x", "reason": "x"}))[0] == 422


def test_an_id_that_no_consumer_can_have_is_answered_in_words_wherever_one_is_asked_for(
    office: Register,
) -> None:
    office.hire("budi", "author", "operator", "approver")
    budi = office.signed_in("budi")
    told = office.app().openapi()["paths"].items()
    routes = [(method, path) for path, acts in told if "{consumer_id}" in path for method in acts]
    assert len(routes) >= 10
    for method, path in routes:
        address = path.format(consumer_id="%00", kid="2026-11")
        answer = budi.request(method, address, json={"reason": "x"}, headers={"If-Match": '"1"'})
        assert _refused(answer)[0] == 422, (method, path)
    for odd in ("%0A", "%7F", "%C3%A9", "%ED%A0%80", "a" * 65):
        assert _refused(budi.get(f"{ALL}/{odd}"))[0] == 422, odd
        assert _refused(budi.get(f"{ALL}?after={odd}"))[0] == 422, odd
    assert _refused(budi.get(f"{ALL}/Zz_~!%25%27"))[0] == 404
    assert _did(budi.get(ALL, params={"after": ""}))["total"] == 0


def test_the_contract_says_what_an_id_may_look_like(office: Register) -> None:
    said = [
        parameter["schema"]["pattern"]
        for operations in office.app().openapi()["paths"].values()
        for operation in operations.values()
        for parameter in operation.get("parameters", ())
        if parameter["name"] == "consumer_id"
    ]
    assert len(said) >= 10
    assert set(said) == {consumer_forms.CONSUMER_ID}


@pytest.mark.parametrize("module", [consumer_forms, consumer_keys])
def test_every_member_of_a_form_can_be_named_in_a_pointer(module: Any) -> None:
    forms = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseModel) and value.model_config.get("extra")
    ]
    assert forms
    assert {name for form in forms for name in form.model_fields} <= MEMBER_NAMES
