"""Names by their sound: what is one name however it is written, and what stays two."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.reconciliation.linking.names import name_parts
from tests.gateway.reconciliation.linking.conftest import IBIS_WARNINGS

pytestmark = IBIS_WARNINGS

_BACKEND = ibis.duckdb.connect(threads=1)
_WORDS = ("SOEPRAPTO", "DJOKO", "SITI", "KHADIJAH", "NUR", "WIDJAJA", "TJAHJO", "RAMADHAN", "SRI")
_ONE_NAME = (
    ("SOEHARTO", "SUHARTO"),
    ("DJOKO WIDODO", "Joko Widodo"),
    ("TJAHJO", "CAHYO"),
    ("JOESOEF", "YUSUF"),
    ("MUHAMMAD RIZKI", "MOH. RIZKI"),
    ("MUHAMMAD RIZKI", "M. RIZKI"),
    ("MOCHAMAD RIZQI", "MUH RIZKI"),
    ("KHADIJAH", "HADIJA"),
    ("FAJAR", "PAJAR"),
    ("BUDI SANTOSO", "SANTOSO BUDI"),
    ("H. ABDUL RAHMAN, S.PD", "ABDUL RAHMAN"),
    ("SITI AMINAH (ALM)", "Hj. Siti Aminah"),
    ("AHMAD BIN YUSUF", "AHMAD YUSUF"),
)
_TWO_NAMES = (
    ("BUDI", "BADU"),
    ("SRI LESTARI", "SRI WAHYUNI"),
    ("HASAN", "HUSEIN"),
    ("RIZKI", "RIZKA"),
    ("AGUS", "BAGUS"),
)
_NOBODY = ("-", "", "NN", "IBU", "TIDAK DIKETAHUI", "XXX", "0", "ALMARHUMAH", "TIDAK ADA")


def _parts(*names: str) -> dict[str, dict[str, Any]]:
    told = name_parts(ibis.memtable(pa.table({"written": pa.array(names)})))
    return {row["written"]: row for row in _BACKEND.to_pyarrow(told).to_pylist()}


@pytest.fixture(scope="module")
def sounds() -> dict[str, str]:
    """The sounds of all names that tests here ask about."""
    names = [name for pair in (*_ONE_NAME, *_TWO_NAMES) for name in pair]
    return {name: row["sounds"] for name, row in _parts(*names, *_NOBODY).items()}


@pytest.mark.parametrize(("one", "other"), _ONE_NAME)
def test_one_name_sounds_the_same_however_it_is_written(sounds: dict[str, str], one: str, other: str) -> None:
    assert sounds[one] == sounds[other]


@pytest.mark.parametrize(("one", "other"), _TWO_NAMES)
def test_different_names_keep_different_sounds(sounds: dict[str, str], one: str, other: str) -> None:
    assert sounds[one] != sounds[other]


@pytest.mark.parametrize("nobody", _NOBODY)
def test_what_is_written_for_want_of_a_name_is_no_name(sounds: dict[str, str], nobody: str) -> None:
    assert nobody not in sounds


def test_a_rare_part_tells_more_than_a_common_one() -> None:
    told = _parts("SRI", "WAHYUNI", "SRI WAHYUNI", "SRI LESTARI", "SRI QOMARIYAH")
    assert told["SRI WAHYUNI"]["rarest"] == told["WAHYUNI"]["rarest"] > told["SRI"]["rarest"]
    assert told["SRI"]["bits"] < told["SRI WAHYUNI"]["bits"]


@given(st.lists(st.sampled_from(_WORDS), min_size=2, max_size=3, unique=True))
@settings(max_examples=4, deadline=None)
def test_the_order_of_parts_does_not_matter(words: list[str]) -> None:
    orders = [" ".join(order) for order in permutations(words)]
    told = _parts(*orders)
    assert len({tuple(sorted(row["parts"])) for row in told.values()}) == 1
    assert len({row["sounds"] for row in told.values()}) == 1
