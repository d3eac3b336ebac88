"""What is remembered of a source: words with their day, and never a person's particulars."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from connectors.base import Connector, LastKnown, NotFound, Outcome, Record, Subject, Unavailable
from gateway.database import Database
from gateway.sources.last_known import Remembering, forget_verdicts
from gateway.sources.tables import last_verdicts
from tests.gateway.sources.populace import TODAY, Clock, ScriptedSource

BOTH = frozenset({"state", "name"})
WORDS = {"state": frozenset({"alive", "deceased"}), "name": frozenset({"match", "no_match"})}
SITI, SRI = (Subject("3578014708990001", UUID(int=number)) for number in (1, 2))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source(clock: Clock) -> ScriptedSource:
    return ScriptedSource(clock)


@pytest.fixture
async def remembering(source: ScriptedSource, database: Database, clock: Clock) -> AsyncIterator[Remembering]:
    opened = Remembering(source, database, clock, words=WORDS)
    yield opened
    await opened.aclose()


async def ask(
    connector: Connector, *subjects: Subject, fields: frozenset[str] = BOTH, within_s: float = 30
) -> list[Outcome]:
    deadline = asyncio.get_running_loop().time() + within_s
    return list(await connector.fetch(subjects, fields, TODAY, deadline))


async def kept(remembering: Remembering) -> None:
    """Wait for what was said to be written down."""
    while remembering._notes:
        await asyncio.wait(remembering._notes)


def stored(database: Database) -> set[tuple[int, str, str | None, date]]:
    columns = (last_verdicts.c.person_id, last_verdicts.c.field, last_verdicts.c.value, last_verdicts.c.as_of)
    with database.reading() as connection:
        return {(row[0].int, row[1], row[2], row[3]) for row in connection.execute(select(*columns))}


async def test_an_outage_comes_with_what_was_said_before_it_and_the_day_of_that(
    remembering: Remembering, source: ScriptedSource, clock: Clock
) -> None:
    await ask(remembering, SITI)
    await kept(remembering)
    clock.days_pass(3)
    source.says = None
    told, never_asked = await ask(remembering, SITI, SRI)
    assert isinstance(told, Unavailable)
    assert told.cause == "down"
    assert told.last_known == {"state": LastKnown("alive", TODAY), "name": LastKnown("match", TODAY)}
    assert isinstance(never_asked, Unavailable)
    assert never_asked.last_known == {}


async def test_each_field_has_the_day_on_which_it_was_last_said(
    remembering: Remembering, source: ScriptedSource, clock: Clock
) -> None:
    await ask(remembering, SITI)
    await kept(remembering)
    clock.days_pass(2)
    await ask(remembering, SITI, fields=frozenset({"state"}))
    await kept(remembering)
    source.says = None
    (both,) = await ask(remembering, SITI)
    (state,) = await ask(remembering, SITI, fields=frozenset({"state"}))
    assert isinstance(both, Unavailable)
    assert isinstance(state, Unavailable)
    later = TODAY + timedelta(days=2)
    assert both.last_known == {"state": LastKnown("alive", later), "name": LastKnown("match", TODAY)}
    assert state.last_known == {"state": LastKnown("alive", later)}


async def test_what_is_not_a_listed_word_is_never_stored(
    remembering: Remembering, source: ScriptedSource, database: Database
) -> None:
    source.says = {"state": "SITI CONTOH", "name": "match"}
    await ask(remembering, SITI)
    await kept(remembering)
    assert stored(database) == {(1, "state", None, TODAY), (1, "name", "match", TODAY)}


async def test_a_later_answer_replaces_an_earlier_one_even_where_it_says_nothing(
    remembering: Remembering, source: ScriptedSource, database: Database, clock: Clock
) -> None:
    await ask(remembering, SITI)
    await kept(remembering)
    clock.days_pass(1)
    source.knows_nobody = True
    assert await ask(remembering, SITI) == [NotFound()]
    await kept(remembering)
    later = TODAY + timedelta(days=1)
    assert stored(database) == {(1, "state", None, later), (1, "name", None, later)}


async def test_answers_pass_unchanged_and_their_crowd_is_written(
    remembering: Remembering, source: ScriptedSource, database: Database
) -> None:
    crowd = [Subject("3578014708990001", UUID(int=number)) for number in range(1, 301)]
    answers = await asyncio.gather(*(ask(remembering, one) for one in crowd))
    assert all(answer == [source._outcome(one, BOTH)] for one, answer in zip(crowd, answers, strict=True))
    await kept(remembering)
    assert len(stored(database)) == 600


async def test_a_database_that_is_gone_costs_the_memory_and_not_the_answer(
    source: ScriptedSource, clock: Clock
) -> None:
    lost: list[tuple[int, str]] = []
    gone = Database("postgresql://nobody@127.0.0.1:1/none")
    remembering = Remembering(
        source, gone, clock, words=WORDS, on_lost=lambda count, why: lost.append((count, why))
    )
    (told,) = await ask(remembering, SITI)
    assert isinstance(told, Record)
    await kept(remembering)
    assert lost == [(2, "StoreUnavailable")]
    source.says = None
    (untold,) = await ask(remembering, SITI)
    assert isinstance(untold, Unavailable)
    assert untold.last_known == {}
    await remembering.aclose()


async def test_time_is_kept_for_looking_up_what_is_remembered(
    remembering: Remembering, source: ScriptedSource
) -> None:
    now = asyncio.get_running_loop().time()
    await remembering.fetch([SITI], BOTH, TODAY, now + 10)
    await remembering.fetch([SITI], BOTH, TODAY, now + 0.5)
    await remembering.fetch([SITI], BOTH, TODAY, now - 1)
    assert now + 9.7 <= source.deadlines[0] < now + 10
    assert now + 0.4 <= source.deadlines[1] < now + 0.5
    assert source.deadlines[2] == now - 1


async def test_the_same_word_of_the_same_day_is_not_written_again_and_of_another_day_it_is(
    remembering: Remembering, database: Database, clock: Clock
) -> None:
    async def seen_at() -> set[object]:
        await ask(remembering, SITI)
        await kept(remembering)
        with database.reading() as connection:
            return set(connection.execute(select(last_verdicts.c.seen_at)).scalars())

    first = clock.now
    assert await seen_at() == {first}
    clock.now += timedelta(minutes=1)
    assert await seen_at() == {first}
    clock.days_pass(1)
    assert await seen_at() == {clock.now}


async def test_what_nobody_asks_about_any_more_is_forgotten(
    remembering: Remembering, database: Database, clock: Clock
) -> None:
    await ask(remembering, SITI)
    await kept(remembering)
    assert forget_verdicts(database, clock.now) == 0
    clock.days_pass(1)
    await ask(remembering, SRI)
    await kept(remembering)
    assert forget_verdicts(database, clock.now) == 2
    assert {row[0] for row in stored(database)} == {2}
