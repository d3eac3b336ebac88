"""Maps through the admin API: borders with their mark, figures by region, and nothing about a few people."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import insert

from gateway.agreements.live import LivePolicies
from gateway.agreements.store import PolicyStore
from gateway.api import problems
from gateway.api.admin.maps import map_router
from gateway.api.admin.session import session_router
from gateway.api.wire import MEMBER_NAMES
from gateway.areas.drawing import MOST_BYTES, Drawings
from gateway.areas.files import read_file
from gateway.areas.importing import AreaImport, Wanted
from gateway.database import Database
from gateway.figures.small_counts import FEWEST
from gateway.reconciliation.tables import reconciliation_runs
from gateway.registry.tables import enrolments, people, regions
from tests.gateway.areas.maps import NEW, NOW, area, imported
from tests.gateway.reconciliation.registry import Somebody, settle
from tests.gateway.staff.office import PASSWORD, InProcess, Office
from tests.policies.builders import SHIPPED

pytestmark = pytest.mark.anyio

SURABAYA, GRESIK, SAMPANG = "35.78", "35.25", "35.27"
_MAPS = "/admin/v1/maps"
_TODAY = date(2026, 11, 21)
_SHARED = Path(__file__).parents[4] / "shared" / "data"


class _Desk:
    """Somebody of the office, over a registry and its maps."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.office, self.database = Office(database, folder), database
        self.office.hire("ani", "author")
        self._served = FastAPI()
        problems.install(self._served, MEMBER_NAMES)
        check = self.office.desk.check
        policies = LivePolicies.opened(database, PolicyStore(database, self.office.clock), SHIPPED)
        self._served.include_router(session_router(self.office.desk))
        self._served.include_router(map_router(database, policies, check, self.office.clock))
        self._name_regions()

    def browser(self, *, signed_in: bool = True) -> httpx.Client:
        transport = InProcess(self._served)
        browser = httpx.Client(
            transport=transport, base_url=self.office.origin, headers={"Accept-Language": "en"}
        )
        if signed_in:
            answer = browser.post("/admin/v1/session", json={"id": "ani", "password": PASSWORD})
            assert answer.status_code == 200
        return browser

    def completed(
        self, statuses: dict[str, dict[str, int]], *, region: str | None = None, day: int = 1
    ) -> None:
        """A run that is over, with a report as runs leave it."""
        report = {"regions": {code: {"statuses": of} for code, of in statuses.items()}}
        with self.database.unit_of_work() as connection:
            connection.execute(
                insert(reconciliation_runs).values(
                    id=uuid4(),
                    way="extract",
                    region=region,
                    engine="duckdb",
                    state="completed",
                    submitted_at=NOW.replace(day=day),
                    submitted_by="test",
                    as_of=date(2026, 11, day),
                    problems=[],
                    report=report,
                )
            )

    def enrol(self, where: str, programme: str, count: int, first: int) -> None:
        """So many people of a village enrolled."""
        crowd = [Somebody(number, region=where) for number in range(first, first + count)]
        settle(self.database, crowd)
        with self.database.unit_of_work() as connection:
            connection.execute(
                insert(enrolments),
                [
                    {
                        "person_id": one.id,
                        "programme": programme,
                        "starts_on": date(2026, 1, 1),
                        "source": "test",
                        "as_of": date(2026, 1, 1),
                    }
                    for one in crowd
                ],
            )

    def _name_regions(self) -> None:
        named = {"35": "Jawa Timur", SURABAYA: "Surabaya", GRESIK: "Gresik", SAMPANG: "Sampang"}
        with self.database.unit_of_work() as connection:
            connection.execute(
                insert(regions),
                [
                    {
                        "code": code,
                        "valid_from": date(2025, 4, 25),
                        "name": name,
                        "level": 1 + code.count("."),
                        "edition": "t",
                    }
                    for code, name in named.items()
                ],
            )


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> _Desk:
    return _Desk(database, tmp_path)


def _by_code(answer: httpx.Response) -> dict[str, dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return {one["code"]: one for one in answer.json()["regions"]}


def test_a_stranger_gets_neither_borders_nor_figures(desk: _Desk) -> None:
    stranger = desk.browser(signed_in=False)
    for path in ("/areas", "/measures", "/choices", "/regions"):
        assert stranger.get(_MAPS + path).status_code == 401


async def test_a_drawing_changes_its_mark_with_its_borders_and_joins_regencies_to_provinces(
    desk: _Desk,
) -> None:
    await imported(desk.database, area(SURABAYA, "Kota Surabaya"), area(GRESIK, "Gresik", (111, -8)))
    drawing = Drawings(desk.database)
    first = drawing.of("regency", None, _TODAY)
    provinces = drawing.of("province", None, _TODAY)
    assert first.mark != provinces.mark
    assert b'"35.25"' in drawing.draw(first)
    joined = drawing.draw(provinces)
    assert joined.count(b'"code"') == 1
    assert b'"Jawa Timur"' in joined
    await imported(
        desk.database, area(SURABAYA, "Kota Surabaya", (113, -8)), area(GRESIK, "Gresik", (111, -8))
    )
    assert drawing.of("regency", None, _TODAY).mark != first.mark


def test_without_borders_the_answer_says_how_to_import_them(desk: _Desk) -> None:
    answer = desk.browser().get(f"{_MAPS}/areas")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_areas")
    assert "gapura areas import" in answer.json()["detail"]
    assert desk.browser().get(f"{_MAPS}/choices").json()["edition"] is None


def test_whoever_holds_the_borders_is_told_that_they_are_unchanged(desk: _Desk) -> None:
    areas = area(SURABAYA, "Kota Surabaya"), area(GRESIK, "Gresik", (111, -8))
    anyio.run(imported, desk.database, *areas)
    staff = desk.browser()
    first = staff.get(f"{_MAPS}/areas?level=regency&province=35")
    assert first.headers["content-type"] == "application/geo+json"
    assert {one["properties"]["code"] for one in first.json()["features"]} == {SURABAYA, GRESIK}
    again = staff.get(
        f"{_MAPS}/areas?level=regency&province=35",
        headers={"If-None-Match": f'W/"x", {first.headers["etag"]}'},
    )
    assert (again.status_code, again.content) == (304, b"")
    assert staff.get(f"{_MAPS}/areas?province=32").json()["features"] == []
    assert staff.get(f"{_MAPS}/choices").json()["edition"] == NEW.name


def test_match_rates_are_those_of_the_newest_run_of_each_regency(desk: _Desk) -> None:
    desk.completed({SURABAYA: {"matched": 900, "unknown_nik": 100}, GRESIK: {"matched": 500}}, day=1)
    desk.completed({SURABAYA: {"matched": 950, "unknown_nik": 50, "not_checked": 7}}, region=SURABAYA, day=2)
    desk.completed({SURABAYA: {"matched": 3}}, region="35.78.08", day=3)
    answer = desk.browser().get(f"{_MAPS}/measures")
    told = _by_code(answer)
    assert (told[SURABAYA]["value"], told[SURABAYA]["people"]) == (0.95, 1000)
    assert told[GRESIK]["value"] == 1.0
    assert (told[SAMPANG]["value"], told[SAMPANG]["kept_back"]) == (None, False)
    assert answer.json()["as_of"] == "2026-11-01"
    province = _by_code(desk.browser().get(f"{_MAPS}/measures?level=province"))["35"]
    assert (province["value"], province["people"]) == (0.965, 1500)


def test_few_people_of_a_status_are_kept_back_with_those_that_would_tell_them(desk: _Desk) -> None:
    desk.completed(
        {
            SURABAYA: {"deceased": 40},
            GRESIK: {"deceased": 9},
            SAMPANG: {"deceased": FEWEST - 1, "matched": 80},
        }
    )
    answer = desk.browser().get(f"{_MAPS}/measures?measure=status&of=deceased")
    told = _by_code(answer)
    assert {code: one["value"] for code, one in told.items()} == {SURABAYA: 40, GRESIK: None, SAMPANG: None}
    assert [code for code, one in told.items() if one["kept_back"]] == [GRESIK, SAMPANG]
    assert (answer.json()["kept_back"], answer.json()["total"]) == (2, 40)
    rates = _by_code(desk.browser().get(f"{_MAPS}/measures"))
    assert (rates[GRESIK]["value"], rates[GRESIK]["kept_back"]) == (None, True)


def test_recipients_are_counted_where_they_live_and_kept_for_some_minutes(desk: _Desk) -> None:
    desk.enrol(f"{SURABAYA}.08.1003", "PKH", FEWEST + 1, first=1)
    staff = desk.browser()
    asked = f"{_MAPS}/measures?measure=programme&of=PKH&province=35"
    assert _by_code(staff.get(asked))[SURABAYA]["value"] == FEWEST + 1
    assert "PKH" in staff.get(f"{_MAPS}/choices").json()["programmes"]
    with desk.database.unit_of_work() as connection:
        connection.execute(enrolments.delete())
        connection.execute(people.delete())
    assert _by_code(staff.get(asked))[SURABAYA]["value"] == FEWEST + 1
    desk.office.clock.move(minutes=11)
    assert _by_code(staff.get(asked))[SURABAYA]["value"] is None


def test_what_cannot_be_shown_is_refused_with_what_can(desk: _Desk) -> None:
    staff = desk.browser()
    assert staff.get(f"{_MAPS}/measures?measure=status&of=tall").status_code == 400
    assert staff.get(f"{_MAPS}/measures?measure=programme").status_code == 400
    assert staff.get(f"{_MAPS}/measures?level=village").status_code == 422


@pytest.mark.skipif(
    not (_SHARED / "regencies.geojson").is_file(), reason="real boundaries are not on this machine"
)
async def test_all_regencies_of_indonesia_fit_into_one_and_a_half_megabytes(
    tmp_path: Path, migrated_sqlite: Path
) -> None:
    file = shutil.copyfile(migrated_sqlite, tmp_path / "gapura.db")
    database = Database(f"sqlite:///{file}")
    wanted = Wanted(NEW, "regency")
    pages = read_file(_SHARED / "regencies.geojson", wanted)
    await AreaImport(database, wanted, source="tests", clock=lambda: NOW)(pages)
    drawings = Drawings(database)
    content = drawings.draw(drawings.of("regency", None, _TODAY))
    database.close()
    assert content.count(b'"code"') == 514
    assert len(content) <= MOST_BYTES
