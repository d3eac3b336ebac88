"""Layers without a map: every region is drawn within the one above it, beside its neighbours, and says so."""

from __future__ import annotations

from datetime import date
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from connectors.big.areas import Area, Reading
from connectors.big.codes import Edition
from connectors.simulators.invented_maps import REMARK, SERVICES, InventedLayers, rectangles

REGIONS = {
    "35": "Jawa Timur",
    "35.25": "Kabupaten Gresik",
    "35.78": "Kota Surabaya",
    "35.78.08": "Gubeng",
    "35.78.08.1001": "Gubeng",
    "35.78.08.1002": "Airlangga",
    "51": "Bali",
}


def country(provinces: int, regencies: int, districts: int) -> list[str]:
    """So many regions, in one province and one regency of it as deep as they go."""
    top = [f"{11 + at}" for at in range(provinces)]
    middle = [f"11.{1 + at:02d}" for at in range(regencies)]
    return [*top, *middle, *(f"11.01.{1 + at:02d}" for at in range(districts))]


@given(st.integers(1, 40), st.integers(1, 60), st.integers(1, 60))
def test_regions_lie_within_the_one_above_and_overlap_none_beside_them(
    provinces: int, regencies: int, districts: int
) -> None:
    drawn = {
        code: box(*place) for code, place in rectangles(country(provinces, regencies, districts)).items()
    }
    for code, surface in drawn.items():
        above = code.rpartition(".")[0]
        assert surface.area > 0
        assert not above or drawn[above].buffer(1e-6).covers(surface)
    for one, other in combinations(sorted(drawn), 2):
        if len(one) == len(other):
            assert drawn[one].intersection(drawn[other]).area < 1e-9


def test_every_row_is_believed_by_who_reads_bigs_layers_and_says_that_it_is_invented() -> None:
    layers = InventedLayers(REGIONS.items, {"35.78.08.1001"})
    expected = {
        "regency": {"35.25", "35.78"},
        "district": {"35.78.08"},
        "village": {"35.78.08.1001"},
    }
    for service, level in SERVICES.items():
        reading = Reading(level, Edition("x", date(2026, 1, 1)))
        features = [
            {"type": "Feature", "properties": row.attributes, "geometry": row.geometry}
            for row in layers[service]
        ]
        read = [reading.area(feature, 1) for feature in features]
        assert {(one.code, one.name) for one in read if isinstance(one, Area)} == {
            (code, REGIONS[code]) for code in expected[level]
        }
        assert len(read) == len(expected[level])
        assert {row.attributes["REMARK"] for row in layers[service]} == {REMARK}
        below = {"regency": ("KDCPUM", "KDEPUM"), "district": ("KDEPUM",), "village": ()}[level]
        assert not [row for row in layers[service] for code in below if row.attributes[code] is not None]
    assert "BATASWILAYAH/BATAS_PROVINSI_AR" not in layers


def test_nothing_is_drawn_before_somebody_asks() -> None:
    asked: list[str] = []

    def regions() -> list[tuple[str, str]]:
        asked.append("regions")
        return list(REGIONS.items())

    layers = InventedLayers(regions, ())
    assert len(layers) == len(SERVICES)
    assert not asked
    for service in layers:
        assert isinstance(layers[service], list)
    assert asked == ["regions"]
