"""The log's own questions decided anew: exact about what would be otherwise, silent where nothing would."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from gateway.agreements.books import DoesNotLoad
from gateway.agreements.lifecycle import Version
from gateway.database import Database
from policies.decide import ConsumerTerms, Deny, Request, decide
from tests.gateway.agreements.bureau import ANI, NAME, NARROWER, SHIPPED, agreement_text, narrower
from tests.gateway.agreements.traffic import BPJS, DINSOS, NIKS, STRANGER, Traffic, outside, someone

pytestmark = pytest.mark.anyio

PBI = {"operation": "eligibility", "purpose": "pbi-jk-eligibility", "programme": "PBI-JK"}
RECONCILIATION = {"operation": "records", "purpose": "member-reconciliation"}
VERIFICATION = {"operation": "records", "purpose": "regional-verification"}
NAMES = ("decile", "birth_date", "sex", "full_name", "life_status", "mother_name", "3578085203849991")


def unchanged(traffic: Traffic, name: str = NAME) -> Version:
    """A draft that says what is in force already, but for its number."""
    return traffic.bureau.draft((agreement_text(name=name), b""), name=name)


async def chatter(traffic: Traffic, seed: int, count: int) -> None:
    """Questions of all sorts, most of them covered, while the source outside comes and goes."""
    chance = random.Random(seed)  # noqa: S311 - the same questions every time
    for _ in range(count):
        traffic.source = outside(chance.choice([None, someone(NIKS[0])]))
        question: dict[str, Any] = dict(chance.choice([PBI, PBI, RECONCILIATION, VERIFICATION]))
        if chance.random() < 0.5:
            question["fields"] = tuple(chance.sample(NAMES, chance.randint(1, 4)))
        if chance.random() < 0.1:
            question["purpose"] = "a purpose that nobody has"
        consumer = chance.choice([BPJS, BPJS, DINSOS, STRANGER])
        await traffic.ask(consumer, *chance.sample(NIKS, chance.randint(1, 3)), **question)


@pytest.mark.parametrize("seed", [1, 2])
async def test_an_unchanged_agreement_shows_no_impact(database: Database, seed: int) -> None:
    traffic = Traffic(database)
    await chatter(traffic, seed, 60)
    traffic.place()
    replayed = traffic.replay(unchanged(traffic))
    assert (replayed.exchanges, replayed.impact.affected, replayed.left_out) == (60, 0, 0)
    assert {"bpjs-kesehatan", "dinsos-jatim", "stranger"} == set(replayed.impact.by_consumer)


async def test_the_log_holds_all_that_a_replay_needs(database: Database) -> None:
    """Each entry, decided anew from what it says alone, comes to what it says came out."""
    traffic = Traffic(database)
    await chatter(traffic, 3, 80)
    registered = {one.id: ConsumerTerms(one.id, one.sector, frozenset(one.regions)) for one in (BPJS, DINSOS)}
    registered["stranger"] = ConsumerTerms("stranger", "lain", frozenset())
    book, seen = traffic.book, Counter[str]()
    for entry in traffic.outcomes():
        fields = None if entry["asked"] == "all" else tuple(entry["asked"])
        request = Request(
            entry["operation"], entry["purpose"] or "", entry["programme"], fields, entry["subject_count"]
        )
        again = decide(book, registered[entry["consumer"]], request, traffic.bureau.clock().date())
        if isinstance(again, Deny):
            assert again.code == entry["reason"]
            seen[again.code] += 1
        elif entry["outcome"] == "refused":
            assert entry["reason"] == "source_unavailable"
            assert again.plan.on_source_failure == "refuse"
            assert set(entry["unavailable"]) & again.plan.needs
            seen["source_unavailable"] += 1
        else:
            released = {output.name: str(output.transformation) for output in again.plan.outputs}
            assert released == entry["fields"]
            seen["answered"] += 1
    assert set(seen) >= {"answered", "source_unavailable", "no_agreement", "purpose_not_covered"}
    assert seen["answered"] > 20


async def test_a_field_that_is_taken_away_vanishes_for_exactly_those_who_asked_for_it(
    database: Database,
) -> None:
    traffic = Traffic(database)
    await chatter(traffic, 4, 60)
    traffic.place()
    replayed = traffic.replay(traffic.bureau.draft(narrower()))
    concerned = [
        entry
        for entry in traffic.outcomes()
        if entry.get("agreement", {}).get("id") == NAME and "birth_date" in entry.get("fields", {})
    ]
    ((effect, tally),) = replayed.impact.by_consumer["bpjs-kesehatan"].effects.items()
    assert (effect.kind, effect.what, effect.before) == ("vanishes", "birth_date", "generalise (to: year)")
    assert replayed.impact.affected == tally.exchanges == len(concerned) > 5
    assert set(tally.samples) <= {entry["exchange_id"] for entry in concerned}
    assert len(tally.samples) == 5


async def test_a_source_that_was_down_counts_where_the_draft_would_refuse(database: Database) -> None:
    traffic = Traffic(database)
    await traffic.ask(BPJS, NIKS[0], **PBI)
    traffic.source = outside(someone(NIKS[0]))
    await traffic.ask(BPJS, NIKS[0], **PBI)
    traffic.place()
    refuses = agreement_text(("on_source_failure: partial", "on_source_failure: refuse"))
    replayed = traffic.replay(traffic.bureau.draft((refuses, b"")))
    ((effect, tally),) = replayed.impact.by_consumer["bpjs-kesehatan"].effects.items()
    assert (effect.kind, effect.after, tally.exchanges) == ("refused", "source_unavailable", 1)


async def test_only_the_days_asked_for_are_replayed(database: Database) -> None:
    traffic = Traffic(database)
    await traffic.ask(BPJS, NIKS[0], **PBI)
    traffic.bureau.clock.now = traffic.bureau.clock.now.replace(day=24)
    await traffic.ask(BPJS, NIKS[0], **PBI)
    traffic.place()
    version = unchanged(traffic)
    assert [traffic.replay(version, days).exchanges for days in (1, 3, 4)] == [1, 1, 2]


async def test_questions_of_a_consumer_that_may_not_call_are_left_out_and_told(database: Database) -> None:
    traffic = Traffic(database)
    await traffic.ask(BPJS, NIKS[0], **PBI)
    await traffic.ask(STRANGER, NIKS[0], **PBI)
    traffic.place()
    traffic.consumers.disable(ANI, STRANGER.id, "test")
    replayed = traffic.replay(unchanged(traffic))
    assert (replayed.exchanges, replayed.left_out, set(replayed.impact.by_consumer)) == (2, 1, {BPJS.id})


async def test_a_version_that_begins_later_is_tried_on_its_first_day(database: Database) -> None:
    traffic = Traffic(database)
    await traffic.ask(BPJS, NIKS[0], **PBI)
    traffic.place()
    text = agreement_text(NARROWER, ("valid_from: 2026-01-01", "valid_from: 2027-01-01"))
    replayed = traffic.replay(traffic.bureau.draft((text, b"")))
    assert replayed.decided_for.isoformat() == "2027-01-01"
    ((effect, _),) = replayed.impact.by_consumer["bpjs-kesehatan"].effects.items()
    assert effect.kind == "vanishes"


async def test_a_dictionary_is_replayed_over_every_consumer(database: Database) -> None:
    traffic = Traffic(database)
    await traffic.ask(DINSOS, NIKS[0], **VERIFICATION)
    traffic.place()
    text = (SHIPPED / "fields.yaml").read_bytes()
    version = traffic.bureau.store.save_draft("dictionary", "fields", text + b"\n", b"", ANI)
    assert traffic.replay(version).impact.affected == 0


async def test_a_version_that_does_not_load_is_refused_with_its_mistakes(database: Database) -> None:
    traffic = Traffic(database)
    version = traffic.bureau.draft((agreement_text(("sex: keep", "sexx: keep")), b""))
    with pytest.raises(DoesNotLoad) as refusal:
        traffic.replay(version)
    (problem,) = refusal.value.members["problems"]
    assert problem.startswith(f"{NAME}.yaml:")
    assert "sexx" in problem
