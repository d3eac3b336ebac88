"""Why a field did not reach its consumer, from the log alone, in the words of the agreement of then."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, update

from gateway.agreements.past import Explanation, Explanations
from gateway.audit.tables import audit_documents, audit_entries
from gateway.database import Database
from gateway.errors import NotFound
from tests.gateway.agreements.bureau import ANI, NAME, OKA, narrower
from tests.gateway.agreements.traffic import BPJS, DINSOS, NIKS, STRANGER, Traffic, outside, someone

pytestmark = pytest.mark.anyio

PBI = {"operation": "eligibility", "purpose": "pbi-jk-eligibility", "programme": "PBI-JK"}
RECONCILIATION = {"operation": "records", "purpose": "member-reconciliation"}
VERIFICATION = {"operation": "records", "purpose": "regional-verification"}
MEMBER, NOBODY = NIKS[1], "3578010101990000"


@pytest.fixture
def traffic(database: Database) -> Traffic:
    busy = Traffic(database)
    busy.source = outside(someone(NIKS[0]))
    return busy


def last(traffic: Traffic, field: str) -> Explanation:
    exchange_id = UUID(traffic.outcomes()[-1]["exchange_id"])
    return Explanations(traffic.database)(exchange_id, field)


def codes(explanation: Explanation) -> list[tuple[str, int | None]]:
    return [(reason.code, reason.people) for reason in explanation.reasons]


async def test_a_field_that_left_is_told_with_its_form(traffic: Traffic) -> None:
    await traffic.ask(BPJS, NIKS[0], NIKS[2], **PBI)
    told = last(traffic, "birth_date")
    assert codes(told) == [("released", 2)]
    assert "generalise (to: year)" in told.reasons[0].what.id
    assert told.agreement is not None
    assert (told.consumer, told.agreement["id"], told.agreement["version"]) == (BPJS.id, NAME, 1)


@pytest.mark.parametrize(
    ("field", "code", "clause"),
    [
        ("full_name", "dropped_by_agreement", "clause `fields.full_name: drop`"),
        ("occupation", "not_in_agreement", "clause `fields`, does not name"),
        ("no_such_field", "unknown_field", "no such field"),
    ],
)
async def test_a_field_that_is_withheld_is_told_with_its_clause_and_what_to_ask_for(
    traffic: Traffic, field: str, code: str, clause: str
) -> None:
    await traffic.ask(BPJS, NIKS[0], **PBI)
    (reason,) = last(traffic, field).reasons
    assert reason.code == code
    assert clause in reason.what.en
    assert reason.ask_for is not None


async def test_the_words_are_those_of_the_version_of_then(traffic: Traffic) -> None:
    await traffic.ask(BPJS, NIKS[0], **PBI)
    store = traffic.bureau.store
    version = traffic.bureau.draft(narrower())
    store.act("agreement", NAME, version.version, "activate", ANI)
    earlier = last(traffic, "birth_date")
    assert codes(earlier) == [("released", 1)]
    await traffic.ask(BPJS, NIKS[0], **PBI)
    (reason,) = last(traffic, "birth_date").reasons
    assert reason.code == "narrowed"
    assert f"Agreement {NAME} version 2" in reason.what.en
    assert "which version 1 still released" in reason.what.en


async def test_a_field_that_was_not_asked_for_is_told_so(traffic: Traffic) -> None:
    await traffic.ask(BPJS, NIKS[0], **PBI, fields=("sex",))
    assert codes(last(traffic, "birth_date")) == [("not_asked_for", None)]
    assert codes(last(traffic, "sex")) == [("released", 1)]


async def test_a_source_that_was_down_weighs_most(traffic: Traffic) -> None:
    traffic.source = outside()
    await traffic.ask(DINSOS, NIKS[0], **VERIFICATION)
    assert codes(last(traffic, "life_status")) == [("source_unavailable", None), ("released", 1)]
    assert codes(last(traffic, "decile")) == [("released", 1)]


async def test_an_address_that_is_read_from_the_region_is_not_blamed_on_another_source(
    traffic: Traffic,
) -> None:
    traffic.source = outside()
    await traffic.ask(DINSOS, NIKS[0], **VERIFICATION, fields=("region",))
    assert codes(last(traffic, "region")) == [("released", 1)]


async def test_a_request_that_a_source_made_refuse_is_told_so(traffic: Traffic) -> None:
    traffic.source = outside()
    await traffic.ask(BPJS, MEMBER, **RECONCILIATION)
    (reason,) = last(traffic, "full_name").reasons
    assert reason.code == "source_unavailable"
    assert "refuses the whole request" in reason.what.en


async def test_people_of_whom_nothing_was_said_are_counted(traffic: Traffic) -> None:
    await traffic.ask(BPJS, NIKS[0], NOBODY, "123", **PBI)
    told = last(traffic, "sex")
    assert codes(told) == [("released", 1), ("invalid_identifier", 1), ("not_found", 1)]
    await traffic.ask(BPJS, NOBODY, **PBI)
    assert codes(last(traffic, "sex")) == [("not_found", 1)]


@pytest.mark.parametrize(
    ("consumer", "changes", "code", "words"),
    [
        (STRANGER, {}, "no_agreement", "no data-sharing agreement"),
        (BPJS, {"purpose": "x"}, "purpose_not_covered", "`purpose_not_covered`"),
        (BPJS, {"programme": "PKH"}, "programme_not_covered", f"Agreement {NAME} version 1 covers only"),
        (BPJS, {"operation": "records"}, "operation_not_covered", f"Agreement {NAME} version 1 covers only"),
    ],
)
async def test_a_refused_request_is_told_in_the_words_of_the_refusal(
    traffic: Traffic, consumer: Any, changes: dict[str, Any], code: str, words: str
) -> None:
    await traffic.ask(consumer, NIKS[0], **{**PBI, **changes})
    (reason,) = last(traffic, "sex").reasons
    assert reason.code == code
    assert words in reason.what.en


async def test_a_suspended_agreement_is_told_as_such(traffic: Traffic) -> None:
    traffic.bureau.store.act("agreement", NAME, 1, "suspend", OKA, reason="B-7")
    await traffic.ask(BPJS, NIKS[0], **PBI)
    told = last(traffic, "sex")
    assert codes(told) == [("agreement_suspended", None)]
    assert told.reasons[0].ask_for is not None


async def test_the_dictionary_of_then_is_read_and_not_the_one_of_now(traffic: Traffic) -> None:
    """A field that the dictionary no longer knows is still explained for an exchange of before."""
    await traffic.ask(BPJS, NIKS[0], **PBI, fields=("bpjs_class", "sex"))
    exchange_id = UUID(traffic.outcomes()[-1]["exchange_id"])
    store = traffic.bureau.store
    text = store.get("dictionary", "fields").text.decode()
    before, _, rest = text.partition("\nbpjs_class:")
    shorter = before + "\n" + rest.partition("\n\n")[2]
    version = store.save_draft("dictionary", "fields", shorter.encode(), b"", ANI)
    for act, actor in (("submit", ANI), ("approve", OKA), ("activate", OKA)):
        store.act("dictionary", "fields", version.version, act, actor)  # type: ignore[arg-type]
    explain = Explanations(traffic.database)
    assert codes(explain(exchange_id, "bpjs_class")) == [("not_in_agreement", None)]
    await traffic.ask(BPJS, NIKS[0], **PBI, fields=("bpjs_class", "sex"))
    assert codes(last(traffic, "bpjs_class")) == [("unknown_field", None)]


async def test_without_the_text_of_then_what_the_log_says_is_told_without_its_words(
    traffic: Traffic,
) -> None:
    await traffic.ask(BPJS, NIKS[0], **PBI)
    with traffic.database.unit_of_work() as connection:
        connection.execute(delete(audit_documents))
    assert codes(last(traffic, "full_name")) == [("withheld", None)]
    assert codes(last(traffic, "sex")) == [("released", 1)]


async def test_an_erased_entry_says_that_it_was_erased(traffic: Traffic) -> None:
    await traffic.ask(BPJS, NIKS[0], **PBI)
    exchange_id = UUID(traffic.outcomes()[-1]["exchange_id"])
    with traffic.database.unit_of_work() as connection:
        connection.execute(update(audit_entries).values(entry=None))
    told = Explanations(traffic.database)(exchange_id, "sex")
    assert (codes(told), told.agreement) == ([("erased", None)], None)


def test_an_exchange_that_the_log_does_not_know_is_not_found(traffic: Traffic) -> None:
    with pytest.raises(NotFound):
        Explanations(traffic.database)(uuid4(), "sex")
