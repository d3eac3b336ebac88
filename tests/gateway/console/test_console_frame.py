"""The frame of the console: who gets in, what leaves with every page, and what another site cannot do."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from gateway.console.menu import menu_for
from gateway.staff.roles import ROLES
from tests.gateway.console.conftest import Office


def test_sends_whoever_is_not_signed_in_to_the_sign_in_and_back(office: Office) -> None:
    browser = office.stranger()
    seen = browser.open("/console?range=30d")
    assert seen.path == "/console/sign-in?next=%2Fconsole%3Frange%3D30d"
    seen = browser.send(seen, "Sign in", id="operator", password=office.passwords["operator"])
    assert seen.status == 200
    assert seen.path == "/console?range=30d"


def test_a_wrong_password_keeps_the_id_and_says_so_without_saying_which_was_wrong(office: Office) -> None:
    seen = office.stranger().sign_in("operator", "wrong")
    assert seen.status == 401
    assert seen.form("Sign in").fields["id"] == ["operator"]
    assert seen.form("Sign in").fields["password"] == [""]
    unknown = office.stranger().sign_in("nobody", "wrong")
    assert unknown.status == 401
    assert unknown.text == seen.text


@pytest.mark.parametrize(
    "elsewhere",
    ["https://example.org/", "//example.org", "/console/../v1", "/console\\@example.org", "/admin"],
)
def test_a_sign_in_leads_to_a_page_of_the_console_and_nowhere_else(office: Office, elsewhere: str) -> None:
    browser = office.stranger()
    seen = browser.send(
        browser.open("/console/sign-in"),
        "Sign in",
        id="operator",
        password=office.passwords["operator"],
        next=elsewhere,
    )
    assert seen.path == "/console"


def test_signing_out_ends_the_session_on_the_server(office: Office) -> None:
    browser = office.stranger()
    seen = browser.sign_in("operator", office.passwords["operator"])
    before = dict(browser.cookies)
    seen = browser.send(seen, "Sign out")
    assert "You have signed out." in seen.text
    browser.cookies.update(before)
    assert browser.open("/console").path.startswith("/console/sign-in")


def test_a_form_of_another_site_changes_nothing(office: Office) -> None:
    browser = office.browser("operator")
    token = browser.open("/console").form("Sign out").fields["csrf_token"][0]
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://example.org"},
        {"origin": "null"},
    ):
        assert browser.post("/console/sign-out", headers, csrf_token=token).status == 403
    assert (
        browser.post("/console/sign-out", {"sec-fetch-site": "same-origin"}, csrf_token="wrong").status == 403
    )
    assert browser.open("/console").path == "/console"


def test_every_page_forbids_whatever_is_not_its_own(office: Office) -> None:
    for path in ("/console", "/console/sign-in", "/console/no-such-page"):
        headers = office.browser("operator").open(path).response.headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"


def test_the_language_is_indonesian_until_another_is_chosen_and_stays(office: Office) -> None:
    browser = office.stranger(language="")
    assert browser.open("/console/sign-in").html.count('<html lang="id">') == 1
    seen = browser.send(browser.open("/console/sign-in?next=%2Fconsole%2Fmap"), "EN")
    assert '<html lang="en">' in seen.html
    assert seen.path == "/console/sign-in?next=%2Fconsole%2Fmap"
    assert '<html lang="en">' in browser.open("/console/sign-in").html


def test_the_menu_leads_to_all_that_a_role_may_read_and_to_nothing_else(office: Office) -> None:
    told = office.gateway.gapura("staff", "add", "satu.peran", "--name", "Satu Peran", "--role", "author")
    secret, password = told.split("shown this once:")[1].split()[0], "lima perahu di atas bukit"
    browser = office.stranger()
    form = browser.open("/console/enrol")
    browser.send(form, "Set the password", id="satu.peran", secret=secret, password=password, again=password)
    browser.sign_in("satu.peran", password)
    everything = menu_for(ROLES)
    # A form alone shows nothing yet: what it asks for is refused when it is sent.
    forms = {"/console/audit/person"}
    for role in ROLES:
        office.gateway.gapura("staff", "roles", "satu.peran", "--role", role)
        entrances = {area.text: area.entrance for area in menu_for([role])}
        links = browser.open("/console").links
        assert {area.text: links.get(area.text) for area in everything if area.text in links} == entrances
        offered = {tab.path for area in menu_for([role]) for tab in area.tabs}
        pages = {tab.path for area in everything for tab in area.tabs} - forms
        assert {path for path in pages if browser.open(path).status == 200} == offered - forms, role


def test_an_address_that_names_nothing_is_told_as_a_page(office: Office) -> None:
    seen = office.browser("operator").open("/console/no-such-page")
    assert seen.status == 404
    assert "There is no such page" in seen.text


def test_files_are_kept_for_ever_because_their_address_names_their_content(office: Office) -> None:
    html = office.browser("operator").open("/console").html
    address = html.split('href="/console/static/console.css', 1)[1].split('"', 1)[0]
    answer = office.gateway.http.get(f"{office.gateway.url}/console/static/console.css{address}")
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    unnamed = office.gateway.http.get(f"{office.gateway.url}/console/static/chart.js")
    assert unnamed.headers["cache-control"] == "no-cache"
    assert office.gateway.http.get(f"{office.gateway.url}/console/static/%2e%2e/app.py").status_code == 404


def test_the_root_leads_to_the_console(office: Office) -> None:
    assert office.stranger().open("/").path.startswith("/console/sign-in")


def test_a_wrong_password_is_told_in_indonesian_on_an_indonesian_page(office: Office) -> None:
    seen = office.stranger("id").open("/console/sign-in")
    seen = office.stranger("id").send(seen, "Masuk", id="operator", password="wrong")
    assert "Id atau kata sandi salah" in seen.text
    assert "password" not in seen.text


def test_what_was_typed_outlives_the_session_and_is_done_only_when_it_is_sent_again(office: Office) -> None:
    browser = office.stranger()
    browser.sign_in("operator", office.passwords["operator"])
    page = "/console/consumers/bps-statistik/edit"
    form = browser.open(page)
    browser.cookies.clear()
    browser.cookies.set("gapura-language", "en")
    ended = browser.send(form, "Keep the change", name="Badan Lain", reason="CONTOH-1/2026")
    assert ended.status == 401
    assert "Your session has ended" in ended.text
    back = browser.open(ended.links["Sign in again in another tab"])
    signed_in = browser.send(back, "Sign in", id="operator", password=office.passwords["operator"])
    assert signed_in.path == page
    again = browser.send(ended, "Show the form with what I typed")
    assert again.status == 403
    assert "Badan Lain" not in browser.open("/console/consumers/bps-statistik").text
    assert again.form("Keep the change").fields["reason"][0].strip() == "CONTOH-1/2026"
    done = browser.send(again, "Keep the change")
    assert "Badan Lain" in done.text


def test_a_form_that_is_sent_twice_is_done_once_and_answered_twice(office: Office) -> None:
    form = office.browser("operator").open("/console/settings/staff/_new")
    typed: dict[str, str | list[str]] = {
        "id": "dua.kali",
        "name": "Dua Kali",
        "roles": ["author"],
        "reason": "ST-7",
    }
    button = "Register; the roles wait for a second person"
    seen = [office.browser("operator").send(form, button, **typed) for _ in range(2)]
    assert [one.status for one in seen] == [200, 200]
    assert seen[0].path == seen[1].path
    changed = office.browser("operator").send(form, button, **{**typed, "name": "Tiga Kali"})
    assert changed.status == 422
    assert "This key was used for another request." in changed.text


def test_every_page_tells_of_maintenance_and_nothing_can_be_changed_then(office: Office) -> None:
    browser = office.browser("operator")
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    form = browser.open("/console/settings/staff/_new")
    office.gateway.gapura("maintenance", "on", "--until", until, "--reason", "uji")
    try:
        waited_until = time.monotonic() + 60
        while "Maintenance until" not in browser.open("/console").text:
            assert time.monotonic() < waited_until
            time.sleep(0.1)
        refused = browser.send(
            form,
            "Register; the roles wait for a second person",
            id="x.y",
            name="X",
            roles=["author"],
            reason="x",
        )
        assert refused.status == 503
        assert "under maintenance until" in refused.text
        assert office.stranger().sign_in("operator", office.passwords["operator"]).path == "/console"
    finally:
        office.gateway.gapura("maintenance", "off")
    while "Maintenance until" in browser.open("/console").text:
        time.sleep(0.1)
