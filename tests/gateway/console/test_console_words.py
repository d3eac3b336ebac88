"""What the console makes of the API's figures and forms: said in words, and never more than is known."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest

from gateway.console.language import LANGUAGES, NONE, Language, speech
from gateway.console.released import released
from gateway.console.words import WORDS
from tests.gateway.console.rendered import rendered

_ACT_ID = "6f1e0f0e-30c0-4c0b-9a8a-2f4f4a5f0d11"


def _list_of_acts(**said: str) -> dict[str, object]:
    """What the list of acts shows when there is one, which says this."""
    act = {"act_id": _ACT_ID, "at": "2026-10-23T17:01:00+00:00", "actor": "operator"}
    act |= {"act": "staff.signed_in", "object": "staff/operator", "reason": "x", **said}
    chosen = dict.fromkeys(("actor", "act", "since", "until"), "")
    return {
        "found": {"acts": [act], "next": None},
        "chosen": chosen,
        "references": None,
        "actors": [],
        "acts": [],
    }


@pytest.mark.parametrize(
    ("share", "said"),
    [(1.0, "99.99%"), (0.999999, "99.99%"), (0.9999, "99.99%"), (0.1071, "10.71%"), (None, NONE)],
)
def test_a_probability_is_never_told_as_certain(share: float | None, said: str) -> None:
    assert speech("en").chance(share) == said


@pytest.mark.parametrize(
    ("spelled", "said"),
    [
        ("keep", "in full"),
        ("mask (show_first: 1)", "masked: only the first 1 characters show"),
        ("generalise (to: village)", "generalised: to village"),
        ("generalise (to: age_band; years: 5)", "generalised: to age group, bands of 5 years"),
        ("bucket (ranges: 1-2, 3+)", "as a range: ranges 1-2, 3+"),
        ("mask (newer: 1)", "masked: newer: 1"),
        ("newer", "newer"),
    ],
)
def test_what_a_field_is_released_as_is_told_in_words_and_nothing_is_left_out(
    spelled: str, said: str
) -> None:
    assert released(speech("en"), spelled) == said


def test_it_is_told_in_indonesian_too() -> None:
    assert released(speech("id"), "mask (show_first: 1)").endswith("hanya 1 karakter pertama terlihat")


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_said_for_an_empty_text(language: Language) -> None:
    assert speech(language).say("") == ""
    assert speech(language).translations.gettext("") == "", "as a template asks"


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_act_without_a_reason_shows_a_dash(language: Language) -> None:
    page = rendered("audit/acts.html", language=language, **_list_of_acts(reason=""))
    assert f'<td class="why">{NONE}</td>' in page
    assert "Project-Id-Version" not in page


@pytest.mark.parametrize(
    ("spelled", "words", "page"),
    [
        ("agreement/bpjs", "Agreement bpjs", "/console/agreements/bpjs"),
        ("agreement/bpjs/2", "Agreement bpjs, version 2", "/console/agreements/bpjs/versions/2"),
        ("programme/pkh/1", "Programme rule pkh, version 1", "/console/programmes/pkh/versions/1"),
        ("dictionary/fields/3", "Data dictionary fields, version 3", "/console/agreements/_dictionary"),
        (f"incident/{_ACT_ID}", "Incident 6f1e0f0e", f"/console/audit/incidents/{_ACT_ID}"),
        ("consumer/a b?c", "Consumer a b?c", "/console/consumers/a%20b%3Fc"),
        ("months/until/2026-01", "Log up to the month 2026-01", ""),
        ("staff/unknown", "Account unknown", ""),
        ("person", "One person", ""),
        ("witness.example/log", "witness.example/log", ""),
        ("newer/thing/7", "newer/thing/7", ""),
    ],
)
def test_what_an_act_was_done_to_is_told_in_words_that_lead_to_its_page_where_it_has_one(
    spelled: str, words: str, page: str
) -> None:
    told = rendered("audit/acts.html", language="en", **_list_of_acts(object=spelled))
    cell = told.split('<td class="thing">')[1].split("</td>")[0]
    assert " ".join(re.sub("<[^>]*>", "", cell).split()) == words
    assert (f'href="{page}"' in cell) if page else ("<a" not in cell)


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2026-10-23T17:01:00+00:00", "24 Oct 2026"),
        ("2026-10-23T16:59:59Z", "23 Oct 2026"),
        ("2026-10-23T17:01:00", "24 Oct 2026"),
        ("2026-10-24T00:01:00+07:00", "24 Oct 2026"),
        (datetime(2026, 10, 23, 17, 1, tzinfo=UTC), "24 Oct 2026"),
        ("2026-10-23", "23 Oct 2026"),
        (date(2026, 10, 23), "23 Oct 2026"),
        (None, NONE),
        ("", NONE),
    ],
)
def test_the_day_of_a_moment_is_that_in_jakarta_and_a_civil_day_stays(
    value: str | date | None, day: str
) -> None:
    assert speech("en").day(value).replace("\N{NO-BREAK SPACE}", " ") == day


def test_people_shown_once_are_numbered_not_placed() -> None:
    reversal = dict.fromkeys(("settled_at", "perform_until", "performed_at"), None)
    reversal |= {"id": "1", "sector": "kesehatan", "names": 1, "legal_basis": "court_order", "reference": "1"}
    reversal |= {"reason": "x", "requested_by": "oni", "state": "performed"}
    reversal |= {"requested_at": "2026-10-23T17:01:00+00:00"}
    shown = {"people": [{"person_id": None, "nik": None}], "mine": True, "of": ""}
    page = rendered("audit/reversal.html", reversal=reversal, typed={"reason": "", "pseudonyms": ""}, **shown)
    assert '<th scope="col" class="count">No.</th>' in page
    assert "Tempat tinggal" not in page


def test_a_page_that_is_not_there_leads_to_the_page_of_that_name_in_the_menu() -> None:
    assert '<a href="/console">Ke Beranda</a>' in rendered("missing.html")


def test_every_act_of_staff_belongs_to_a_family_that_has_a_name_in_the_filter() -> None:
    families = {f"{act.partition('.')[0]}." for act in WORDS["staff_act"]}
    assert families == set(WORDS["staff_acts"])


@pytest.mark.parametrize(
    ("since", "until", "told"),
    [
        ("2026-10-24", "2026-10-23", True),
        ("2026-10-23", "2026-10-23", False),
        ("2026-10-23", "2026-10-24", False),
        ("2026-10-24", "", False),
        ("", "2026-10-23", False),
    ],
)
def test_days_the_wrong_way_round_are_told_at_the_filter(since: str, until: str, told: bool) -> None:
    chosen = {"actor": "", "act": "", "since": since, "until": until}
    shown = {"found": {"acts": []}, "chosen": chosen, "references": None, "actors": [], "acts": []}
    assert ("Hari pertama sesudah hari terakhir" in rendered("audit/acts.html", **shown)) == told


def test_an_incident_shows_in_which_form_a_field_was_told() -> None:
    incident = dict.fromkeys(("people_told_at", "authority_told_at"), "2026-10-23T17:01:00+00:00")
    incident |= dict.fromkeys(("known_at", "first", "last", "tell_by"), "2026-10-23T17:01:00+00:00")
    incident |= {"id": "1", "consumer_id": "ministry", "opened_by": "ani", "reason": "x", "people": 3}
    incident |= {"exchanges": 3, "erased": 0, "running": False, "late": False, "waiting": [], "decisions": {}}
    incident |= {"fields": {"mother_name": 3}, "forms": {"mother_name": {"verdict": 2, "keep": 1}}}
    typed = dict.fromkeys(("reason", "how", "handling", "contact"), "")
    given = {"labels": {}, "typed": typed, "of": "", "notices": None, "found": None}
    page = rendered("audit/incident.html", language="en", incident=incident, **given)
    row = '<small class="mono">mother_name</small></th><td>{}</td><td class="count">{}</td>'
    assert row.format(released(speech("en"), "verdict"), 2) in page
    assert row.format("in full", 1) in page
    assert released(speech("en"), "verdict") != "verdict"
