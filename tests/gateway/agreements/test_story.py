"""One agreement from a first draft to its end, told as four people do it, through the API of a real gateway.

Two workers on PostgreSQL: what one of them is told counts for the consumer's next request on either.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from gateway.app import build_services
from gateway.database import Database
from gateway.errors import Refused
from gateway.exchange import Question
from gateway.registry.personas import persona
from gateway.settings import Settings
from gateway.staff.accounts import StaffAccounts
from gateway.staff.acts import record_in_audit_log
from gateway.staff.roles import INSTALLATION, known_roles
from gateway.subjects import AskedSubject
from tests.gateway.agreements.bureau import NAME, narrower, wider
from tests.gateway.agreements.workers import one_connection_per_worker
from tests.gateway.staff.office import PASSWORD
from tests.living import LivingGateway, living_gateway

POLICY = f"/admin/v1/policies/agreement/{NAME}"
STAFF = {"budi": ("author", "approver"), "ani": ("author",), "oka": ("approver",), "oda": ("operator",)}
QUESTION = {
    "purpose": "pbi-jk-eligibility",
    "programme": "PBI-JK",
    "subjects": [{"ref": "1", "nik": persona("eligible").nik}],
}
BORN = "1984-03-12"


@dataclass
class Story:
    """The gateway, a connection to each of its workers, and everybody's browser."""

    gateway: LivingGateway
    workers: list[httpx.Client]
    staff: dict[str, httpx.Client]

    def asked(self) -> list[httpx.Response]:
        """The consumer's next request, on each worker."""
        client = self.gateway.client("bpjs-kesehatan")
        answers = []
        for client._http in self.workers:
            answers.append(client.post("/v1/eligibility", QUESTION))
        return answers

    def birth_dates(self) -> set[str | None]:
        """What the consumer gets of the birth date, on any worker."""
        return {answer.json()["results"][0]["values"].get("birth_date") for answer in self.asked()}

    def codes(self) -> set[tuple[int, str]]:
        return {(answer.status_code, answer.json()["code"]) for answer in self.asked()}

    def drafted(self, who: str, texts: tuple[bytes, bytes]) -> httpx.Response:
        form = {"text": texts[0].decode(), "cases": texts[1].decode(), "reason": "CONTOH-ADD-1/2026"}
        answer = self.staff[who].post(f"{POLICY}/drafts", json=form)
        assert answer.status_code == 201, answer.text
        return answer

    def act(self, who: str, act: str, version: int, reason: str = "CONTOH-ADD-1/2026") -> dict[str, Any]:
        """Do an act as somebody who has just looked at the version; what comes back."""
        seen = self.staff[who].get(f"{POLICY}/versions/{version}")
        answer = self.staff[who].post(
            f"{POLICY}/versions/{version}/acts/{act}",
            json={"reason": reason},
            headers={"If-Match": seen.headers["etag"]},
        )
        return {"status": answer.status_code, **answer.json()}


def _conditions(answer: dict[str, Any]) -> list[str]:
    assert answer["status"] == 409, answer
    return [one["code"] for one in answer["unmet"]]


@pytest.fixture
def story(tmp_path: Path, postgres_url: str) -> Iterator[Story]:
    with ExitStack() as stack:
        gateway = stack.enter_context(living_gateway(tmp_path / "home", postgres_url, workers=2))
        staff = {}
        for staff_id, secret in _enrolments(gateway.settings).items():
            browser = stack.enter_context(httpx.Client(base_url=gateway.url, trust_env=False, timeout=30))
            form = {"id": staff_id, "password": PASSWORD}
            enrolled = browser.post("/admin/v1/session/enrolment", json={**form, "secret": secret})
            assert enrolled.status_code == 204, enrolled.text
            browser.headers["X-CSRF-Token"] = browser.post("/admin/v1/session", json=form).json()[
                "csrf_token"
            ]
            staff[staff_id] = browser
        workers = stack.enter_context(one_connection_per_worker(gateway.url, 2))
        yield Story(gateway, workers, staff)


def _enrolments(settings: Settings) -> dict[str, str]:
    """The operator registers everybody on the machine, once; each gets a one-time secret."""
    database = Database(settings.effective_database_url)
    try:
        accounts = StaffAccounts(database, lambda: datetime.now(UTC), record_in_audit_log)
        secrets = {}
        for staff_id, roles in STAFF.items():
            accounts.add(
                INSTALLATION, id=staff_id, name=staff_id, roles=known_roles(roles), reason="first staff"
            )
            secrets[staff_id] = accounts.issue_enrolment(INSTALLATION, staff_id, "first staff")
        return secrets
    finally:
        database.close()


def test_an_agreement_lives_from_draft_to_end_and_every_worker_follows(story: Story) -> None:
    assert story.birth_dates() == {BORN[:4]}

    _tried_before_it_counts(story)
    _widened_by_two(story)
    _narrowed_by_one(story)
    _widening_held(story)
    _suspended_and_resumed(story)
    _expired_by_the_clock(story)


def _impact_of(story: Story, exchanges: int) -> dict[str, Any]:
    """The impact once the log has placed so many exchanges, which follows their answers by a moment."""
    until = time.monotonic() + 30
    while True:
        impact: dict[str, Any] = (
            story.staff["oka"].post(f"{POLICY}/versions/2/impact", params={"days": 7}).json()
        )
        if impact["exchanges"] >= exchanges or time.monotonic() > until:
            return impact
        time.sleep(0.1)


def _tried_before_it_counts(story: Story) -> None:
    """Budi, who is author and approver, drafts that the month of birth is released too, and tries it."""
    drafted = story.drafted("budi", wider(version=2)).json()
    assert drafted["difference"]["direction"] == "widening"
    assert "only as year and month" in drafted["difference"]["items"][0]["words"]["en"]
    question = {"persona": "eligible", "operation": "eligibility", "programme": "PBI-JK"}
    previewed = story.staff["budi"].post(f"{POLICY}/versions/2/preview", json=question).json()
    sides = [
        {field["field"]: field["value"] for field in previewed[side]["fields"]}["birth_date"]
        for side in ("before", "after")
    ]
    assert sides == [BORN[:4], BORN[:7]]
    impact = _impact_of(story, exchanges=2)
    assert impact["exchanges"] == impact["affected"] == 2
    seen = story.staff["budi"].get(f"{POLICY}/versions/2")
    kept = story.staff["budi"].post(
        f"{POLICY}/versions/2/cases",
        json={"case": previewed["case"]},
        headers={"If-Match": seen.headers["etag"]},
    )
    assert (kept.status_code, kept.json()["problems"]) == (200, [])
    assert story.birth_dates() == {BORN[:4]}


def _widened_by_two(story: Story) -> None:
    assert story.act("budi", "submit", 2)["state"] == "submitted"
    assert _conditions(story.act("budi", "approve", 2)) == ["second_person"]
    assert _conditions(story.act("budi", "activate", 2)) == ["widening_needs_approval"]
    assert story.birth_dates() == {BORN[:4]}
    assert story.act("oka", "approve", 2)["approver"] == "oka"
    assert story.birth_dates() == {BORN[:4]}
    assert story.act("budi", "activate", 2)["state"] == "active"
    assert story.birth_dates() == {BORN[:7]}


def _narrowed_by_one(story: Story) -> None:
    """Ani finds that no birth date is needed at all: nobody has to agree to that."""
    assert story.drafted("ani", narrower(version=3)).json()["difference"]["direction"] == "narrowing"
    assert story.act("ani", "activate", 3)["state"] == "active"
    assert story.birth_dates() == {None}


def _widening_held(story: Story) -> None:
    story.drafted("ani", wider(version=4))
    held = story.act("ani", "activate", 4)
    assert _conditions(held) == ["widening_needs_approval"]
    assert "penyetuju" in held["unmet"][0]["who"]["id"].lower()
    assert story.birth_dates() == {None}


def _suspended_and_resumed(story: Story) -> None:
    assert story.act("oda", "suspend", 3, "an incident")["state"] == "suspended"
    assert story.codes() == {(403, "agreement_suspended")}
    terms = story.gateway.client("bpjs-kesehatan").get(f"/v1/agreements/{NAME}").json()
    assert (terms["version"], terms["standing"]) == (3, "suspended")
    assert story.act("oda", "resume", 3, "over")["status"] == 403  # an operator closes and does not open
    assert story.act("oka", "resume", 3, "over")["state"] == "active"
    assert story.birth_dates() == {None}


def _expired_by_the_clock(story: Story) -> None:
    """No act and no restart: the day after its last day nothing is answered any more."""
    noon_of_last_day = datetime(2028, 12, 31, 5, 0, tzinfo=UTC)
    assert _answered_at(story.gateway.settings, noon_of_last_day) == "answered"
    midnight = datetime(2028, 12, 31, 17, 0, tzinfo=UTC)  # in Jakarta the new year has begun
    assert _answered_at(story.gateway.settings, midnight) == "agreement_expired"


def _answered_at(settings: Settings, moment: datetime) -> str:
    """How a gateway of this process, whose clock stands at this moment, answers the consumer."""
    services = build_services(settings, clock=lambda: moment)
    consumer = services.consumers.get("bpjs-kesehatan").consumer
    question = Question(
        operation="eligibility",
        purpose="pbi-jk-eligibility",
        programme="PBI-JK",
        subjects=(AskedSubject("1", persona("eligible").nik, None, {}),),
        fields=None,
        on_date=None,
        message=b"{}",
    )

    async def asked() -> str:
        try:
            await services.exchange(consumer, question, services.policies.present)
        except Refused as refused:
            return refused.code
        return "answered"

    try:
        return anyio.run(asked)
    finally:
        services.close()
