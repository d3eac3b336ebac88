"""Every screen in a real browser, in both languages and on a phone: nothing found by axe, nothing forbidden.

TEST_PICTURES=FOLDER keeps a picture of each, to be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from gateway.console.screens import SCREENS
from gateway.registry.personas import persona
from tests.gateway.console.chromium import Desk, chromium, needs_chromium
from tests.gateway.console.conftest import Office

pytestmark = needs_chromium

_PAGES = [page for screen in SCREENS for page in screen.PAGES if page.method == "GET" and page.signed_in]
_ADDRESSES = sorted(f"/console{page.path}" for page in _PAGES if "{" not in page.path)
# Of those with a parameter, what a fresh gateway has; the others are met in the stories.
_CONSUMER, _AGREEMENT = "/console/consumers/bpjs-kesehatan", "/console/agreements/bpjs-pbi-jk"
_EXAMPLES = [
    *(f"{_CONSUMER}{part}" for part in ("", "/edit", "/keys/_new", "/signatures", "/acts/suspend")),
    *(_AGREEMENT, f"{_AGREEMENT}/compare", f"{_AGREEMENT}/versions/1"),
    *(f"{_AGREEMENT}/versions/1/{part}" for part in ("fields", "terms", "preview", "impact", "text")),
    *("/console/programmes/pbi-jk", "/console/programmes/pbi-jk/versions/1"),
    *("/console/sources/dtks", "/console/sources/big", "/console/sources/dukcapil"),
    "/console/settings/staff/perancang",
    "/console/no-such-page",
]
_PHONE = {"viewport": {"width": 390, "height": 800}, "is_mobile": True, "has_touch": True}
_BEYOND_THEIR_ROW = """badges => {
    const ends = one => one.getBoundingClientRect().right;
    return badges.filter(one => ends(one) > ends(one.closest("tr"))).map(one => one.innerText);
}"""
_LARGEST_BYTES = 150 * 1024


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def desk(browser: Browser, office: Office) -> Iterator[Desk]:
    somebody = Desk(browser, office, language="en").sign_in("operator")
    yield somebody
    somebody.close()


@pytest.fixture(scope="module")
def phone(browser: Browser, office: Office) -> Iterator[Desk]:
    somebody = Desk(browser, office, language="id", **_PHONE).sign_in("operator")
    yield somebody
    somebody.close()


@pytest.fixture(scope="module")
def plain(browser: Browser, office: Office) -> Iterator[Desk]:
    """A browser that runs no scripts."""
    somebody = Desk(browser, office, java_script_enabled=False).sign_in("operator")
    yield somebody
    somebody.close()


@pytest.mark.parametrize("address", [*_ADDRESSES, *_EXAMPLES])
def test_axe_finds_nothing_on_a_screen_in_english(desk: Desk, address: str) -> None:
    desk.open(address)
    desk.picture(f"{address.strip('/').replace('/', '-')}-en")
    assert desk.barriers() == []


@pytest.mark.parametrize("address", [*_ADDRESSES, *_EXAMPLES])
def test_axe_finds_nothing_on_a_screen_in_indonesian_and_it_fits_on_a_phone(
    phone: Desk, address: str
) -> None:
    page = phone.open(address)
    phone.picture(f"{address.strip('/').replace('/', '-')}-phone")
    assert phone.barriers() == []
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, "the page itself must not scroll sideways"
    assert page.locator(".stacked .badge").evaluate_all(_BEYOND_THEIR_ROW) == [], "long words wrap"


def test_axe_finds_nothing_on_an_incident_and_a_reversal(office: Office, desk: Desk, phone: Desk) -> None:
    """Made by the API as the page's own session, since nobody has one from the beginning."""
    person = {"ref": "one", "nik": persona("pkh_member").nik}
    question = {"purpose": "pbi-jk-eligibility", "programme": "PBI-JK", "subjects": [person]}
    answer = office.gateway.post("bpjs-kesehatan", "/v1/eligibility", question).json()
    moments = {
        "first": "2026-01-01T00:00:00Z",
        "last": "2026-01-02T00:00:00Z",
        "known_at": "2026-01-02T00:00:00Z",
    }
    incident = desk.post(
        "/admin/v1/rights/incidents", {"consumer_id": "bpjs-kesehatan", "reason": "ND 7", **moments}
    )
    asked = {
        "sector": "kesehatan",
        "pseudonyms": [answer["results"][0]["pseudonym"]],
        "legal_basis": "court_order",
        "reference": "PN 17",
        "reason": "ND 7",
    }
    reversal = desk.post("/admin/v1/reversals", asked)
    for address in (f"incidents/{incident['id']}", "incidents", f"reversals/{reversal['id']}", "reversals"):
        for somebody, kind in ((desk, "en"), (phone, "phone")):
            page = somebody.open(f"/console/audit/{address}")
            somebody.picture(f"{address.split('/')[0]}-{len(address)}-{kind}")
            assert somebody.barriers() == []
            assert (
                page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                <= 0
            )


@pytest.mark.parametrize("address", _ADDRESSES)
def test_a_page_is_small_before_maps_and_charts(office: Office, address: str) -> None:
    """Counted as the browser gets it, without compression: proxies make it smaller still."""
    seen = office.browser("operator").open(address)
    kept = office.gateway.http
    files = {
        part.split('"', 1)[0].split("#")[0]
        for mark in ('src="/console/static/', 'href="/console/static/')
        for part in seen.html.split(mark)[1:]
    }
    sizes = {name: len(kept.get(f"{office.gateway.url}/console/static/{name}").content) for name in files}
    assert len(seen.response.content) + sum(sizes.values()) <= _LARGEST_BYTES, sizes
    assert any(name.startswith("console.css") for name in sizes)


def test_the_keys_of_a_consumer_fit_a_desk_and_a_table_that_does_not_fit_casts_a_shadow(desk: Desk) -> None:
    page = desk.open(_CONSUMER)
    keys = page.locator(".scroll:has(> table)").first
    assert keys.evaluate("box => box.scrollWidth - box.clientWidth") <= 0
    assert (
        keys.evaluate("box => getComputedStyle(box).backgroundAttachment") == "local, local, scroll, scroll"
    )


def test_sign_in_is_free_of_barriers_too(browser: Browser, office: Office) -> None:
    nobody = Desk(browser, office)
    nobody.open("/console/sign-in")
    assert nobody.barriers() == []
    nobody.picture("sign-in-id")
    nobody.close()


@pytest.mark.parametrize("address", _ADDRESSES)
def test_reading_pages_say_the_same_without_scripts(plain: Desk, address: str) -> None:
    answer = plain.page.goto(address)
    assert answer is not None
    assert answer.status == 200
    assert plain.page.locator("h1").count() == 1
    assert plain.page.locator("nav.side a[aria-current]").count() == 1
