"""What the maps in the store say of a person's region: names and themes, dated, and never guessed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import insert

from connectors.base import NotFound, Record, Subject, Value
from gateway.areas.connector import AreasConnector
from gateway.areas.tables import area_values
from gateway.areas.themes import THEMES
from gateway.database import Database
from gateway.errors import StoreUnavailable
from policies.dictionary import load_dictionary
from tests.gateway.areas.maps import NEW, OLD, area, imported

pytestmark = pytest.mark.anyio

TODAY = date(2026, 11, 21)
JAGIR = "35.78.08.1003"
PERSON = UUID(int=9)
EAST_JAVA, SURABAYA = area("35", "Jawa Timur"), area("35.78", "Kota Surabaya", as_of=date(2023, 12, 31))


@pytest.fixture
async def maps(database: Database) -> AsyncIterator[AreasConnector]:
    connector = AreasConnector(database)
    yield connector
    connector.close()


def said_of(database: Database, theme: str, *rows: tuple[str, str, date]) -> None:
    given = [
        {"theme": theme, "code": code, "value": value, "as_of": as_of, "level": "regency", "source": "tests"}
        for code, value, as_of in rows
    ]
    with database.unit_of_work() as connection:
        connection.execute(insert(area_values), given)


async def answer(maps: AreasConnector, region: Value, on_date: date = TODAY) -> Record:
    subject = Subject(person_id=PERSON, known={"region": region})
    deadline = asyncio.get_running_loop().time() + 10
    (outcome,) = await maps.fetch([subject], maps.provides, on_date, deadline)
    assert isinstance(outcome, Record)
    return outcome


async def test_without_any_map_everything_is_absent_and_the_store_is_ready(maps: AreasConnector) -> None:
    await maps.ping()
    assert await answer(maps, JAGIR) == Record(PERSON, {"region_name": None, "disaster_risk": None})


async def test_names_come_from_the_province_down_as_old_as_the_oldest(
    database: Database, maps: AreasConnector
) -> None:
    await imported(database, EAST_JAVA, level="province")
    await imported(database, SURABAYA)
    await imported(database, area(JAGIR, "Jagir"), level="village")
    record = await answer(maps, JAGIR)
    assert record.values["region_name"] == "Jawa Timur, Kota Surabaya, Jagir", "no layer of districts"
    assert record.as_of == {"region_name": date(2023, 12, 31)}


async def test_a_code_that_a_layer_does_not_know_has_no_name_at_all(
    database: Database, maps: AreasConnector
) -> None:
    await imported(database, EAST_JAVA, level="province")
    await imported(database, area("35.25", "Gresik"))
    assert (await answer(maps, JAGIR)).values["region_name"] is None
    assert (await answer(maps, "35")).values["region_name"] == "Jawa Timur"


@pytest.mark.parametrize("region", [None, "", "3578", "35.78.08.1003 ", 35, "35.7", "%"])
async def test_what_is_no_code_has_no_name(database: Database, maps: AreasConnector, region: Value) -> None:
    await imported(database, EAST_JAVA, level="province")
    assert (await answer(maps, region)).values == {"region_name": None, "disaster_risk": None}


async def test_the_edition_in_force_on_the_day_asked_gives_the_name(
    database: Database, maps: AreasConnector
) -> None:
    await imported(database, replace(SURABAYA, edition=OLD.name, name="Surabaya Lama"), edition=OLD)
    await imported(database, SURABAYA)
    days = {date(2019, 12, 31): None, date(2025, 4, 24): "Surabaya Lama", date(2025, 4, 25): "Kota Surabaya"}
    for day, name in days.items():
        assert (await answer(maps, "35.78", day)).values["region_name"] == name


async def test_an_edition_that_has_ended_names_nothing(database: Database, maps: AreasConnector) -> None:
    await imported(database, SURABAYA, edition=replace(NEW, valid_until=date(2026, 6, 30)))
    assert (await answer(maps, "35.78", date(2026, 6, 30))).values["region_name"] == "Kota Surabaya"
    assert (await answer(maps, "35.78", date(2026, 7, 1))).values["region_name"] is None


async def test_the_smallest_region_with_a_value_speaks_for_a_person(
    database: Database, maps: AreasConnector
) -> None:
    day = date(2026, 1, 1)
    said_of(database, "disaster_risk", ("35", "low", day), ("35.78", "medium", day), ("35.25", "high", day))
    record = await answer(maps, JAGIR)
    assert record.values["disaster_risk"] == "medium"
    assert record.as_of == {"disaster_risk": day}
    assert (await answer(maps, "35.06.01")).values["disaster_risk"] == "low"
    assert (await answer(maps, "51.03")).values["disaster_risk"] is None


async def test_a_value_counts_from_its_day_until_a_newer_one(
    database: Database, maps: AreasConnector
) -> None:
    first, second = date(2025, 1, 1), date(2026, 1, 1)
    said_of(database, "disaster_risk", ("35.78", "high", second), ("35.78", "low", first))
    days = {date(2024, 12, 31): None, first: "low", date(2025, 12, 31): "low", second: "high", TODAY: "high"}
    for day, word in days.items():
        assert (await answer(maps, JAGIR, day)).values["disaster_risk"] == word


async def test_an_import_counts_at_once_without_a_restart(database: Database, maps: AreasConnector) -> None:
    assert (await answer(maps, "35.78")).values["region_name"] is None
    await imported(database, SURABAYA)
    assert (await answer(maps, "35.78")).values["region_name"] == "Kota Surabaya"
    await imported(database, area("35.78", "Surabaya"))
    assert (await answer(maps, "35.78")).values["region_name"] == "Surabaya"


async def test_many_questions_at_once_each_get_their_own_answer_in_order(
    database: Database, maps: AreasConnector
) -> None:
    named = {f"35.{number:02d}": f"Kabupaten {number}" for number in range(1, 40)}
    await imported(database, *(area(code, name) for code, name in named.items()))
    deadline = asyncio.get_running_loop().time() + 10
    people = [Subject(person_id=UUID(int=n), known={"region": code}) for n, code in enumerate(named)]
    nobody = Subject(known={"region": "35.01"})
    fields = frozenset({"region_name"})
    answers = await asyncio.gather(
        *(maps.fetch([one, nobody], fields, TODAY, deadline) for one in people),
        maps.fetch([], fields, TODAY, deadline),
    )
    assert answers.pop() == []
    for (record, unknown), subject, name in zip(answers, people, named.values(), strict=True):
        assert record == Record(
            subject.person_id, {"region_name": name}, as_of={"region_name": NEW.valid_from}
        )
        assert unknown == NotFound()


async def test_a_deadline_that_has_passed_is_told_as_the_store_s_fault(maps: AreasConnector) -> None:
    with pytest.raises(StoreUnavailable):
        await maps.fetch([Subject(person_id=PERSON)], maps.provides, TODAY, 0)


async def test_the_dictionary_knows_the_fields_and_the_words_of_themes() -> None:
    dictionary = load_dictionary(Path(__file__).parents[3] / "policies" / "fields.yaml")
    ours = {name for name, field in dictionary.items() if field.source == AreasConnector.name}
    assert ours == AreasConnector.provides
    for theme, words in THEMES.items():
        assert set(dictionary[theme].words) == set(words.values())
