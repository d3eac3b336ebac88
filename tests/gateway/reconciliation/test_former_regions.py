"""The file of renamed regions: read as a whole or refused as a whole."""

from __future__ import annotations

from pathlib import Path

import ibis
import pytest

from gateway.errors import BadInput
from gateway.reconciliation.former_regions import former_regions

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")


def _read(file: Path | None) -> list[tuple[str, ...]]:
    rows = ibis.duckdb.connect(threads=1).to_pyarrow(former_regions(file)).to_pylist()
    return sorted(tuple(row.values()) for row in rows)


def test_former_codes_are_read_with_or_without_points(tmp_path: Path) -> None:
    file = tmp_path / "former.csv"
    file.write_bytes(b"\xef\xbb\xbfold_code,new_code\r\n9101,93.01\r\n\r\n35.78.08,357831\r\n")
    assert _read(file) == [("35.78.08", "35.78.31"), ("91.01", "93.01")]


def test_without_a_file_no_region_had_another_code() -> None:
    assert _read(None) == []


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"lama,baru\n91.01,93.01\n",
        b"old_code,new_code\n91.01\n",
        b"old_code,new_code\n91.01,93.01,x\n",
        b"old_code,new_code\n91.01,Merauke\n",
        b"old_code,new_code\n91.01,93\n",
        b"old_code,new_code\n91.01,93.01\xff\n",
    ],
)
def test_a_file_of_anything_else_is_refused_by_name(tmp_path: Path, written: bytes) -> None:
    file = tmp_path / "former.csv"
    file.write_bytes(written)
    with pytest.raises(BadInput, match=r"^former\.csv.*: expected"):
        former_regions(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="FileNotFoundError"):
        former_regions(tmp_path / "none.csv")
