"""Trying, explaining and watching limits, as staff do it over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI

from gateway.agreements.past import Explanations
from gateway.agreements.preview import Preview
from gateway.agreements.replay import Replay
from gateway.agreements.trials import Trials
from gateway.api import problems
from gateway.api.admin.documentation import MEMBER_NAMES
from gateway.api.admin.explain import explain_router
from gateway.api.admin.limits import limits_router
from gateway.api.admin.trying import trying_router
from gateway.audit.entry import SubjectHasher
from gateway.database import Database
from gateway.limits.ledger import LimitLedger
from gateway.registry.personas import persona
from gateway.staff.roles import INSTALLATION, ROLES, Role
from tests.gateway.agreements.bureau import NAME, agreement_text, narrower
from tests.gateway.agreements.traffic import BPJS, NIKS, Traffic, outside, registry, someone
from tests.gateway.staff.office import InProcess, Office

PBI = {"operation": "eligibility", "programme": "PBI-JK"}
INVENTED, REAL = persona("eligible").nik, NIKS[1]
OTHER = "bpjs-member-reconciliation"
VERSION = f"/admin/v1/policies/agreement/{NAME}/versions/2"


class Desk:
    """The admin API over one bureau, with somebody of each role who has a token."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.traffic = Traffic(database)
        self.traffic.source = outside(someone(NIKS[0]))
        self.office = Office(database, folder)
        self.limits = LimitLedger(database, SubjectHasher(b"a" * 32), self.traffic.bureau.clock)
        store, check = self.traffic.bureau.store, self.office.desk.check
        trials = self._trials(database)
        self._app = FastAPI()
        problems.install(self._app, MEMBER_NAMES)
        self._app.include_router(trying_router(trials, store, check))
        self._app.include_router(explain_router(trials.explain, check))
        self._app.include_router(limits_router(store, self.limits, check, self.traffic.bureau.clock))
        self._tokens = {role: self._token(role) for role in ROLES}

    def _trials(self, database: Database) -> Trials:
        clock = self.traffic.bureau.clock
        people = {f"nik_{INVENTED}": someone(INVENTED), f"nik_{REAL}": someone(REAL, synthetic=False)}
        preview = Preview(
            database=database,
            registry=registry(**people),
            sources=[],
            simulated=frozenset(),
            consumers=self.traffic.consumers,
            holders=self.office.desk.accounts.holders,
            audit_key=b"a" * 32,
            clock=clock,
            timeout_s=5,
        )
        return Trials(preview, Replay(database, self.traffic.consumers, clock), Explanations(database))

    def _token(self, role: Role) -> str:
        self.office.hire(role, role, password=None)
        tokens = self.office.desk.tokens
        return tokens.add(INSTALLATION, role, name="test", roles=frozenset({role}), days=1)[1]

    def acting_as(self, role: Role) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self._tokens[role]}", "Accept-Language": "en"}
        return httpx.Client(
            transport=InProcess(self._app), base_url="https://gapura.example", headers=headers
        )

    def contract(self) -> dict[str, Any]:
        return self._app.openapi()

    def ask(self, *niks: str) -> str:
        """One question of BPJS, in its place in the log; its exchange id."""
        question = {"operation": "eligibility", "purpose": "pbi-jk-eligibility", "programme": "PBI-JK"}

        async def asked() -> None:
            await self.traffic.ask(BPJS, *niks, **question)

        anyio.run(asked)
        self.traffic.place()
        return str(self.traffic.outcomes()[-1]["exchange_id"])


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path)


def test_a_preview_shows_both_sides_and_offers_a_case(desk: Desk) -> None:
    desk.traffic.bureau.draft(narrower())
    answer = desk.acting_as("author").post(f"{VERSION}/preview", json={"persona": "eligible", **PBI})
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert (shown["differences"], shown["registered"], shown["synthetic"]) == (["birth_date"], True, True)
    before = {field["field"]: field for field in shown["before"]["fields"]}
    assert before["birth_date"]["value"] == "1984"
    assert before["birth_date"]["label"] == {"id": "tanggal lahir", "en": "date of birth"}
    assert shown["after"]["version"] == 2
    assert shown["case"].startswith("people:\n")
    assert INVENTED not in answer.text


def test_a_real_person_needs_a_reason_and_a_role_and_the_holders_are_named(desk: Desk) -> None:
    desk.traffic.bureau.draft(narrower())
    body = {"nik": REAL, **PBI, "reason": "ND-3/PDK/2026"}
    refused = desk.acting_as("author").post(f"{VERSION}/preview", json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "role_missing")
    assert refused.json()["held_by"] == {"auditor": ["auditor"], "approver": ["approver"]}
    unreasoned = desk.acting_as("auditor").post(f"{VERSION}/preview", json={**body, "reason": "  "})
    assert unreasoned.json()["after"]["nobody"]["code"] == "not_found"
    shown = desk.acting_as("auditor").post(f"{VERSION}/preview", json=body).json()
    assert (shown["synthetic"], shown["case"], shown["after"]["decision"]) == (False, None, "eligible")
    assert desk.office.acts("policy.preview")[-1]["reason"] == "ND-3/PDK/2026"


@pytest.mark.parametrize(
    "body",
    [
        {**PBI},
        {"nik": REAL, "persona": "eligible", **PBI},
        {"persona": REAL, **PBI},
        {"nik": [REAL], **PBI},
        {REAL: "x", "nik": REAL, **PBI},
    ],
)
def test_what_is_malformed_is_told_without_a_number_in_it(desk: Desk, body: dict[str, Any]) -> None:
    desk.traffic.bureau.draft(narrower())
    answer = desk.acting_as("approver").post(f"{VERSION}/preview", json=body)
    assert answer.status_code == 422
    assert REAL not in answer.text


def test_an_impact_names_consumer_effect_and_exchanges(desk: Desk) -> None:
    exchange_id = desk.ask(NIKS[0])
    desk.traffic.bureau.draft(narrower())
    shown = desk.acting_as("operator").post(f"{VERSION}/impact", params={"days": 1}).json()
    assert (shown["exchanges"], shown["affected"], shown["of_its_consumer"]) == (1, 1, 1)
    (consumer,) = shown["consumers"]
    (effect,) = consumer["effects"]
    assert (consumer["name"], effect["samples"]) == (BPJS.name, [exchange_id])
    assert effect["words"] == {
        "id": "tanggal lahir tidak akan keluar lagi (kini tahun saja).",
        "en": "date of birth would leave no more (now only as year).",
    }


def test_an_agreement_whose_consumer_asked_nothing_is_told_to_be_tried_on_nothing(desk: Desk) -> None:
    desk.ask(NIKS[0])
    desk.traffic.bureau.draft((agreement_text(name=OTHER), b""), name=OTHER)
    path = VERSION.replace(NAME, OTHER)
    shown = desk.acting_as("operator").post(f"{path}/impact", params={"days": 1}).json()
    assert (shown["exchanges"], shown["affected"], shown["of_its_consumer"]) == (1, 0, 0)


def test_days_have_bounds_and_versions_have_to_be_there(desk: Desk) -> None:
    desk.traffic.bureau.draft(narrower())
    author = desk.acting_as("author")
    assert author.post(f"{VERSION}/impact", params={"days": 0}).status_code == 422
    assert author.post(f"{VERSION}/impact", params={"days": 367}).status_code == 422
    assert author.post(VERSION.replace("/2", "/3") + "/impact").status_code == 404


@pytest.mark.parametrize("path", [f"{VERSION}/impact", f"{VERSION}/preview"])
def test_a_version_that_does_not_load_is_refused_with_its_mistakes(desk: Desk, path: str) -> None:
    desk.traffic.bureau.draft((agreement_text(("sex: keep", "sexx: keep")), b""))
    body = {"persona": "eligible", **PBI} if path.endswith("preview") else None
    answer = desk.acting_as("author").post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "does_not_load")
    assert "sexx" in answer.json()["problems"][0]


def test_an_exchange_is_explained_to_auditors_and_operators(desk: Desk) -> None:
    exchange_id = desk.ask(NIKS[0])
    body = {"exchange_id": exchange_id, "field": "full_name"}
    assert desk.acting_as("author").post("/admin/v1/explain", json=body).status_code == 403
    for role in ("auditor", "operator"):
        told = desk.acting_as(role).post("/admin/v1/explain", json=body).json()
        assert (told["consumer"], told["agreement"]["id"]) == (BPJS.id, NAME)
        (reason,) = told["reasons"]
        assert reason["code"] == "dropped_by_agreement"
        assert "addendum" in reason["ask_for"]["id"]
    missing = desk.acting_as("auditor").post(
        "/admin/v1/explain", json={**body, "exchange_id": "00000000-0000-4000-8000-000000000000"}
    )
    assert missing.status_code == 404


def test_staff_see_the_use_of_every_agreement(desk: Desk) -> None:
    desk.ask(NIKS[0], NIKS[2])
    shown = desk.acting_as("auditor").get("/admin/v1/limits").json()
    used = {one["id"]: one for one in shown["agreements"]}
    assert set(used) == {one.id for one in desk.traffic.book.agreements}
    assert (used[NAME]["requests"], used[NAME]["subjects"], used[NAME]["consumer"]) == (1, 2, BPJS.id)
    assert used[NAME]["limits"]["requests_per_minute"]["left"] == 59_999


def test_the_use_of_agreements_is_told_page_by_page(desk: Desk) -> None:
    auditor, ids = desk.acting_as("auditor"), sorted(one.id for one in desk.traffic.book.agreements)
    pages = [auditor.get(f"/admin/v1/limits?per_page=5&page={page}").json() for page in (1, 2, 3)]
    assert [[one["id"] for one in page["agreements"]] for page in pages] == [ids[:5], ids[5:10], []]
    assert {page["total"] for page in pages} == {len(ids)}


def test_a_pardon_needs_a_role_a_reason_and_an_agreement_and_is_in_the_log(desk: Desk) -> None:
    path, body = f"/admin/v1/limits/{NAME}/pardon", {"reason": "ND-17/DINSOS/2026"}
    assert desk.acting_as("author").post(path, json=body).status_code == 403
    operator = desk.acting_as("operator")
    assert operator.post(path, json={"reason": ""}).status_code == 422
    assert operator.post("/admin/v1/limits/x/pardon", json=body).status_code == 404
    assert operator.post(path, json=body).status_code == 204
    (use,) = [one for one in operator.get("/admin/v1/limits").json()["agreements"] if one["id"] == NAME]
    assert use["pardoned"]
    (act,) = desk.office.acts("limits.pardon")
    assert (act["actor"].partition("@")[0], act["object"]) == ("operator", f"agreement/{NAME}")


def test_the_contract_has_examples_and_says_who_may(desk: Desk) -> None:
    contract = desk.contract()
    for path, words in {
        "/admin/v1/policies/{kind}/{name}/versions/{number}/preview": "auditor or approver",
        "/admin/v1/explain": "auditor or operator",
        "/admin/v1/limits/{agreement_id}/pardon": "operator or approver",
    }.items():
        assert words in contract["paths"][path]["post"]["description"]
        assert contract["paths"][path]["post"]["security"]
    assert "examples" in json.dumps(contract["components"]["schemas"]["PreviewForm"])
