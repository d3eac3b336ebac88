"""A layer enters the store whole or not at all, and the same layer again changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import shapely
from sqlalchemy import insert, select

from connectors.big.areas import Area, RejectedFeature
from connectors.big.codes import Edition
from connectors.transport.failures import ConnectionLost
from gateway.areas.editions import layers
from gateway.areas.importing import AreaImport, Comparison, ImportReport, Wanted, wanted_layer
from gateway.areas.tables import area_editions, areas
from gateway.database import Database
from gateway.errors import BadInput, Conflict
from gateway.registry.tables import regions
from gateway.shrinking import Held
from tests.gateway.areas.maps import NEW, NOW, OLD, area, imported, pages

pytestmark = pytest.mark.anyio

SURABAYA = area("35.78", "Kota Surabaya", (112, -8))
GRESIK = area("35.25", "Gresik", (111, -8))
BADUNG = area("51.03", "Badung", (115, -9))


def held(database: Database) -> dict[str, Any]:
    """Everything of the areas, geometry included, by edition and code."""
    with database.reading() as connection:
        return {(row.edition, row.code): tuple(row) for row in connection.execute(select(areas))}


async def test_an_area_is_found_again_as_it_came(database: Database) -> None:
    report = await imported(database, SURABAYA)
    assert (report.read, report.new, report.changed, report.unchanged, report.gone) == (1, 1, 0, 0, 0)
    with database.reading() as connection:
        row = connection.execute(select(areas)).one()
    found = Area(row.code, row.name, row.level, shapely.from_wkb(row.geometry), row.edition, row.as_of)
    assert found.fingerprint == row.fingerprint == SURABAYA.fingerprint
    assert (row.west, row.south, row.east, row.north) == (112, -8, 113, -7)


async def test_the_same_again_writes_nothing(database: Database) -> None:
    await imported(database, SURABAYA, GRESIK)
    before, layer = held(database), layers(database)
    again = AreaImport(database, Wanted(NEW, "regency"), source="other", clock=lambda: NOW.replace(year=2027))
    report = await again(pages([GRESIK], [SURABAYA]))
    assert (report.new, report.changed, report.unchanged, report.gone) == (0, 0, 2, 0)
    assert held(database) == before
    assert layers(database) == layer, "neither source nor day of import moved"


async def test_what_changed_is_written_what_is_new_added_and_what_is_gone_removed(database: Database) -> None:
    await imported(database, SURABAYA, GRESIK)
    before = held(database)
    moved = area("35.78", "Kota Surabaya", (112.5, -8))
    report = await imported(database, moved, BADUNG)
    assert (report.new, report.changed, report.unchanged, report.gone) == (1, 1, 0, 1)
    after = held(database)
    assert after.keys() == {(NEW.name, "35.78"), (NEW.name, "51.03")}
    assert after[NEW.name, "35.78"] != before[NEW.name, "35.78"]
    assert [layer.areas for layer in layers(database)] == [2]


async def test_a_pull_that_breaks_off_leaves_the_layer_as_it_was(database: Database) -> None:
    await imported(database, SURABAYA)
    before = held(database)
    importing = AreaImport(database, Wanted(NEW, "regency"), source="tests", clock=lambda: NOW)
    with pytest.raises(ConnectionLost):
        await importing(pages([GRESIK], [BADUNG], ends_with=ConnectionLost("it went away")))
    assert held(database) == before


async def test_a_first_pull_that_breaks_off_leaves_no_edition(database: Database) -> None:
    importing = AreaImport(database, Wanted(NEW, "regency"), source="tests", clock=lambda: NOW)
    with pytest.raises(ConnectionLost):
        await importing(pages([GRESIK], ends_with=ConnectionLost("it went away")))
    assert held(database) == {}
    with database.reading() as connection:
        assert connection.execute(select(area_editions)).all() == []


async def test_a_layer_of_which_nothing_is_believed_replaces_nothing(database: Database) -> None:
    await imported(database, SURABAYA)
    with pytest.raises(BadInput, match="Of 1 features none is a regency"):
        await imported(database, rejected=[RejectedFeature(1, "no_code", "")])
    assert held(database).keys() == {(NEW.name, "35.78")}


async def test_an_area_whose_new_drawing_is_rejected_stays_as_it_was(database: Database) -> None:
    await imported(database, SURABAYA, GRESIK, BADUNG)
    heard: list[RejectedFeature] = []
    broken = RejectedFeature(3, "bad_geometry", "it encloses nothing", "35.25")
    nameless = RejectedFeature(4, "no_code", "KDPKAB is empty")
    importing = AreaImport(
        database, Wanted(NEW, "regency"), source="tests", clock=lambda: NOW, on_rejected=heard.append
    )
    report = await importing(pages([SURABAYA], rejected=[broken, nameless]))
    assert (report.unchanged, report.gone, report.kept) == (1, 1, 1)
    assert report.rejected == {"bad_geometry": 1, "no_code": 1}
    assert heard == [broken, nameless]
    assert {code for _, code in held(database)} == {"35.78", "35.25"}


async def test_a_part_of_the_country_leaves_the_rest_alone(database: Database) -> None:
    await imported(database, SURABAYA, GRESIK, BADUNG)
    report = await imported(database, SURABAYA, within="35")
    assert (report.unchanged, report.gone) == (1, 1)
    assert {code for _, code in held(database)} == {"35.78", "51.03"}


async def test_levels_and_editions_do_not_touch_each_other(database: Database) -> None:
    province = area("35", "Jawa Timur", (111, -8))
    await imported(database, SURABAYA)
    await imported(database, province, level="province")
    await imported(database, replace(SURABAYA, edition=OLD.name), edition=OLD)
    report = await imported(database, SURABAYA)
    assert (report.unchanged, report.gone) == (1, 0)
    assert held(database).keys() == {(OLD.name, "35.78"), (NEW.name, "35.78"), (NEW.name, "35")}
    assert [(one.edition, one.level, one.areas) for one in layers(database)] == [
        (OLD, "regency", 1),
        (NEW, "province", 1),
        (NEW, "regency", 1),
    ]


async def test_an_edition_keeps_its_first_day_and_shares_it_with_none(database: Database) -> None:
    await imported(database, SURABAYA)
    with pytest.raises(Conflict, match="valid from 2025-04-25: give that day"):
        await imported(database, SURABAYA, edition=Edition(NEW.name, date(2024, 1, 1)))
    with pytest.raises(Conflict, match="one of two editions must"):
        await imported(database, SURABAYA, edition=Edition("lain", NEW.valid_from))


async def test_the_last_day_of_an_edition_moves_only_where_one_is_given(database: Database) -> None:
    await imported(database, SURABAYA)
    ended = replace(NEW, valid_until=date(2026, 6, 30))
    await imported(database, SURABAYA, edition=ended)
    await imported(database, SURABAYA)
    assert [layer.edition for layer in layers(database)] == [ended]


async def test_of_two_imports_of_one_layer_at_once_the_second_to_end_changes_nothing(
    database: Database,
) -> None:
    async def overtaken() -> Any:
        async for page in pages([BADUNG]):
            await imported(database, SURABAYA)
            yield page

    importing = AreaImport(database, Wanted(NEW, "regency"), source="tests", clock=lambda: NOW)
    with pytest.raises(Conflict, match="Run it again"):
        await importing(overtaken())
    assert held(database).keys() == {(NEW.name, "35.78")}


async def test_codes_are_compared_with_the_registry_s_regions(database: Database) -> None:
    rows = [
        {
            "code": code,
            "name": code,
            "level": code.count(".") + 1,
            "valid_from": date(2025, 4, 25),
            "edition": "e",
        }
        for code in ("35", "35.78", "35.06", "51.03")
    ]
    assert (await imported(database, SURABAYA, BADUNG)).registry is None
    with database.unit_of_work() as connection:
        connection.execute(insert(regions), rows)
    report = await imported(database, SURABAYA, GRESIK, BADUNG)
    assert report.registry == Comparison(both=2, map_only=1, registry_only=1)
    report = await imported(database, SURABAYA, GRESIK, within="35")
    assert report.registry == Comparison(both=1, map_only=1, registry_only=1)


async def test_many_areas_come_in_several_statements_and_all_arrive(database: Database) -> None:
    many = [area(f"{11 + n // 60}.{n % 60 + 1:02d}", f"Nomor {n}", (100 + n % 30, -8)) for n in range(1201)]
    assert (await imported(database, *many)).new == 1201
    assert {code for _, code in held(database)} == {one.code for one in many}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"edition": ""}, "named in 1 to 64"),
        ({"edition": "a\nb"}, "named in 1 to 64"),
        ({"valid_until": date(2025, 1, 1)}, "ends on 2025-01-01, before"),
        ({"within": "3578"}, "not a dotted Kemendagri code"),
        ({"within": "35.78.01"}, "A district holds no regency"),
    ],
)
async def test_what_cannot_be_meant_is_refused_before_anything_is_asked(
    changed: dict[str, Any], told: str
) -> None:
    given = {
        "level": "regency",
        "edition": "contoh",
        "valid_from": date(2025, 4, 25),
        "valid_until": None,
        "within": None,
    }
    with pytest.raises(BadInput, match=told):
        wanted_layer(**(given | changed))


async def test_an_import_that_would_remove_a_large_share_is_held_until_somebody_accepts_it(
    database: Database,
) -> None:
    await imported(database, SURABAYA, GRESIK, BADUNG)
    before = held(database)

    async def again(edition: Edition, most_gone_percent: int | None) -> ImportReport:
        wanted = Wanted(edition, "regency")
        importing = AreaImport(
            database, wanted, source="x", clock=lambda: NOW, most_gone_percent=most_gone_percent
        )
        return await importing(pages([SURABAYA, GRESIK]))

    with pytest.raises(Held, match=r"Of 3 areas of level regency in the store 1 would go \(33.3%"):
        await again(NEW, 20)
    assert held(database) == before
    later = Edition("later", date(2030, 1, 1))
    with pytest.raises(Held, match="of the edition before"):
        await again(later, 20)
    assert held(database) == before
    assert (await again(later, None)).new == 2
    assert (await again(NEW, 34)).gone == 1
