"""The sandbox: synthetic people alone, no source outside but its simulator; nobody can tell who is real."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert, select

from connectors.base import Ambiguous, NotFound, Outcome, Record, Subject, Unavailable
from gateway.audit.entry import SubjectHasher
from gateway.audit.log import AuditLog
from gateway.audit.tables import audit_entries
from gateway.database import Database
from gateway.exchange import Exchange, Question
from gateway.limits.ledger import LimitLedger
from gateway.registry.connector import RegistryConnector
from gateway.registry.tables import STATUS_VOCABULARY, people
from gateway.sandbox import only_synthetic
from gateway.subjects import AskedSubject
from policies.library import load_policies
from tests.gateway.test_exchange import BPJS, GOOD, NOW, POLICIES, Held, some_sector_keys

pytestmark = pytest.mark.anyio

IN_SANDBOX = replace(BPJS, sandbox=True)
INVENTED_NIK, REAL_NIK, NOBODYS_NIK = "3578085203849991", "3578085203840001", "3578085203849900"
AS_OF = date(2026, 9, 30)
INVENTED, REAL = Record(uuid4(), GOOD, AS_OF, synthetic=True), Record(uuid4(), GOOD, AS_OF)


@dataclass
class Desk:
    """An exchange over a registry that holds one invented and one real person."""

    database: Database
    registry: Held
    sources: tuple[Held, ...] = ()
    simulated: frozenset[str] = frozenset()

    async def ask(self, *niks: str, sandbox: bool = True) -> dict[str, Any]:
        exchange = Exchange(
            registry=self.registry,
            sources=self.sources,
            sector_keys=some_sector_keys,
            limits=LimitLedger(self.database, SubjectHasher(b"a" * 32), lambda: NOW),
            audit=AuditLog(self.database),
            audit_key=b"a" * 32,
            clock=lambda: NOW,
            timeout_s=5,
            simulated=self.simulated,
        )
        subjects = tuple(AskedSubject(nik, nik, None, {}) for nik in niks)
        question = Question("eligibility", "pbi-jk-eligibility", "PBI-JK", subjects, None, None, b"{}")
        answer = await exchange(IN_SANDBOX if sandbox else BPJS, question, load_policies(POLICIES))
        content: dict[str, Any] = json.loads(answer.body)
        return content


def _registry(*without: str) -> Held:
    known = {INVENTED_NIK: INVENTED, REAL_NIK: REAL}
    return Held(dict(known), provides=frozenset(GOOD) - set(without))


async def test_in_the_sandbox_a_real_person_looks_word_for_word_like_nobody(database: Database) -> None:
    answer = await Desk(database, _registry()).ask(INVENTED_NIK, REAL_NIK, NOBODYS_NIK)
    invented, real, nobody = answer["results"]
    assert answer["sandbox"] is True
    assert invented["decision"] == "eligible"
    assert real["reason"] == "not_found"
    assert {**real, "ref": ""} == {**nobody, "ref": ""}


async def test_outside_the_sandbox_the_answer_is_as_ever_and_does_not_mention_it(database: Database) -> None:
    answer = await Desk(database, _registry()).ask(REAL_NIK, sandbox=False)
    assert answer["results"][0]["decision"] == "eligible"
    assert "sandbox" not in answer


async def test_the_log_knows_the_real_person_about_whom_the_sandbox_was_asked(database: Database) -> None:
    await Desk(database, _registry()).ask(REAL_NIK)
    with database.reading() as connection:
        (told,) = connection.execute(select(audit_entries.c.subjects)).scalars()
    assert json.loads(told) == [[SubjectHasher(b"a" * 32).person(REAL.person_id), "not_found"]]


async def test_the_log_says_which_exchanges_were_of_the_sandbox(database: Database) -> None:
    for sandbox in (True, False):
        await Desk(database, _registry()).ask(INVENTED_NIK, sandbox=sandbox)
    with database.reading() as connection:
        entries = connection.execute(select(audit_entries.c.entry).order_by(audit_entries.c.sequence))
        said = [json.loads(entry) for entry in entries.scalars()]
    assert [entry.get("sandbox") for entry in said] == [True, None]


async def test_no_source_outside_is_asked_but_its_simulator_and_that_about_invented_people_only(
    database: Database,
) -> None:
    said: dict[Any, Outcome] = {INVENTED.person_id: Record(INVENTED.person_id, {"decile": 2})}
    outside = Held(said, provides=frozenset({"decile"}), name="dtsen", outside=True)
    desk = Desk(database, _registry("decile"), (outside,))
    (result, _) = (await desk.ask(INVENTED_NIK, REAL_NIK))["results"]
    assert (result["clauses"]["decile"], outside.asked) == ("unknown", [])

    desk.simulated = frozenset({"dtsen"})
    (result, _) = (await desk.ask(INVENTED_NIK, REAL_NIK))["results"]
    assert result["clauses"]["decile"] == "yes"
    assert outside.asked == [Subject(INVENTED_NIK, INVENTED.person_id)]


async def test_a_source_of_the_gateways_own_is_asked_as_ever(database: Database) -> None:
    said: dict[Any, Outcome] = {INVENTED.person_id: Record(INVENTED.person_id, {"decile": 2})}
    own = Held(said, provides=frozenset({"decile"}), name="own")
    (result,) = (await Desk(database, _registry("decile"), (own,)).ask(INVENTED_NIK))["results"]
    assert result["clauses"]["decile"] == "yes"


OTHER = Record(uuid4(), GOOD, AS_OF, synthetic=True)


@pytest.mark.parametrize(
    ("outcome", "seen"),
    [
        (INVENTED, INVENTED),
        (REAL, NotFound()),
        (NotFound(), NotFound()),
        (None, None),
        (Unavailable(NOW), Unavailable(NOW)),
        (Ambiguous((REAL, REAL)), NotFound()),
        (Ambiguous((REAL, INVENTED)), INVENTED),
        (Ambiguous((INVENTED, REAL, OTHER)), Ambiguous((INVENTED, OTHER))),
    ],
)
def test_every_outcome_is_what_it_would_be_without_the_real_people(
    outcome: Outcome | None, seen: Outcome | None
) -> None:
    assert only_synthetic(outcome) == seen


async def test_the_registry_says_of_everybody_whether_they_are_invented(database: Database) -> None:
    status = {
        column: value
        for name, words in STATUS_VOCABULARY.items()
        for column, value in ((name, words[0]), (f"{name}_source", "x"), (f"{name}_as_of", AS_OF))
    }
    row = {"full_name": "X", "source": "x", "as_of": AS_OF, **status}
    with database.unit_of_work() as connection:
        connection.execute(
            insert(people),
            [
                {**row, "id": uuid4(), "source_key": nik, "nik": nik, "synthetic": nik == INVENTED_NIK}
                for nik in (INVENTED_NIK, REAL_NIK)
            ],
        )
    registry = RegistryConnector(database)
    asked = [Subject(nik=INVENTED_NIK), Subject(nik=REAL_NIK)]
    found = await registry.fetch(asked, frozenset({"nik"}), AS_OF, 1e12)
    registry.close()
    assert [(one.values, one.synthetic) for one in found if isinstance(one, Record)] == [
        ({"nik": INVENTED_NIK}, True),
        ({"nik": REAL_NIK}, False),
    ]
