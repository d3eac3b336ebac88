"""The monthly PBI-JK list as a file: what is written is read again, and nothing else is."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connectors.bpjs.lists import (
    COLUMNS,
    REASONS,
    REJECTIONS,
    Change,
    ListUnusable,
    cycle,
    describe_list,
    read_list,
    table_schema,
    write_list,
)

PERIOD = "2026-11"
NIK, OTHER, THIRD = "3578014708909001", "3578010708909002", "3578010708909003"
START = date(2026, 12, 1)
GOOD = (PERIOD, "remove", NIK, "deceased", "pbi_apbn", "2026-12-01", "")


def file_of(*rows: Sequence[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([COLUMNS, *rows])
    return text.getvalue().encode()


def rejects_of(*rows: Sequence[str]) -> list[tuple[int, str, str]]:
    content = file_of(*rows)
    reading = read_list(content, describe_list(content, PERIOD))
    return [(reject.row, reject.column, reject.problem) for reject in reading.rejects]


def with_cell(column: str, value: str, row: Sequence[str] = GOOD) -> tuple[str, ...]:
    return tuple(value if name == column else cell for name, cell in zip(COLUMNS, row, strict=True))


NIKS = st.builds(
    "{:06d}{:02d}{:02d}{:02d}{:04d}".format,
    st.integers(110101, 969999),
    st.integers(1, 31) | st.integers(41, 71),
    st.integers(1, 12),
    st.integers(0, 99),
    st.integers(9000, 9999),
)


@st.composite
def lists(draw: st.DrawFn) -> list[Change]:
    niks = draw(st.lists(NIKS, unique=True, max_size=24))
    changes = []
    while niks:
        action = draw(st.sampled_from(["add", "remove", "correct"]))
        reason = draw(st.sampled_from(sorted(REASONS[action])))
        nik = niks.pop()
        corrected = None
        if reason == "wrong_nik":
            if not niks:
                break
            corrected = niks.pop()
        month = draw(st.integers(0, 20)) + 10
        start = date(2026 + month // 12, month % 12 + 1, 1)
        segment = draw(st.sampled_from(["pbi_apbn", "pbi_apbd"]))
        changes.append(Change(action, nik, reason, segment, start, corrected))
    return changes


@given(lists())
@settings(deadline=None)
def test_what_is_written_is_read_again(changes: list[Change]) -> None:
    content = write_list(changes, PERIOD)
    resource = json.loads(json.dumps(describe_list(content, PERIOD)))
    reading = read_list(content, resource)
    assert reading.changes == tuple(changes)
    assert reading.rejects == ()
    assert reading.period == PERIOD


@given(lists(), st.data())
@settings(deadline=None)
def test_a_list_that_lost_or_changed_anything_is_not_read(changes: list[Change], data: st.DataObject) -> None:
    content = write_list(changes, PERIOD)
    at = data.draw(st.integers(0, len(content) - 1))
    until = data.draw(st.integers(at, len(content)))
    spoilt = content[:at] + data.draw(st.binary(max_size=5)) + content[until:]
    assume(spoilt != content)
    with pytest.raises(ListUnusable):
        read_list(spoilt, describe_list(content, PERIOD))


CELLS = {
    "period": st.sampled_from([PERIOD, "2026-12", "2026-13", ""]),
    "action": st.sampled_from([*REASONS, "ADD", ""]),
    "nik": st.sampled_from([NIK, "3578019908909001", "3.57801E+15", "357801470890900", " " + NIK, ""]),
    "reason": st.sampled_from(["deceased", "wrong_nik", "newborn", "death", ""]),
    "segment": st.sampled_from(["pbi_apbn", "pbi_apbd", "pbi", ""]),
    "effective_on": st.sampled_from(
        ["2026-11-01", "2026-12-01", "2026-12-02", "01-12-2026", "2026-1-01", ""]
    ),
    "corrected_nik": st.sampled_from(["", OTHER, "3578019908909001", "x"]),
}


@given(st.tuples(*(CELLS[column] for column in COLUMNS)))
@settings(deadline=None, max_examples=300)
def test_whatever_is_taken_holds_by_the_table_schema(row: tuple[str, ...]) -> None:
    """The schema is what a partner validates with: it must not refuse what we take."""
    content = file_of(row)
    if read_list(content, describe_list(content, PERIOD)).changes:
        for cell, field in zip(row, table_schema()["fields"], strict=True):
            assert holds(cell, field["constraints"])


def holds(cell: str, constraints: dict[str, Any]) -> bool:
    if not cell:
        return not constraints.get("required")
    if "enum" in constraints:
        return cell in constraints["enum"]
    return re.fullmatch(constraints["pattern"], cell) is not None


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("period", "2026-10", "period"),
        ("action", "delete", "unknown"),
        ("reason", "tired", "unknown"),
        ("reason", "newborn", "reason"),
        ("segment", "other", "unknown"),
        ("effective_on", "2026-12-15", "date"),
        ("effective_on", "2026-10-01", "early"),
        ("nik", "357801470890900", "digits"),
        ("nik", "\uff13578014708909001", "digits"),
        ("nik", "3.57801470890900E+15", "spreadsheet"),
        ("nik", "'3578014708909001", "spreadsheet"),
        ("nik", "3578014708909001.0", "spreadsheet"),
        ("corrected_nik", OTHER, "unwanted"),
    ],
)
def test_a_row_is_refused_with_its_column_and_reason(column: str, value: str, problem: str) -> None:
    assert rejects_of(with_cell(column, value)) == [(1, column, problem)]
    assert all(REJECTIONS[problem])


def test_all_that_is_wrong_with_a_row_is_said_at_once() -> None:
    bad = (PERIOD, "add", "1", "deceased", "", "soon", "")
    assert rejects_of(GOOD, bad) == [
        (2, "reason", "reason"),
        (2, "segment", "unknown"),
        (2, "effective_on", "date"),
        (2, "nik", "digits"),
    ]


@pytest.mark.parametrize(
    ("corrected", "problem"),
    [
        ("", "missing"),
        (NIK, "same"),
        ("3578019908909001", "nik"),
        ("3578014708900000", "nik"),
        ("1", "digits"),
    ],
)
def test_a_corrected_nik_must_be_there_new_and_possible(corrected: str, problem: str) -> None:
    row = (PERIOD, "correct", NIK, "wrong_nik", "pbi_apbn", "2026-12-01", corrected)
    assert rejects_of(row) == [(1, "corrected_nik", problem)]


def test_an_impossible_nik_can_be_removed_but_not_added() -> None:
    impossible = "3578019908909001"
    removed = (PERIOD, "remove", impossible, "identity_unmatched", "pbi_apbn", "2026-12-01", "")
    added = (PERIOD, "add", impossible, "newborn", "pbi_apbn", "2026-12-01", "")
    assert rejects_of(removed) == []
    assert rejects_of(added) == [(1, "nik", "nik")]


def test_of_equal_rows_one_is_taken_and_of_contradictory_ones_none() -> None:
    added = (PERIOD, "add", OTHER, "newborn", "pbi_apbn", "2026-12-01", "")
    removed = (PERIOD, "remove", OTHER, "deceased", "pbi_apbn", "2026-12-01", "")
    corrected = (PERIOD, "correct", THIRD, "wrong_nik", "pbi_apbn", "2026-12-01", NIK)
    assert rejects_of(GOOD, GOOD) == [(2, "nik", "repeated")]
    assert rejects_of(added, removed) == [(1, "nik", "contradictory"), (2, "nik", "contradictory")]
    assert rejects_of(GOOD, corrected) == [(1, "nik", "contradictory"), (2, "nik", "contradictory")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "first line must read"),
        (";".join(COLUMNS).encode(), "first line must read"),
        (",".join(reversed(COLUMNS)).encode(), "first line must read"),
        (",".join(COLUMNS).encode("utf-16"), "not UTF-8"),
        (file_of() + b'"' + NIK.encode(), "not CSV"),
    ],
)
def test_a_file_of_another_format_is_refused_as_a_whole(content: bytes, words: str) -> None:
    with pytest.raises(ListUnusable, match=words) as refused:
        read_list(content, describe_list(content, PERIOD))
    assert NIK not in str(refused.value)


@pytest.mark.parametrize("name", ["gapura:format", "gapura:period", "bytes", "hash"])
def test_a_list_without_a_resource_that_knows_it_is_not_read(name: str) -> None:
    content = file_of(GOOD)
    resource = describe_list(content, PERIOD)
    with pytest.raises(ListUnusable):
        read_list(content, {key: value for key, value in resource.items() if key != name})
    with pytest.raises(ListUnusable):
        read_list(content, resource | {name: "something else"})


def test_a_change_that_would_not_be_read_is_not_written() -> None:
    with pytest.raises(ListUnusable, match="change 1, nik: not 16 digits") as refused:
        write_list([Change("remove", "99", "deceased", "pbi_apbn", START)], PERIOD)
    assert "99" not in str(refused.value)


def test_the_cycle_closes_on_the_12th_and_is_ratified_on_the_15th() -> None:
    november = cycle(PERIOD)
    assert (november.corrections_until, november.ratified_on) == (date(2026, 11, 12), date(2026, 11, 15))
    with pytest.raises(ListUnusable):
        cycle("2026-11-01")


def test_the_resource_says_that_the_format_is_our_own() -> None:
    assert "not a format of BPJS" in describe_list(file_of(), PERIOD)["description"]
