"""Agreements and rules in the console: a draft filled in, tried and approved by pages alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.agreements import lifecycle
from gateway.console.policy_words import POLICY_WORDS
from tests.gateway.console.browsing import Seen
from tests.gateway.console.conftest import Office

ALL = "/console/agreements"
NAME = "dinsos-jatim-verification"
ONE = f"{ALL}/{NAME}"
DRAFT = f"{ONE}/versions/2"


@pytest.fixture(scope="module")
def draft(office: Office) -> Seen:
    """The first page of a draft that the author begins from what is in force."""
    author = office.browser("perancang")
    return author.send(author.open(ONE), "Change it: begin a draft")


def test_the_list_finds_agreements_and_keeps_what_was_asked(office: Office) -> None:
    author = office.browser("perancang")
    everything = author.open(ALL)
    assert everything.status == 200
    assert "New agreement" in everything.links
    found = author.send(everything, "Show", search="banjir")
    assert "Agreements found: 1" in found.text
    assert found.form("Show").fields["search"] == ["banjir"]
    assert "Expired" in found.text


def test_an_agreement_is_told_in_words_to_whoever_may_only_read(office: Office) -> None:
    seen = office.browser("penyetuju").open(ONE)
    assert "only its first character" in seen.text
    assert "Jawa Timur (35)" in seen.text
    assert not any(form.offers("Change it: begin a draft") for form in seen.forms)


@pytest.mark.usefixtures("draft")
def test_the_matrix_shows_the_draft_beside_what_is_in_force_and_saves_what_is_chosen(
    office: Office,
) -> None:
    author = office.browser("perancang")
    seen = author.open(f"{DRAFT}/fields")
    assert seen.form("Save the draft").fields["r-region"] == ["generalise"]
    assert 'value="full"' not in seen.html.split('id="f-nik"')[1].split("</tr>")[0]
    saved = author.send(seen, "Save the draft", **{"r-region": "generalise", "to-region": "district"})
    assert "The draft is saved." in saved.text
    assert "changed" in saved.html.split('id="f-region"')[1].split("</tr>")[0]
    overview = author.open(DRAFT)
    assert "as only its district" in overview.text


@pytest.mark.usefixtures("draft")
def test_of_two_who_edit_at_once_the_second_loses_nothing(office: Office) -> None:
    author = office.browser("perancang")
    stale = author.open(f"{DRAFT}/terms")
    author.send(author.open(f"{DRAFT}/text"), "Save the draft", reason="first")
    conflict = author.send(stale, "Save the draft", title_en="My own title")
    assert conflict.status == 409
    assert "What you typed is still here" in conflict.text
    assert "the title becomes" in conflict.text
    assert conflict.form("Save the draft").fields["title_en"] == ["My own title"]
    assert author.send(conflict, "Save the draft").status == 200
    assert author.open(f"{DRAFT}/terms").form("Save the draft").fields["title_en"] == ["My own title"]


@pytest.mark.usefixtures("draft")
def test_what_is_mistyped_is_kept_and_told_at_its_field(office: Office) -> None:
    author = office.browser("perancang")
    wrong = author.send(author.open(f"{DRAFT}/terms"), "Save the draft", subjects_per_request="many")
    assert wrong.status == 422
    assert wrong.form("Save the draft").fields["subjects_per_request"] == ["many"]
    assert 'id="subjects_per_request-error"' in wrong.html
    looked = author.send(wrong, "Look for it", region_search="Kota Malang")
    assert "35.73" in looked.text
    assert looked.form("Save the draft").fields["subjects_per_request"] == ["many"]


@pytest.mark.usefixtures("draft")
def test_cases_that_the_draft_makes_untrue_are_read_and_adjusted_on_its_page(office: Office) -> None:
    author = office.browser("perancang")
    author.send(author.open(f"{DRAFT}/fields"), "Save the draft", **{"r-sex": "full"})
    label = "Let the chosen cases say what the draft does"
    told = office.browser("perancang", "id").open(f"{DRAFT}/fields")
    assert "keluar, tetapi orang ini tidak memilikinya" in told.text
    assert "jenis kelamin" in told.text
    seen = author.open(DRAFT)
    assert "No case was chosen" in author.send(seen, label).text
    author.send(author.open(f"{DRAFT}/fields"), "Save the draft", **{"r-sex": "none"})
    # Whoever read the cases of another state adjusts none of these.
    assert author.send(seen, label, cases="1").status == 409


@pytest.mark.usefixtures("draft")
def test_a_choice_that_the_api_refuses_is_told_at_its_field(office: Office) -> None:
    author = office.browser("perancang")
    form = author.open(f"{DRAFT}/fields")
    choice = {"r-birth_date": "generalise", "to-birth_date": "age_band", "years-birth_date": "1000"}
    wrong = author.send(form, "Save the draft", **choice)
    assert wrong.status == 422
    assert 'role="alert"' in wrong.html.split('id="f-birth_date"')[1].split("</tr>")[0]


@pytest.mark.usefixtures("draft")
def test_terms_that_cannot_be_meant_so_are_kept_and_no_green_word_covers_it(office: Office) -> None:
    author = office.browser("perancang")
    kept = author.open(f"{DRAFT}/terms").form("Save the draft").fields["valid_until"][0]
    saved = author.send(author.open(f"{DRAFT}/terms"), "Save the draft", valid_until="2020-01-01")
    assert "The draft is saved." not in saved.text
    assert 'id="warned-valid_until"' in saved.html
    assert "The draft is saved." in author.send(saved, "Save the draft", valid_until=kept).text
    nothing = author.send(author.open(f"{DRAFT}/terms"), "Look for it", region_search="Tidak Ada Namanya")
    assert "No region is called so." in nothing.text


@pytest.mark.usefixtures("draft")
def test_a_version_is_tried_on_an_invented_person_before_and_after(office: Office) -> None:
    author = office.browser("perancang")
    form = author.open(f"{DRAFT}/preview")
    tried = author.send(form, "Try", persona="pkh_member", operation="records", nik="")
    assert tried.status == 200
    assert "35.78.08.1003" in tried.text
    assert "An invented person." in tried.text
    assert "Save as a case" in tried.html
    assert "3578" not in tried.path


def test_a_draft_goes_from_author_to_approver_into_force_and_back(office: Office) -> None:
    author, approver = office.browser("perancang"), office.browser("penyetuju")
    one = f"{ALL}/dinsos-jatim-findings"
    begun = author.send(author.open(one), "Change it: begin a draft")
    text = begun.path.partition("?")[0]
    saved = author.send(author.open(f"{text}/terms"), "Save the draft", valid_until="2029-06-30")
    assert saved.status == 200, saved.text
    submitted = author.send(author.open(text), "Submit for approval", reason="")
    assert "waits for an approver" in submitted.text
    handed_back = approver.send(approver.open(text), "Refuse and hand back", reason="the day is too far off")
    assert "the day is too far off" in handed_back.text
    author.send(author.open(text), "Submit for approval")
    assert "You have approved" in approver.send(approver.open(text), "Approve").text
    assert "The version is in force." in author.send(author.open(text), "Put into force").text
    compared = author.open(f"{one}/compare?from=1&to=2")
    assert "the last day becomes 2029-06-30" in compared.text
    restored = author.send(author.open(f"{one}/versions/1"), "Begin the draft")
    assert "A draft has been begun." in restored.text


def test_a_version_with_a_mistake_says_which_line_and_offers_no_submission(office: Office) -> None:
    author = office.browser("perancang")
    begun = author.send(author.open(f"{ALL}/pkh-member-contact"), "Change it: begin a draft")
    text = author.open(f"{begun.path.partition('?')[0]}/text")
    wrong = text.form("Save the draft").fields["text"][0].replace("mother_name: drop", "mother_name: keep")
    saved = author.send(text, "Save the draft", text=wrong)
    assert "mother_name: keep" in saved.html
    assert "of pkh-member-contact.yaml" in saved.text
    overview = author.open(begun.path.partition("?")[0])
    assert not any(form.offers("Submit for approval") for form in overview.forms)
    assert "Who can meet this" in overview.text
    assert "its text or cases have mistakes" in overview.text


def test_a_new_agreement_begins_from_a_form_that_keeps_what_was_typed(office: Office) -> None:
    """Even one that is called `new`: no address of the console is taken for an agreement or hides one."""
    author = office.browser("perancang")
    typed = {
        "name": "new",
        "title_id": "Perjanjian baru",
        "title_en": "A new agreement",
        "consumer": "bps-statistik",
        "purpose": "new-statistics",
        "pks": "CONTOH-PKS-099/2026",
    }
    wrong = author.send(author.open(f"{ALL}/_new"), "Begin the draft", **typed | {"copy": "no-such-one"})
    assert wrong.status == 404
    assert wrong.form("Begin the draft").fields["title_id"] == ["Perjanjian baru"]
    begun = author.send(author.open(f"{ALL}/_new"), "Begin the draft", **typed)
    assert begun.status == 200, begun.text
    assert begun.form("Save the draft").fields["document_pks"] == ["CONTOH-PKS-099/2026"]
    assert "cannot be told yet" in begun.text
    assert "No last day yet" in begun.text
    version = begun.path.partition("?")[0].removesuffix("/terms")
    assert "at least one field" in author.open(f"{version}/fields").text
    assert "No case is written yet." in author.open(version).text
    assert "A new agreement" in author.open(f"{ALL}/new").text


def test_a_rule_is_told_tried_and_its_clauses_shown(office: Office) -> None:
    author = office.browser("perancang")
    assert "Program Keluarga Harapan" in office.browser("perancang", "id").open("/console/programmes").text
    rule = author.open("/console/programmes/pkh")
    assert "welfare decile is at most 4" in rule.text
    form = author.open("/console/programmes/pkh/versions/1/preview")
    tried = author.send(form, "Try", persona="deceased", nik="")
    assert "Not eligible" in tried.text
    assert "does not hold The person is alive." in tried.text


def test_the_dictionary_shows_what_may_never_leave(office: Office) -> None:
    seen = office.browser("operator").open(f"{ALL}/_dictionary")
    assert "never leaves" in seen.text


def test_of_a_text_that_cannot_be_read_no_page_says_what_it_releases(office: Office) -> None:
    author = office.browser("perancang")
    begun = author.send(author.open(f"{ALL}/bpjs-pbi-jk"), "Change it: begin a draft")
    version = begun.path.partition("?")[0]
    text = author.open(f"{version}/text")
    written = text.form("Save the draft").fields["text"][0]
    author.send(text, "Save the draft", text=f"{written}bad: [yaml\n")
    for tab in ("fields", "terms"):
        seen = author.open(f"{version}/{tab}")
        assert "The text of this version cannot be read" in seen.text
        assert "To the text and its mistakes" in seen.links
        assert not any(form.offers("Save the draft") for form in seen.forms)


def test_documents_that_a_version_lacks_are_told_where_it_is_submitted(office: Office) -> None:
    author = office.browser("perancang")
    begun = author.send(author.open(f"{ALL}/cek-bansos-own-status"), "Change it: begin a draft")
    version = begun.path.partition("?")[0]
    author.send(author.open(f"{version}/terms"), "Save the draft", document_mou="")
    told = "once these documents are named: Memorandum of understanding (MoU)"
    submitting = author.open(version)
    assert submitting.text.count(told) == 2
    assert "The document `mou`" not in submitting.text


def test_a_rule_in_force_is_not_called_history(office: Office) -> None:
    seen = office.browser("perancang").open("/console/programmes/bpnt/versions/1")
    assert "This version is in force" in seen.text
    assert "It counts until another version is put into force" in seen.text
    assert "this version is history" not in seen.text


def test_who_suspends_reads_first_who_can_end_it_and_then_no_page_says_in_force(office: Office) -> None:
    operator = office.browser("operator")
    version = f"{ALL}/cek-bansos-own-status/versions/1"
    before = operator.open(version)
    assert "it can be let answer again by: penyetuju" in before.text
    suspended = operator.send(before, "Suspend", reason="surat 12/PDK/2026")
    assert "This version is suspended" in suspended.text
    assert "This version is in force" not in suspended.text
    alone = office.browser("penyetuju")
    alone.send(alone.open(version), "Let it answer again", reason="surat 13/PDK/2026")
    assert "nobody could let it answer again" in alone.open(version).text


def test_every_condition_of_an_act_has_its_phrase() -> None:
    written = Path(lifecycle.__file__).read_text(encoding="utf-8")
    assert set(re.findall(r'Unmet\(\s*"(\w+)"', written)) == POLICY_WORDS["unmet"].keys() | {"wrong_state"}
