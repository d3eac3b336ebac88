"""Walks through the numbers are told from lists of people: purely, and by the ledger on both databases."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from connectors.base import Subject
from gateway.audit.entry import SubjectHasher
from gateway.audit.tables import audit_entries
from gateway.database import Database
from gateway.limits.budget import Refusal, Spent
from gateway.limits.ledger import LimitLedger
from gateway.limits.marks import Marks
from gateway.limits.patterns import (
    Level,
    MarkedPlace,
    Pattern,
    Seen,
    Steps,
    Thresholds,
    Walk,
    follow,
    levels,
    place_of,
)
from tests.gateway.limits.world import MORNING, World, limited, neighbours, scattered

pytestmark = pytest.mark.anyio

TODAY = date(2026, 11, 21)
FEW = Thresholds(serials=Steps(4, 6), birth_dates=Steps(5, 8), gapless=60, unknown=Steps(4, 6))


def _born(day: date, serial: int = 9001, district: str = "357808", sex: int = 0) -> Subject:
    return Subject(nik=f"{district}{day.day + sex:02}{day:%m%y}{serial}")


def _walk(count: int, start: date = date(1984, 3, 1), **changes: int) -> list[Subject]:
    return [_born(start + timedelta(days=at), **changes) for at in range(count)]


@given(st.uuids(), st.dates(date(1940, 1, 2), date(2026, 12, 30)))
def test_marks_are_keyed_blake2b_of_which_each_kind_has_its_own(person: UUID, born: date) -> None:
    hasher, nik = SubjectHasher(b"a" * 32), f"357808{born:%d%m%y}9001"

    def number(kind: bytes, said: str) -> int:
        key = bytes.fromhex(hasher.identifier("limits:an-agreement"))
        digest = hashlib.blake2b(said.encode(), digest_size=8, key=key, person=kind).digest()
        return int.from_bytes(digest, signed=True)

    marks, place = Marks(hasher, "an-agreement"), place_of(nik)
    assert marks.person(Subject(nik=nik)) == number(b"nik", nik)
    assert marks.person(Subject(person_id=person)) == number(b"person", str(person))
    assert marks.place(nik) == MarkedPlace(
        number(b"district", place.district),
        number(b"block", place.block),
        tuple(number(b"block", block) for block in place.beside),
    )


@given(st.dates(date(2000, 1, 2), date(2099, 12, 30)), st.sampled_from([0, 40]))
def test_the_blocks_beside_are_those_of_the_day_before_and_after(day: date, sex: int) -> None:
    def block(of: date) -> str:
        return f"357808{of.day + sex:02}{of:%m%y}"

    place = place_of(f"{block(day)}9001")
    assert place.block == block(day)
    assert place.beside == (block(day - timedelta(days=1)), block(day + timedelta(days=1)))


def test_a_birth_date_that_is_none_has_nothing_beside_it() -> None:
    assert place_of("3578083102849001").beside == ()
    assert place_of("0000000000000000").beside == ()


_PLACES = st.lists(
    st.integers(0, 12).map(lambda day: MarkedPlace(0, 100 + day, (99 + day, 101 + day))), max_size=30
)


@given(_PLACES, st.integers(0, 30))
def test_dates_and_their_pairs_are_counted_alike_in_any_order_and_in_any_portions(
    places: list[MarkedPlace], cut: int
) -> None:
    """The oracle is the set of dates."""
    seen = follow(Seen(), places[:cut])
    later = follow(seen, places[cut:])
    blocks = {place.block for place in places}
    pairs = sum(block + 1 in blocks for block in blocks)
    walks = {**seen.walks, **later.walks}
    assert walks.get(0, Walk()) == Walk(len(blocks), pairs)
    counted = {**seen.blocks, **later.blocks}
    assert counted == {block: sum(place.block == block for place in places) for block in blocks}


@pytest.mark.parametrize(
    ("count", "level"), [(19, None), (20, Level.ALARM), (39, Level.ALARM), (40, Level.REFUSAL)]
)
def test_serials_of_one_birth_date_alarm_and_are_then_refused(count: int, level: Level | None) -> None:
    assert levels(Seen({1: count, 2: 3}), 0, 0, Thresholds()).get(Pattern.SERIALS) is level


@pytest.mark.parametrize(
    ("dates", "pairs", "level"),
    [
        (89, 88, None),
        (90, 89, Level.ALARM),
        (799, 798, Level.ALARM),
        (800, 799, Level.REFUSAL),
        (800, 639, None),
    ],
)
def test_birth_dates_without_gaps_alarm_and_are_then_refused(
    dates: int, pairs: int, level: Level | None
) -> None:
    assert levels(Seen({}, {1: Walk(dates, pairs)}), 0, 0, Thresholds()).get(Pattern.BIRTH_DATES) is level


@pytest.mark.parametrize(
    ("unknown", "people", "level"),
    [
        (499, 500, None),
        (500, 500, Level.ALARM),
        (1999, 2000, Level.ALARM),
        (2000, 2222, Level.REFUSAL),
        (2000, 2223, None),
    ],
)
def test_people_whom_nobody_knows_alarm_and_are_then_refused(
    unknown: int, people: int, level: Level | None
) -> None:
    assert levels(Seen(), unknown, people, Thresholds()).get(Pattern.UNKNOWN) is level


def test_a_large_list_of_people_of_one_district_is_no_walk() -> None:
    """A tenth of a populous district, all ages, as a social office asks about them."""
    chance = random.Random(7)  # noqa: S311 - the same people every time
    born = [date(1945, 1, 1) + timedelta(days=chance.randrange(29_000)) for _ in range(10_000)]
    places = [
        MarkedPlace(
            0, day.toordinal() * 2 + sex, (day.toordinal() * 2 + sex - 2, day.toordinal() * 2 + sex + 2)
        )
        for day in born
        for sex in [chance.randrange(2)]
    ]
    assert levels(follow(Seen(), places), 6_000, 10_000, Thresholds()) == {}


async def test_a_walk_through_serials_is_alarmed_about_first_and_then_refused(world: World) -> None:
    world.thresholds = FEW
    ledger, agreement = world.ledger(), limited()
    outcomes = [await ledger.spend(agreement, [one]) for one in neighbours(8)]
    assert [isinstance(one, Spent) for one in outcomes] == [True] * 5 + [False] * 3
    refused = outcomes[-1]
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.meter, refused.retry_after_s) == ("enumeration_suspected", None, 14 * 3600)
    assert [(alarm.pattern, alarm.level) for alarm in ledger.alarms.since([agreement.id], TODAY)] == [
        (Pattern.SERIALS, Level.ALARM),
        (Pattern.SERIALS, Level.REFUSAL),
    ]


async def test_a_walk_spread_over_two_workers_is_seen_as_one(world: World) -> None:
    world.thresholds = FEW
    one, other = world.ledger(), world.ledger()
    outcomes = [await (one if at % 2 else other).spend(limited(), [who]) for at, who in enumerate(_walk(10))]
    assert [isinstance(outcome, Spent) for outcome in outcomes] == [True] * 7 + [False] * 3


async def test_a_walk_in_one_large_request_is_refused_as_a_whole(world: World) -> None:
    world.thresholds = FEW
    people = _walk(30)
    random.Random(3).shuffle(people)  # noqa: S311 - as above
    ledger = world.ledger()
    assert isinstance(await ledger.spend(limited(), people), Refusal)
    assert ledger.use(["bpjs-pbi-jk"], TODAY)["bpjs-pbi-jk"].new_people == 0


async def test_others_are_still_answered_under_the_agreement_of_a_walker(world: World) -> None:
    world.thresholds = FEW
    ledger, agreement = world.ledger(), limited()
    walked = [await ledger.spend(agreement, [one]) for one in neighbours(8)]
    assert isinstance(walked[-1], Refusal)
    assert isinstance(await ledger.spend(agreement, scattered(50)), Spent)
    assert isinstance(await ledger.spend(agreement, neighbours(5)), Spent), "whom it asked about before"
    world.later(days=1)
    assert isinstance(await ledger.spend(agreement, neighbours(1, start=8)), Spent), "the next day"


async def test_guessed_numbers_are_refused_and_known_people_are_not(world: World) -> None:
    world.thresholds = FEW
    ledger, agreement = world.ledger(), limited()
    for start in (0, 3):
        spent = await ledger.spend(agreement, scattered(3, start=start))
        assert isinstance(spent, Spent)
        ledger.found_nobody(agreement, spent, 3)
    refused = await ledger.spend(agreement, scattered(1, start=6))
    assert isinstance(refused, Refusal)
    assert refused.code == "enumeration_suspected"
    assert isinstance(await ledger.spend(agreement, scattered(6)), Spent)
    assert ledger.use([agreement.id], TODAY)[agreement.id].unknown == 6


async def test_what_was_noted_last_is_written_when_the_worker_ends(world: World) -> None:
    ledger, agreement = world.ledger(), limited()
    spent = await ledger.spend(agreement, scattered(2))
    assert isinstance(spent, Spent)
    ledger.found_nobody(agreement, spent, 2)
    ledger.close()
    assert world.ledger().use([agreement.id], TODAY)[agreement.id].unknown == 2


async def test_an_alarm_is_told_and_recorded_once_for_all_workers(world: World) -> None:
    world.thresholds = FEW
    one, other = world.ledger(), world.ledger()
    await one.spend(limited(), neighbours(4))
    await one.spend(limited(), neighbours(1, start=4))
    await other.spend(limited(), neighbours(3, start=6))
    await other.spend(limited(), neighbours(3, start=6))
    agreement = "agreement/bpjs-pbi-jk"
    assert world.acts == [
        ("gateway", "limits.alarm", agreement, "neighbouring_serials on 2026-11-21"),
        ("gateway", "limits.refusal", agreement, "neighbouring_serials on 2026-11-21"),
    ]
    assert [(told["name"], told["level"], told["reached"]) for told in world.told] == [
        ("limits:alarm", "warning", "alarm"),
        ("limits:alarm", "warning", "refusal"),
    ]


async def test_an_alarm_that_cannot_be_recorded_lets_nothing_pass(world: World) -> None:
    world.thresholds = FEW

    def unwritable(*_: object, **__: object) -> None:
        raise OSError("the audit log cannot be written")

    ledger = world.ledger()
    ledger.alarms._write_act = unwritable
    with pytest.raises(OSError, match="audit log"):
        await ledger.spend(limited(), neighbours(4))
    assert ledger.use(["bpjs-pbi-jk"], TODAY) == {}
    assert world.told == []


async def test_most_of_the_budget_of_new_people_spent_is_an_alarm(world: World) -> None:
    ledger, agreement = world.ledger(), limited(new_people_per_day=10)
    await ledger.spend(agreement, scattered(7))
    assert world.acts == []
    await ledger.spend(agreement, scattered(1, start=7))
    assert [act for _, act, _, reason in world.acts if reason.startswith("new_people")] == ["limits.alarm"]


async def test_who_was_looked_at_and_pardoned_goes_on_for_the_day(world: World) -> None:
    world.thresholds = FEW
    ledger, agreement = world.ledger(), limited()
    assert isinstance(await ledger.spend(agreement, neighbours(9)), Refusal)
    await asyncio.to_thread(
        ledger.pardon, agreement.id, actor="ani", reason="Panti asuhan, tanggal lahir sama."
    )
    assert isinstance(await ledger.spend(agreement, neighbours(9)), Spent)
    assert world.acts[-1] == (
        "ani",
        "limits.pardon",
        "agreement/bpjs-pbi-jk",
        "Panti asuhan, tanggal lahir sama.",
    )
    world.later(days=1)
    assert isinstance(await ledger.spend(agreement, neighbours(9, start=9)), Refusal)


async def test_people_asked_about_by_pseudonym_are_no_walk(world: World) -> None:
    world.thresholds = FEW

    people = [Subject(person_id=UUID(int=at)) for at in range(50)]
    assert isinstance(await world.ledger().spend(limited(), people), Spent)


async def test_without_another_record_an_alarm_is_an_act_of_the_audit_log(database: Database) -> None:
    ledger = LimitLedger(database, SubjectHasher(b"a" * 32), lambda: MORNING, thresholds=FEW)
    await ledger.spend(limited(), neighbours(4))
    ledger.close()
    with database.reading() as connection:
        (text,) = connection.execute(select(audit_entries.c.entry)).scalars()
    entry = json.loads(text)
    assert (entry["kind"], entry["actor"], entry["act"]) == ("act", "gateway", "limits.alarm")
    assert entry["object"] == "agreement/bpjs-pbi-jk"
