"""What the console is for, from sign-in to evidence, in a real browser against a running gateway."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from gateway.database import Database
from gateway.demo import maps
from gateway.registry.personas import persona
from gateway.sources.training import training_people
from tests.gateway.console.chromium import Desk, chromium, needs_chromium
from tests.gateway.console.conftest import Office

pytestmark = needs_chromium

AGREEMENT = "/console/agreements/dinsos-jatim-verification"
QUESTION = {
    "purpose": "regional-verification",
    "subjects": [{"ref": "one", "nik": persona("pkh_member").nik}],
    "fields": ["decile", "sex"],
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def test_an_agreement_is_changed_in_the_matrix_tried_approved_and_counts_at_the_next_request(
    browser: Browser, office: Office
) -> None:
    before = office.gateway.post("dinsos-jatim", "/v1/records", QUESTION).json()
    assert _released(before) == {"decile"}
    author = Desk(browser, office, language="en").sign_in("perancang")
    draft = _drafted_in_the_matrix(author)
    _tried(author, draft)
    _submitted(author, draft)
    author.close()
    approver = Desk(browser, office, language="id").sign_in("penyetuju")
    _approved_and_put_into_force(approver)
    approver.close()
    after = office.gateway.post("dinsos-jatim", "/v1/records", QUESTION).json()
    assert _released(after) == {"decile", "sex"}


def _drafted_in_the_matrix(author: Desk) -> str:
    """By keyboard alone; gives the draft's address."""
    page = author.open(AGREEMENT)
    page.get_by_role("button", name="Change it: begin a draft").click()
    expect(page.get_by_text("A draft has been begun.")).to_be_visible()
    draft = page.url.removeprefix(author.origin).partition("?")[0].removesuffix("/fields")

    page = author.open(f"{draft}/fields")
    radios = page.locator("input[name=r-sex]")
    radios.first.focus()
    for _ in range(radios.count() - 1):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("input[name=r-sex][value=full]")).to_be_checked()
    expect(page.locator("[data-unsaved]")).to_contain_text("1")
    assert author.barriers() == []
    author.picture("matrix-editing")
    page.get_by_role("button", name="Save the draft").click()
    expect(page.get_by_text("The draft is saved.")).to_be_visible()
    return draft


def _tried(author: Desk, draft: str) -> None:
    page = author.open(f"{draft}/preview")
    page.locator("#persona").select_option("pkh_member")
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_text("An invented person.")).to_be_visible()
    assert author.barriers() == []
    author.picture("preview")
    page = author.open(f"{draft}/impact")
    page.locator("main button.primary").first.click()
    expect(page.locator("main")).to_contain_text("dinsos-jatim")
    assert author.barriers() == []
    author.picture("impact")


def _submitted(author: Desk, draft: str) -> None:
    page = author.open(draft)
    assert author.barriers() == []
    # The parties' own cases are a brake: a field that opens is named there first.
    expect(page.locator("#untrue")).to_contain_text("released, but this person has none")
    expect(page.get_by_role("button", name="Submit for approval")).to_have_count(0)
    author.picture("untrue-cases")
    for case in page.locator("input[name=cases]").all():
        case.check()
    page.get_by_role("button", name="Let the chosen cases say what the draft does").click()
    expect(page.get_by_text("The chosen cases now say what the draft does.")).to_be_visible()
    page = author.open(draft)
    page.get_by_role("button", name="Submit for approval").click()
    expect(page.get_by_text("waits for an approver").first).to_be_visible()


def _approved_and_put_into_force(approver: Desk) -> None:
    page = approver.page
    page.locator(f"main a[href='{AGREEMENT}/versions/2']").first.click()
    page.locator("form[action$='/acts/approve'] button").click()
    page.locator("form[action$='/acts/activate'] button").click()
    expect(page.locator(".notice.good")).to_be_visible()
    approver.picture("approved")


def _released(answer: dict[str, Any]) -> set[str]:
    return {name for name, one in answer["fields"].items() if "released_as" in one}


def test_a_reconciliation_is_started_watched_to_its_end_and_read_as_table_and_findings(
    browser: Browser, office: Office
) -> None:
    settings = office.gateway.settings
    database = Database(settings.effective_database_url)
    maps.lay_out_extract(settings, training_people(database, 1000))
    database.close()
    operator = Desk(browser, office, language="en").sign_in("operator")
    page = operator.open("/console/reconciliations/new")
    page.locator("#extract").select_option(index=1)
    page.get_by_role("button", name="Start the run").click()
    expect(page.locator("#run")).to_be_visible()
    assert operator.barriers() == []
    # Nobody presses anything: the page renews itself until the run is over.
    expect(page.locator("#run .badge").first).to_have_text("completed", timeout=90_000)
    expect(page.locator("#renewing")).to_have_count(0)
    assert operator.barriers() == []
    operator.picture("run")
    for link in page.locator(".tabs a").all():
        page.goto(str(link.get_attribute("href")))
        assert operator.barriers() == []
        page.go_back()
    page = operator.open("/console/reconciliations/findings")
    expect(page.locator("main tbody tr").first).to_be_visible()
    page.locator("main tbody a").first.click()
    assert operator.barriers() == []
    operator.picture("finding")
    page = operator.open("/console/reconciliations/likely-persons")
    page.locator("main tbody a").first.click()
    assert operator.barriers() == []
    operator.picture("likely-person")
    operator.close()


def test_an_exchange_is_found_and_verified_and_its_bundle_checks_out_elsewhere(
    browser: Browser, office: Office, tmp_path: Path
) -> None:
    office.gateway.post("dinsos-jatim", "/v1/records", QUESTION)
    auditor = Desk(browser, office, language="en", accept_downloads=True).sign_in("penyetuju")
    page = auditor.open("/console/audit")
    page.locator("#consumer").fill("dinsos-jatim")
    page.get_by_role("button", name="Search").click()
    page.locator("main tbody th a").first.click()
    expect(page.get_by_text("Who asked what")).to_be_visible()
    # A new entry gets its place in the signed log within seconds; until then the page says that it waits.
    proven = page.locator("#proof .badge.good")
    while not proven.count():
        page.get_by_text("Check again").click()
        page.reload()
    expect(proven).to_have_text("Proven")
    assert auditor.barriers() == []
    auditor.picture("exchange")
    page.locator("input[name=reason]").fill("CONTOH-AUDIT-7/2026")
    with page.expect_download() as download:
        page.locator("form[action$='/bundle'] button").click()
    bundle = tmp_path / "bundle.json"
    download.value.save_as(bundle)

    page = auditor.open("/console/audit/log")
    with page.expect_download() as download:
        page.get_by_text("Download the verifier").click()
    verifier = tmp_path / "verify.py"
    download.value.save_as(verifier)
    signer = str(page.locator("code, .mono").filter(has_text="/log+").first.text_content()).strip()
    page.get_by_role("button", name="Check the whole log now").click()
    expect(page.locator("main .notice.good, main .badge.good").first).to_be_visible(timeout=30_000)
    auditor.close()

    assert _verifies(verifier, bundle, signer)
    bundle.write_text(bundle.read_text(encoding="utf-8").replace("regional-verification", "something-else"))
    assert not _verifies(verifier, bundle, signer)


def _verifies(verifier: Path, bundle: Path, signer: str) -> bool:
    """Without the gateway's code, its database or its network."""
    command = [sys.executable, "-I", str(verifier), "bundle", str(bundle), "--key", signer]
    return subprocess.run(command, capture_output=True, cwd=bundle.parent, check=False).returncode == 0
