"""What is believed of a map: codes, borders, areas in several pieces, and in which of them a point lies."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from lokal import wilayah
from shapely.geometry import MultiPolygon, box, mapping

from connectors.big.areas import (
    BIG_ATTRIBUTES,
    PLAIN_ATTRIBUTES,
    Area,
    Merging,
    Reading,
    RejectedFeature,
    Tally,
    metadata_date,
)
from connectors.big.codes import LEVELS, Edition, Level, ancestry, edition_on, is_code, level_of
from connectors.big.index import RegionIndex
from connectors.simulators.big import village
from connectors.transport.failures import BrokenContract

EDITION = Edition("contoh-2025", date(2025, 4, 25))
READING = Reading("village", EDITION)
SQUARE = mapping(box(112, -7.5, 112.1, -7.4))
CODE = "35.78.01.1001"


def feature(code: Any = CODE, geometry: Any = SQUARE, **changed: Any) -> dict[str, Any]:
    row = village("35.78.01.1001", "Contoh", None, **{"KDEPUM": code, **changed})
    return {"type": "Feature", "id": 1, "properties": dict(row.attributes), "geometry": geometry}


def area_of(one: Area | RejectedFeature) -> Area:
    assert isinstance(one, Area), one
    return one


def reason_of(one: Area | RejectedFeature) -> str:
    assert isinstance(one, RejectedFeature), one
    return one.reason


def square(code: str, west: float, south: float, side: float = 0.1, name: str = "Contoh") -> Area:
    return Area(
        code, name, level_of(code), box(west, south, west + side, south + side), "contoh", date(2025, 1, 1)
    )


def test_every_code_of_the_country_is_one_of_its_level() -> None:
    """Edition 2025: 38 provinces, 514 regencies, 7285 districts, 83762 villages."""
    codes = [province.code for province in wilayah.list_wilayah()]
    for level, count in zip(LEVELS, (38, 514, 7285, 83762), strict=True):
        assert len(codes) == count
        assert [code for code in codes if not is_code(code, level)] == []
        codes = [below.code for code in codes for below in wilayah.list_wilayah(code)]


@pytest.mark.parametrize(
    ("code", "level"),
    [
        ("35", "province"),
        ("35.06", "regency"),
        ("31.71", "regency"),
        ("35.78.01", "district"),
        ("35.78.01.1001", "village"),
        ("35.06.08.2006", "village"),
        ("91.03.01.3001", "village"),
    ],
)
def test_a_dotted_code_has_one_level(code: str, level: Level) -> None:
    assert level_of(code) == level
    assert [one for one in LEVELS if is_code(code, one)] == [level]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3506",
        "3506011008",
        "35.6",
        "35.06.08.2006 ",
        "35.06.08.2006\n",
        "05",
        "35.00",
        "35.70",
        "35.78.00",
        "35.78.01.4001",
        "35.78.01.0001",
        "35,78",
        "٣٥",
        35,
        35.78,
        True,
        None,
    ],
)
def test_what_is_no_dotted_code_is_none_at_any_level(text: Any) -> None:
    assert not [level for level in LEVELS if is_code(text, level)]


def test_reads_a_village_as_big_describes_it() -> None:
    area = area_of(READING.area(feature(METADATA="TASWIL1000020231130_DATA_BATAS_DESAKELURAHAN"), 1))
    assert (area.code, area.name, area.level, area.edition) == (CODE, "Contoh", "village", EDITION.name)
    assert area.as_of == date(2023, 11, 30)
    assert area.geometry.bounds == pytest.approx((112, -7.5, 112.1, -7.4))


def test_field_names_may_be_in_any_case_and_codes_padded_with_blanks() -> None:
    properties = {name.lower(): value for name, value in feature(f"{CODE}  ")["properties"].items()}
    assert area_of(READING.area({"properties": properties, "geometry": SQUARE}, 1)).code == CODE


def test_a_border_without_a_date_of_its_own_is_as_old_as_the_edition() -> None:
    assert area_of(READING.area(feature(METADATA=None), 1)).as_of == EDITION.valid_from


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("TASWIL1000020231231_DATA_BATAS_DESAKELURAHAN", date(2023, 12, 31)),
        ("TASWIL1000020231331_DATA", None),
        ("TASWIL10000_DATA", None),
        ("", None),
    ],
)
def test_reads_the_day_out_of_big_metadata(text: str, day: date | None) -> None:
    assert metadata_date(text) == day


CLOSED_TWICE = [[[112, -7], [112.1, -6.9], [112.1, -7], [112, -6.9], [112, -7]]]


@pytest.mark.parametrize(
    ("doubtful", "reason"),
    [
        (feature(None), "no_code"),
        (feature(""), "no_code"),
        (feature("  "), "no_code"),
        (feature(3578011001), "not_text"),
        (feature(35.78), "not_text"),
        (feature(False), "not_text"),
        (feature(0), "not_text"),
        (feature(["35.78.01.1001"]), "not_text"),
        (feature("3578011001"), "bad_code"),
        (feature("35.78.01"), "bad_code"),
        (feature("35.78.01.4001"), "bad_code"),
        (feature("35.79.01.1001"), "contradiction"),
        (feature(KDCPUM="35.78.02"), "contradiction"),
        (feature(kdepum="35.78.01.1002"), "contradiction"),
        (feature(WADMKD=None), "no_name"),
        (feature(geometry=None), "no_geometry"),
        (feature(geometry={"type": "Polygon", "coordinates": []}), "no_geometry"),
        (feature(geometry={"type": "Point", "coordinates": [112, -7]}), "bad_geometry"),
        (feature(geometry={"type": "Polygon"}), "bad_geometry"),
        (feature(geometry={"type": "Polygon", "coordinates": [[["112", "x"]] * 4]}), "bad_geometry"),
        (feature(geometry={"type": "Polygon", "coordinates": [[[112, -7], [112.1, -7]]]}), "bad_geometry"),
        (feature(geometry={"type": "Polygon", "coordinates": CLOSED_TWICE}), "bad_geometry"),
        (feature(geometry=mapping(box(-7.5, 112, -7.4, 112.1))), "not_in_indonesia"),
        (feature(geometry=mapping(box(12467782, -837000, 12478914, -825000))), "not_in_indonesia"),
        ({"properties": None, "geometry": SQUARE}, "no_feature"),
        ("feature", "no_feature"),
    ],
)
def test_a_doubtful_feature_is_rejected_with_its_reason(doubtful: Any, reason: str) -> None:
    rejected = READING.area(doubtful, 7)
    assert reason_of(rejected) == reason
    assert isinstance(rejected, RejectedFeature)
    assert rejected.number == 7
    assert "35" not in rejected.detail


def test_a_parent_code_that_is_a_number_says_nothing() -> None:
    assert area_of(READING.area(feature(KDPPUM=35, METADATA=20231231), 1)).as_of == EDITION.valid_from


def test_a_bps_code_is_never_taken_for_a_missing_one() -> None:
    assert reason_of(READING.area(feature(None, KDEBPS="3578011001"), 1)) == "no_code"


def test_what_lies_outside_the_region_asked_for_is_rejected() -> None:
    reading = Reading("village", EDITION, within="35.7")
    assert reason_of(reading.area(feature(), 1)) == "not_in_region"
    assert area_of(Reading("village", EDITION, within="35.78").area(feature(), 1)).code == CODE


def test_a_border_that_crosses_itself_a_little_is_mended() -> None:
    spike = [[112, -7], [112.1, -7], [112.1, -6.9], [112, -6.9], [112, -6.95], [112.0001, -6.94], [112, -7]]
    looped = [*spike[:5], [112.0001, -6.951], [112.0001, -6.949], [111.9999, -6.9505], [112, -7]]
    area = area_of(READING.area(feature(geometry={"type": "Polygon", "coordinates": [looped]}), 1))
    assert area.geometry.is_valid
    assert area.geometry.area == pytest.approx(0.01, rel=0.02)


def test_heights_are_dropped() -> None:
    ring = [[112, -7, 5], [112.1, -7, 5], [112.1, -6.9, 5], [112, -7, 5]]
    area = area_of(READING.area(feature(geometry={"type": "Polygon", "coordinates": [ring]}), 1))
    assert not area.geometry.has_z


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None, max_examples=150)
@given(
    code=st.just(CODE) | JSON,
    coordinates=JSON | st.lists(st.lists(st.lists(st.floats() | JSON, max_size=4), max_size=5), max_size=2),
    kind=st.sampled_from(["Polygon", "MultiPolygon", "Point"]) | JSON,
)
def test_whatever_a_feature_says_it_becomes_a_valid_area_in_indonesia_or_is_rejected(
    code: Any, coordinates: Any, kind: Any
) -> None:
    read = READING.area(feature(code, {"type": kind, "coordinates": coordinates}), 1)
    if isinstance(read, Area):
        assert read.code == CODE
        assert read.geometry.is_valid
        assert box(90, -15, 145, 10).covers(read.geometry)


def test_an_edition_holds_from_its_first_to_its_last_day() -> None:
    old = Edition("old", date(2022, 1, 1), date(2025, 4, 24))
    new = Edition("new", date(2025, 4, 25))
    days = [date(2021, 12, 31), date(2022, 1, 1), date(2025, 4, 24), date(2025, 4, 25), date(2030, 1, 1)]
    assert [edition_on([new, old], day) for day in days] == [None, old, old, new, new]


def test_a_village_in_pieces_becomes_one_area_as_old_as_its_oldest_piece() -> None:
    merging = Merging(grouped=False)
    assert merging.add(1, square(CODE, 112, -7)) == []
    assert merging.add(2, square("35.78.01.1002", 114, -7)) == []
    island = Area(CODE, "CONTOH", "village", box(113, -7, 113.1, -6.9), "contoh", date(2020, 1, 1))
    assert merging.add(3, island) == []
    whole, other = (area_of(one) for one in merging.rest())
    assert (whole.code, other.code) == (CODE, "35.78.01.1002")
    assert isinstance(whole.geometry, MultiPolygon)
    assert whole.geometry.area == pytest.approx(0.02)
    assert whole.as_of == date(2020, 1, 1)
    assert merging.rest() == []


def test_an_area_is_complete_when_the_next_begins_where_features_come_side_by_side() -> None:
    merging = Merging(grouped=True)
    assert merging.add(1, square(CODE, 112, -7)) == []
    assert merging.add(2, square(CODE, 113, -7)) == []
    assert [area_of(one).code for one in merging.add(3, square("35.78.01.1002", 114, -7))] == [CODE]
    with pytest.raises(BrokenContract, match="sort"):
        merging.add(4, square(CODE, 115, -7))


def test_pieces_of_different_names_are_all_rejected() -> None:
    merging = Merging(grouped=False)
    merging.add(4, square(CODE, 112, -7))
    merging.add(9, square(CODE, 113, -7, name="Lain"))
    rejected = merging.rest()
    assert [(one.number, one.reason) for one in rejected if isinstance(one, RejectedFeature)] == [
        (4, "contradiction"),
        (9, "contradiction"),
    ]


def test_the_fingerprint_knows_an_area_whichever_way_its_ring_is_written() -> None:
    one = square(CODE, 112, -7)
    turned = Area(one.code, one.name, one.level, one.geometry.reverse(), one.edition, one.as_of)
    assert turned.fingerprint == one.fingerprint
    assert square(CODE, 112, -7.0001).fingerprint != one.fingerprint
    assert square(CODE, 112, -7, name="Lain").fingerprint != one.fingerprint


def test_a_tally_knows_what_is_missing_what_came_twice_and_what_is_too_much() -> None:
    tally = Tally(2)
    tally.add([{"id": 1}])
    assert tally.short
    with pytest.raises(BrokenContract, match="announced 2 features and gave 1"):
        tally.close()
    with pytest.raises(BrokenContract, match="twice"):
        tally.add([{"id": 1}])
    with pytest.raises(BrokenContract, match="announced 1 features and gave 2"):
        Tally(1).add([{}, {}])


def test_a_point_lies_in_the_only_area_that_covers_it() -> None:
    index = RegionIndex([square("35.78", 112, -7, 1), square("35.79", 113, -7, 1)])
    assert index.region_of(112.5, -6.5) == "35.78"
    assert index.region_of(113.5, -6.5) == "35.79"
    assert index.region_of(110, -6.5) is None
    assert index.region_of(113, -6.5) is None, "on the border of both"
    assert index.region_of(-6.5, 112.5) is None, "axes swapped"
    assert index.region_of(float("nan"), -6.5) is None
    assert RegionIndex([]).region_of(112.5, -6.5) is None


def test_an_index_takes_areas_of_one_level_only() -> None:
    with pytest.raises(ValueError, match="one level"):
        RegionIndex([square("35.78", 112, -7), square("35", 112, -7)])


def test_many_points_are_placed_as_one_by_one_comparison_would() -> None:
    chance = random.Random(9)  # noqa: S311 - the same points every time
    areas = [
        square(
            f"35.{number:02d}", chance.uniform(112, 113), chance.uniform(-8, -7), chance.uniform(0.05, 0.5)
        )
        for number in range(1, 40)
    ]
    points = [(chance.uniform(112, 113.5), chance.uniform(-8, -6.5)) for _ in range(500)]
    index = RegionIndex(areas)
    expected = []
    for x, y in points:
        claims = [area.code for area in areas if area.geometry.intersects(shapely.Point(x, y))]
        expected.append(claims[0] if len(claims) == 1 else None)
    assert index.regions_of([x for x, _ in points], [y for _, y in points]) == expected
    assert len(set(expected)) > 10


def test_a_file_of_ones_own_is_read_by_code_and_name() -> None:
    plain = {"properties": {"code": "35.78", "name": "Kota  Surabaya"}, "geometry": SQUARE}
    area = area_of(Reading("regency", EDITION, PLAIN_ATTRIBUTES).area(plain, 1))
    assert (area.code, area.name, area.as_of) == ("35.78", "Kota Surabaya", EDITION.valid_from)


@pytest.mark.parametrize("level", LEVELS)
def test_a_code_lies_in_every_code_that_it_begins_with(level: Level) -> None:
    depth = LEVELS.index(level)
    codes = ["35", "35.78", "35.78.01", "35.78.01.1001"][: depth + 1]
    assert ancestry(codes[-1]) == tuple(zip(LEVELS[: depth + 1], codes, strict=True))


def test_whoever_lies_on_a_border_is_told_of_both_sides() -> None:
    index = RegionIndex([square("35.79", 113, -7, 1), square("35.78", 112, -7, 1)])
    assert index.claims_on([113, 112.5, 110], [-6.5, -6.5, -6.5]) == [("35.78", "35.79"), ("35.78",), ()]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"WADMKD": ""}, CODE),
        ({"KDPPUM": "36"}, CODE),
        ({"KDEPUM": "3578011001"}, None),
        ({"KDEPUM": None}, None),
        ({"KDEPUM": 35.78}, None),
    ],
)
def test_a_rejected_feature_still_says_which_code_it_claims(changed: Any, code: str | None) -> None:
    rejected = READING.area(feature(**changed), 7)
    assert isinstance(rejected, RejectedFeature)
    assert (rejected.number, rejected.code) == (7, code)
    unreadable = READING.area(feature(geometry={"type": "Point"}), 8)
    assert isinstance(unreadable, RejectedFeature)
    assert unreadable.code == CODE
    for nothing in (None, {"properties": []}, {}):
        assert isinstance(refused := READING.area(nothing, 9), RejectedFeature)
        assert refused.code is None


def test_both_names_of_the_regency_code_may_be_given_and_must_agree() -> None:
    properties = {"KDPPUM": "35", "KDPKAB": "", "KDBPUM": "35.06", "WADMKK": "Kediri"}
    reading = Reading("regency", EDITION, BIG_ATTRIBUTES)
    assert area_of(reading.area({"properties": properties, "geometry": SQUARE}, 1)).code == "35.06"
    properties["KDPKAB"] = "35.07"
    assert reason_of(reading.area({"properties": properties, "geometry": SQUARE}, 1)) == "contradiction"
