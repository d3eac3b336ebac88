"""No personal value and no token in any place where people look: marked ones are driven through whole flows.

The marked person's values enter by every door (import, reject file, requests good and bad, member names,
addresses, claims, tokens in the wrong place); then every sink is searched for them.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from gateway.registry.personas import EXPORT_COLUMNS, persona
from tests.conftest import empty_postgres_database
from tests.gateway.telemetry.collector import Collector, collecting
from tests.living import LivingGateway, living_gateway

NIK = "3578081203799980"
BAD_NIK = "35780812037999807"
NAME = "KENARI EMAS PENANDA"
MOTHER = "IBU PENANDA RAHASIA"
ADDRESS = "JALAN PENANDA NOMOR TUJUH"
PBI_JK = {"purpose": "pbi-jk-eligibility", "programme": "PBI-JK"}


@dataclass
class Flow:
    """What was driven through a gateway: the secrets that were used, and every answer that came back."""

    gateway: LivingGateway
    tokens: list[str] = field(default_factory=list)
    answers: list[httpx.Response] = field(default_factory=list)
    printed: str = ""

    @property
    def canaries(self) -> list[str]:
        return [NIK, BAD_NIK, NAME, MOTHER, ADDRESS, *self.tokens]

    def assert_clean(self, where: str, content: str) -> None:
        found = [f"canary {n}" for n, canary in enumerate(self.canaries) if canary in content]
        assert not found, f"{where} holds {found}"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as one:
        yield one


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, collector: Collector
) -> Iterator[LivingGateway]:
    """As everywhere, but every request is traced: traces are one more place where people look."""
    home = tmp_path_factory.mktemp("home")
    traced = {"otlp_endpoint": collector.endpoint, "otlp_share_percent": 100}
    if request.param == "sqlite":
        with living_gateway(home, f"sqlite:///{home / 'gapura.db'}", **traced) as living:
            yield living
        return
    with (
        empty_postgres_database(request.getfixturevalue("postgres_server")) as url,
        living_gateway(home, url, **traced) as living,
    ):
        yield living


@pytest.fixture(scope="module")
def flow(gateway: LivingGateway, tmp_path_factory: pytest.TempPathFactory) -> Flow:
    driven = Flow(gateway)
    _import_marked_people(driven, tmp_path_factory.mktemp("import"))
    _ask_well_and_badly(driven)
    _lose_tokens(driven)
    return driven


def _import_marked_people(flow: Flow, folder: Path) -> None:
    row = dict.fromkeys(EXPORT_COLUMNS, "") | persona("eligible").row()
    row |= {"Nama": NAME, "Nama_Ibu_Kandung": MOTHER, "Alamat": ADDRESS, "NIK": NIK, "Id_DTKS": "PENANDA-1"}
    bad = row | {"Id_DTKS": "PENANDA-2", "NIK": "3,57808E+15", "Tanggal_Lahir": f"{NAME}"}
    long_nik = row | {"Id_DTKS": "PENANDA-3", "NIK": BAD_NIK}
    file = folder / "export.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, EXPORT_COLUMNS)
        writer.writeheader()
        writer.writerows([row, bad, long_nik])
    environment = {"PATH": "/usr/bin:/bin", **flow.gateway.settings.environment()}
    command = [
        sys.executable,
        "-m",
        "gateway",
        "registry",
        "import",
        str(file),
        "--rejects",
        str(folder / "r.csv"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    flow.printed = done.stdout + done.stderr + (folder / "r.csv").read_text(encoding="utf-8")


def _ask_well_and_badly(flow: Flow) -> None:
    client = flow.gateway.client("bpjs-kesehatan")
    good = {**PBI_JK, "subjects": [{"ref": "1", "nik": NIK, "claims": {"full_name": NAME}}]}
    flow.answers.append(client.post("/v1/eligibility", good))
    assert flow.answers[0].json()["results"][0]["decision"] == "eligible"
    bad: list[Any] = [
        {**PBI_JK, "subjects": [{"ref": "1", "nik": int(NIK)}]},
        {**PBI_JK, "subjects": [{"ref": "1", NIK: NAME}]},
        {**PBI_JK, "subjects": [{"ref": "1", "nik": NIK, "claims": {NAME: 1}}]},
        {**PBI_JK, "purpose": NAME, "subjects": [{"ref": "1", "nik": NIK}]},
        {**PBI_JK, "programme": NIK, "subjects": [{"ref": "1", "nik": BAD_NIK}]},
        {**PBI_JK, "fields": [NIK, NAME, "mother_name"], "subjects": [{"ref": "1", "nik": NIK}]},
        {**PBI_JK, "on_date": NIK, "subjects": [{"ref": "1", "nik": NIK}]},
        [NIK, NAME],
        NAME,
    ]
    flow.answers += [client.post("/v1/eligibility", body) for body in bad]
    member = {"purpose": "member-contact", "subjects": [{"ref": "1", "nik": NIK}]}
    flow.answers.append(flow.gateway.post("pkh-pendamping", "/v1/records", member))


def _lose_tokens(flow: Flow) -> None:
    http, url = flow.gateway.http, flow.gateway.url
    token = flow.gateway.client("bpjs-kesehatan").access_token()
    flow.tokens.append(token)
    flow.tokens.append(token.rsplit(".", 1)[1])
    flow.answers += [
        http.get(f"{url}/v1/agreements?access_token={token}"),
        http.get(f"{url}/v1/agreements/{NIK}?name={NAME}"),
        http.get(f"{url}/{token}"),
        http.get(f"{url}/v1/agreements", headers={"Authorization": f"Bearer {token}"}),
        http.get(f"{url}/v1/agreements", headers={"Authorization": f"DPoP {token}", "DPoP": token}),
        http.post(f"{url}/oauth/token", data={"client_assertion": token, "client_id": NAME, "scope": NIK}),
        http.post(f"{url}/oauth/token?client_assertion={token}", data={"grant_type": NIK}),
        http.post(f"{url}/oauth/introspect", data={"token": token}),
        http.post(f"{url}/oauth/revoke", data={"token": token}),
    ]


def test_the_flow_really_carried_the_canaries(flow: Flow) -> None:
    engine = create_engine(flow.gateway.settings.effective_database_url)
    with engine.connect() as connection:
        names = (
            connection.execute(text("SELECT full_name FROM people WHERE nik = :nik"), {"nik": NIK})
            .scalars()
            .all()
        )
    engine.dispose()
    assert names == [NAME]
    assert {answer.status_code for answer in flow.answers} >= {200, 400, 401, 403, 404, 422}


def test_no_canary_in_what_the_import_prints_and_rejects(flow: Flow) -> None:
    flow.assert_clean("the import's output or reject file", flow.printed)


def test_no_canary_in_the_log(flow: Flow) -> None:
    log = flow.gateway.log
    assert "exchange:answered" in log
    flow.assert_clean("the log", log)


def test_no_canary_in_the_metrics(flow: Flow) -> None:
    flow.assert_clean("/metrics", flow.gateway.http.get(f"{flow.gateway.url}/metrics").text)


def test_no_canary_in_any_span(flow: Flow, collector: Collector) -> None:
    last = "POST /oauth/revoke"
    assert collector.trace(last)
    assert {span.name for span in collector.spans} >= {"POST /v1/eligibility", "admit", "judge", "trip"}
    flow.assert_clean("a trace", collector.text)


def test_no_canary_in_any_error_or_its_headers(flow: Flow) -> None:
    for answer in flow.answers:
        if answer.is_error:
            flow.assert_clean(f"the answer {answer.status_code}", answer.text + str(answer.headers))


def test_no_canary_in_any_answer_whose_agreement_does_not_release_it(flow: Flow) -> None:
    for answer in flow.answers:
        if answer.is_success:
            flow.assert_clean("an answer", answer.text)


def test_no_canary_in_the_audit_rows(flow: Flow) -> None:
    engine = create_engine(flow.gateway.settings.effective_database_url)
    with engine.connect() as connection:
        rows = [str(tuple(row)) for row in connection.execute(text("SELECT * FROM audit_entries"))]
    engine.dispose()
    assert rows
    flow.assert_clean("the audit log", "\n".join(rows))


def test_no_canary_in_any_table_but_the_people_themselves(flow: Flow) -> None:
    """Tokens and proofs leave marks, and a mark is a hash."""
    engine = create_engine(flow.gateway.settings.effective_database_url)
    with engine.connect() as connection:
        for table in (
            "spent_assertions",
            "spent_proofs",
            "revoked_tokens",
            "consumers",
            "consumer_keys",
            "imports",
        ):
            statement = text(f"SELECT * FROM {table}")  # noqa: S608 - the names stand three lines above
            rows = [str(tuple(row)) for row in connection.execute(statement)]
            flow.assert_clean(table, "\n".join(rows))
    engine.dispose()


def test_no_canary_in_any_file_name(flow: Flow) -> None:
    names = [
        str(path.relative_to(flow.gateway.settings.home)) for path in flow.gateway.settings.home.rglob("*")
    ]
    assert names
    flow.assert_clean("a file name", json.dumps(names))
