"""Whom to tell of a weakness: what is served, and that nothing is where nobody listens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from gateway.api import problems
from gateway.api.security_txt import PATH, router, security_text
from gateway.errors import SettingsInvalid
from gateway.settings import Settings, load_settings

NOW = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
MAIL, PHONE = "mailto:keamanan@gapura.example.go.id", "tel:+62-21-5550100"
SITE = {
    "GAPURA_SECURITY_CONTACT": f"{MAIL}, {PHONE}",
    "GAPURA_SECURITY_POLICY": "https://gapura.example.go.id/keamanan",
    "GAPURA_PUBLIC_URL": "https://gapura.example.go.id",
}


def _lines(settings: Settings, now: datetime = NOW) -> list[list[str]]:
    return [line.split(": ", 1) for line in security_text(settings, now).splitlines()]


async def _served(settings: Settings) -> httpx.Response:
    app = FastAPI()
    problems.install(app, frozenset())
    app.include_router(router(settings, lambda: NOW))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://gapura.example.go.id") as http:
        return await http.get(PATH)


async def test_it_names_the_contacts_in_their_order_and_says_what_was_set() -> None:
    answer = await _served(load_settings(SITE))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert answer.text == (
        f"Contact: {MAIL}\nContact: {PHONE}\nExpires: 2027-02-20T00:00:00Z\nPreferred-Languages: id, en\n"
        f"Canonical: https://gapura.example.go.id{PATH}\nPolicy: https://gapura.example.go.id/keamanan\n"
    )


async def test_where_nobody_listens_there_is_no_such_file() -> None:
    answer = await _served(load_settings({"GAPURA_PUBLIC_URL": "https://gapura.example.go.id"}))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.headers["content-type"] == "application/problem+json"


@given(st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001 - made aware
def test_it_has_never_ended_and_ends_within_the_year(naive: datetime) -> None:
    now = naive.replace(tzinfo=UTC)
    fields = dict(_lines(load_settings(SITE), now))
    ends = datetime.fromisoformat(fields["Expires"])
    assert now < ends < now + timedelta(days=365)


def test_without_tls_no_address_of_it_is_canonical() -> None:
    settings = load_settings({"GAPURA_SECURITY_CONTACT": MAIL})
    assert [name for name, _ in _lines(settings)] == ["Contact", "Expires", "Preferred-Languages"]


@pytest.mark.parametrize(
    "settings",
    [
        {"GAPURA_SECURITY_CONTACT": "keamanan@gapura.example.go.id"},
        {"GAPURA_SECURITY_CONTACT": "http://gapura.example.go.id/lapor"},
        {"GAPURA_SECURITY_CONTACT": f"{MAIL}\nPolicy: https://elsewhere.example"},
        {"GAPURA_SECURITY_CONTACT": f"{MAIL}, somebody"},
        {"GAPURA_SECURITY_LANGUAGES": "id, en\nCanonical: https://elsewhere.example"},
        {"GAPURA_SECURITY_LANGUAGES": ""},
        {"GAPURA_SECURITY_POLICY": "https://gapura.example.go.id/keamanan"},
        {"GAPURA_SECURITY_POLICY": "http://gapura.example.go.id/", "GAPURA_SECURITY_CONTACT": MAIL},
    ],
)
def test_what_is_no_address_or_no_language_refuses_the_start(settings: dict[str, str]) -> None:
    with pytest.raises(SettingsInvalid, match="GAPURA_SECURITY_"):
        load_settings(settings)


def test_another_process_reads_the_same_contacts_from_the_environment() -> None:
    settings = load_settings(SITE)
    assert load_settings(settings.environment()).security_contacts == (MAIL, PHONE)
