"""The admin API over its own wire: cookies, CSRF, roles, ETags, and problems that say who can help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel

from gateway.api.admin import session, staff, tokens
from gateway.api.admin.documentation import MEMBER_NAMES
from gateway.staff.roles import INSTALLATION, known_roles
from tests.gateway.staff.office import PASSWORD, WRONG, Office

# Whoever is nobody yet must be able to ask these.
PUBLIC = {
    ("POST", "/admin/v1/session"),
    ("POST", "/admin/v1/session/enrolment"),
    ("GET", "/admin/v1/session/ways"),
    ("GET", "/admin/v1/session/oidc/start"),
    ("GET", "/admin/v1/session/oidc/callback"),
}
NEW_ACCOUNT = {"id": "ani", "name": "Ani", "roles": ["author"], "reason": "new colleague"}


def _routes(office: Office) -> Iterator[tuple[str, str]]:
    for router in (session.session_router, staff.staff_router, tokens.token_router):
        for route in router(office.desk).routes:
            assert isinstance(route, APIRoute)
            yield from ((method, route.path) for method in route.methods)


def _ask(browser: httpx.Client, method: str, path: str, **more: Any) -> httpx.Response:
    return browser.request(method, path.format(staff_id="ani", token_id="0a0b0c0d"), **more)


def test_every_route_refuses_strangers_but_those_by_which_one_comes_in(office: Office) -> None:
    office.hire("ani", "author")
    browser = office.browser()
    for method, path in _routes(office):
        if (method, path) not in PUBLIC:
            answer = _ask(browser, method, path, json={"reason": "x"}, headers={"If-Match": '"1"'})
            assert (answer.status_code, "www-authenticate" in answer.headers) == (401, True), path
    assert set(_routes(office)) >= PUBLIC


def test_the_session_cookie_is_kept_from_scripts_other_sites_and_open_wires(office: Office) -> None:
    office.hire("ani", "author")
    answer = office.browser().post("/admin/v1/session", json={"id": "ani", "password": PASSWORD})
    name, *attributes = answer.headers["set-cookie"].lower().split("; ")
    assert name.startswith("__host-gapura=")
    assert set(attributes) == {"httponly", "path=/", "samesite=strict", "secure"}
    assert name.partition("=")[2] not in answer.text.lower()


def test_over_plain_http_on_this_machine_the_cookie_has_a_plain_name(office: Office) -> None:
    local = Office(office.database, office.folder, origin="http://127.0.0.1:8080")
    local.hire("ani", "author")
    browser = local.signed_in("ani")
    assert list(browser.cookies) == ["gapura"]
    assert browser.get("/admin/v1/session").json()["id"] == "ani"


def test_over_plain_http_elsewhere_the_cookie_stays_secure(office: Office) -> None:
    remote = Office(office.database, office.folder, origin="http://10.1.2.3")
    remote.hire("ani", "author")
    answer = remote.browser().post("/admin/v1/session", json={"id": "ani", "password": PASSWORD})
    assert "; secure" in answer.headers["set-cookie"].lower()


def test_an_unsafe_request_by_cookie_needs_the_csrf_token_of_that_session(office: Office) -> None:
    office.hire("oni", "operator")
    browser, other = office.signed_in("oni"), office.signed_in("oni")
    for forged in ({"X-CSRF-Token": ""}, {"X-CSRF-Token": other.headers["X-CSRF-Token"]}):
        answer = browser.post("/admin/v1/staff", json=NEW_ACCOUNT, headers=forged)
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_token_missing")
    assert browser.post("/admin/v1/staff", json=NEW_ACCOUNT).status_code == 201


def test_a_token_needs_no_csrf_token_and_a_bad_one_is_not_saved_by_a_cookie(office: Office) -> None:
    office.hire("oni", "operator")
    _, secret = office.desk.tokens.add(INSTALLATION, "oni", name="x", roles=known_roles(["operator"]), days=1)
    bearer = {"Authorization": f"Bearer {secret}"}
    assert office.browser().post("/admin/v1/staff", json=NEW_ACCOUNT, headers=bearer).status_code == 201
    assert office.browser().get("/admin/v1/whoami", headers=bearer).json()["via"].startswith("token:")
    for wrong in ("Bearer gpr_x", f"Basic {secret}", f"Bearer {secret}x", "Bearer"):
        answer = office.signed_in("oni").get("/admin/v1/staff", headers={"Authorization": wrong})
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


def test_a_missing_role_is_named_with_those_who_have_it(office: Office) -> None:
    office.hire("ani", "author")
    office.hire("oni", "operator", password=None)
    office.hire("budi", "operator", password=None)
    office.desk.accounts.disable(INSTALLATION, "budi", "left")
    answer = office.signed_in("ani").post("/admin/v1/staff", json=NEW_ACCOUNT)
    told = answer.json()
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert (told["code"], told["held_by"]) == ("role_missing", {"operator": ["oni"]})
    assert "operator" in told["detail"]


def test_an_account_goes_from_proposal_to_disabled_by_two_people(office: Office) -> None:
    office.hire("oni", "operator")
    office.hire("oka", "approver")
    oni, oka = office.signed_in("oni"), office.signed_in("oka")
    added = oni.post("/admin/v1/staff", json=NEW_ACCOUNT)
    assert (added.json()["roles"], added.json()["proposed_roles"]) == ([], ["author"])
    match, confirm = {"If-Match": added.headers["etag"]}, "/admin/v1/staff/ani/roles/confirmation"
    refused = oni.post(confirm, json={"reason": "mine"}, headers=match)
    assert (refused.status_code, refused.json()["code"]) == (403, "second_person_needed")
    confirmed = oka.post(confirm, json={"reason": "checked"}, headers=match)
    assert confirmed.json()["roles"] == ["author"]
    stale = oni.put("/admin/v1/staff/ani/roles", json={"roles": [], "reason": "x"}, headers=match)
    assert (stale.status_code, stale.json()["code"]) == (409, "changed_meanwhile")
    for act, state in (("disable", "disabled"), ("enable", "active"), ("unlock", "active")):
        answer = oni.post(f"/admin/v1/staff/ani/{act}", json={"reason": "x"})
        assert (answer.status_code, answer.json()["state"]) == (200, state)
    listed = oka.get("/admin/v1/staff").json()["staff"]
    assert [account["id"] for account in listed] == ["ani", "oka", "oni"]


def test_roles_are_not_confirmed_by_a_programme(office: Office) -> None:
    office.hire("oka", "approver")
    _, secret = office.desk.tokens.add(INSTALLATION, "oka", name="x", roles=known_roles(["approver"]), days=1)
    answer = office.browser().post(
        "/admin/v1/staff/ani/roles/confirmation",
        json={"reason": "x"},
        headers={"If-Match": '"1"', "Authorization": f"Bearer {secret}"},
    )
    assert answer.status_code == 401


def test_enrolling_signing_in_changing_the_password_and_signing_out(office: Office) -> None:
    office.hire("ani", "author", password=None)
    secret = office.desk.accounts.issue_enrolment(INSTALLATION, "ani", "hired")
    form = {"id": "ani", "secret": secret, "password": PASSWORD}
    assert office.browser().post("/admin/v1/session/enrolment", json=form).status_code == 204
    browser, other = office.signed_in("ani"), office.signed_in("ani")
    change = {"present": PASSWORD, "new": "tujuh gunung di barat"}
    assert browser.put("/admin/v1/session/password", json=change).status_code == 204
    assert other.get("/admin/v1/session").status_code == 401
    assert browser.get("/admin/v1/session").json()["roles"] == ["author"]
    kept = browser.cookies["__Host-gapura"]
    assert browser.delete("/admin/v1/session").status_code == 204
    assert list(browser.cookies) == []
    assert browser.get("/admin/v1/session", headers={"Cookie": f"__Host-gapura={kept}"}).status_code == 401


def test_ones_own_tokens_are_made_shown_once_and_revoked(office: Office) -> None:
    office.hire("ani", "author")
    office.hire("oni", "operator")
    browser = office.signed_in("ani")
    made = browser.post("/admin/v1/session/tokens", json={"name": "x", "roles": ["author"], "days": 30})
    assert made.status_code == 201
    token = made.json()
    assert token["token"] not in browser.get("/admin/v1/session/tokens").text
    bearer = {"Authorization": f"Bearer {token['token']}"}
    again = office.browser().post(
        "/admin/v1/session/tokens", json={"name": "y", "roles": ["author"], "days": 1}, headers=bearer
    )
    assert again.status_code == 401
    assert office.browser().get("/admin/v1/whoami", headers=bearer).status_code == 200
    path = f"/admin/v1/staff/ani/tokens/{token['id']}"
    assert browser.delete(path).status_code == 403
    assert office.signed_in("oni").delete(path).status_code == 204
    assert office.browser().get("/admin/v1/whoami", headers=bearer).status_code == 401


def test_a_malformed_form_is_told_by_pointer_and_repeats_nothing(office: Office) -> None:
    answer = office.browser().post(
        "/admin/v1/session", json={"id": ["rahasia"], "password": WRONG, "rahasia": 1}
    )
    assert answer.status_code == 422
    assert {part["pointer"] for part in answer.json()["errors"]} == {"/id", ""}
    assert "rahasia" not in answer.text
    assert WRONG not in answer.text


def test_another_sites_form_cannot_sign_anybody_in(office: Office) -> None:
    """A form of another site can send text/plain without asking the browser; JSON it cannot."""
    office.hire("ani", "author")
    answer = office.browser().post(
        "/admin/v1/session",
        content=f'{{"id": "ani", "password": "{PASSWORD}"}}',
        headers={"Content-Type": "text/plain"},
    )
    assert answer.status_code == 422
    assert "set-cookie" not in answer.headers


def test_without_a_provider_the_sign_in_by_openid_connect_says_so(office: Office) -> None:
    answer = office.browser().get("/admin/v1/session/oidc/start")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("module", [session, staff, tokens])
def test_every_member_of_a_form_can_be_named_in_a_pointer(module: Any) -> None:
    forms = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseModel) and value.model_config.get("extra")
    ]
    assert forms
    assert {name for form in forms for name in form.model_fields} <= MEMBER_NAMES
