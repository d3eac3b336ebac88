"""Pemadanan and Peta without a script: a run from its form to its findings, a case decided, a work list."""

from __future__ import annotations

import re
import time
from datetime import date

import pytest

from gateway.database import Database
from gateway.sources.training import training_people
from gateway.sources.training_extract import write_extract
from tests.gateway.console.browsing import Seen
from tests.gateway.console.conftest import Office

_RUNS = "/console/reconciliations"
_WAIT_S = 90
_WHY = "ND-41/PUSDATIN/2026"


@pytest.fixture(scope="module")
def run(office: Office) -> Seen:
    """The page of a run that was started by its form and is completed."""
    settings = office.gateway.settings
    database = Database(settings.effective_database_url)
    folder = settings.home / "extracts"
    folder.mkdir()
    write_extract(training_people(database, 1000), folder / "latihan.csv", date(2026, 11, 1))
    database.close()
    browser = office.browser("operator")
    wanted = browser.send(browser.open(f"{_RUNS}/new"), "Say what this will do", extract="latihan.csv")
    assert "Compares every person of the region with the extract latihan.csv" in wanted.text
    seen = browser.send(wanted, "Start the run")
    assert "The run was started." in seen.text
    again = browser.send(wanted, "Start the run")
    assert again.path == seen.path, "a form that is sent twice starts one run"
    until = time.monotonic() + _WAIT_S
    while "completed" not in seen.text:
        assert time.monotonic() < until, seen.text
        time.sleep(0.2)
        seen = browser.open(seen.path.partition("?")[0])
    return seen


def test_a_run_shows_what_it_came_to_and_can_no_longer_be_acted_on(office: Office, run: Seen) -> None:
    assert "People by status" in run.text
    assert "matched, matched with differences, moved and deceased" in run.text
    assert not [form for form in run.forms if form.offers("Cancel the run for good")]
    assert "hx-get" not in run.html, "a page of what is over renews itself no more"
    assert "follows" not in run.text
    browser = office.browser("operator")
    regions = browser.open(f"{run.path}?view=regions").text
    assert "Kota Surabaya" in regions
    assert "80.0% to below 90.0%" in regions
    assert "98.0% \N{EN DASH} 100.0%" in regions
    assert "Jawa Timur" in browser.open(f"{run.path}?view=quality").text
    assert "2026" in browser.open(_RUNS).text


def test_what_the_api_refuses_is_told_at_the_form_with_what_was_typed(office: Office, run: Seen) -> None:
    assert run.status == 200
    browser = office.browser("operator")
    nowhere = browser.open(f"{_RUNS}/new?way=extract&extract=latihan.csv&region=99")
    assert "There is no region 99." in nowhere.text
    unknown = browser.open(f"{_RUNS}/new?way=extract&extract=latihan.csv&region=Antah+Berantah")
    assert "There is no region Antah Berantah." in unknown.text
    assert unknown.form("Say what this will do").fields["region"] == ["Antah Berantah"]
    assert "Choose an extract first." not in browser.open(f"{_RUNS}/new?region=35.78").text
    none_chosen = browser.send(browser.open(f"{_RUNS}/new"), "Say what this will do", extract="")
    assert "Choose an extract first." in none_chosen.text
    assert not [form for form in nowhere.forms if form.offers("Start the run")]
    wanted = browser.open(f"{_RUNS}/new?way=extract&extract=latihan.csv&region=35.78")
    seen = browser.send(wanted, "Start the run", region="00")
    assert seen.status == 400
    assert seen.form("Say what this will do").fields["region"] == ["00"]


def test_only_operators_are_offered_to_act_and_others_are_refused(office: Office, run: Seen) -> None:
    auditor = office.browser("penyetuju")
    assert "Start a run" not in auditor.open(_RUNS).text
    token = auditor.open(_RUNS).form("Sign out").fields["csrf_token"][0]
    refused = auditor.post(
        f"{run.path}/cancel", {"sec-fetch-site": "same-origin"}, csrf_token=token, reason="x"
    )
    assert refused.status == 403


def test_a_finding_is_answered_and_ended_with_its_history(office: Office, run: Seen) -> None:
    browser = office.browser("operator")
    found = browser.open(f"{_RUNS}/findings?kind=unknown_nik&run={run.path.rsplit('/', 1)[-1]}")
    one = browser.open(found.links["NIK unknown"])
    answered = browser.send(one, "Write it down", answer="corrected", reference="460/1/2026", reason=_WHY)
    assert "the data were corrected" in answered.text
    assert "460/1/2026" in answered.text
    closed = browser.send(answered, "End the finding", reason=_WHY)
    assert "The finding has ended." in closed.text
    assert _WHY in closed.text
    assert not [form for form in closed.forms if form.offers("End the finding")]


def test_a_case_is_refused_with_a_reason_and_the_next_one_comes(office: Office, run: Seen) -> None:
    assert run.status == 200
    browser = office.browser("operator")
    queue = browser.open(f"{_RUNS}/likely-persons?least=0")
    assert queue.form("Show").fields["least"] == ["0"]
    assert browser.open(f"{_RUNS}/likely-persons").form("Show").fields["least"] == ["0.5"]
    cases = [path for path in queue.links.values() if path.startswith(f"{_RUNS}/likely-persons/")]
    case = browser.open(cases[0])
    assert "Together, in bits" in case.text
    assert "calibrated on pairs whose truth is known" in case.text
    decided = browser.send(case, "Refuse: this is somebody else", reason=_WHY)
    person = cases[0].rpartition("/")[2]
    assert f"The case before ({person[:8]}, " in decided.text
    assert "is refused: nobody is asked about those two again." in decided.text
    assert "The case before" not in browser.open(decided.path.partition("?")[0]).text
    assert "refused" in browser.open(cases[0]).text


def test_a_work_list_is_a_download_of_one_regency_and_asks_for_a_reason(office: Office, run: Seen) -> None:
    assert run.status == 200
    browser = office.browser("operator")
    form = browser.open(f"{_RUNS}/findings/export?region=35.78")
    assert re.search(r'id="region"[^>]* required', form.html)
    missing = browser.send(form, "Download the work list (CSV)", region="35", reason=_WHY)
    assert missing.status == 422
    assert missing.form("Download the work list (CSV)").fields["reason"] == [_WHY]
    file = browser.send(form, "Download the work list (CSV)", region="35.78 Kota Surabaya", reason=_WHY)
    assert file.response.headers["content-type"].startswith("text/csv")
    assert "attachment" in file.response.headers["content-disposition"]


def test_a_rule_is_proposed_by_one_and_confirmed_by_another(office: Office) -> None:
    browser, other = office.browser("operator"), office.browser("penyetuju")
    rules = f"{_RUNS}/rules"
    wrong = browser.send(browser.open(rules), "Propose the rule", least_probability="12", reason=_WHY)
    assert wrong.status == 422
    assert wrong.form("Propose the rule").fields["least_probability"] == ["12"]
    proposed = browser.send(wrong, "Propose the rule", least_probability="99,5", reason=_WHY)
    assert "Somebody else has to confirm it." in proposed.text
    assert not [form for form in proposed.forms if form.offers("Confirm the rule")]
    confirmed = other.send(other.open(rules), "Confirm the rule", reason=_WHY)
    assert "99.50%" in confirmed.text
    assert "in force" in confirmed.text
    ended = browser.send(browser.open(rules), "End the rule", reason=_WHY)
    assert "No rule is in force" in ended.text


def test_the_map_is_a_table_without_borders_and_keeps_its_state_in_the_address(
    office: Office, run: Seen
) -> None:
    assert run.status == 200
    browser = office.browser("perancang")
    seen = browser.open("/console/map?level=province")
    assert "gapura areas import" in seen.text
    assert "Jawa Timur" in seen.text
    within = browser.open(seen.links["Jawa Timur"])
    assert "province=35" in within.path
    assert "Kota Surabaya" in within.text
    assert "data-map" not in within.html
    shown = browser.send(within, "Show", show="programme-PKH")
    assert "show=programme-PKH" in shown.path
    assert "Recipients of PKH · Jawa Timur" in shown.text
