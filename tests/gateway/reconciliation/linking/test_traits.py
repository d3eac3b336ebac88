"""What is compared: numbers in one form, and nothing where a value says nothing."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis
import pyarrow as pa
import pytest

from gateway.reconciliation.linking.traits import COLUMNS, traits
from tests.gateway.reconciliation.linking.conftest import IBIS_WARNINGS

pytestmark = IBIS_WARNINGS

_WRITTEN: tuple[dict[str, Any], ...] = (
    {"nik": "3578010503809123", "birth_date": date(1980, 3, 5), "mother_name": "SULASTRI"},
    {"nik": "3578014503809123", "birth_date": date(1980, 5, 3), "mother_name": "SOELASTRIE"},
    {"nik": "3578.0171.0380-9123", "birth_date": date(1980, 1, 1), "mother_name": "TIDAK DIKETAHUI"},
    {"nik": "35780131", "birth_date": None, "mother_name": None, "birth_place": "KAB. MALANG"},
    {"nik": None, "family_card_number": "3578 0102 0102 9321", "birth_place": "MALANG"},
)


@pytest.fixture(scope="module")
def told() -> list[dict[str, Any]]:
    """The traits of the rows above, in their order."""
    columns = [(name, pa.date32() if name == "birth_date" else pa.string()) for name in COLUMNS]
    rows = [{"person_id": str(at), **row} for at, row in enumerate(_WRITTEN)]
    left = ibis.memtable(pa.Table.from_pylist(rows, pa.schema([("person_id", pa.string()), *columns])))
    right = ibis.memtable(pa.Table.from_pylist([], pa.schema(columns)))
    found = traits(left, right).order_by("unique_id")
    return list(ibis.duckdb.connect(threads=1).to_pyarrow(found).to_pylist())


def test_the_forty_of_women_is_taken_from_a_nik(told: list[dict[str, Any]]) -> None:
    assert [row["nik"] for row in told[:3]] == ["3578010503809123", "3578010503809123", "3578013103809123"]


def test_a_nik_too_short_to_hold_a_birth_date_is_none(told: list[dict[str, Any]]) -> None:
    assert [row["nik"] for row in told[3:]] == [None, None]


def test_swapped_day_and_month_meet_in_one_block(told: list[dict[str, Any]]) -> None:
    assert told[0]["born_key"] == told[1]["born_key"]
    assert told[0]["born"] != told[1]["born"]


def test_the_first_of_january_brings_nobody_together(told: list[dict[str, Any]]) -> None:
    assert (told[2]["born"], told[2]["born_key"], told[2]["birthday"]) == ("19800101", None, None)


def test_a_mother_is_heard_as_she_is_called_or_not_at_all(told: list[dict[str, Any]]) -> None:
    assert told[0]["mother_sounds"] == told[1]["mother_sounds"] == "SULASTRI"
    assert [row["mother_sounds"] for row in told[2:]] == [None, None, None]


def test_marks_and_words_around_a_value_do_not_count(told: list[dict[str, Any]]) -> None:
    assert told[4]["card"] == "3578010201029321"
    assert told[3]["place"] == told[4]["place"] == "MALANG"
