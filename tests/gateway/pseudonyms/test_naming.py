"""Names renewed, sealed for another sector and opened by it: in scope, counted, on record, on both sides."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.schema import DropTable

from connectors.base import Record
from gateway.audit.entry import SubjectHasher
from gateway.audit.tables import audit_entries
from gateway.database import Database
from gateway.errors import AuditUnavailable, LimitExceeded, Refused
from gateway.pseudonyms.naming import TRANSLATION_LIFE
from gateway.staff.roles import INSTALLATION
from policies.bounds import Limits, Scope
from policies.translation import passage_of
from tests.gateway.pseudonyms.world import (
    AUDIT_KEY,
    PURPOSE,
    RECEIVER,
    SENDER,
    World,
    person,
    receiving,
    sending,
)
from tests.policies.builders import a_book

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path / "keys", [person(), person("31.74.01.1001")])


def _told(answer: dict[str, Any], member: str) -> list[Any]:
    return [result.get(member) for result in answer["results"]]


def _hash(one: Record) -> str:
    return SubjectHasher(AUDIT_KEY).person(one.person_id)


async def test_after_a_rotation_old_names_are_renewed_and_others_are_refused_in_one_word(
    world: World,
) -> None:
    old = [await world.name(SENDER, one) for one in world.people]
    foreign = await world.name(RECEIVER, world.people[0])
    world.keyring.rotate(INSTALLATION, "kesehatan", 30, "yearly")
    answer = await world.rekey(*old, foreign, "rubbish")
    assert _told(answer, "pseudonym")[:2] == [await world.name(SENDER, one) for one in world.people]
    assert _told(answer, "reason") == [None, None, "unusable_name", "unusable_name"]
    assert set(answer["reasons"]["unusable_name"]) == {"id", "en"}
    world.now += timedelta(days=30)
    world.book = a_book(sending(valid_until=world.now.date() + timedelta(days=1)))
    assert _told(await world.rekey(*old), "reason") == ["unusable_name"] * 2


async def test_a_renewal_asks_nobody_and_counts_against_no_limit(world: World) -> None:
    world.book = a_book(sending(limits=Limits(1, 1, 1)))
    name = await world.name(SENDER, world.people[0])
    for _ in range(3):
        await world.rekey(name)
    assert world.registry.asked == []
    assert [entry["operation"] for entry in world.entries()] == ["rekey_pseudonyms"] * 3
    assert world.entries()[0]["subjects"] == [[_hash(world.people[0]), "renewed"]]


async def test_a_name_reaches_the_other_sector_as_its_own_and_neither_learns_the_others(
    world: World,
) -> None:
    names = [await world.name(SENDER, one) for one in world.people]
    sealed = await world.translate(*names)
    opened = await world.open(*_told(sealed, "translation"))
    assert _told(opened, "pseudonym") == [await world.name(RECEIVER, one) for one in world.people]
    told_sender, told_receiver = str(sealed), str(opened)
    for one in world.people:
        assert (await world.name(RECEIVER, one)) not in told_sender
        assert (await world.name(SENDER, one)) not in told_receiver


async def test_the_same_person_is_translated_differently_each_time(world: World) -> None:
    first, second = [await world.translation(world.people[0]) for _ in range(2)]
    assert first != second
    passage = passage_of(first)
    assert passage is not None
    assert (passage.from_sector, passage.to_sector, passage.purpose) == ("kesehatan", "pkh", PURPOSE)
    assert passage.until == world.now + TRANSLATION_LIFE


async def test_both_sides_are_on_record_with_the_person_the_sectors_and_the_agreement(world: World) -> None:
    await world.open(await world.translation(world.people[0]), "rubbish")
    sent, opened = world.entries()
    for entry, consumer, word in ((sent, SENDER, "translated"), (opened, RECEIVER, "opened")):
        assert entry["consumer"] == consumer.id
        assert entry["subjects"][0] == [_hash(world.people[0]), word]
        assert entry["translation"]["to"] == "pkh"
        assert entry["translation"]["from"] == ["kesehatan"]
        assert entry["translation"]["purpose"] == PURPOSE
        assert entry["agreement"]["sha256"]
        assert entry["response_hash"]
    assert opened["counts"] == {"opened": 1, "unusable_name": 1}


async def test_a_translation_ends_with_its_day_and_with_the_grant(world: World) -> None:
    sealed = await world.translation(world.people[0])
    world.now += TRANSLATION_LIFE
    assert _told(await world.open(sealed), "reason") == ["unusable_name"]
    world.now -= timedelta(hours=1)
    assert _told(await world.open(sealed), "reason") == [None]
    world.book = a_book(sending(state="suspended"), receiving())
    with pytest.raises(Refused) as refused:
        await world.open(sealed)
    assert refused.value.code == "translation_not_granted"


async def test_another_sectors_grant_does_not_open_what_this_sector_sealed(world: World) -> None:
    """Only the sectors whose own agreement lets them may have sealed what is opened."""
    sealed = await world.translation(world.people[0])
    world.book = a_book(sending(pseudonym_sector="statistik"), receiving())
    assert _told(await world.open(sealed), "reason") == ["unusable_name"]


async def test_without_a_grant_nothing_is_sealed_and_the_refusal_is_on_record(world: World) -> None:
    world.book = a_book(sending(translation=None), receiving())
    name = await world.name(SENDER, world.people[0])
    with pytest.raises(Refused) as refused:
        await world.translate(name)
    (entry,) = world.entries()
    assert (entry["outcome"], entry["reason"]) == ("refused", "translation_not_granted")
    assert entry["exchange_id"] == str(refused.value.exchange_id)
    assert world.registry.asked == []


@pytest.mark.parametrize("side", ["sender", "receiver"])
async def test_whoever_is_out_of_scope_on_either_side_looks_like_nobody(world: World, side: str) -> None:
    scope = Scope(frozenset({"35"}), None)
    name = [await world.name(SENDER, one) for one in world.people]
    nobody = (await world.keyring.of("kesehatan")).name(person().person_id)
    if side == "sender":
        world.book = a_book(sending(scope=scope), receiving())
        answer = await world.translate(*name, nobody)
    else:
        sealed = _told(await world.translate(*name), "translation")
        world.book = a_book(sending(), receiving(scope=scope))
        answer = await world.open(*sealed)
    assert _told(answer, "reason")[:2] == [None, "not_found"]
    assert set(_told(answer, "reason")[2:]) <= {"not_found"}


async def test_in_the_sandbox_only_synthetic_people_are_translated(world: World, tmp_path: Path) -> None:
    invented, real = person(synthetic=True), person()
    world = World(world.database, tmp_path / "keys", [invented, real])
    names = [await world.name(SENDER, one) for one in (invented, real)]
    answer = await world.translate(*names, consumer=replace(SENDER, sandbox=True))
    assert _told(answer, "reason") == [None, "not_found"]
    assert answer["sandbox"] is True


@pytest.mark.parametrize("side", ["sender", "receiver"])
async def test_people_who_are_translated_count_towards_the_limits_of_either_side(
    world: World, side: str
) -> None:
    few = Limits(1000, 1_000_000, 1)
    names = [await world.name(SENDER, one) for one in world.people]
    if side == "sender":
        world.book = a_book(sending(limits=few), receiving())
        with pytest.raises(LimitExceeded):
            await world.translate(*names)
        return
    sealed = _told(await world.translate(*names), "translation")
    world.book = a_book(sending(), receiving(limits=few))
    with pytest.raises(LimitExceeded):
        await world.open(*sealed)


async def test_no_entry_no_answer(world: World) -> None:
    name = await world.name(SENDER, world.people[0])
    with world.database.unit_of_work() as connection:
        connection.execute(DropTable(audit_entries))
    with pytest.raises(AuditUnavailable):
        await world.rekey(name)
