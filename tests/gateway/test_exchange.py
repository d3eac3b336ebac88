"""The exchange itself, with sources that the tests hold in their hands and a real audit log."""

from __future__ import annotations

import json
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.schema import DropTable

from connectors.base import Ambiguous, LastKnown, NotFound, Outcome, Record, Subject, Unavailable, Value
from gateway.audit.entry import SubjectHasher
from gateway.audit.log import AuditLog
from gateway.audit.tables import audit_entries
from gateway.database import Database
from gateway.errors import AuditUnavailable, LimitExceeded, Refused, SourceUnavailable
from gateway.exchange import Answer, AskedSubject, Exchange, Question
from gateway.limits.ledger import LimitLedger
from gateway.oauth.consumers import Consumer
from policies.agreement import AgreementBook
from policies.library import load_policies
from policies.pseudonym import SectorKeys, derive_sector_key

pytestmark = pytest.mark.anyio

Asking = Callable[..., Awaitable[Answer]]

POLICIES = Path(__file__).parents[2] / "policies"
_NEW_PEOPLE_TWO = (("new_people_per_day: 100000000", "new_people_per_day: 2"),)
EARLIER = {
    "decile": LastKnown(2, date(2026, 6, 30)),
    "decile_period": LastKnown("2026-Q2", date(2026, 6, 30)),
}
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
DOWN_SINCE = datetime(2026, 11, 21, 2, 15, tzinfo=UTC)
BPJS = Consumer("bpjs-kesehatan", "BPJS", "kesehatan", ())
GOOD: dict[str, Value] = {
    "region": "35.78.08.1003",
    "birth_date": date(1984, 3, 12),
    "sex": "P",
    "decile": 2,
    "decile_period": "2026-Q3",
    "life_status": "alive",
    "registry_status": "active",
    "identity_status": "matched",
    "welfare_status": "eligible",
    "full_name": "KENARI EMAS",
    "nik": "3578085203849991",
    "enrolments": (),
}


@dataclass
class Held:
    """A source that holds its answers, by NIK or person id, and remembers whom it was asked about."""

    answers: dict[str | UUID, Outcome]
    provides: frozenset[str] = frozenset(GOOD)
    name: str = "held"
    needs: frozenset[str] = frozenset()
    outside: bool = False
    many_at_once: bool = True
    fresh_for: None = None
    asked: list[Subject] = field(default_factory=list)

    async def fetch(self, subjects: Sequence[Subject], fields: frozenset[str], *_: object) -> list[Outcome]:
        assert fields <= self.provides
        self.asked += subjects
        return [_only(fields, self.answers.get(s.person_id or s.nik or "", NotFound())) for s in subjects]

    async def ping(self) -> None: ...


def _only(fields: frozenset[str], outcome: Outcome) -> Outcome:
    """What a connector must keep to: no field that was not asked."""
    if not isinstance(outcome, Record):
        return outcome
    return outcome._replace(values={name: value for name, value in outcome.values.items() if name in fields})


def _person(**changes: Value) -> Record:
    return Record(uuid4(), {**GOOD, **changes}, date(2026, 9, 30))


def _question(*niks: str, **changes: Any) -> Question:
    subjects = tuple(AskedSubject(str(n), nik, None, {}) for n, nik in enumerate(niks))
    question = {
        "operation": "eligibility",
        "purpose": "pbi-jk-eligibility",
        "programme": "PBI-JK",
        "subjects": subjects,
        "fields": None,
        "on_date": None,
        "message": b"{}",
    }
    return Question(**{**question, **changes})


def _book(tmp_path: Path, *edits: tuple[str, str]) -> AgreementBook:
    """The shipped policies, with edits to the text of the BPJS agreement."""
    folder = tmp_path / "policies"
    shutil.copytree(POLICIES, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    agreement = folder / "agreements" / "bpjs-pbi-jk.yaml"
    text = agreement.read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    agreement.write_text(text, encoding="utf-8")
    return load_policies(folder)


async def some_sector_keys(sector: str) -> SectorKeys:
    return SectorKeys.only(derive_sector_key(b"m" * 32, sector))


def _exchange(database: Database, registry: Held, *sources: Held, book: AgreementBook) -> Asking:
    exchange = Exchange(
        registry=registry,
        sources=sources,
        sector_keys=some_sector_keys,
        limits=LimitLedger(database, SubjectHasher(b"a" * 32), lambda: NOW),
        audit=AuditLog(database),
        audit_key=b"a" * 32,
        clock=lambda: NOW,
        timeout_s=5,
    )
    return lambda consumer, question, *note: exchange(consumer, question, book, *note)


def _entries(database: Database) -> list[dict[str, Any]]:
    with database.reading() as connection:
        rows = connection.execute(select(audit_entries.c.entry).order_by(audit_entries.c.sequence)).scalars()
        return [json.loads(row) for row in rows]


async def test_a_person_who_meets_every_clause_is_eligible(database: Database, tmp_path: Path) -> None:
    exchange = _exchange(database, Held({GOOD_NIK: _person()}), book=_book(tmp_path))
    answer = json.loads((await exchange(BPJS, _question(GOOD_NIK))).body)
    (result,) = answer["results"]
    assert result["decision"] == "eligible"
    assert set(result["clauses"].values()) == {"yes"}
    assert result["values"] == {
        "region": "35.78",
        "birth_date": "1984",
        "sex": "P",
        "decile_period": "2026-Q3",
    }
    assert answer["fields"]["region"]["as_of"] == "2026-09-30"
    assert "exceptions" not in result


async def test_the_log_holds_the_outcome_and_no_value(database: Database, tmp_path: Path) -> None:
    exchange = _exchange(database, Held({GOOD_NIK: _person()}), book=_book(tmp_path))
    answer = await exchange(BPJS, _question(GOOD_NIK, "3578085203849900"))
    (entry,) = _entries(database)
    assert entry["exchange_id"] == str(answer.exchange_id)
    assert entry["counts"] == {"eligible": 1, "not_found": 1}
    with database.reading() as connection:
        subjects = json.loads(connection.execute(select(audit_entries.c.subjects)).scalar_one())
    assert [outcome for _, outcome in subjects] == ["eligible", "not_found"]
    text = json.dumps([entry, subjects])
    assert not [value for value in ("3578085203849991", "KENARI", "35.78.08") if value in text]


async def test_an_outside_source_is_asked_only_after_the_intent_is_on_disk(
    database: Database, tmp_path: Path
) -> None:
    person = _person()

    class Witness(Held):
        async def fetch(self, *arguments: Any) -> list[Outcome]:
            assert [entry["kind"] for entry in _entries(database)] == ["intent"]
            return await super().fetch(*arguments)

    outside = Witness(
        {person.person_id: Record(person.person_id, {"decile": 2})},
        provides=frozenset({"decile"}),
        name="dtsen",
        outside=True,
    )
    registry = Held({GOOD_NIK: person}, provides=frozenset(GOOD) - {"decile"})
    exchange = _exchange(database, registry, outside, book=_book(tmp_path))
    answer = json.loads((await exchange(BPJS, _question(GOOD_NIK))).body)
    assert answer["results"][0]["decision"] == "eligible"
    assert [entry["kind"] for entry in _entries(database)] == ["intent", "outcome"]
    assert outside.asked == [Subject(GOOD_NIK, person.person_id)]


async def test_an_outage_is_an_answer_and_never_a_no(database: Database, tmp_path: Path) -> None:
    person = _person()
    down = Held(
        {person.person_id: Unavailable(DOWN_SINCE, EARLIER)},
        provides=frozenset({"decile", "decile_period"}),
        outside=True,
    )
    registry = Held({GOOD_NIK: person}, provides=frozenset(GOOD) - down.provides)
    exchange = _exchange(database, registry, down, book=_book(tmp_path))
    (result,) = json.loads((await exchange(BPJS, _question(GOOD_NIK))).body)["results"]
    assert (result["decision"], result["clauses"]["decile"]) == ("unknown", "unknown")
    assert result["exceptions"]["decile_period"] == {
        "state": "unknown",
        "since": "2026-11-21T02:15:00+00:00",
        "last_known_as_of": "2026-06-30",
    }


@pytest.mark.parametrize(
    ("most_days", "decision"),
    [("", "unknown"), ("143", "unknown"), ("144", "eligible"), ("3650", "eligible")],
)
async def test_an_earlier_answer_stands_in_only_where_the_agreement_takes_one_of_its_age(
    database: Database, tmp_path: Path, most_days: str, decision: str
) -> None:
    person = _person()
    down = Held(
        {person.person_id: Unavailable(DOWN_SINCE, EARLIER)},
        provides=frozenset({"decile", "decile_period"}),
        outside=True,
    )
    registry = Held({GOOD_NIK: person}, provides=frozenset(GOOD) - down.provides)
    line = "on_source_failure: refuse"
    book = _book(
        tmp_path,
        (
            "on_source_failure: partial",
            f"{line}\nlast_known_max_age_days: {most_days}" if most_days else line,
        ),
    )
    exchange = _exchange(database, registry, down, book=book)
    if decision == "unknown":
        with pytest.raises(SourceUnavailable):
            await exchange(BPJS, _question(GOOD_NIK))
        return
    (result,) = json.loads((await exchange(BPJS, _question(GOOD_NIK))).body)["results"]
    assert (result["decision"], result["values"]["decile_period"]) == ("eligible", "2026-Q2")
    stood_in = {"state": "last_known", "since": "2026-11-21T02:15:00+00:00", "as_of": "2026-06-30"}
    assert result["exceptions"] == {"decile": stood_in, "decile_period": stood_in}


async def test_an_agreement_may_refuse_when_a_source_is_down_and_the_refusal_is_logged(
    database: Database, tmp_path: Path
) -> None:
    person = _person()
    down = Held({person.person_id: Unavailable(DOWN_SINCE)}, provides=frozenset({"decile"}), outside=True)
    registry = Held({GOOD_NIK: person}, provides=frozenset(GOOD) - down.provides)
    book = _book(tmp_path, ("on_source_failure: partial", "on_source_failure: refuse"))
    with pytest.raises(SourceUnavailable):
        await _exchange(database, registry, down, book=book)(BPJS, _question(GOOD_NIK))
    assert [(e["kind"], e.get("reason")) for e in _entries(database)] == [
        ("intent", None),
        ("outcome", "source_unavailable"),
    ]


async def test_nobody_out_of_scope_is_asked_about_outside_and_they_look_like_nobody(
    database: Database, tmp_path: Path
) -> None:
    elsewhere = _person(region="32.73.01.1001")
    outside = Held({}, provides=frozenset({"decile"}), outside=True)
    registry = Held({GOOD_NIK: elsewhere}, provides=frozenset(GOOD) - {"decile"})
    east_java_only = Consumer("bpjs-kesehatan", "BPJS", "kesehatan", ("35",))
    exchange = _exchange(database, registry, outside, book=_book(tmp_path))
    results = json.loads((await exchange(east_java_only, _question(GOOD_NIK, "3578085203849900"))).body)[
        "results"
    ]
    out_of_scope, nobody = ({k: v for k, v in result.items() if k != "ref"} for result in results)
    assert out_of_scope == nobody == {"decision": "unknown", "reason": "not_found"}
    assert outside.asked == []


@pytest.mark.parametrize(
    ("regions", "reason"),
    [(("32.73.01.1001", "35.78.08.1003"), "duplicate_identity"), (("32.73", "31.71"), "not_found")],
)
async def test_a_duplicated_nik_is_unknown_and_its_holders_out_of_scope_stay_hidden(
    database: Database, tmp_path: Path, regions: tuple[str, ...], reason: str
) -> None:
    holders = Ambiguous(tuple(_person(region=region) for region in regions))
    exchange = _exchange(database, Held({GOOD_NIK: holders}), book=_book(tmp_path))
    east_java_only = Consumer("bpjs-kesehatan", "BPJS", "kesehatan", ("35",))
    (result,) = json.loads((await exchange(east_java_only, _question(GOOD_NIK))).body)["results"]
    assert result == {"ref": "0", "decision": "unknown", "reason": reason}


@pytest.mark.parametrize(
    "nik", ["", "357808520384999", "35780852038499911", "3578O85203849991", "٣٥٧٨٠٨٥٢٠٣٨٤٩٩٩١"]
)
async def test_one_unusable_identifier_does_not_fail_its_siblings(
    database: Database, tmp_path: Path, nik: str
) -> None:
    exchange = _exchange(database, Held({GOOD_NIK: _person()}), book=_book(tmp_path))
    answer = json.loads((await exchange(BPJS, _question(nik, GOOD_NIK))).body)
    assert [r.get("reason") or r["decision"] for r in answer["results"]] == ["invalid_identifier", "eligible"]
    assert set(answer["reasons"]) == {"invalid_identifier"}


async def test_neither_or_both_identifiers_name_nobody(database: Database, tmp_path: Path) -> None:
    subjects = (AskedSubject("0", None, None, {}), AskedSubject("1", GOOD_NIK, "v1.kesehatan.x", {}))
    exchange = _exchange(database, Held({GOOD_NIK: _person()}), book=_book(tmp_path))
    answer = json.loads((await exchange(BPJS, _question(subjects=subjects))).body)
    assert [result["reason"] for result in answer["results"]] == ["invalid_identifier"] * 2


async def test_a_pseudonym_from_an_answer_finds_the_same_person_again(
    database: Database, tmp_path: Path
) -> None:
    person = _person()
    exchange = _exchange(database, Held({GOOD_NIK: person, person.person_id: person}), book=_book(tmp_path))
    (first,) = json.loads((await exchange(BPJS, _question(GOOD_NIK))).body)["results"]
    again = (AskedSubject("0", None, first["pseudonym"], {}),)
    (second,) = json.loads((await exchange(BPJS, _question(subjects=again))).body)["results"]
    assert first == second


async def test_only_those_whose_date_differs_repeat_it(database: Database, tmp_path: Path) -> None:
    old = Record(uuid4(), GOOD, date(2025, 1, 1))
    registry = Held({"1" * 16: _person(), "2" * 16: _person(), "3" * 16: old})
    exchange = _exchange(database, registry, book=_book(tmp_path))
    answer = json.loads((await exchange(BPJS, _question("1" * 16, "2" * 16, "3" * 16))).body)
    assert answer["fields"]["sex"]["as_of"] == "2026-09-30"
    assert [result.get("exceptions", {}).get("sex") for result in answer["results"]] == [
        None,
        None,
        {"as_of": "2025-01-01"},
    ]


async def test_a_refusal_is_logged_with_its_code(database: Database, tmp_path: Path) -> None:
    exchange = _exchange(database, Held({}), book=_book(tmp_path))
    with pytest.raises(Refused) as refused:
        await exchange(BPJS, _question(GOOD_NIK, purpose="marketing"))
    (entry,) = _entries(database)
    assert refused.value.code == entry["reason"] == "purpose_not_covered"
    assert entry["exchange_id"] == str(refused.value.exchange_id)


async def test_nothing_is_answered_when_the_evidence_cannot_be_written(
    database: Database, tmp_path: Path
) -> None:
    with database.unit_of_work() as connection:
        connection.execute(DropTable(audit_entries))
    exchange = _exchange(database, Held({GOOD_NIK: _person()}), book=_book(tmp_path))
    with pytest.raises(AuditUnavailable):
        await exchange(BPJS, _question(GOOD_NIK))


async def test_a_limit_that_is_used_up_refuses_before_any_source_is_asked(
    database: Database, tmp_path: Path
) -> None:
    registry = Held({GOOD_NIK: _person()})
    book = _book(tmp_path, ("subjects_per_day: 100000000", "subjects_per_day: 2"), *_NEW_PEOPLE_TWO)
    exchange = _exchange(database, registry, book=book)
    await exchange(BPJS, _question(GOOD_NIK, "3578085203849900"))
    registry.asked.clear()
    noted: list[str] = []
    with pytest.raises(LimitExceeded) as refused:
        await exchange(BPJS, _question(GOOD_NIK), lambda agreement, _meters: noted.append(agreement))
    assert registry.asked == []
    assert noted == ["bpjs-pbi-jk"]
    entry = _entries(database)[-1]
    assert entry["reason"] == refused.value.code == "subjects_per_day_exceeded"
    assert refused.value.retry_after_s == 14 * 3600
    assert not [text for text in (refused.value.reason.en, refused.value.remedy.en) if GOOD_NIK in text]


GOOD_NIK = str(GOOD["nik"])
