"""What is going away says so on every answer, in the contract, and early enough."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import http_sf
import httpx
import pytest
from fastapi import FastAPI

from gateway.api.deprecation import DEPRECATED, NOTICE, Deprecated, document, told
from gateway.errors import SettingsInvalid
from tests.gateway.staff.office import InProcess

SINCE = datetime(2026, 12, 1, tzinfo=UTC)
WORDS = "https://gapura.example.go.id/changes#records"
OLD = Deprecated("GET /v1/people/{person_id}", SINCE, SINCE + NOTICE, WORDS, instead="/v2/people")


def _app() -> FastAPI:
    app = FastAPI()

    @app.get("/v1/people/{person_id}")
    def old(person_id: str) -> str:
        """One person."""
        return person_id

    @app.get("/v1/agreements")
    def stays() -> str:
        return "here"

    return app


def _get(path: str, deprecated: tuple[Deprecated, ...] = (OLD,)) -> httpx.Response:
    with httpx.Client(transport=InProcess(told(_app(), deprecated)), base_url="http://test") as http:  # type: ignore[arg-type]
        return http.get(path)


def test_an_answer_says_since_when_until_when_and_where_to_read_why() -> None:
    answer = _get("/v1/people/7")
    since: Any = http_sf.parse(answer.headers["deprecation"].encode(), tltype="item")
    assert since[0] == SINCE
    assert parsedate_to_datetime(answer.headers["sunset"]) == SINCE + NOTICE
    assert set(answer.headers["link"].split(", ")) == {
        f'<{WORDS}>; rel="deprecation"; type="text/html"',
        f'<{WORDS}>; rel="sunset"; type="text/html"',
        '</v2/people>; rel="successor-version"',
    }
    assert answer.json() == "7"


def test_what_stays_says_nothing() -> None:
    for path in ("/v1/agreements", "/v1/nothing"):
        assert not {"deprecation", "sunset", "link"} & _get(path).headers.keys()


def test_without_a_sunset_none_is_promised() -> None:
    headers = _get("/v1/people/7", (Deprecated(OLD.operation, SINCE, None, WORDS),)).headers
    assert "sunset" not in headers
    assert 'rel="sunset"' not in headers["link"]


def test_the_contract_marks_it_and_says_what_to_use() -> None:
    contract = _app().openapi()
    document(contract, (OLD,))
    operation = contract["paths"]["/v1/people/{person_id}"]["get"]
    assert operation["deprecated"] is True
    assert "2027-12-01" in operation["description"]
    assert "/v2/people" in operation["description"]
    assert {"Deprecation", "Sunset"} <= operation["responses"]["200"]["headers"].keys()
    assert "deprecated" not in contract["paths"]["/v1/agreements"]["get"]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (Deprecated("GET /v1/nobody", SINCE, None, WORDS), "no operation of the contract"),
        (Deprecated("POST /v1/agreements", SINCE, None, WORDS), "no operation of the contract"),
        (Deprecated(OLD.operation, SINCE, SINCE + NOTICE - timedelta(days=1), WORDS), "less than 365 days"),
    ],
)
def test_a_declaration_that_promises_nothing_or_too_little_is_refused(
    wrong: Deprecated, problem: str
) -> None:
    with pytest.raises(SettingsInvalid, match=problem):
        document(_app().openapi(), (wrong,))


def test_nothing_deprecated_costs_nothing() -> None:
    app = _app()
    assert told(app, ()) is app
    assert DEPRECATED == ()
