"""The limits as a consumer meets them: header fields, 429, and its own usage, over HTTP."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import http_sf
import httpx
import pytest
from joserfc.jwk import ECKey

from gateway.database import Database
from gateway.oauth.client import GatewayClient
from gateway.oauth.consumers import ConsumerStore
from gateway.registry.personas import persona
from gateway.staff.roles import INSTALLATION
from tests.conftest import empty_postgres_database
from tests.living import LivingGateway, living_gateway

BPJS, PATH = "bpjs-kesehatan", "/v1/eligibility"
POLICIES = Path(__file__).parents[3] / "policies"
EXPIRED = "bpjs-earlier-reconciliation"
NIK = persona("eligible").nik


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LivingGateway]:
    """Served by as many workers as the database allows, with small limits for two agreements of BPJS."""
    home = tmp_path_factory.mktemp("home")
    policies = home / "policies"
    shutil.copytree(POLICIES, policies, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for name, limits in {
        "bpjs-pbi-jk": (100, 20, 5),
        "bpjs-member-reconciliation": (3, 1000, 1000),
    }.items():
        _set_limits(policies / "agreements" / f"{name}.yaml", *limits)
    _add_expired(policies / "agreements")
    if request.param == "sqlite":
        url = f"sqlite:///{home / 'gapura.db'}"
        with living_gateway(home, url, policies=policies) as living:
            yield living
        return
    with (
        empty_postgres_database(request.getfixturevalue("postgres_server")) as url,
        living_gateway(home, url, policies=policies, workers=2) as living,
    ):
        yield living


def _set_limits(path: Path, requests: int, subjects: int, people: int) -> None:
    numbers = {"requests_per_minute": requests, "subjects_per_day": subjects, "new_people_per_day": people}
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for at, line in enumerate(lines):
        name = line.strip().split(":")[0]
        if name in numbers:
            lines[at] = f"  {name}: {numbers[name]}\n"
    path.write_text("".join(lines), encoding="utf-8")


def _add_expired(folder: Path) -> None:
    """An agreement of BPJS that was over before anybody here asked anything."""
    text = (folder / "bpjs-member-reconciliation.yaml").read_text(encoding="utf-8")
    text = text.replace("2028-12-31", "2026-01-31").replace("member-reconciliation", "earlier-reconciliation")
    (folder / f"{EXPIRED}.yaml").write_text(text, encoding="utf-8")


def _ask(gateway: LivingGateway, *niks: str) -> httpx.Response:
    subjects = [{"ref": str(at), "nik": nik} for at, nik in enumerate(niks)]
    body = {"purpose": "pbi-jk-eligibility", "programme": "PBI-JK", "subjects": subjects}
    return gateway.post(BPJS, PATH, body)


def _fields(answer: httpx.Response, name: str) -> dict[tuple[str, str], dict[str, Any]]:
    """A header field, read by a parser that nobody here wrote, by agreement and limit."""
    items = http_sf.parse(answer.headers[name].encode(), tltype="list")
    return {(parameters.pop("pk").decode(), value): parameters for value, parameters in items}


def _left(answer: httpx.Response, agreement: str = "bpjs-pbi-jk") -> dict[str, int]:
    return {
        limit: parameters["r"]
        for (of, limit), parameters in _fields(answer, "ratelimit").items()
        if of == agreement
    }


def _usage(gateway: LivingGateway) -> dict[str, dict[str, Any]]:
    usage = gateway.client(BPJS).get("/v1/usage").json()
    assert usage["consumer"] == BPJS
    return {agreement["id"]: agreement for agreement in usage["agreements"]}


def test_an_answer_says_what_its_agreement_allows_and_what_is_left(gateway: LivingGateway) -> None:
    before = _usage(gateway)["bpjs-pbi-jk"]["limits"]
    answer = _ask(gateway, NIK)
    assert answer.status_code == 200
    policy = _fields(answer, "ratelimit-policy")
    assert policy["bpjs-pbi-jk", "requests_per_minute"] == {"q": 100, "w": 60}
    assert policy["bpjs-pbi-jk", "subjects_per_day"] == {"q": 20, "qu": "subjects", "w": 86_400}
    assert policy["bpjs-pbi-jk", "new_people_per_day"] == {"q": 5, "qu": "people", "w": 86_400}
    standing = _fields(answer, "ratelimit")["bpjs-pbi-jk", "subjects_per_day"]
    assert standing["r"] == before["subjects_per_day"]["left"] - 1
    assert 0 < standing["t"] <= 86_400


def test_a_limit_that_is_reached_is_a_429_that_says_when_to_come_back(gateway: LivingGateway) -> None:
    many = [f"3578{at:02}1703849001" for at in range(10, 17)]
    answer = _ask(gateway, *many)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (429, "new_people_per_day_exceeded")
    assert answer.headers["content-type"] == "application/problem+json"
    resets_in_s = _fields(answer, "ratelimit")["bpjs-pbi-jk", "new_people_per_day"]["t"]
    assert int(answer.headers["retry-after"]) == resets_in_s
    assert problem["remedy"]
    assert problem["exchange_id"]
    assert not [nik for nik in many if nik in answer.text]
    assert _ask(gateway, NIK).status_code == 200, "nothing but a request was spent"


def test_usage_shows_each_agreement_by_itself_and_is_told_only_to_its_consumer(
    gateway: LivingGateway,
) -> None:
    before = _usage(gateway)
    _ask(gateway, NIK)
    after = _usage(gateway)
    assert after["bpjs-pbi-jk"]["requests"] == before["bpjs-pbi-jk"]["requests"] + 1
    other = "bpjs-member-reconciliation"
    assert after[other]["requests"] == before[other]["requests"]
    others = gateway.client("bps-statistik").get("/v1/usage").json()["agreements"]
    assert not {one["id"] for one in others} & after.keys()
    answer = gateway.client(BPJS).get("/v1/usage")
    assert {of for of, _ in _fields(answer, "ratelimit")} == after.keys() - {EXPIRED}
    assert gateway.http.get(f"{gateway.url}/v1/usage").status_code == 401


def test_another_key_of_the_consumer_goes_on_where_the_first_one_stopped(gateway: LivingGateway) -> None:
    left = _left(_ask(gateway, NIK))
    database = Database(gateway.settings.effective_database_url)
    key = ECKey.generate_key("P-256", {"kid": "rotated"})
    jwk = key.as_dict(private=False)
    ConsumerStore(database).keys.add(INSTALLATION, BPJS, jwk, "rotation", overlap_days=0)
    database.close()
    client = GatewayClient(gateway.url, BPJS, key.as_dict(private=True), gateway.http)
    body = {
        "purpose": "pbi-jk-eligibility",
        "programme": "PBI-JK",
        "subjects": [{"ref": "0", "nik": NIK}],
    }
    answer = client.post(PATH, body)
    assert answer.status_code == 200
    assert _left(answer)["subjects_per_day"] == left["subjects_per_day"] - 1


def test_usage_says_how_each_agreement_stands_so_that_nobody_counts_on_one_that_is_over(
    gateway: LivingGateway,
) -> None:
    standing = {name: one["standing"] for name, one in _usage(gateway).items()}
    assert standing == {
        "bpjs-pbi-jk": "active",
        "bpjs-member-reconciliation": "active",
        EXPIRED: "expired",
    }


def test_what_is_malformed_or_not_covered_is_not_counted_and_tells_of_no_limit(
    gateway: LivingGateway,
) -> None:
    before = _usage(gateway)
    subject = {"ref": "0", "nik": NIK}
    covered = {"purpose": "pbi-jk-eligibility", "programme": "PBI-JK", "subjects": [subject]}
    for body, status in (
        ({**covered, "subjects": []}, 422),
        ({**covered, "programme": "PKH"}, 403),
        ({"purpose": "earlier-reconciliation", "programme": "PBI-JK", "subjects": [subject]}, 403),
    ):
        answer = gateway.post(BPJS, PATH, body)
        assert answer.status_code == status
        assert not {"ratelimit", "ratelimit-policy"} & answer.headers.keys()
    assert "ratelimit" not in gateway.client(BPJS).get("/v1/agreements").headers
    counts = ("requests", "refused", "subjects", "new_people")
    after = _usage(gateway)
    assert [[one[name] for name in counts] for one in after.values()] == [
        [one[name] for name in counts] for one in before.values()
    ]


def test_the_contract_documents_the_fields_wherever_a_request_is_counted(gateway: LivingGateway) -> None:
    contract = gateway.http.get(f"{gateway.url}/openapi.json").json()
    for path in (PATH, "/v1/records", "/v1/access-history", "/v1/pseudonyms/translate"):
        responses = contract["paths"][path]["post"]["responses"]
        for status in ("200", "429", "503"):
            assert {"RateLimit", "RateLimit-Policy"} <= responses[status]["headers"].keys()
        assert "Retry-After" in responses["429"]["headers"]
        assert not {"headers"} & (responses["403"].keys() | responses["422"].keys())
    assert "RateLimit" in contract["paths"]["/v1/usage"]["get"]["responses"]["200"]["headers"]
    assert "headers" not in contract["paths"]["/v1/agreements"]["get"]["responses"]["200"]
    told = contract["components"]["headers"]
    for name in ("RateLimit", "RateLimit-Policy"):
        assert http_sf.parse(told[name]["example"].encode(), tltype="list")
