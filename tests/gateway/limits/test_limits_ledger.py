"""The ledger on both databases: what fits, what does not, and what is remembered of whom."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from connectors.base import Subject
from gateway.audit.entry import SubjectHasher
from gateway.database import Database
from gateway.errors import StoreUnavailable
from gateway.limits.budget import Meter, Refusal, Spent, Use
from gateway.limits.ledger import LimitLedger
from gateway.limits.tables import limit_people, limit_use, limit_walks
from tests.gateway.limits.world import MORNING, World, limited, scattered

pytestmark = pytest.mark.anyio

TODAY = date(2026, 11, 21)


def _left(outcome: Spent | Refusal) -> dict[str, int]:
    return {meter.name: meter.left for meter in outcome.meters}


def _code(outcome: Spent | Refusal) -> str:
    return outcome.code if isinstance(outcome, Refusal) else "spent"


async def test_the_nth_request_of_a_minute_fits_and_the_next_does_not(world: World) -> None:
    ledger, agreement = world.ledger(), limited(requests_per_minute=3)
    outcomes = [await ledger.spend(agreement, scattered(1)) for _ in range(5)]
    assert [_code(one) for one in outcomes] == ["spent"] * 3 + ["requests_per_minute_exceeded"] * 2
    assert [_left(one)["requests_per_minute"] for one in outcomes] == [2, 1, 0, 0, 0]


async def test_a_refusal_says_when_the_minute_is_over_and_then_it_is(world: World) -> None:
    world.later(seconds=48.5)
    ledger, agreement = world.ledger(), limited(requests_per_minute=1)
    await ledger.spend(agreement, scattered(1))
    refused = await ledger.spend(agreement, scattered(1))
    assert isinstance(refused, Refusal)
    assert refused.retry_after_s == 12
    world.later(seconds=refused.retry_after_s)
    assert isinstance(await ledger.spend(agreement, scattered(1)), Spent)


async def test_a_clock_that_is_behind_does_not_open_the_minute_again(world: World) -> None:
    ledger, agreement = world.ledger(), limited(requests_per_minute=1)
    await ledger.spend(agreement, scattered(1))
    world.later(seconds=-2)
    assert _code(await ledger.spend(agreement, scattered(1))) == "requests_per_minute_exceeded"


async def test_the_subjects_of_a_day_fit_to_the_last_one_until_midnight_in_jakarta(world: World) -> None:
    ledger, agreement = world.ledger(), limited(subjects_per_day=10)
    assert _left(await ledger.spend(agreement, scattered(7)))["subjects_per_day"] == 3
    refused = await ledger.spend(agreement, scattered(4))
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.retry_after_s) == ("subjects_per_day_exceeded", 14 * 3600)
    assert _left(refused)["subjects_per_day"] == 3
    assert _left(await ledger.spend(agreement, scattered(3)))["subjects_per_day"] == 0
    world.later(seconds=refused.retry_after_s - 1)
    assert _code(await ledger.spend(agreement, scattered(1))) == "subjects_per_day_exceeded"
    world.later(seconds=1)
    assert _left(await ledger.spend(agreement, scattered(10)))["subjects_per_day"] == 0


async def test_new_people_are_counted_once_however_often_they_are_asked_about(world: World) -> None:
    ledger, agreement = world.ledger(), limited(new_people_per_day=5)
    people = scattered(4)
    assert _left(await ledger.spend(agreement, [*people, *people]))["new_people_per_day"] == 1
    assert _left(await ledger.spend(agreement, people))["new_people_per_day"] == 1
    refused = await ledger.spend(agreement, scattered(2, start=4))
    assert _code(refused) == "new_people_per_day_exceeded"
    assert _left(await ledger.spend(agreement, [*people, *scattered(1, start=4)]))["new_people_per_day"] == 0
    assert _code(await ledger.spend(agreement, people)) == "spent"


async def test_the_answer_says_at_which_places_the_new_people_stand(world: World) -> None:
    ledger, agreement = world.ledger(), limited()
    one, two, three = scattered(3)
    await ledger.spend(agreement, [two])
    spent = await ledger.spend(agreement, [None, one, two, one, three])
    assert isinstance(spent, Spent)
    assert spent.new_at == (1, 4)


async def test_a_refused_request_counts_as_a_request_and_spends_nothing_else(world: World) -> None:
    ledger, agreement = world.ledger(), limited(subjects_per_day=3)
    await ledger.spend(agreement, scattered(2))
    await ledger.spend(agreement, scattered(5, start=2))
    use = ledger.use([agreement.id], TODAY)[agreement.id]
    assert (use.requests, use.refused, use.subjects, use.new_people) == (2, 1, 2, 2)
    spent = await ledger.spend(agreement, scattered(1, start=2))
    assert isinstance(spent, Spent)
    assert spent.new_at == (0,), "whom the refused request named is still new"


async def test_people_are_new_again_after_thirty_days_without_a_question(world: World) -> None:
    ledger, agreement = world.ledger(), limited()
    people = scattered(3)
    await ledger.spend(agreement, people)
    world.later(days=20)
    await ledger.spend(agreement, people[:1])
    world.later(days=9)
    spent = await ledger.spend(agreement, people[:2])
    assert isinstance(spent, Spent)
    assert spent.new_at == ()
    world.later(days=1)
    spent = await ledger.spend(agreement, people)
    assert isinstance(spent, Spent)
    assert spent.new_at == (2,)


async def test_agreements_are_counted_apart_and_all_workers_together(world: World) -> None:
    one, other = world.ledger(), world.ledger()
    mine, yours = limited("mine", new_people_per_day=2), limited("yours", new_people_per_day=2)
    assert _left(await one.spend(mine, scattered(2)))["new_people_per_day"] == 0
    assert _left(await other.spend(yours, scattered(2)))["new_people_per_day"] == 0
    assert _code(await other.spend(mine, scattered(1, start=2))) == "new_people_per_day_exceeded"


async def test_a_person_asked_about_by_pseudonym_is_counted_too(world: World) -> None:
    ledger, agreement = world.ledger(), limited(new_people_per_day=1)
    person = Subject(person_id=UUID(int=7))
    assert _left(await ledger.spend(agreement, [person, person]))["new_people_per_day"] == 0
    assert (
        _code(await ledger.spend(agreement, [Subject(person_id=UUID(int=8))]))
        == "new_people_per_day_exceeded"
    )


async def test_an_identifier_that_is_none_is_a_subject_and_nobody_new(world: World) -> None:
    ledger, agreement = world.ledger(), limited()
    left = _left(await ledger.spend(agreement, [None, None]))
    assert (1_000_000 - left["subjects_per_day"], 1_000_000 - left["new_people_per_day"]) == (2, 0)


async def test_a_lowered_limit_holds_at_once_and_says_that_nothing_is_left(world: World) -> None:
    ledger = world.ledger()
    await ledger.spend(limited(), scattered(9))
    refused = await ledger.spend(limited(subjects_per_day=5), scattered(1))
    assert (_code(refused), _left(refused)["subjects_per_day"]) == ("subjects_per_day_exceeded", 0)


async def test_each_limit_says_its_size_its_window_and_what_is_left(world: World) -> None:
    world.later(seconds=20)
    spent = await world.ledger().spend(limited(requests_per_minute=60), scattered(2))
    requests, subjects, people = spent.meters
    assert requests == Meter("requests_per_minute", "requests", 60, 60, 59, 40)
    assert subjects == Meter("subjects_per_day", "subjects", 1_000_000, 86_400, 999_998, 14 * 3600 - 20)
    assert people == Meter("new_people_per_day", "people", 1_000_000, 86_400, 999_998, 14 * 3600 - 20)


async def test_nothing_is_spent_when_the_database_is_out_of_reach() -> None:
    ledger = LimitLedger(
        Database("postgresql://nobody@127.0.0.1:1/none"), SubjectHasher(b"a" * 32), lambda: MORNING
    )
    with pytest.raises(StoreUnavailable):
        await ledger.spend(limited(), scattered(1))
    ledger.close()


async def test_the_tables_hold_no_part_of_a_nik(world: World) -> None:
    ledger, agreement = world.ledger(), limited()
    await ledger.spend(agreement, [Subject(nik="3578085203849991"), Subject(nik="3578085303849991")])
    with world.database.reading() as connection:
        kept = [
            str(value)
            for table in (limit_people, limit_walks, limit_use)
            for row in connection.execute(select(table))
            for value in row
        ]
    assert len(kept) > 10
    assert not [value for value in kept for part in ("357808", "520384", "530384") if part in value]


async def test_old_rows_are_forgotten_and_what_is_still_needed_is_kept(world: World) -> None:
    ledger, agreement = world.ledger(), limited()
    await ledger.spend(agreement, scattered(3))
    world.later(days=29)
    assert ledger.forget_old() == 3  # the walks of that day, one for each district
    world.later(days=1)
    assert ledger.forget_old() == 3
    assert ledger.use([agreement.id], TODAY)[agreement.id].subjects == 3
    world.later(days=371)
    assert ledger.forget_old() == 1
    assert ledger.use([agreement.id], TODAY) == {}


async def test_a_crowd_at_midnight_is_counted_on_the_day_of_each(world: World) -> None:
    ledger, agreement = world.ledger(), limited(subjects_per_day=1)
    world.now = datetime(2026, 11, 21, 16, 59, 59, tzinfo=UTC)
    before = [asyncio.ensure_future(ledger.spend(agreement, scattered(1))) for _ in range(3)]
    await asyncio.sleep(0)
    world.later(seconds=1)
    after = [asyncio.ensure_future(ledger.spend(agreement, scattered(1))) for _ in range(3)]
    codes = [_code(outcome) for outcome in await asyncio.gather(*before, *after)]
    assert codes == ["spent", *["subjects_per_day_exceeded"] * 2] * 2


_ASKED = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.lists(st.integers(0, 9), min_size=1, max_size=5)), max_size=14
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=_ASKED)
def test_a_crowd_is_counted_as_if_each_came_alone(world: World, asked: list[tuple[str, list[int]]]) -> None:
    """The oracle is a set and two numbers for each agreement."""
    with world.database.unit_of_work() as connection:
        for table in (limit_people, limit_walks, limit_use):
            connection.execute(delete(table))
    limits = {"requests_per_minute": 6, "subjects_per_day": 12, "new_people_per_day": 5}
    known: dict[str, set[int]] = {"a": set(), "b": set()}
    requests, subjects = {"a": 0, "b": 0}, {"a": 0, "b": 0}
    expected = []
    for name, people in asked:
        requests[name] += 1
        if requests[name] > 6:
            expected.append("requests_per_minute_exceeded")
        elif subjects[name] + len(people) > 12:
            expected.append("subjects_per_day_exceeded")
        elif len(known[name] | set(people)) > 5:
            expected.append("new_people_per_day_exceeded")
        else:
            subjects[name] += len(people)
            known[name] |= set(people)
            expected.append("spent")

    async def crowd() -> list[str]:
        ledger = world.ledger()
        agreements = {name: limited(name, **limits) for name in "ab"}
        everybody = scattered(10)
        outcomes = await asyncio.gather(
            *(ledger.spend(agreements[name], [everybody[at] for at in people]) for name, people in asked)
        )
        return [_code(outcome) for outcome in outcomes]

    assert asyncio.run(crowd()) == expected
    used = world.ledgers[-1].use(["a", "b"], TODAY)
    for name in "ab":
        use = used.get(name, Use())
        assert (use.requests, use.subjects, use.new_people) == (
            requests[name],
            subjects[name],
            len(known[name]),
        )
