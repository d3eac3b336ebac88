"""BIG's layers over a real socket: every area once and whole, or a failure that says what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import date
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, box, mapping, shape

from connectors.big.areas import BIG_ATTRIBUTES, Area, Edition, Reading, RejectedFeature
from connectors.big.layers import BIG_LAYERS, ArcGisLayer, AreaPage, BigLayers
from connectors.simulators.big import BigSimulator, Fault, village
from connectors.transport.client import Transport
from connectors.transport.failures import (
    BrokenContract,
    GarbledAnswer,
    Misconfigured,
    Overloaded,
    Rejected,
    ServerFault,
    SourceFailure,
    TooLarge,
)
from connectors.transport.settings import SourceSettings
from tests.connectors.simulated import Stage, served

EDITION = Edition("contoh-2025", date(2025, 4, 25))
VILLAGES = "BATASWILAYAH/BATAS_DESAKEL_AR"
CODES = [f"35.78.01.10{number:02d}" for number in range(1, 8)] + ["51.71.01.1001"]


def square(west: float, south: float = -7) -> dict[str, Any]:
    surface: dict[str, Any] = mapping(box(west, south, west + 0.1, south + 0.1))
    return surface


ROWS = [village(code, f"Desa {number}", square(110 + number)) for number, code in enumerate(CODES)]
# The first village again: an island of it, far behind in the order of OBJECTID.
ISLAND = village(CODES[0], "Desa 0", square(110.5))
STAGE = Stage()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(STAGE) as url:
        yield url


def staged(**habits: Any) -> BigSimulator:
    simulator = BigSimulator({VILLAGES: [*ROWS, ISLAND]}, **habits)
    STAGE.app = simulator.app
    return simulator


@pytest.fixture
async def transport(address: str) -> AsyncIterator[Transport]:
    source = SourceSettings(
        name="big", base_url=f"{address}/rbi/rest/services", backoff_base_s=0.001, retry_after_cap_s=0
    )
    async with Transport(source) as opened:
        yield opened


def layer(transport: Transport, page_size: int = 3, **settings: Any) -> BigLayers:
    return BigLayers(ArcGisLayer(transport, BIG_LAYERS["village"], page_size=page_size, **settings))


async def pulled(layers: BigLayers, within: str | None = None) -> list[AreaPage]:
    return [page async for page in layers.pull("village", EDITION, within)]


def areas(pages: list[AreaPage]) -> list[Area]:
    return [area for page in pages for area in page.areas]


def rejected(pages: list[AreaPage]) -> list[RejectedFeature]:
    return [one for page in pages for one in page.rejected]


@pytest.mark.anyio
@pytest.mark.parametrize("flag_in", ["top", "properties"])
@pytest.mark.parametrize("lower_case", [False, True])
@pytest.mark.parametrize("can_sort", [False, True])
async def test_every_village_comes_once_and_whole_however_the_server_spells_flags_and_sorts(
    transport: Transport, flag_in: Any, lower_case: bool, can_sort: bool
) -> None:
    staged(max_records=2, flag_in=flag_in, lower_case=lower_case, can_sort=can_sort)
    pages = await pulled(layer(transport))
    found = areas(pages)
    assert sorted(area.code for area in found) == sorted(CODES)
    assert rejected(pages) == []
    assert pages[-1].read == 9
    [split] = [area for area in found if area.code == CODES[0]]
    assert isinstance(split.geometry, MultiPolygon)
    assert split.geometry.equals(MultiPolygon([shape(square(110)), shape(square(110.5))]))
    assert split.as_of == date(2023, 12, 31)
    assert any(page.areas for page in pages[:-1]) == can_sort


@pytest.mark.anyio
async def test_a_server_that_omits_the_flag_is_still_read_to_its_end(transport: Transport) -> None:
    simulator = staged(max_records=4)
    simulator.next_answers.extend(["no_limit_flag", "no_limit_flag", "no_limit_flag"])
    assert len(areas(await pulled(layer(transport)))) == 8


@pytest.mark.anyio
async def test_a_province_alone_is_asked_for_by_its_quoted_dotted_code(transport: Transport) -> None:
    simulator = staged()
    found = areas(await pulled(layer(transport), within="51"))
    assert [area.code for area in found] == ["51.71.01.1001"]
    assert {asked["where"] for asked in simulator.asked} == {"KDPPUM = '51'"}


@pytest.mark.anyio
async def test_an_empty_layer_has_no_areas_and_is_no_failure(transport: Transport) -> None:
    staged()
    assert areas(await pulled(layer(transport), within="94")) == []


@pytest.mark.anyio
async def test_a_region_below_the_level_or_no_region_at_all_is_refused_before_anything_is_asked(
    transport: Transport,
) -> None:
    simulator = staged()
    with pytest.raises(ValueError, match="village holds no regency"):
        _ = [page async for page in layer(transport).pull("regency", EDITION, within="35.78.01.1001")]
    with pytest.raises(ValueError, match="dotted"):
        await pulled(layer(transport), within="35' OR '1'='1")
    assert simulator.asked == []


@pytest.mark.anyio
async def test_features_without_a_usable_code_are_rejected_and_the_rest_is_kept(transport: Transport) -> None:
    odd = [
        village(CODES[0], "Kosong", square(111), KDEPUM=None, KDEBPS="3578011001"),
        village(CODES[1], "Satu", square(112)),
        village(CODES[2], "Pulau", square(113), KDEPUM="35.78.40001"),
        village(CODES[3], "Terbalik", mapping(box(-7, 113, -6.9, 113.1))),
    ]
    STAGE.app = BigSimulator({VILLAGES: odd}, can_sort=False).app
    pages = await pulled(layer(transport))
    assert [area.code for area in areas(pages)] == [CODES[1]]
    assert [(one.number, one.reason) for one in rejected(pages)] == [
        (1, "no_code"),
        (3, "bad_code"),
        (4, "not_in_indonesia"),
    ]


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["esriFieldTypeDate", "esriFieldTypeDouble", "esriFieldTypeInteger"])
async def test_a_layer_whose_code_field_is_no_text_is_not_read_at_all(
    transport: Transport, kind: str
) -> None:
    simulator = staged(types={"KDEPUM": kind})
    with pytest.raises(Misconfigured, match=f"KDEPUM .* {kind}"):
        await pulled(layer(transport))
    with pytest.raises(Misconfigured):
        await layer(transport).check("village")
    assert simulator.asked == []


@pytest.mark.anyio
async def test_the_wrong_level_for_a_layer_is_told_before_anything_is_read(transport: Transport) -> None:
    staged()
    layers = BigLayers(ArcGisLayer(transport, "/BATASWILAYAH/NOWHERE/MapServer/0"))
    with pytest.raises(Misconfigured, match="no such layer"):
        await layers.check("village")
    await layer(transport).check("village")


FAULTS: dict[Fault, type[SourceFailure] | None] = {
    "error_500": None,
    "http_503": None,
    "html": None,
    "truncated": None,
    "error_400": Rejected,
    "token_required": Misconfigured,
    "no_limit_flag": None,
    "flag_without_end": BrokenContract,
    "page_lost": BrokenContract,
    "page_repeated": BrokenContract,
    "web_mercator": BrokenContract,
}
# Faults that show on a later page only.
SEQUENCES: dict[Fault, list[Fault]] = {
    "page_repeated": ["no_limit_flag", "page_repeated"],
    "flag_without_end": ["no_limit_flag", "flag_without_end", "flag_without_end"],
}
LASTING: dict[Fault, type[SourceFailure]] = {
    "error_500": ServerFault,
    "http_503": Overloaded,
    "html": GarbledAnswer,
    "truncated": GarbledAnswer,
}


def test_every_fault_of_the_simulator_is_expected_here() -> None:
    assert set(FAULTS) == set(get_args(Fault))


@pytest.mark.anyio
@pytest.mark.parametrize(("fault", "failure"), FAULTS.items())
async def test_one_fault_is_survived_or_named_and_never_gives_half_a_layer(
    transport: Transport, fault: Fault, failure: type[SourceFailure] | None
) -> None:
    simulator = staged(max_records=5)
    simulator.next_answers.extend(SEQUENCES.get(fault, [fault]))
    if failure is None:
        assert len(areas(await pulled(layer(transport, 5)))) == 8
        return
    with pytest.raises(failure) as raised:
        await pulled(layer(transport, 5))
    assert "35" not in raised.value.cause


@pytest.mark.anyio
@pytest.mark.parametrize(("fault", "failure"), LASTING.items())
async def test_a_fault_that_lasts_ends_the_pull(
    transport: Transport, fault: Fault, failure: type[SourceFailure]
) -> None:
    staged().next_answers.extend([fault] * 50)
    with pytest.raises(failure):
        await pulled(layer(transport))


@pytest.mark.anyio
async def test_a_server_that_cannot_page_and_has_more_is_refused(transport: Transport) -> None:
    staged(max_records=4, can_page=False)
    with pytest.raises(Misconfigured, match="cannot page"):
        await pulled(layer(transport))


@pytest.mark.anyio
async def test_pages_too_large_to_be_read_are_asked_for_in_smaller_ones(address: str) -> None:
    simulator = staged()
    source = SourceSettings(name="big", base_url=f"{address}/rbi/rest/services", max_body_bytes=4600)
    async with Transport(source) as transport:
        assert len(areas(await pulled(layer(transport, 500)))) == 8
        sizes = [int(asked["resultRecordCount"]) for asked in simulator.asked if "resultRecordCount" in asked]
        assert sizes[0] == 500
        assert sizes == sorted(sizes, reverse=True)
    tiny = SourceSettings(name="big", base_url=f"{address}/rbi/rest/services", max_body_bytes=4000)
    STAGE.app = BigSimulator({VILLAGES: [village(CODES[0], "X" * 4000, square(111))]}).app
    async with Transport(tiny) as transport:
        with pytest.raises(TooLarge):
            await pulled(layer(transport))


INTACT = {
    "type": "Feature",
    "id": 1,
    "geometry": square(112),
    "properties": dict(village(CODES[0], "Desa", None).attributes),
}


@settings(deadline=None, max_examples=150)
@given(
    changed=st.dictionaries(
        st.sampled_from(sorted(INTACT["properties"])),  # type: ignore[call-overload] # a dict of that shape
        st.none()
        | st.integers()
        | st.floats()
        | st.text(max_size=4)
        | st.sampled_from(["35", "3578", "35.79"]),
        max_size=4,
    ),
    lower=st.booleans(),
)
def test_no_mutated_feature_becomes_an_area_that_the_intact_one_is_not(
    changed: dict[str, Any], lower: bool
) -> None:
    properties = INTACT["properties"] | changed  # type: ignore[operator] # a dict
    if lower:
        properties = {name.lower(): value for name, value in properties.items()}
    read = Reading("village", EDITION, BIG_ATTRIBUTES).area({**INTACT, "properties": properties}, 1)
    if isinstance(read, Area):
        assert read.code == CODES[0]
        assert read.name == " ".join(str(changed.get("WADMKD", "Desa")).split())
