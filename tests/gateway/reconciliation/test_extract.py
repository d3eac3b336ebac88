"""What offices and tools do to an extract: each is named, nothing of that partition is taken, the rest is."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet

from gateway.errors import FileUnusable
from gateway.reconciliation.extract import Extract, read_extract

_HEADINGS = (
    "nik,family_card_number,full_name,birth_date,birth_place,sex,mother_name,region_code,person_state,"
    "state_since,as_of"
)
_NAME = "WULANDARI"


def _line(serial: int) -> str:
    return f"357808450380{serial},3578081203109001,{_NAME},1980-03-05,SURABAYA,P,SRI,35.78.08.1001,alive,,2026-10-01"  # noqa: E501


_LINES = [_line(9001), _line(9002), _line(9003)]


def _text(*lines: str, headings: str = _HEADINGS) -> str:
    return "\n".join([headings, *lines]) + "\n"


def _read(tmp_path: Path, content: bytes, name: str = "regency=35.78/part.csv") -> Extract:
    """The content as one partition, beside another that is sound."""
    folder = tmp_path / "extract"
    for file, data in ((name, content), ("regency=33.74/part.csv", _text(_line(9801)).encode())):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(data)
    return read_extract(folder, tmp_path / "staging")


def _parquet(tmp_path: Path, **replaced: pa.Array) -> bytes:
    rows = [line.split(",") for line in _LINES]
    columns = {
        name: replaced.get(name, pa.array([row[n] or None for row in rows], pa.string()))
        for n, name in enumerate(_HEADINGS.split(","))
    }
    parquet.write_table(pa.table(columns), tmp_path / "made.parquet")
    return (tmp_path / "made.parquet").read_bytes()


def test_a_sound_extract_is_read_with_its_types_and_nothing_lost(tmp_path: Path) -> None:
    extract = _read(tmp_path, _text(*_LINES).encode())
    assert (extract.rows, extract.as_of, extract.once, extract.complete) == (4, date(2026, 10, 1), True, True)
    rows = duckdb.read_parquet([str(file) for file in extract.files]).order("nik").fetchall()
    assert rows[0][:4] == ("3578084503809001", "3578081203109001", _NAME, date(1980, 3, 5))
    assert not list((tmp_path / "staging").glob("*.unfinished"))


@pytest.mark.parametrize(
    ("headings", "lines"),
    [
        ("\ufeff" + _HEADINGS, _LINES),
        (_HEADINGS.upper().replace("FULL_NAME", "NAMA_LGKP").replace("BIRTH_DATE", "TGL_LHR"), _LINES),
        (_HEADINGS.replace(",", ";"), [line.replace(",", ";") for line in _LINES]),
        (_HEADINGS, [line.replace("1980-03-05", "05-03-1980") for line in _LINES]),
        (_HEADINGS, [line.replace(_NAME, f'"{_NAME}, S.H."') for line in _LINES]),
    ],
)
def test_other_usual_ways_to_write_one_are_read_too(tmp_path: Path, headings: str, lines: list[str]) -> None:
    extract = _read(tmp_path, _text(*lines, headings=headings).encode())
    assert (extract.defects, extract.rows) == ((), 4)
    names = duckdb.read_parquet([str(file) for file in extract.files]).fetchall()
    assert {row[3] for row in names} == {date(1980, 3, 5)}


_SHIFTED = _LINES[1].replace(_NAME, f"{_NAME},{_NAME}").removesuffix(",2026-10-01")
_DAMAGED: dict[str, tuple[bytes, str, str | None, int]] = {
    "missing column": (
        _text(*_LINES, headings=_HEADINGS).replace("mother_name", "remark").encode(),
        "missing_column",
        "mother_name",
        0,
    ),
    "repeated column": (
        _text(*(f"{line},P" for line in _LINES), headings=f"{_HEADINGS},sex").encode(),
        "repeated_column",
        "sex",
        0,
    ),
    "utf-16": (_text(*_LINES).encode("utf-16"), "encoding", None, 0),
    "windows": (_text(_LINES[0].replace(_NAME, "ANDRÉ")).encode("cp1252"), "encoding", None, 0),
    "float": (
        _text(_LINES[0], _LINES[1].replace("3578084503809002", "3578084503809002.0")).encode(),
        "number",
        "nik",
        1,
    ),
    "exponent": (_text(_LINES[0].replace("3578084503809001", "3.57808E+15")).encode(), "number", "nik", 1),
    "short nik": (
        _text(_LINES[0].replace("3578084503809001", "357808450380900")).encode(),
        "not_identifier",
        "nik",
        1,
    ),
    "shifted": (_text(_LINES[0], _SHIFTED).encode(), "shifted", None, 1),
    "duplicates": (_text(*_LINES, _LINES[0]).encode(), "duplicate_rows", "nik", 1),
    "cut off": (_text(*_LINES).encode()[:-60], "truncated", None, 0),
    "ragged": (_text(_LINES[0], _LINES[1] + ",x").encode(), "ragged", None, 0),
    "date": (_text(_LINES[0].replace("1980-03-05", "29284")).encode(), "not_date", "birth_date", 1),
    "state": (_text(_LINES[0].replace("alive", "hidup")).encode(), "not_word", "person_state", 1),
    "no day of the data": (_text(_LINES[0].replace("2026-10-01", "")).encode(), "not_date", "as_of", 1),
    "no rows": (_text().encode(), "empty", None, 0),
    "empty": (b"", "empty", None, 0),
}


@pytest.mark.parametrize("damage", _DAMAGED)
def test_a_defect_is_named_the_partition_left_out_and_the_sound_one_taken(
    tmp_path: Path, damage: str
) -> None:
    content, code, column, rows = _DAMAGED[damage]
    extract = _read(tmp_path, content)
    assert [(one.code, one.column, one.rows) for one in extract.defects] == [(code, column, rows)]
    assert (extract.rows, extract.complete) == (1, False)
    (problem,) = extract.problems
    assert problem["file"] == "regency=35.78/part.csv"
    told = f"{problem}"
    assert not any(value in told for value in (_NAME, "3578084503809", "1980-03-05", "29284", "hidup"))


@pytest.mark.parametrize(("kind", "words"), [(pa.float64(), "floating-point"), (pa.int64(), "whole numbers")])
def test_a_nik_that_parquet_holds_as_a_number_is_named(tmp_path: Path, kind: pa.DataType, words: str) -> None:
    numbers = pa.array([3578084503809001, 3578084503809002, 3578084503809003]).cast(kind)
    extract = _read(tmp_path, _parquet(tmp_path, nik=numbers), "part.parquet")
    assert [(one.code, one.column) for one in extract.defects] == [("number", "nik")]
    assert words in extract.defects[0].said.en


def test_a_parquet_file_is_read_and_one_without_its_end_is_not(tmp_path: Path) -> None:
    whole = _parquet(tmp_path)
    assert _read(tmp_path / "a", whole, "part.parquet").rows == 4
    cut = _read(tmp_path / "b", whole[:-100], "part.parquet")
    assert [one.code for one in cut.defects] == ["truncated"]
    assert [one.code for one in _read(tmp_path / "c", b"x" * 99, "p.parquet").defects] == ["unreadable"]


def test_one_nik_in_two_partitions_is_told_apart_from_once(tmp_path: Path) -> None:
    extract = _read(tmp_path, _text(_line(9801)).encode())
    assert (extract.defects, extract.once) == ((), False)


def test_nothing_to_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileUnusable, match="there is no"):
        read_extract(tmp_path / "none.csv", tmp_path / "staging")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileUnusable, match="at least one"):
        read_extract(tmp_path / "empty", tmp_path / "staging")
    (tmp_path / "bad.csv").write_text(_text(_LINES[0].replace("alive", "?")))
    with pytest.raises(FileUnusable, match="no partition"):
        read_extract(tmp_path / "bad.csv", tmp_path / "staging")
