"""Texts of two registers in one form, and who is helped twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import ibis
import pyarrow as pa
import pytest

from gateway.reconciliation.duplicates import enrolled_twice, one_person_with_several_niks
from gateway.reconciliation.normal import region_key
from tests.gateway.reconciliation.invented_pairs import tables

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")

_DAY, _NEW_YEAR = date(1980, 3, 5), date(1980, 1, 1)


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    opened = ibis.duckdb.connect(threads=1)
    yield opened
    opened.disconnect()


def test_a_region_code_has_its_points_however_it_is_written(engine: Any) -> None:
    written = {
        "35.78.08.1001": "35.78.08.1001",
        "3578081001": "35.78.08.1001",
        "357808": "35.78.08",
        "3578": "35.78",
        "35": "35",
        " 35.78\t": "35.78",
        "35 78 08": "35.78.08",
        "357": "357",
        "ABCD": "ABCD",
        "": "",
    }
    table = engine.create_table("codes", pa.table({"code": list(written)}))
    told = engine.to_pyarrow(table.select("code", key=region_key(table.code))).to_pylist()
    assert {row["code"]: row["key"] for row in told} == written


def test_one_person_under_two_niks_is_found_with_every_programme_once(engine: Any) -> None:
    person = {"sex": "P", "region_code": "35.78", "mother_name": "Siti Nur Aini", "birth_date": _DAY}
    registry = [
        {**person, "person_id": "a", "nik": "3578084503809001", "full_name": "SRI REJEKI"},
        {**person, "person_id": "b", "nik": "3578084503809002", "full_name": "Hj. Sri Redjeki"},
        {**person, "person_id": "c", "nik": "3578084101809003", "full_name": "SRI REJEKI"},
        {**person, "person_id": "d", "nik": "3578084101809004", "full_name": "SRI REJEKI"},
    ]
    for one in registry[2:]:
        one["birth_date"] = _NEW_YEAR
    enrolments = [("a", "PKH"), ("a", "PKH"), ("b", "BPNT"), ("c", "PKH"), ("d", "BST")]
    people, _, _ = tables(engine, registry, [])
    rows = [{"person_id": who, "programme": programme} for who, programme in enrolments]
    lists = engine.create_table("lists", pa.Table.from_pylist(rows))
    found = enrolled_twice(one_person_with_several_niks(people), lists)
    told = engine.to_pyarrow(found.select("person_id", "programme", "holders")).to_pylist()
    assert sorted(tuple(row.values()) for row in told) == [("a", "PKH", 2), ("b", "BPNT", 2)]
